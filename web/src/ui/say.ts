// SPDX-License-Identifier: MIT
// Small services of the elements.

/** Puts a sentence into the live region of the chat around the element. */
export function announce(from: EventTarget, text: string): void {
  from.dispatchEvent(
    new CustomEvent('chatbox-announce', {
      detail: text,
      bubbles: true,
      composed: true,
    }),
  );
}

/**
 * False when the browser does not let us. `within` is the open modal dialog,
 * if there is one: nothing outside of it can be selected.
 */
export async function copyText(
  text: string,
  within: Node = document.body,
): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text, within);
  }
}

/** For pages over plain http on another host than localhost. */
function copyBySelection(text: string, within: Node): boolean {
  const area = document.createElement('textarea');
  area.value = text;
  area.style.position = 'fixed';
  area.style.opacity = '0';
  within.appendChild(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  return done;
}
