// SPDX-License-Identifier: MIT
// An answer as it grows. Frozen blocks are appended once and never touched
// again; only the open block at the end is replaced, at most once per frame,
// and less often when it is so large that replacing it takes time.
import { LitElement, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { BlockSplitter } from '../render/blocks';
import { BlockRenderer, OPTIONS, frameCode } from '../render/markdown';
import type { OpenFence, Piece } from '../render/blocks';
import { copyText, announce } from './say';
import { markdownStyles } from './markdown-styles';
import { basics } from './styles';

/** A longer code block is shown plain while it grows. */
const LIVE_COLOURS = 4_000;
/** At most one part in this many of the time goes into painting. */
const PAINT_SHARE = 6;
const LONGEST_WAIT_MS = 1_500;

@customElement('chatbox-markdown')
export class ChatboxMarkdown extends LitElement {
  static override styles = [basics, markdownStyles];

  @property({ attribute: false }) text = '';
  @property({ type: Boolean, reflect: true }) streaming = false;

  private splitter = new BlockSplitter(OPTIONS);
  private renderer = new BlockRenderer();
  private readonly body = document.createElement('div');
  private tail?: HTMLElement;
  private growing?: Text; // the text of an open fence
  private finished = false;
  private notBefore = 0;
  private timer = 0;

  constructor() {
    super();
    this.body.className = 'body';
    this.body.addEventListener('click', (e) => this.onClick(e));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.timer);
  }

  protected override render() {
    return this.body ?? nothing;
  }

  protected override updated(): void {
    clearTimeout(this.timer);
    const wait = this.notBefore - performance.now();
    if (!this.streaming || wait <= 0) this.paint();
    else this.timer = window.setTimeout(() => this.paint(), wait);
  }

  private paint(): void {
    const begin = performance.now();
    if (this.finished || !this.grow()) {
      this.restart();
      this.grow();
    }
    const cost = performance.now() - begin;
    this.notBefore = begin + Math.min(LONGEST_WAIT_MS, cost * PAINT_SHARE);
  }

  private restart(): void {
    this.splitter = new BlockSplitter(OPTIONS);
    this.renderer = new BlockRenderer();
    this.body.replaceChildren();
    this.tail = undefined;
    this.growing = undefined;
    this.finished = false;
  }

  /** False when the text is not a continuation of what is shown. */
  private grow(): boolean {
    const frozen = this.splitter.feed(this.text);
    if (!frozen) return false;
    if (frozen.length > 0) this.thaw();
    for (const piece of frozen) this.appendPiece(piece);
    if (this.streaming) this.showTail();
    else this.finish();
    return true;
  }

  private appendPiece({ token, joins }: Piece): void {
    const fragment = this.renderer.render([token]);
    const list = joins ? this.body.lastElementChild?.lastElementChild : null;
    const items = fragment.firstElementChild;
    if (list && items) list.append(...items.children);
    else if (fragment.childNodes.length > 0) this.appendBlock(fragment);
  }

  private appendBlock(fragment: DocumentFragment): void {
    const block = document.createElement('div');
    block.className = 'block';
    block.dir = 'auto';
    block.append(fragment);
    this.body.append(block);
  }

  private finish(): void {
    this.thaw();
    for (const piece of this.splitter.finish()) this.appendPiece(piece);
    this.finished = true;
  }

  private thaw(): void {
    this.tail?.remove();
    this.tail = undefined;
    this.growing = undefined;
  }

  private showTail(): void {
    const fence = this.splitter.openFence();
    if (fence && fence.code.length > LIVE_COLOURS) return this.growFence(fence);
    const fragment = this.renderer.preview(this.splitter.open());
    this.tailElement().replaceChildren(fragment);
    this.tail!.classList.toggle('joins', this.splitter.joins);
    this.growing = undefined;
  }

  private tailElement(): HTMLElement {
    if (!this.tail) {
      this.tail = document.createElement('div');
      this.tail.className = 'block open';
      this.tail.dir = 'auto';
      this.body.append(this.tail);
    }
    return this.tail;
  }

  /** Appends to a long code block without parsing it again. */
  private growFence(fence: OpenFence): void {
    if (!this.growing) {
      const pre = document.createElement('pre');
      const code = document.createElement('code');
      code.className = `language-${fence.language}`;
      this.growing = document.createTextNode('');
      code.append(this.growing);
      pre.append(code);
      this.tailElement().replaceChildren(pre);
      frameCode(pre);
    }
    const shown = this.growing.data.length;
    this.growing.appendData(fence.code.slice(shown));
  }

  private async onClick(event: Event): Promise<void> {
    const button = (event.target as Element).closest('button.copy');
    const pre = button?.closest('.code')?.querySelector('pre');
    if (!button || !pre) return;
    const done = await copyText(pre.textContent?.replace(/\n$/, '') ?? '');
    button.textContent = done ? 'Copied' : 'Not copied';
    announce(this, done ? 'Code copied.' : 'The code could not be copied.');
    setTimeout(() => (button.textContent = 'Copy'), 1600);
  }
}
