// SPDX-License-Identifier: MIT
// Where the person writes: the text, the choice of the model, send and stop.
import { LitElement, css, html, nothing } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import type { FileRef } from '../core/attachment';
import type { Model } from '../core/frame';
import { icon } from './icons';
import { isComposing } from './shortcuts';
import { basics } from './styles';

/** The server's default limit; a server may be configured otherwise. */
const USUAL_LIMIT = 10_000;
const TALLEST_PX = 280;

/** What is sent. */
export interface Written {
  text: string;
  file?: FileRef;
}

/** A picture that was chosen, on its way to the server or there. */
interface Chosen {
  name: string;
  preview: string; // an object URL
  ref?: FileRef; // absent: on its way, or it was refused
  problem?: string;
}

@customElement('chatbox-composer')
export class ChatboxComposer extends LitElement {
  @property({ attribute: false }) models: Model[] = [];
  @property() modelId = '';
  @property({ type: Boolean }) running = false;
  @property({ type: Boolean }) disabled = false;
  @property() placeholder = 'Write a message';
  @property({ attribute: false }) upload?: (file: File) => Promise<FileRef>;
  @state() private length = 0;
  @state() private chosen?: Chosen;
  @query('textarea') private area!: HTMLTextAreaElement;
  @query('.bar') private bar!: HTMLElement;
  @query('input') private picker!: HTMLInputElement;

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
    this.forget();
  }

  protected override render() {
    const empty = this.length === 0 && !this.chosen;
    const unready = this.chosen && !this.chosen.ref;
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
          @paste=${this.onPaste}
        ></textarea>
        ${this.chosenTemplate()}
        <div class="bar">
          ${this.pickerTemplate()}
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
                ?disabled=${empty || unready || this.disabled}
                @click=${this.onSend}
              >
                ${icon('send')}
              </button>`}
        </div>
      </div>
    `;
  }

  private pickerTemplate() {
    if (!this.upload) return nothing;
    return html`
      <input
        type="file"
        accept="image/png,image/jpeg,image/gif,image/webp"
        tabindex="-1"
        aria-hidden="true"
        hidden
        @change=${this.onPicked}
      />
      <button
        class="round attach"
        title="Attach a picture"
        aria-label="Attach a picture"
        ?disabled=${this.disabled}
        @click=${() => this.picker.click()}
      >
        ${icon('picture')}
      </button>
    `;
  }

  private chosenTemplate() {
    const chosen = this.chosen;
    if (!chosen) return nothing;
    return html`
      <div class="chosen">
        <img src=${chosen.preview} alt="" />
        <span role="status">
          <bdi>${chosen.name}</bdi>
          ${chosen.problem
            ? html`<b class="over">${chosen.problem}</b>`
            : chosen.ref
              ? nothing
              : 'is on its way…'}
        </span>
        <button
          class="round attach"
          title="Remove the picture"
          aria-label="Remove the picture"
          @click=${this.onForget}
        >
          ${icon('close')}
        </button>
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
    const file = this.chosen?.ref;
    if (this.disabled || (!text && !file) || (this.chosen && !file)) return;
    this.text = '';
    this.forget();
    this.emit('chatbox-send', { text, file });
  }

  private onPicked(): void {
    const file = this.picker.files?.[0];
    this.picker.value = ''; // the same one may be chosen again
    if (file) void this.choose(file);
    this.focusUnlessTouch();
  }

  private onPaste(event: ClipboardEvent): void {
    const files = [...(event.clipboardData?.files ?? [])];
    const picture = files.find((f) => f.type.startsWith('image/'));
    if (!picture || !this.upload) return;
    event.preventDefault();
    void this.choose(picture);
  }

  private onForget(): void {
    this.forget();
    this.focusUnlessTouch();
  }

  private forget(): void {
    if (this.chosen) URL.revokeObjectURL(this.chosen.preview);
    this.chosen = undefined;
  }

  /** Another one may be chosen, or this one removed, while it is on its way. */
  private async choose(file: File): Promise<void> {
    this.forget();
    const preview = URL.createObjectURL(file);
    const chosen: Chosen = { name: file.name, preview };
    this.chosen = chosen;
    const end: Partial<Chosen> = await this.upload!(file).then(
      (ref) => ({ ref }),
      (error: Error) => ({ problem: error.message }),
    );
    if (this.chosen === chosen) this.chosen = { ...chosen, ...end };
  }

  private onModel(event: Event): void {
    this.emit('chatbox-model', (event.target as HTMLSelectElement).value);
  }

  private emit(type: string, detail?: string | Written): void {
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

      .attach {
        background: transparent;
        color: var(--muted);
      }

      .attach:hover {
        background: var(--hover);
        color: var(--text);
      }

      .chosen {
        display: flex;
        align-items: center;
        gap: 0.6rem;
        padding: 0.35rem 0.55rem 0 1.15rem;
        font-size: 0.88rem;
        color: var(--muted);
      }

      .chosen img {
        flex: none;
        width: 2.8rem;
        height: 2.8rem;
        border-radius: 0.6rem;
        object-fit: cover;
      }

      .chosen span {
        flex: 1;
        min-width: 0;
        overflow-wrap: anywhere;
      }

      .chosen .over {
        color: var(--danger);
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
