// SPDX-License-Identifier: MIT
// Markdown of a model to DOM. The model's text is hostile: it may quote what
// an attacker wrote. Three walls, each enough alone: raw HTML is shown as
// text, DOMPurify passes a short list of elements, and the content security
// policy forbids the rest. Nothing is fetched because a model wrote it:
// images become links.
import DOMPurify from 'dompurify';
import { Parser, Renderer } from 'marked';
import type { MarkedOptions, Token, Tokens } from 'marked';
import { highlight } from './highlight';

const SAFE_INLINE =
  /^<\/?(?:br|sub|sup|kbd|mark|b|i|u|s|em|strong|del|ins|small)\s*\/?>$/i;

const PURIFY = {
  ALLOWED_TAGS: [
    'a', 'b', 'blockquote', 'br', 'code', 'del', 'div', 'em', 'h3', 'h4',
    'h5', 'h6', 'hr', 'i', 'ins', 'kbd', 'li', 'mark', 'ol', 'p', 'pre', 's',
    'small', 'span', 'strong', 'sub', 'sup', 'table', 'tbody', 'td', 'th',
    'thead', 'tr', 'u', 'ul',
  ],
  ALLOWED_ATTR: ['href', 'class', 'align', 'start', 'title', 'scope'],
  // These hold no addresses, so the check of addresses is not for them.
  ADD_URI_SAFE_ATTR: ['align', 'start', 'scope'],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
  RETURN_DOM_FRAGMENT: true as const,
};

export function escapeHtml(text: string): string {
  return text
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;')
    .replace(/'/g, '&#39;');
}

/** An address that a reader may be sent to, or undefined. */
export function safeAddress(href: string): string | undefined {
  // A browser drops control characters and leading space, so we do first.
  const trimmed = href.replace(/[\u0000-\u0020\u007f]/g, '');
  if (!/^(?:https?:\/\/|mailto:)/i.test(trimmed)) return undefined;
  try {
    return new URL(trimmed).href;
  } catch {
    return undefined;
  }
}

function linkHtml(href: string, label: string, title?: string | null): string {
  const address = safeAddress(href);
  if (!address) return `<span class="nolink">${label}</span>`;
  const tip = title ? ` title="${escapeHtml(title)}"` : '';
  return `<a href="${escapeHtml(address)}"${tip}>${label}</a>`;
}

/** Our elements instead of the library's where theirs would not do. */
class SafeRenderer extends Renderer {
  /** Depth of the last heading: levels never skip one (accessibility). */
  level = 2;

  override html(token: Tokens.HTML | Tokens.Tag): string {
    const text = token.text;
    if (SAFE_INLINE.test(text.trim())) return text;
    const shown = escapeHtml(text);
    return token.block ? `<p>${shown}</p>` : shown;
  }

  override heading({ tokens, depth }: Tokens.Heading): string {
    this.level = Math.min(depth + 2, this.level + 1, 6);
    const text = this.parser.parseInline(tokens);
    return `<h${this.level} class="d${depth}">${text}</h${this.level}>`;
  }

  override link({ href, title, tokens }: Tokens.Link): string {
    return linkHtml(href, this.parser.parseInline(tokens), title);
  }

  override image({ href, title, text }: Tokens.Image): string {
    return linkHtml(href, `Image: ${escapeHtml(text || href)}`, title);
  }

  override checkbox({ checked }: Tokens.Checkbox): string {
    return `<span class="task">${checked ? '☑' : '☐'}</span> `;
  }

  override code({ text, lang }: Tokens.Code): string {
    const language = /^\S*/.exec(lang ?? '')![0];
    const name = escapeHtml(language);
    const body = highlight(text, language) ?? escapeHtml(text);
    return `<pre><code class="language-${name}">${body}\n</code></pre>`;
  }

  override tablecell(token: Tokens.TableCell): string {
    const text = this.parser.parseInline(token.tokens);
    const head = token.header && text.trim() !== '';
    const align = token.align ? ` align="${token.align}"` : '';
    return head
      ? `<th scope="col"${align}>${text}</th>`
      : `<td${align}>${text}</td>`;
  }
}

export const OPTIONS: MarkedOptions = { gfm: true, breaks: false };

/** Renders blocks; keeps what one block needs to know of the ones before. */
export class BlockRenderer {
  private renderer = new SafeRenderer();
  private parser = new Parser({ ...OPTIONS, renderer: this.renderer });

  constructor() {
    this.renderer.parser = this.parser;
  }

  /** Blocks that stay. */
  render(tokens: Token[]): DocumentFragment {
    return sanitise(this.parser.parse(tokens));
  }

  /** Blocks that will be rendered again: they leave no trace here. */
  preview(tokens: Token[]): DocumentFragment {
    const level = this.renderer.level;
    const fragment = this.render(tokens);
    this.renderer.level = level;
    return fragment;
  }
}

function sanitise(html: string): DocumentFragment {
  const fragment = DOMPurify.sanitize(html, PURIFY);
  for (const a of fragment.querySelectorAll('a')) secureLink(a);
  for (const pre of fragment.querySelectorAll('pre')) frameCode(pre);
  for (const table of fragment.querySelectorAll('table')) frameTable(table);
  return fragment;
}

function secureLink(a: HTMLAnchorElement): void {
  a.rel = 'noopener noreferrer nofollow';
  a.target = '_blank';
}

/** A head with the language and a copy button around a code block. */
export function frameCode(pre: HTMLPreElement): HTMLElement {
  const language = /language-(\S+)/.exec(pre.firstElementChild?.className ?? '');
  const box = document.createElement('div');
  box.className = 'code';
  box.dir = 'ltr';
  const head = document.createElement('div');
  head.className = 'code-head';
  const name = document.createElement('span');
  name.textContent = language?.[1] ?? 'text';
  const copy = document.createElement('button');
  copy.type = 'button';
  copy.className = 'copy';
  copy.textContent = 'Copy';
  copy.setAttribute('aria-label', `Copy this ${name.textContent} code`);
  head.append(name, copy);
  pre.replaceWith(box);
  makeScrollable(pre, `Code, ${name.textContent}`);
  box.append(head, pre);
  return box;
}

function frameTable(table: HTMLTableElement): void {
  const box = document.createElement('div');
  box.className = 'table';
  makeScrollable(box, 'Table');
  table.replaceWith(box);
  box.append(table);
}

/** Wide content scrolls by itself, also by keyboard. */
function makeScrollable(element: HTMLElement, label: string): void {
  element.tabIndex = 0;
  element.setAttribute('role', 'group');
  element.setAttribute('aria-label', label);
}
