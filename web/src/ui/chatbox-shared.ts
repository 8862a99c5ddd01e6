// SPDX-License-Identifier: MIT
// A chat as somebody shared it, to be read without a token of one's own.
import { LitElement, css, html, nothing } from 'lit';
import type { PropertyValues } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { Api, ApiError } from '../core/api';
import { Transcript } from '../core/transcript';
import type { Entry } from '../core/transcript';
import { chatStyles } from './chat-styles';
import { copyText } from './say';
import { basics } from './styles';
import { turnStyles, turnTemplate } from './turn';
import type { TurnActions } from './turn';

@customElement('chatbox-shared')
export class ChatboxShared extends LitElement {
  @property() base = '';
  @property() token = '';
  @state() private name = '';
  @state() private transcript?: Transcript;
  @state() private trouble = '';
  @state() private copied?: Entry;

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('token')) void this.load();
  }

  protected override updated(): void {
    document.title = this.name ? `${this.name} · Chatbox` : 'Chatbox';
  }

  private async load(): Promise<void> {
    this.trouble = '';
    const api = new Api(this.base, () => undefined);
    try {
      const shared = await api.shared(this.token);
      const transcript = new Transcript();
      transcript.load(shared.messages, undefined);
      this.name = shared.name || 'Chat without a name';
      this.transcript = transcript;
    } catch (error) {
      const gone = error instanceof ApiError && error.status === 404;
      this.trouble = gone
        ? 'This chat is not shared, or not any more.'
        : (error as Error).message;
    }
  }

  protected override render() {
    return html`
      <header><h1 dir="auto">${this.name || 'A shared chat'}</h1></header>
      <main class="stage">
        <div
          class="scroll"
          tabindex="0"
          role="region"
          aria-label="Conversation"
        >
          <div class="inner">${this.bodyTemplate()}</div>
        </div>
      </main>
    `;
  }

  private bodyTemplate() {
    if (this.trouble)
      return html`<p class="shared" role="alert">
        ${this.trouble}
        <button class="outline" @click=${() => void this.load()}>
          Try again
        </button>
      </p>`;
    if (!this.transcript) return nothing;
    const actions = this.actions();
    return html`
      <p class="shared">Shared with you, to be read.</p>
      ${this.transcript.turns().map((turn) => turnTemplate(turn, actions))}
    `;
  }

  /** Nothing can be asked here: only copying is left. */
  private actions(): TurnActions {
    return {
      base: this.base,
      now: Date.now(),
      open: false,
      idle: false,
      last: false,
      copied: this.copied,
      modelName: (id) => id,
      copy: (entry) => void this.copy(entry),
      regenerate: () => {},
      sendAgain: () => {},
      edit: () => {},
    };
  }

  private async copy(entry: Entry): Promise<void> {
    if (await copyText(entry.content)) this.copied = entry;
  }

  static override styles = [
    basics,
    turnStyles,
    chatStyles,
    css`
      .shared {
        display: flex;
        align-items: center;
        gap: 0.8rem;
        padding-block: 0.6rem;
        color: var(--muted);
        font-size: 0.93rem;
      }
    `,
  ];
}
