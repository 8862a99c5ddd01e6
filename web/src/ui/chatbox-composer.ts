// SPDX-License-Identifier: MIT
// Where the person writes: the text, the choice of the model, send and stop.
import { LitElement, css, html, nothing } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import type { Model } from '../core/frame';
import { icon } from './icons';
import { isComposing } from './shortcuts';
import { basics } from './styles';

/** The server's default limit; a server may be configured otherwise. */
const USUAL_LIMIT = 10_000;
const TALLEST_PX = 280;

@customElement('chatbox-composer')
export class ChatboxComposer extends LitElement {
  @property({ attribute: false }) models: Model[] = [];
  @property() modelId = '';
  @property({ type: Boolean }) running = false;
  @property({ type: Boolean }) disabled = false;
  @property() placeholder = 'Write a message';
  @state() private length = 0;
  @query('textarea') private area!: HTMLTextAreaElement;
  @query('.bar') private bar!: HTMLElement;

  /** Of the bar, which is as wide as the text and does not grow with it. */
  private readonly width = new ResizeObserver(() => this.fit());

  override focus(): void {
    this.area?.focus();
  }

  get text(): string {
    return this.area?.value ?? '';
  }

  set text(value: string) {
    this.area.value = value;
    this.onInput();
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.updateComplete.then(() => this.width.observe(this.bar));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.width.disconnect();
  }

  protected override render() {
    const empty = this.length === 0;
    return html`
      <div class="card" @click=${this.onCard}>
        <label class="visually-hidden" for="text">Message</label>
        <textarea
          id="text"
          rows="1"
          autocomplete="off"
          dir="auto"
          enterkeyhint="send"
          aria-describedby="hint"
          placeholder=${this.placeholder}
          ?disabled=${this.disabled}
          @input=${this.onInput}
          @keydown=${this.onKey}
        ></textarea>
        <div class="bar">
          ${this.modelTemplate()}
          <span class="hint" id="hint">${this.hint()}</span>
          ${this.running
            ? html`<button
                class="round stop"
                title="Stop (Esc)"
                aria-label="Stop the answer"
                @click=${this.onStop}
              >
                ${icon('stop')}
              </button>`
            : nothing}
          ${this.running && empty
            ? nothing
            : html`<button
                class="round primary"
                title="Send (Enter)"
                aria-label="Send"
                ?disabled=${empty || this.disabled}
                @click=${this.onSend}
              >
                ${icon('send')}
              </button>`}
        </div>
      </div>
    `;
  }

  private modelTemplate() {
    if (this.models.length === 0) return nothing;
    return html`
      <label class="model" title="The model that answers">
        <span class="visually-hidden">Model</span>
        <select ?disabled=${this.disabled} @change=${this.onModel}>
          ${this.models.map(
            (m) => html`<option
              value=${m.id}
              .selected=${m.id === this.modelId}
            >
              ${m.name || m.id}
            </option>`,
          )}
        </select>
        ${icon('chevron')}
      </label>
    `;
  }

  private hint() {
    if (this.length > USUAL_LIMIT * 0.9)
      return html`<b class=${this.length > USUAL_LIMIT ? 'over' : ''}>
        ${this.length.toLocaleString('en')} of
        ${USUAL_LIMIT.toLocaleString('en')} characters</b
      >`;
    return html`<span class="keys"
      >Enter to send, Shift + Enter for a new line</span
    >`;
  }

  /** Anywhere on the card is the text field. */
  private onCard(event: Event): void {
    if (event.target === event.currentTarget) this.focus();
  }

  private onInput(): void {
    const area = this.area;
    this.length = area.value.trim() ? [...area.value].length : 0;
    this.fit();
    this.emit('chatbox-draft', area.value);
    if (this.length > 0) this.emit('chatbox-typing');
  }

