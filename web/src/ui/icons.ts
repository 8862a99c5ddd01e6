// SPDX-License-Identifier: MIT
// Line icons of our own, 24 units square, decorative: the button says it.
import { html, svg } from 'lit';
import type { SVGTemplateResult, TemplateResult } from 'lit';

const SHAPES = {
  plus: svg`<path d="M12 5v14M5 12h14"/>`,
  search: svg`<circle cx="11" cy="11" r="6.5"/><path d="m16 16 4.5 4.5"/>`,
  menu: svg`<path d="M4 7h16M4 12h16M4 17h10"/>`,
  close: svg`<path d="M6 6l12 12M18 6 6 18"/>`,
  more: svg`<path d="M5.5 12h.01M12 12h.01M18.5 12h.01" stroke-width="2.6"/>`,
  send: svg`<path d="M12 19V5.5M6 11l6-6 6 6" stroke-width="2.1"/>`,
  picture: svg`<rect x="3.5" y="4.5" width="17" height="15" rx="2.5"/><circle cx="9" cy="10" r="1.6"/><path d="m5 17 5-4.5 3.5 3 2.5-2 3.5 3.5"/>`,
  stop: svg`<rect x="5.5" y="5.5" width="13" height="13" rx="2.6" fill="currentColor" stroke="none"/>`,
  down: svg`<path d="M12 5v13M6.5 12.5 12 18l5.5-5.5"/>`,
  chevron: svg`<path d="m7 10 5 5 5-5"/>`,
  copy: svg`<rect x="8.5" y="8.5" width="11" height="11" rx="2.5"/><path d="M15.5 8.5V7A2.5 2.5 0 0 0 13 4.5H7A2.5 2.5 0 0 0 4.5 7v6A2.5 2.5 0 0 0 7 15.5h1.5"/>`,
  check: svg`<path d="m5 12.5 4.5 4.5L19 7.5"/>`,
  again: svg`<path d="M19.5 12a7.5 7.5 0 1 1-2.3-5.4L19.5 9M19.5 4.5V9H15"/>`,
  sun: svg`<circle cx="12" cy="12" r="3.8"/><path d="M12 3v1.8M12 19.2V21M3 12h1.8M19.2 12H21M5.6 5.6l1.3 1.3M17.1 17.1l1.3 1.3M5.6 18.4l1.3-1.3M17.1 6.9l1.3-1.3"/>`,
  moon: svg`<path d="M19.5 14.3A8 8 0 0 1 9.7 4.5a8 8 0 1 0 9.8 9.8z"/>`,
  system: svg`<rect x="3.5" y="5" width="17" height="11.5" rx="2"/><path d="M9 20h6M12 16.5V20"/>`,
  person: svg`<circle cx="12" cy="8" r="3.6"/><path d="M4.8 20a7.2 7.2 0 0 1 14.4 0"/>`,
  pencil: svg`<path d="m4.5 19.5.9-4L16 4.9a1.8 1.8 0 0 1 2.6 0l.5.5a1.8 1.8 0 0 1 0 2.6L8.5 18.6z"/>`,
  trash: svg`<path d="M4.5 7h15M9.5 7V4.8h5V7M6.5 7l.8 12.2h9.4L17.5 7M10.2 11v4.6M13.8 11v4.6"/>`,
  link: svg`<path d="M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-.8.8M14 10a4 4 0 0 0-5.7 0l-3 3a4 4 0 0 0 5.7 5.7l.8-.8"/>`,
  save: svg`<path d="M12 4v11M7 10.5l5 5 5-5M5 19.5h14"/>`,
  finish: svg`<path d="M6 20.5V4.5M6 5.5h11.5l-2.3 3.7 2.3 3.8H6"/>`,
  keyboard: svg`<rect x="3" y="6.5" width="18" height="11" rx="2.2"/><path d="M7 10h.01M10.3 10h.01M13.7 10h.01M17 10h.01M8.5 14h7" stroke-width="2"/>`,
  key: svg`<circle cx="8" cy="15" r="3.8"/><path d="m11 12 8-8M16 7l2.5 2.5M13.5 9.5l1.8 1.8"/>`,
  warning: svg`<path d="M12 4.5 21 19.5H3zM12 10.5v4M12 17h.01"/>`,
  chat: svg`<path d="M4.5 7A2.5 2.5 0 0 1 7 4.5h10A2.5 2.5 0 0 1 19.5 7v7a2.5 2.5 0 0 1-2.5 2.5h-5.5l-4.5 3.4v-3.4A2.5 2.5 0 0 1 4.5 14z"/>`,
} satisfies Record<string, SVGTemplateResult>;

export type IconName = keyof typeof SHAPES;

export function icon(name: IconName): TemplateResult {
  return html`<svg viewBox="0 0 24 24" aria-hidden="true">${SHAPES[name]}</svg>`;
}
