// SPDX-License-Identifier: MIT
// One chat: the transcript, the notices and the composer. Inside
// <chatbox-app> it gets its conversation from there; alone in a page it makes
// its own from `base`, `token` and `session`.
import { LitElement, html, nothing } from 'lit';
import type { PropertyValues } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import { guard } from 'lit/directives/guard.js';
import { repeat } from 'lit/directives/repeat.js';
import { baseOf, normaliseBase } from '../core/address';
import { Conversation } from '../core/conversation';
import type { Frame } from '../core/frame';
import type { Entry } from '../core/transcript';
import { endWords, noticeOf, secondsLeft } from '../core/words';
import type { Notice } from '../core/words';
import { chatStyles } from './chat-styles';
import './chatbox-composer';
import type { ChatboxComposer, Written } from './chatbox-composer';
import { icon } from './icons';
import { copyText } from './say';
import { Stick } from './stick';
import { basics, tokens } from './styles';
import { turnState, turnStyles, turnTemplate } from './turn';
import type { TurnActions } from './turn';

const EXAMPLES = [
  'Explain how a WebSocket stays open',
  'Write a small HTTP server in C',
  'Compare SQLite and PostgreSQL in a table',
  'Plan a quiet weekend in the mountains',
];

@customElement('chatbox-chat')
export class ChatboxChat extends LitElement {
  static override styles = [tokens, basics, turnStyles, chatStyles];

  /** The server, when the element stands alone; default: where we are. */
  @property() base = '';
  @property() token = '';
  @property() session = '';
  @property() heading = 'New chat';
  @property({ attribute: false }) conversation?: Conversation;

  @state() private following = true;
  @state() private copied?: Entry;
  @query('.scroll') private scroller!: HTMLElement;
  @query('.inner') private inner!: HTMLElement;
  @query('chatbox-composer') private composer!: ChatboxComposer;
  @query('.live') private live!: HTMLElement;

