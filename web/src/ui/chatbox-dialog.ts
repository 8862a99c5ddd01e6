// SPDX-License-Identifier: MIT
// The modal questions of the page: confirm, ask for a line, show shortcuts.
import { LitElement, css, html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import { customElement, query, state } from 'lit/decorators.js';
import { basics } from './styles';

export interface Question {
  title: string;
  body?: string | TemplateResult;
  input?: { label: string; value: string; maxLength: number };
  action: string;
  /** The action leaves the question open; gives what there is to say then. */
  stay?: (dialog: HTMLElement) => Promise<string>;
  aside?: string; // another way out; the answer is '' then
  danger?: boolean;
  cancel?: false | string; // the way out's name, default Cancel; or none
}

@customElement('chatbox-dialog')
export class ChatboxDialog extends LitElement {
  @state() private question?: Question;
  @state() private said = ''; // by an action that left the question open
  @query('dialog') private dialog!: HTMLDialogElement;
  @query('input') private input?: HTMLInputElement;
  private answer?: (value: string | undefined) => void;

  get isOpen(): boolean {
    return this.dialog?.open ?? false;
  }

  /** The text ('yes' without an input, '' aside); undefined: called off. */
  async ask(question: Question): Promise<string | undefined> {
    this.question = question;
    this.said = '';
    await this.updateComplete;
    this.dialog.showModal();
    this.input?.select();
    return new Promise((resolve) => (this.answer = resolve));
  }

  protected override render() {
    const q = this.question;
    return html`
      <dialog
        aria-labelledby="title"
        @close=${() => this.settle(undefined)}
        @click=${this.onClick}
      >
        ${q
          ? html`<form method="dialog" @submit=${this.onSubmit}>
              <h2 id="title">${q.title}</h2>
              ${q.body ? html`<div class="body">${q.body}</div>` : nothing}
              ${q.input
                ? html`<label for="line">${q.input.label}</label>
                    <input
                      id="line"
                      autocomplete="off"
                      dir="auto"
                      required
                      maxlength=${q.input.maxLength}
                      .value=${q.input.value}
                    />`
                : nothing}
              <div class="buttons">
                ${q.aside
                  ? html`<button
                      type="button"
                      class="outline aside"
                      @click=${this.onAside}
                    >
                      ${q.aside}
                    </button>`
                  : nothing}
                ${q.cancel === false
                  ? nothing
                  : html`<button
                      type="button"
                      class="outline"
                      @click=${() => this.dialog.close()}
                    >
                      ${q.cancel ?? 'Cancel'}
                    </button>`}
                <button
                  type="submit"
                  class=${q.danger ? 'danger' : 'primary'}
                  ?autofocus=${!q.input}
                >
                  ${this.said || q.action}
                </button>
              </div>
              <div class="visually-hidden" role="status">${this.said}</div>
            </form>`
          : nothing}
      </dialog>
    `;
  }

  private async onSubmit(event: Event): Promise<void> {
    event.preventDefault();
    const stay = this.question?.stay;
    if (stay) {
      this.said = await stay(this.dialog);
      return;
    }
    const value = this.input ? this.input.value.trim() : 'yes';
    if (!value) return;
    this.settle(value);
    this.dialog.close();
  }

  private onAside(): void {
    this.settle('');
    this.dialog.close();
  }

  private onClick(event: Event): void {
    if (event.target === this.dialog) this.dialog.close();
  }

  private settle(value: string | undefined): void {
    this.answer?.(value);
    this.answer = undefined;
  }

  static override styles = [
    basics,
    css`
      dialog {
        width: min(26rem, calc(100vw - 2rem));
        padding: 0;
        border: 1px solid var(--line);
        border-radius: 1.2rem;
        background: var(--raised);
        color: var(--text);
        box-shadow: var(--shadow);
      }

      dialog::backdrop {
        background: #0006;
      }

      form {
        display: flex;
        flex-direction: column;
        gap: 0.8rem;
        padding: 1.4rem;
      }

      h2 {
        font-size: 1.12rem;
        font-weight: 620;
      }

      .body {
        color: var(--muted);
        overflow-wrap: anywhere;
      }

      label {
        font-size: 0.9rem;
        color: var(--muted);
      }

      input {
        width: 100%;
        margin-top: -0.5rem;
        padding: 0.55rem 0.8rem;
        border: 1px solid var(--line-strong);
        border-radius: 0.65rem;
        background: var(--ground);
      }

      .buttons {
        display: flex;
        flex-wrap: wrap;
        justify-content: flex-end;
        gap: 0.6rem;
        margin-top: 0.5rem;
      }

      .buttons button {
        white-space: nowrap;
      }

      .aside {
        margin-inline-end: auto;
      }

      dl {
        display: grid;
        grid-template-columns: 1fr auto;
        gap: 0.5rem 1.5rem;
        margin: 0;
      }

      dt {
        color: var(--text);
      }

      dd {
        margin: 0;
        text-align: end;
      }

      kbd {
        padding: 0.1em 0.5em;
        border: 1px solid var(--line);
        border-bottom-width: 2px;
        border-radius: 0.4em;
        background: var(--ground);
        font: 0.82em var(--mono);
      }
    `,
  ];
}
