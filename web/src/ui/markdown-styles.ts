// SPDX-License-Identifier: MIT
import { css } from 'lit';

export const markdownStyles = css`
  :host {
    display: block;
    overflow-wrap: anywhere;
  }

  /* Blocks out of sight are not laid out: long answers stay cheap. */
  .block {
    content-visibility: auto;
    contain-intrinsic-size: auto 5rem;
    overflow-clip-margin: 6px;
    margin-block: 0 0.85rem;
  }

  .block.open {
    content-visibility: visible;
  }

  .block:last-child {
    margin-bottom: 0;
  }

  /* The last item of a list that is already frozen up to it. */
  .open.joins {
    margin-top: -0.55rem;
  }

  .block > * {
    margin: 0;
  }

  .block > * + * {
    margin-top: 0.85rem;
  }

  .open > p:last-child::after,
  .open > ul:last-child > li:last-child::after,
  .open > ol:last-child > li:last-child::after {
    content: '';
    display: inline-block;
    width: 0.5em;
    height: 0.5em;
    margin-inline-start: 0.35em;
    border-radius: 50%;
    background: var(--accent);
    animation: breathe 1.2s ease-in-out infinite;
  }

  @keyframes breathe {
    50% {
      opacity: 0.25;
    }
  }

  h3,
  h4,
  h5,
  h6 {
    line-height: 1.3;
    font-weight: 640;
    font-size: 1rem;
  }

  .block:not(:first-child) > :is(h3, h4, h5, h6) {
    padding-top: 0.5rem;
  }

  .d1 {
    font-size: 1.4rem;
    letter-spacing: -0.015em;
  }

  .d2 {
    font-size: 1.2rem;
    letter-spacing: -0.01em;
  }

  .d3 {
    font-size: 1.07rem;
  }

  ul,
  ol {
    padding-inline-start: 1.5rem;
  }

  li + li,
  li > ul,
  li > ol {
    margin-top: 0.3rem;
  }

  li > p + p,
  li > p + .code,
  li > .code {
    margin-top: 0.5rem;
  }

  li::marker {
    color: var(--muted);
  }

  li:has(> .task:first-child) {
    list-style: none;
    margin-inline-start: -1.4rem;
  }

  .task {
    color: var(--accent);
  }

  a {
    color: var(--accent);
    text-decoration-thickness: 1px;
    text-underline-offset: 0.18em;
    border-radius: 2px;
  }

  a:hover {
    text-decoration-thickness: 2px;
  }

  blockquote {
    padding-inline-start: 1rem;
    border-inline-start: 3px solid var(--line);
    color: var(--muted);
  }

  blockquote > * + * {
    margin-top: 0.6rem;
  }

  hr {
    height: 1px;
    border: 0;
    background: var(--line);
  }

  kbd {
    padding: 0.1em 0.4em;
    border: 1px solid var(--line);
    border-bottom-width: 2px;
    border-radius: 0.35em;
    font: 0.85em var(--mono);
  }

  mark {
    background: var(--warn-soft);
    color: inherit;
  }

  .table {
    max-width: 100%;
    overflow-x: auto;
    border: 1px solid var(--line);
    border-radius: 0.7rem;
  }

  table {
    width: 100%;
    border-collapse: collapse;
    font-size: 0.94rem;
    line-height: 1.45;
    overflow-wrap: normal;
  }

  th,
  td {
    padding: 0.5rem 0.85rem;
    text-align: start;
    vertical-align: top;
  }

  [align='right'] {
    text-align: right;
  }

  [align='center'] {
    text-align: center;
  }

  thead {
    background: var(--code-ground);
    font-weight: 600;
  }

  tbody tr {
    border-top: 1px solid var(--line);
  }

  code {
    font-family: var(--mono);
    font-size: 0.875em;
    font-variant-ligatures: none;
  }

  :not(pre) > code {
    unicode-bidi: isolate;
    padding: 0.14em 0.38em;
    border-radius: 0.35em;
    background: var(--code-ground);
    box-shadow: inset 0 0 0 1px var(--line);
  }

  .code {
    overflow: hidden;
    border: 1px solid var(--line);
    border-radius: 0.7rem;
    background: var(--code-ground);
  }

  .code-head {
    display: flex;
    align-items: center;
    justify-content: space-between;
    padding: 0.2rem 0.3rem 0.2rem 0.9rem;
    border-bottom: 1px solid var(--line);
    color: var(--muted);
    font-size: 0.78rem;
  }

  .code-head button {
    padding: 0.2rem 0.6rem;
    border-radius: 0.45rem;
    color: var(--muted);
  }

  .code-head button:hover {
    color: var(--text);
  }

  pre {
    margin: 0;
    padding: 0.8rem 0.9rem;
    overflow-x: auto;
    line-height: 1.5;
    tab-size: 4;
  }

  pre:focus-visible {
    outline-offset: -3px;
    border-radius: 0.7rem;
  }

  .hljs-comment,
  .hljs-quote {
    color: light-dark(#6a655b, #a09b90);
    font-style: italic;
  }

  .hljs-keyword,
  .hljs-selector-tag,
  .hljs-doctag,
  .hljs-meta .hljs-keyword {
    color: light-dark(#8b2f6d, #e59fcb);
  }

  .hljs-string,
  .hljs-regexp,
  .hljs-addition,
  .hljs-selector-attr {
    color: light-dark(#2c6a2f, #9bd08d);
  }

  .hljs-number,
  .hljs-literal,
  .hljs-symbol,
  .hljs-bullet {
    color: light-dark(#8a4a00, #e8b273);
  }

  .hljs-title,
  .hljs-section,
  .hljs-name,
  .hljs-selector-id,
  .hljs-selector-class {
    color: light-dark(#1f5594, #8fc1f5);
  }

  .hljs-type,
  .hljs-built_in,
  .hljs-class .hljs-title,
  .hljs-title.class_ {
    color: light-dark(#0d6770, #79cdd6);
  }

  .hljs-attr,
  .hljs-attribute,
  .hljs-variable,
  .hljs-template-variable,
  .hljs-property {
    color: light-dark(#6d4410, #dcc08c);
  }

  .hljs-meta,
  .hljs-link {
    color: light-dark(#575f8c, #b3b8e8);
  }

  .hljs-deletion {
    color: var(--danger);
  }

  .hljs-emphasis {
    font-style: italic;
  }

  .hljs-strong {
    font-weight: 650;
  }
`;
