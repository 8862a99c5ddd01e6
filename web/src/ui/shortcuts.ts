// SPDX-License-Identifier: MIT
import { html } from 'lit';

export type Shortcut = 'new' | 'search' | 'help' | 'escape';

/**
 * The key belongs to an input method: Enter ends a composition, Escape calls
 * it off. Some browsers say so by the key code alone.
 */
export function isComposing(e: KeyboardEvent): boolean {
  return e.isComposing || e.keyCode === 229;
}

/** By the key's place for letters: Alt changes the letter on some systems. */
export function shortcutOf(e: KeyboardEvent): Shortcut | undefined {
  if (isComposing(e)) return undefined;
  const control = (e.ctrlKey || e.metaKey) && !e.altKey && !e.shiftKey;
  if (e.key === 'Escape') return 'escape';
  if (control && e.key.toLowerCase() === 'k') return 'search';
  if (control && e.key === '/') return 'help';
  const alt = e.altKey && !e.ctrlKey && !e.metaKey && !e.shiftKey;
  return alt && e.code === 'KeyN' ? 'new' : undefined;
}

export function shortcutTable() {
  const control = /Mac|iPhone|iPad/.test(navigator.platform) ? '⌘' : 'Ctrl';
  const rows: [string, string[]][] = [
    ['Send', ['Enter']],
    ['New line', ['Shift', 'Enter']],
    ['Stop the answer', ['Esc']],
    ['New chat', ['Alt', 'N']],
    ['Search chats', [control, 'K']],
    ['This list', [control, '/']],
  ];
  return html`<dl>
    ${rows.map(
      ([what, keys]) => html`<dt>${what}</dt>
        <dd>${keys.map((key) => html`<kbd>${key}</kbd> `)}</dd>`,
    )}
  </dl>`;
}