  /** As tall as the text is at the present width. */
  private fit(): void {
    const { style } = this.area;
    style.height = 'auto';
    style.height = `${Math.min(TALLEST_PX, this.area.scrollHeight)}px`;
  }

  private onKey(event: KeyboardEvent): void {
    if (event.key !== 'Enter' || event.shiftKey || isComposing(event)) return;
    event.preventDefault();
    this.send();
  }

  /** The buttons go away or are disabled by what they do. */
  private onSend(): void {
    this.send();
    this.focusUnlessTouch();
  }

  private onStop(): void {
    this.emit('chatbox-stop');
    this.focusUnlessTouch();
  }

  /** On a touch screen the keyboard would cover the answer. */
  private focusUnlessTouch(): void {
    if (!matchMedia('(pointer: coarse)').matches) this.focus();
  }

  private send(): void {
    const text = this.area.value.trim();
    if (!text || this.disabled) return;
    this.text = '';
    this.emit('chatbox-send', text);
  }

  private onModel(event: Event): void {
    this.emit('chatbox-model', (event.target as HTMLSelectElement).value);
  }

  private emit(type: string, detail?: string): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  static override styles = [
    basics,
    css`
      :host {
        display: block;
      }

      .card {
        display: flex;
        flex-direction: column;
        border: 1px solid var(--line);
        border-radius: 1.35rem;
        background: var(--raised);
        box-shadow: var(--shadow);
        cursor: text;
        transition: border-color 120ms;
      }

      .card:has(textarea:focus) {
        border-color: var(--accent);
        outline: 2px solid transparent; /* seen where colours are forced */
        box-shadow: 0 0 0 3px var(--accent-soft);
      }

      textarea {
        width: 100%;
        min-height: 3rem;
        padding: 0.85rem 1.15rem 0.25rem;
        border: 0;
        background: transparent;
        line-height: 1.5;
        resize: none;
      }

      textarea:focus {
        outline: none; /* the card shows the focus */
      }

      textarea::placeholder {
        color: var(--muted);
        opacity: 1;
      }

      .bar {
        display: flex;
        align-items: center;
        gap: 0.5rem;
        padding: 0.25rem 0.55rem 0.55rem 0.55rem;
      }

      .hint {
        flex: 1;
        min-width: 0;
        overflow: hidden;
        text-align: end;
        text-overflow: ellipsis;
        white-space: nowrap;
        font-size: 0.78rem;
        color: var(--muted);
      }

      .hint b {
        font-weight: 600;
      }

      .hint .over {
        color: var(--danger);
      }

      .keys {
        visibility: hidden;
      }

      .card:focus-within .keys {
        visibility: visible;
      }

      .round {
        flex: none;
        width: 2.3rem;
        height: 2.3rem;
        padding: 0;
        border-radius: 50%;
      }

      .round.primary:disabled {
        background: var(--hover);
        color: var(--muted);
      }

      .round.stop {
        background: var(--text);
        color: var(--ground);
      }

      .round.stop:hover {
        background: var(--muted);
      }

      .model {
        position: relative;
        display: flex;
        flex: 0 1 auto;
        min-width: 0;
        align-items: center;
        border-radius: 0.75rem;
        color: var(--muted);
        font-size: 0.88rem;
        cursor: pointer;
      }

      .model:hover {
        background: var(--hover);
        color: var(--text);
      }

      .model svg {
        position: absolute;
        inset-inline-end: 0.45rem;
        width: 1rem;
        height: 1rem;
        pointer-events: none;
      }

      select {
        min-width: 0;
        max-width: 14rem;
        padding: 0.42rem 1.65rem 0.42rem 0.7rem;
        border: 0;
        border-radius: inherit;
        background: transparent;
        text-overflow: ellipsis;
        appearance: none;
        cursor: inherit;
      }

      option {
        background: var(--raised);
        color: var(--text);
      }

      @media (pointer: coarse), (max-width: 40rem) {
        .keys {
          display: none;
        }
      }
    `,
  ];
}
