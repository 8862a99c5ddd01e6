// SPDX-License-Identifier: MIT
import { css } from 'lit';

export const appStyles = css`
  :host {
    display: block;
    position: relative;
    height: 100%;
    overflow: hidden;
    background: var(--ground);
  }

  :host([page]) {
    height: 100dvh;
  }

  .skip {
    position: absolute;
    z-index: 20;
    inset: 0.5rem auto auto 0.5rem;
    padding: 0.5rem 0.9rem;
    border-radius: 0.6rem;
    background: var(--accent);
    color: var(--on-accent);
    transform: translateY(-5rem);
  }

  button.skip:hover {
    background: var(--accent);
  }

  .skip:focus {
    transform: none;
  }

  .layout {
    display: grid;
    grid-template-columns: 17.5rem minmax(0, 1fr);
    height: 100%;
  }

  main {
    min-width: 0;
    min-height: 0;
  }

  .side {
    display: flex;
    flex-direction: column;
    min-height: 0;
    border-inline-end: 1px solid var(--line);
    background: var(--panel);
  }

  chatbox-sessions {
    flex: 1;
  }

  .brand {
    display: flex;
    flex: none;
    align-items: center;
    gap: 0.6rem;
    min-height: 3.5rem;
    padding: 0.4rem 0.75rem 0.4rem 1rem;
    font-weight: 640;
    letter-spacing: -0.01em;
  }

  .brand .icon {
    margin-inline-start: auto;
  }

  .logo {
    display: grid;
    place-items: center;
    width: 1.75rem;
    height: 1.75rem;
    border-radius: 0.55rem;
    background: var(--accent);
    color: var(--on-accent);
  }

  .account {
    display: flex;
    flex: none;
    align-items: center;
    gap: 0.25rem;
    padding: 0.6rem 0.6rem max(0.6rem, env(safe-area-inset-bottom)) 0.9rem;
    border-top: 1px solid var(--line);
    font-size: 0.92rem;
  }

  .avatar {
    display: grid;
    flex: none;
    place-items: center;
    width: 1.9rem;
    height: 1.9rem;
    margin-inline-end: 0.35rem;
    border-radius: 50%;
    background: var(--accent-soft);
    color: var(--accent);
    font-size: 0.85rem;
    font-weight: 650;
  }

  .name {
    flex: 1;
    min-width: 0;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }

  :host([narrow]) .layout {
    grid-template-columns: minmax(0, 1fr);
  }

  :host([narrow]) .side {
    position: absolute;
    z-index: 10;
    inset: 0 auto 0 0;
    width: min(19rem, 86%);
    visibility: hidden;
    transform: translateX(-102%);
    transition: transform 180ms ease-out, visibility 0s 180ms;
  }

  :host([narrow]) .side.shown {
    visibility: visible;
    transform: none;
    transition: transform 180ms ease-out;
    box-shadow: var(--shadow);
  }

  .shade {
    position: absolute;
    z-index: 9;
    inset: 0;
    background: #0007;
  }
`;
