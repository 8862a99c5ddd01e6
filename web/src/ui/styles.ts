// SPDX-License-Identifier: MIT
// Colours and basics that all elements share. The tokens are set on the outer
// elements and inherited; a page that embeds us may override them. Every pair
// of text and ground holds WCAG AA (4.5:1) in both schemes.
import { css } from 'lit';

export const tokens = css`
  :host {
    color-scheme: light dark;
    --ground: light-dark(#fbfaf8, #1b1b1a);
    --panel: light-dark(#f3f1ec, #141413);
    --raised: light-dark(#ffffff, #262624);
    --hover: light-dark(#eae7e0, #2c2c2a);
    --selected: light-dark(#e4e0d7, #333330);
    --bubble: light-dark(#ece9e2, #2e2e2b);
    --line: light-dark(#e2ded5, #363633);
    --line-strong: light-dark(#8c867a, #7c7870);
    --text: light-dark(#22211e, #ebe9e4);
    --muted: light-dark(#635f56, #aaa69c);
    --accent: light-dark(#1d6a57, #74c9ae);
    --on-accent: light-dark(#ffffff, #10231d);
    --accent-soft: light-dark(#dcece6, #1f3a32);
    --danger: light-dark(#a92a22, #f2938b);
    --danger-soft: light-dark(#fbe9e6, #43211e);
    --warn: light-dark(#7a4d05, #e5b566);
    --warn-soft: light-dark(#fbf0d9, #3b2d14);
    --code-ground: light-dark(#f4f2ed, #131312);
    --shadow: 0 1px 2px light-dark(#3a352a14, #0004),
      0 6px 24px light-dark(#3a352a12, #0005);
    --sans: ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto,
      'Helvetica Neue', 'Noto Sans', 'Liberation Sans', Arial, sans-serif;
    --mono: ui-monospace, 'SF Mono', 'Cascadia Code', Menlo, Consolas,
      'Liberation Mono', 'DejaVu Sans Mono', monospace;
    color: var(--text);
    font-family: var(--sans);
    font-size: 1rem;
    line-height: 1.55;
  }

  :host([theme='light']) {
    color-scheme: light;
  }

  :host([theme='dark']) {
    color-scheme: dark;
  }
`;

export const basics = css`
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }

  [hidden] {
    display: none !important;
  }

  h1,
  h2,
  p,
  ul,
  ol {
    margin: 0;
    padding: 0;
  }

  button,
  input,
  textarea,
  select {
    font: inherit;
    color: inherit;
    letter-spacing: inherit;
  }

  button {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 0.5rem;
    margin: 0;
    padding: 0.45rem 0.75rem;
    border: 1px solid transparent;
    border-radius: 0.6rem;
    background: transparent;
    cursor: pointer;
    transition: background-color 120ms, border-color 120ms, color 120ms;
  }

  button:hover:not(:disabled) {
    background: var(--hover);
  }

  button:disabled,
  button[aria-disabled='true'] {
    cursor: default;
    color: var(--muted);
  }

  button.icon {
    flex: none;
    width: 2.25rem;
    height: 2.25rem;
    padding: 0;
    color: var(--muted);
  }

  button.icon:hover:not(:disabled) {
    color: var(--text);
  }

  button.outline {
    border-color: var(--line);
    background: var(--raised);
  }

  button.primary {
    background: var(--accent);
    color: var(--on-accent);
    font-weight: 550;
  }

  button.primary:hover:not(:disabled) {
    background: color-mix(in oklab, var(--accent) 88%, var(--text));
  }

  button.danger {
    background: var(--danger-soft);
    color: var(--danger);
    font-weight: 550;
  }

  svg {
    flex: none;
    width: 1.15rem;
    height: 1.15rem;
    fill: none;
    stroke: currentColor;
    stroke-width: 1.7;
    stroke-linecap: round;
    stroke-linejoin: round;
  }

  :focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: 2px;
  }

  .visually-hidden {
    position: absolute;
    width: 1px;
    height: 1px;
    margin: -1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }

  @media (prefers-reduced-motion: reduce) {
    *,
    *::before,
    *::after {
      animation-duration: 1ms !important;
      animation-iteration-count: 1 !important;
      transition-duration: 1ms !important;
      scroll-behavior: auto !important;
    }
  }
`;
