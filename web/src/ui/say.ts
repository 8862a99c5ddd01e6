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

/** False when the browser does not let us. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** For pages over plain http on another host than localhost. */
function copyBySelection(text: string): boolean {
  const area = document.createElement('textarea');
  area.value = text;
  area.style.position = 'fixed';
  area.style.opacity = '0';
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  return done;
}