  private own?: Conversation; // the element stands alone
  private bound?: Conversation;
  private drafted?: Conversation; // whose draft the composer has
  private stick?: Stick;
  private ticker = 0;
  private anchor?: { element: Element; top: number };

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener('online', this.tick);
    addEventListener('offline', this.tick);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener('online', this.tick);
    removeEventListener('offline', this.tick);
    clearTimeout(this.ticker);
    if (this.own) this.conversation = undefined;
    this.own?.dispose();
    this.own = undefined;
    this.bind(undefined);
  }

  async focusComposer(): Promise<void> {
    await this.updateComplete;
    await this.composer?.updateComplete;
    this.composer?.focus();
  }

  /** Escape: true when there was something to stop. */
  stopAnswer(): boolean {
    const running = this.conversation?.transcript.running();
    this.conversation?.stop();
    return running !== undefined;
  }

  /** The same words twice are told twice: the text must differ for that. */
  say(text: string): void {
    if (!this.live) return;
    const again = this.live.textContent === text;
    this.live.textContent = again ? `${text}\u00a0` : text;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!this.conversation && this.token) this.standAlone();
    else if (this.own && changed.has('token')) this.own.renewToken(this.token);
    if (this.conversation !== this.bound) this.bind(this.conversation);
  }

  /** The button that had the focus may go away by what it did. */
  protected override update(changed: PropertyValues<this>): void {
    const had = this.shadowRoot?.activeElement;
    super.update(changed);
    if (!had || (had.isConnected && !had.matches(':disabled, [hidden]')))
      return;
    if (matchMedia('(pointer: coarse)').matches) this.scroller?.focus();
    else void this.focusComposer();
  }

  protected override updated(): void {
    // Without a conversation there is nothing to scroll yet.
    if (this.scroller && !this.stick) {
      const tell = (following: boolean) => (this.following = following);
      this.stick = new Stick(this.scroller, this.inner, tell);
    }
    if (this.stick)
      this.stick.resting = this.conversation?.transcript.empty ?? true;
    this.takeDraft();
    this.keepPlace();
    this.planTick();
  }

  /** What was being written when this chat was left, or the page reloaded. */
  private takeDraft(): void {
    const c = this.conversation;
    if (!c || !this.composer || this.drafted === c) return;
    this.drafted = c;
    void this.composer.updateComplete.then(() => {
      if (this.drafted !== c || this.composer.text === c.draft) return;
      this.composer.text = c.draft;
    });
  }

  protected override render() {
    const c = this.conversation;
    if (!c) return nothing;
    return html`
      <div class="live visually-hidden" role="status"></div>
      <header>
        <slot name="lead"></slot>
        <h1 title=${this.heading} dir="auto">${this.heading}</h1>
        ${this.helpTemplate(c)}
        <slot name="actions"></slot>
      </header>
      ${c.adminName ? this.operatorTemplate(c.adminName) : nothing}
      <div
        class="stage"
        @chatbox-announce=${(e: CustomEvent<string>) => this.say(e.detail)}
      >
        <div
          class="scroll"
          tabindex="0"
          role="region"
          aria-label="Conversation"
          id="conversation"
        >
          <div class="inner">${this.bodyTemplate(c)}</div>
        </div>
        <button
          class="latest outline"
          ?hidden=${this.following || c.transcript.empty}
          @click=${() => this.stick?.follow()}
        >
          ${icon('down')} Jump to latest
        </button>
      </div>
      <footer>
        <div class="notices" role="status">${this.noticeTemplate(c)}</div>
        ${this.composerTemplate(c)}
      </footer>
    `;
  }

  private composerTemplate(c: Conversation) {
    return html`
      <chatbox-composer
        .models=${c.models}
        .modelId=${c.modelId}
        .running=${c.transcript.running() !== undefined}
        .disabled=${c.halt === 'gone'}
        .placeholder=${c.adminName
          ? `Write to ${c.adminName}`
          : 'Write a message'}
        .upload=${(file: File) => c.upload(file)}
        @chatbox-send=${(e: CustomEvent<Written>) => this.onSend(e.detail)}
        @chatbox-stop=${() => c.stop()}
        @chatbox-model=${(e: CustomEvent<string>) => c.selectModel(e.detail)}
        @chatbox-draft=${(e: CustomEvent<string>) => (c.draft = e.detail)}
        @chatbox-typing=${() => c.typing()}
      ></chatbox-composer>
    `;
  }

  private bodyTemplate(c: Conversation) {
    if (c.loading) return html`<p class="quiet">Loading…</p>`;
    if (c.transcript.empty)
      return c.halt === 'gone' ? nothing : this.welcomeTemplate(c);
    const turns = c.transcript.turns();
    const newest = turns.at(-1);
    return html`
      ${c.transcript.nextBeforeSeq !== undefined
        ? html`<button
            class="outline earlier"
            aria-disabled=${c.loadingOlder ? 'true' : 'false'}
            @click=${this.onEarlier}
          >
            ${c.loadingOlder ? 'Loading…' : 'Show earlier messages'}
          </button>`
        : nothing}
      ${repeat(
        turns,
        (turn) => turn.key,
        (turn) => {
          const act = this.actions(c, turn === newest);
          return guard(turnState(turn, act), () => turnTemplate(turn, act));
        },
      )}
      ${c.othersTypeUntil > Date.now()
        ? html`<p class="quiet">${c.adminName ?? 'Somebody'} is typing…</p>`
        : nothing}
    `;
  }

  private welcomeTemplate(c: Conversation) {
    return html`
      <div class="welcome">
        <div class="mark">${icon('chat')}</div>
        <h2>What would you like to know?</h2>
        <p>Answers appear as they are written, and stay in your list.</p>
        <ul aria-label="Examples">
          ${EXAMPLES.map(
            (text) => html`<li>
              <button class="outline" @click=${() => c.send(text)}>
                ${text}
              </button>
            </li>`,
          )}
        </ul>
      </div>
    `;
  }

  private helpTemplate(c: Conversation) {
    if (c.adminName || c.transcript.empty) return nothing;
    const asked = c.helpRequested;
    return html`
      <button
        class="help"
        ?disabled=${asked || !c.open}
        title="A person of the team is told that you want help"
        @click=${() => c.requestHelp()}
      >
        ${icon(asked ? 'check' : 'person')}
        <span>${asked ? 'Help is on its way' : 'Ask a person'}</span>
      </button>
    `;
  }

  private operatorTemplate(name: string) {
    return html`
      <div class="operator-banner" role="status">
        ${icon('person')}
        <span
          ><b>${name}</b> has joined. Your messages go to a person now; the
          model is paused.</span
        >
      </div>
    `;
  }

  private noticeTemplate(c: Conversation) {
    const notice = noticeOf(c, navigator.onLine);
    if (!notice) return nothing;
    const left = secondsLeft(notice.until, Date.now());
    return html`
      <div class="notice ${notice.tone}">
        ${notice.tone === 'info' ? nothing : icon('warning')}
        <span class="notice-text"
          >${notice.text}${left > 0
            ? html` <span class="left" aria-hidden="true"
                >Again in ${left} s.</span
              >`
            : nothing}</span
        >
        ${this.noticeAction(notice, c)}
      </div>
    `;
  }

  private noticeAction(notice: Notice, c: Conversation) {
    const dismiss = () => {
      c.problem = undefined;
      this.requestUpdate();
    };
    switch (notice.action) {
      case 'retry':
        return html`<button class="outline" @click=${() => c.retryNow()}>
          ${c.linkState.at === 'stopped' ? 'Use it here' : 'Try now'}
        </button>`;
      case 'token':
        return html`<button
          class="outline"
          @click=${() => this.tell('chatbox-token-needed')}
        >
          Sign in again
        </button>`;
      case 'new':
        return html`<button
          class="outline"
          @click=${() => this.tell('chatbox-new')}
        >
          New chat
        </button>`;
      case 'dismiss':
        return html`<button
          class="icon"
          aria-label="Dismiss"
          @click=${dismiss}
        >
          ${icon('close')}
        </button>`;
      default:
        return nothing;
    }
  }

  private actions(c: Conversation, last: boolean): TurnActions {
    return {
      base: c.base,
      now: Date.now(),
      open: c.open,
      idle: c.transcript.running() === undefined,
      last,
      copied: this.copied,
      modelName: (id) => c.models.find((m) => m.id === id)?.name,
      copy: (entry) => void this.copyAnswer(entry),
      regenerate: (entry) => c.regenerate(entry),
      sendAgain: (entry) => c.sendAgain(entry),
      edit: (entry) => {
        this.composer.text = c.withdraw(entry);
        this.composer.focus();
      },
    };
  }

  private onSend({ text, file }: Written): void {
    this.conversation?.send(text, file);
    this.stick?.follow();
  }

  /** What is at the top now stays where it is when older turns come. */
  private readonly onEarlier = async () => {
    await this.conversation?.loadOlder();
    const element = this.inner.querySelector('.turn');
    if (element)
      this.anchor = { element, top: element.getBoundingClientRect().top };
    this.requestUpdate();
  };

  private keepPlace(): void {
    if (!this.anchor) return;
    const { element, top } = this.anchor;
    this.anchor = undefined;
    this.scroller.scrollTop += element.getBoundingClientRect().top - top;
  }

  private async copyAnswer(entry: Entry): Promise<void> {
    const done = await copyText(entry.content);
    this.say(done ? 'Answer copied.' : 'The answer could not be copied.');
    if (!done) return;
    this.copied = entry;
    setTimeout(() => (this.copied = undefined), 1600);
  }

  private standAlone(): void {
    const base = this.base
      ? normaliseBase(this.base, location.href)
      : baseOf(location);
    this.own = new Conversation(base, () => this.token);
    this.conversation = this.own;
    this.own.start(this.session || undefined);
  }

  private bind(next: Conversation | undefined): void {
    const old = this.bound;
    for (const [type, listener] of this.listeners) {
      old?.removeEventListener(type, listener);
      next?.addEventListener(type, listener);
    }
    this.bound = next;
    this.stick?.follow();
  }

  private readonly tick = () => this.requestUpdate();

  private readonly listeners: [string, EventListener][] = [
    ['change', () => this.requestUpdate()],
    ['sent', () => this.stick?.follow()],
    ['token-needed', () => this.own && this.tell('chatbox-token-needed')],
    ['announce', (e) => this.say((e as CustomEvent<string>).detail)],
    ['answered', (e) => this.onAnswered((e as CustomEvent<Frame>).detail)],
  ];

  private onAnswered(frame: Frame): void {
    const answer = this.conversation?.transcript.find(frame.message_id ?? '');
    this.say(endWords(answer?.content ?? '', frame.finish_reason));
  }

  /** Countdowns need a new picture every second, nothing else does. */
  private planTick(): void {
    clearTimeout(this.ticker);
    const c = this.conversation;
    if (!c) return;
    const counting =
      (noticeOf(c, navigator.onLine)?.until ?? 0) > Date.now() ||
      c.othersTypeUntil > Date.now() ||
      c.transcript.queued().length > 0 ||
      c.transcript.turns().some((t) => this.isCounting(t.head));
    const forgotten = c.open && !c.transcript.running();
    const ms = counting ? 1000 : forgotten ? 5000 : 0;
    if (ms > 0) this.ticker = window.setTimeout(this.tick, ms);
  }

  private isCounting(head: Entry | undefined): boolean {
    return (head?.problem?.retryAt ?? 0) > Date.now() - 1000;
  }

  private tell(type: string): void {
    this.dispatchEvent(
      new CustomEvent(type, { bubbles: true, composed: true }),
    );
  }
}
