// SPDX-License-Identifier: MIT
// Without a token: what is missing and how to get it.
import { LitElement, css, html, nothing } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import { tokenFromPaste } from '../core/token';
import { icon } from './icons';
import { basics } from './styles';

@customElement('chatbox-gate')
export class ChatboxGate extends LitElement {
  @property({ type: Boolean }) expired = false;
  @state() private wrong = false;
  @query('input') private input!: HTMLInputElement;

  protected override render() {
    const embedded = window.parent !== window;
    return html`
      <main>
        <div class="mark">${icon('key')}</div>
        <h1>
          ${this.expired ? 'Your sign-in has expired' : 'You are not signed in'}
        </h1>
        ${embedded
          ? html`<p>
              The page around this chat signs you in. If nothing happens, sign
              in there again.
            </p>`
          : html`<p>
                This chat opens with a personal link. Use the one that you were
                given; <code>chatbox dev</code> prints one when it starts.
              </p>
              ${this.pasteTemplate()}`}
      </main>
    `;
  }

  private pasteTemplate() {
    return html`
      <form @submit=${this.onSubmit}>
        <label for="paste">Link or token</label>
        <div class="row">
          <input
            id="paste"
            autocomplete="off"
            spellcheck="false"
            aria-describedby="wrong"
            aria-invalid=${this.wrong ? 'true' : 'false'}
          />
          <button class="primary" type="submit">Open</button>
        </div>
        <p id="wrong" role="alert">
          ${this.wrong ? 'This is neither such a link nor a token.' : nothing}
        </p>
      </form>
    `;
  }

  private onSubmit(event: Event): void {
    event.preventDefault();
    const token = tokenFromPaste(this.input.value);
    this.wrong = token === undefined;
    if (token)
      this.dispatchEvent(new CustomEvent('chatbox-token', { detail: token }));
  }

  static override styles = [
    basics,
    css`
      :host {
        display: grid;
        place-items: center;
        height: 100%;
        padding: 1.5rem;
        overflow: auto;
        background: var(--ground);
      }

      main {
        width: 100%;
        max-width: 27rem;
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
        width: 1.7rem;
        height: 1.7rem;
      }

      h1 {
        font-size: 1.6rem;
        font-weight: 620;
        line-height: 1.25;
        letter-spacing: -0.02em;
      }

      main > p {
        margin-top: 0.7rem;
        color: var(--muted);
      }

      code {
        font: 0.9em var(--mono);
        color: var(--text);
      }

      form {
        margin-top: 1.7rem;
      }

      label {
        font-size: 0.9rem;
        color: var(--muted);
      }

      .row {
        display: flex;
        gap: 0.5rem;
        margin-top: 0.35rem;
      }

      input {
        flex: 1;
        min-width: 0;
        padding: 0.55rem 0.8rem;
        border: 1px solid var(--line-strong);
        border-radius: 0.65rem;
        background: var(--raised);
      }

      #wrong {
        min-height: 1.6rem;
        margin-top: 0.4rem;
        font-size: 0.9rem;
        color: var(--danger);
      }
    `,
  ];
}
