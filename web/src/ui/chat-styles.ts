// SPDX-License-Identifier: MIT
import { css } from 'lit';

export const chatStyles = css`
  :host {
    display: flex;
    flex-direction: column;
    min-width: 0;
    min-height: 0;
    height: 100%;
    background: var(--ground);
    container-type: inline-size;
  }

  header {
    display: flex;
    flex: none;
    align-items: center;
    gap: 0.25rem;
    min-height: 3.5rem;
    padding: 0.4rem 0.9rem;
  }

  h1 {
    flex: 1;
    min-width: 0;
    padding-inline: 0.4rem;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
    font-size: 1rem;
    font-weight: 600;
    text-align: left;
    letter-spacing: -0.005em;
  }

  .help {
    flex: none;
    color: var(--muted);
    font-size: 0.9rem;
  }

  .help:hover:not(:disabled) {
    color: var(--text);
  }

  .operator-banner,
  .notice {
    display: flex;
    align-items: center;
    gap: 0.65rem;
    font-size: 0.93rem;
  }

  .operator-banner {
    flex: none;
    padding: 0.6rem 1.2rem;
    background: var(--accent-soft);
    color: var(--accent);
  }

  .stage {
    position: relative;
    flex: 1;
    min-height: 0;
  }

  .scroll {
    height: 100%;
    overflow: hidden auto;
    overscroll-behavior: contain;
    scrollbar-width: thin;
    scrollbar-color: var(--line) transparent;
  }

  .scroll:focus-visible {
    outline-offset: -3px;
  }

  .inner,
  footer {
    width: 100%;
    max-width: 48rem;
    margin-inline: auto;
    padding-inline: 1.25rem;
  }

  .inner {
    display: flex;
    flex-direction: column;
    min-height: 100%;
    padding-block: 0.5rem 1.5rem;
  }

  .turn {
    content-visibility: auto;
    contain-intrinsic-size: auto 20rem;
    overflow-clip-margin: 8px;
  }

  .turn:last-of-type {
    content-visibility: visible;
  }

  .quiet {
    padding-block: 1rem;
    text-align: center;
    font-size: 0.9rem;
    color: var(--muted);
  }

  .earlier {
    align-self: center;
    margin-block: 0.5rem;
    font-size: 0.9rem;
  }

  .latest {
    position: absolute;
    inset-block-end: 0.75rem;
    inset-inline: 0;
    width: fit-content;
    margin-inline: auto;
    border-radius: 2rem;
    box-shadow: var(--shadow);
    font-size: 0.88rem;
  }

  footer {
    flex: none;
    padding-bottom: max(1rem, env(safe-area-inset-bottom));
  }

  .notice {
    margin-bottom: 0.6rem;
    padding: 0.4rem 0.5rem 0.4rem 0.95rem;
    min-height: 2.75rem;
    border-radius: 0.9rem;
    background: var(--panel);
    animation: appear 180ms ease-out;
  }

  @keyframes appear {
    from {
      opacity: 0;
      transform: translateY(0.25rem);
    }
  }

  .notice-text {
    flex: 1;
    padding-block: 0.2rem;
  }

  .notice.warn {
    background: var(--warn-soft);
    color: var(--warn);
  }

  .notice.danger {
    background: var(--danger-soft);
    color: var(--danger);
  }

  .notice button {
    flex: none;
    padding-block: 0.25rem;
    color: var(--text);
  }

  .notice button.icon {
    width: 2rem;
    height: 2rem;
  }

  .left {
    font-variant-numeric: tabular-nums;
    white-space: nowrap;
  }

  .welcome {
    display: flex;
    flex-direction: column;
    align-items: center;
    margin-block: auto;
    padding-block: 2rem;
    text-align: center;
  }

  .mark {
    display: grid;
    place-items: center;
    width: 3.4rem;
    height: 3.4rem;
    margin-bottom: 1.3rem;
    border-radius: 1.1rem;
    background: var(--accent-soft);
    color: var(--accent);
  }

  .mark svg {
    width: 1.8rem;
    height: 1.8rem;
  }

  .welcome h2 {
    font-size: 1.65rem;
    font-weight: 620;
    line-height: 1.25;
    letter-spacing: -0.022em;
    text-wrap: balance;
  }

  .welcome p {
    margin-top: 0.5rem;
    text-wrap: balance;
    color: var(--muted);
  }

  .welcome ul {
    display: grid;
    grid-template-columns: 1fr 1fr;
    gap: 0.65rem;
    width: 100%;
    max-width: 38rem;
    margin-top: 2rem;
    list-style: none;
  }

  .welcome li {
    display: flex;
  }

  .welcome li button {
    flex: 1;
    justify-content: flex-start;
    padding: 0.8rem 1rem;
    border-radius: 0.9rem;
    line-height: 1.4;
    text-align: start;
  }

  @container (max-width: 36rem) {
    header {
      padding-inline: 0.5rem;
    }

    .help {
      width: 2.25rem;
      height: 2.25rem;
      padding: 0;
    }

    .help span {
      position: absolute;
      width: 1px;
      height: 1px;
      overflow: hidden;
      clip-path: inset(50%);
    }

    .inner,
    footer {
      padding-inline: 0.9rem;
    }

    .welcome ul {
      grid-template-columns: 1fr;
    }

    .question .bubble {
      margin-inline-start: 1.25rem;
    }
  }
`;
