// SPDX-License-Identifier: MIT
// The whole page: who you are, the list at the side, the open chat. With the
// attribute `page` it owns the document (address bar, title, shortcuts, the
// token of the link); without it, it is a guest in somebody else's page.
import { LitElement, html, nothing } from 'lit';
import type { PropertyValues } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import {
  baseOf,
  normaliseBase,
  readFragment,
  writeFragment,
  sharedLink,
} from '../core/address';
import type { Item } from '../core/api';
import { Conversation } from '../core/conversation';
import { SessionList } from '../core/session-list';
import { askParent, listenToParent, loadToken } from '../core/token';
import { readClaims, saveToken, takeFragment } from '../core/token';
import { titleFrom } from '../core/words';
import { appStyles } from './app-styles';
import './chatbox-chat';
import type { ChatboxChat } from './chatbox-chat';
import './chatbox-dialog';
import type { ChatboxDialog } from './chatbox-dialog';
import './chatbox-gate';
import type { MenuItem } from './chatbox-menu';
import './chatbox-sessions';
import './chatbox-shared';
import type { ChatboxSessions } from './chatbox-sessions';
import { exportItems, saveFile } from './export';
import type { ExportRequest } from './export';
import { icon } from './icons';
import { copyText } from './say';
import type { IconName } from './icons';
import { shortcutOf, shortcutTable } from './shortcuts';
import { basics, tokens } from './styles';
import { loadTheme, nextTheme, saveTheme, themeWords } from './theme';
import type { Theme } from './theme';

const NARROW_PX = 760;
const THEME_ICONS: Record<Theme, IconName> = {
  system: 'system',
  light: 'sun',
  dark: 'moon',
};

@customElement('chatbox-app')
export class ChatboxApp extends LitElement {
  static override styles = [tokens, basics, appStyles];

  @property({ type: Boolean }) page = false;
  @property() base = '';
  @property() token = '';
  @property({ reflect: true }) theme: Theme = 'system';
  @property({ type: Boolean, reflect: true }) narrow = false;
  @state() private drawer = false;
  @state() private conversation?: Conversation;
  @state() private list?: SessionList;
  @state() private expired = false;
  @state() private shared = ''; // a share's token: then this is all there is
  @query('chatbox-chat') private chat?: ChatboxChat;
  @query('chatbox-sessions') private sessions?: ChatboxSessions;
  @query('chatbox-dialog') private dialog!: ChatboxDialog;

  private named?: string; // the session that the address bar was given
  private unseen = new Set<Conversation>(); // left with something to send
  private endParent = () => {};
  private readonly size = new ResizeObserver(([entry]) => {
    this.narrow = (entry?.contentRect.width ?? NARROW_PX) < NARROW_PX;
  });

  override connectedCallback(): void {
    super.connectedCallback();
    this.size.observe(this);
    this.theme = loadTheme();
    addEventListener('keydown', this.onKey);
    if (this.page) this.ownDocument();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.size.disconnect();
    this.endParent();
    removeEventListener('keydown', this.onKey);
    removeEventListener('hashchange', this.onHash);
    removeEventListener('focus', this.onFocus);
    this.disposeAll();
  }

  private disposeAll(): void {
    for (const c of this.unseen) c.dispose();
    this.unseen.clear();
    this.conversation?.dispose();
    this.conversation = undefined;
  }

  /** A guest gets its token, and later another one, by the property. */
  protected override willUpdate(changed: PropertyValues<this>): void {
    if (this.page || !this.token || !changed.has('token')) return;
    if (this.conversation) this.conversation.renewToken(this.token);
    else this.begin(undefined);
  }

  protected override updated(): void {
    if (!this.page) return;
    document.documentElement.dataset.theme = this.theme;
    if (this.shared) return; // it names the document itself
    document.title =
      this.conversation && !this.conversation.transcript.empty
        ? `${this.heading()} · Chatbox`
        : 'Chatbox';
  }

  protected override render() {
    const c = this.conversation;
    if (this.shared)
      return html`<chatbox-shared
        .base=${baseOf(location)}
        .token=${this.shared}
      ></chatbox-shared>`;
    return html`
      ${c
        ? this.mainTemplate(c)
        : html`<chatbox-gate
            .expired=${this.expired}
            @chatbox-token=${(e: CustomEvent<string>) => this.take(e.detail)}
          ></chatbox-gate>`}
      <chatbox-dialog></chatbox-dialog>
    `;
  }

  private mainTemplate(c: Conversation) {
    const covered = this.narrow && this.drawer;
    return html`
      <div
        class="layout"
        @chatbox-open=${(e: CustomEvent<Item>) => this.go(e.detail.id)}
        @chatbox-new=${() => this.go(undefined)}
        @chatbox-rename=${(e: CustomEvent<Item>) => this.rename(e.detail)}
        @chatbox-end=${(e: CustomEvent<Item>) => this.end(e.detail)}
        @chatbox-share=${(e: CustomEvent<Item>) => this.share(e.detail)}
        @chatbox-export=${(e: CustomEvent<ExportRequest>) =>
          this.export(e.detail)}
        @chatbox-delete=${(e: CustomEvent<Item>) => this.discard(e.detail)}
        @chatbox-token-needed=${this.onTokenNeeded}
      >
        ${covered
          ? html`<div
              class="shade"
              @click=${() => (this.drawer = false)}
            ></div>`
          : nothing}
        <div
          class="side ${this.drawer ? 'shown' : ''}"
          ?inert=${this.narrow && !this.drawer}
          role=${covered ? 'dialog' : 'complementary'}
          aria-modal=${covered ? 'true' : nothing}
          aria-label="Chats and settings"
        >
          <button class="skip" @click=${this.onSkip}>
            Skip to the message field
          </button>
          <div class="brand">
            <span class="logo">${icon('chat')}</span> Chatbox
            ${this.narrow
              ? html`<button
                  class="icon"
                  aria-label="Close the list"
                  @click=${this.closeDrawer}
                >
                  ${icon('close')}
                </button>`
              : nothing}
          </div>
          <chatbox-sessions
            .list=${this.list}
            .current=${c.sessionId ?? ''}
          ></chatbox-sessions>
          ${this.accountTemplate()}
        </div>
        <main ?inert=${covered}>${this.chatTemplate(c)}</main>
      </div>
    `;
  }

  private chatTemplate(c: Conversation) {
    return html`
      <chatbox-chat .conversation=${c} .heading=${this.heading()}>
        ${this.narrow
          ? html`<button
              slot="lead"
              class="icon"
              aria-label="Show the list of chats"
              aria-expanded=${this.drawer ? 'true' : 'false'}
              @click=${this.openDrawer}
            >
              ${icon('menu')}
            </button>`
          : nothing}
        ${c.address && !c.transcript.empty
          ? html`<chatbox-menu
              slot="actions"
              label="More about this chat"
              .items=${this.chatMenu(c.address)}
            ></chatbox-menu>`
          : nothing}
      </chatbox-chat>
    `;
  }

  private accountTemplate() {
    const claims = readClaims(this.token);
    const name = claims?.name || claims?.user_id || 'You';
    const words = themeWords(this.theme);
    return html`
      <div class="account">
        <span class="avatar" aria-hidden="true"
          >${[...name][0]?.toUpperCase()}</span
        >
        <span class="name" title=${name}>${name}</span>
        <button
          class="icon"
          title="Keyboard shortcuts"
          aria-label="Keyboard shortcuts"
          @click=${this.showShortcuts}
        >
          ${icon('keyboard')}
        </button>
        <button
          class="icon theme"
          title=${words}
          aria-label=${words}
          @click=${this.switchTheme}
        >
          ${icon(THEME_ICONS[this.theme])}
        </button>
      </div>
    `;
  }

  private chatMenu(id: string): MenuItem[] {
    const item = this.list?.find(id) ?? {
      id,
      name: this.heading(),
      start_time: '',
      last_activity: '',
    };
    return [
      { label: 'Rename', icon: 'pencil', run: () => void this.rename(item) },
      { label: 'Share', icon: 'link', run: () => void this.share(item) },
      ...exportItems((format) => void this.export({ item, format })),
      { label: 'End', icon: 'finish', run: () => void this.end(item) },
      {
        label: 'Delete',
        icon: 'trash',
        danger: true,
        run: () => void this.discard(item),
      },
    ];
  }

  private heading(): string {
    const c = this.conversation;
    const name = this.list?.find(c?.sessionId)?.name;
    if (name) return name;
    const head = c?.transcript.turns().find((t) => t.head?.role === 'user');
    return (head?.head && titleFrom(head.head.content)) || 'New chat';
  }

  private ownDocument(): void {
    const fragment = takeFragment();
    addEventListener('hashchange', this.onHash);
    this.shared = fragment.shared ?? '';
    if (this.shared) return;
    addEventListener('focus', this.onFocus);
    this.endParent = listenToParent((token) => this.take(token));
    const token = fragment.token ?? loadToken();
    if (token) this.take(token, fragment.session);
  }

  /** A token: the first one, or another one for what is open. */
  private take(token: string, session = readFragment(location.hash).session) {
    const other = readClaims(token)?.user_id !== readClaims(this.token)?.user_id;
    this.token = token;
    this.expired = false;
    if (this.page) saveToken(token);
    if (!this.conversation || other)
      return this.begin(this.page ? session : undefined);
    this.conversation.renewToken(token);
    void this.list?.refresh();
  }

  private begin(session: string | undefined): void {
    this.list = undefined;
    this.disposeAll();
    this.openChat(session, true);
    this.list = new SessionList(this.conversation!.api);
    this.list.addEventListener('change', () => this.requestUpdate());
    this.list.addEventListener('token-needed', () => this.onListRefused());
    void this.list.refresh();
  }

  private openChat(session: string | undefined, firstOfPage = false): void {
    this.leave(this.conversation);
    this.named = session;
    this.conversation =
      this.takeBack(session) ?? this.connect(session, firstOfPage);
    void this.updateComplete.then(() => this.focusChat());
  }

  /** What was written there and waits is sent, though nobody looks on. */
  private leave(c: Conversation | undefined): void {
    if (!c?.unsent) return c?.dispose();
    this.unseen.add(c);
    c.addEventListener('change', () => {
      if (c.unsent || !this.unseen.delete(c)) return;
      c.dispose();
    });
  }

  private takeBack(session: string | undefined): Conversation | undefined {
    if (!session) return undefined;
    const c = [...this.unseen].find((one) => one.address === session);
    if (c) this.unseen.delete(c);
    return c;
  }

  private connect(session: string | undefined, firstOfPage: boolean) {
    const base = this.base
      ? normaliseBase(this.base, location.href)
      : baseOf(location);
    const c = new Conversation(base, () => this.token);
    c.addEventListener('change', () => this.onConversation(c));
    c.addEventListener('stored', () => void this.list?.refresh());
    c.addEventListener('token-needed', () => this.onExpiring());
    c.start(session, firstOfPage);
    return c;
  }

  /** Not on a touch screen, where the keyboard would cover the page. */
  private focusChat(): void {
    if (!matchMedia('(pointer: coarse)').matches) void this.chat?.focusComposer();
  }

  private go(session: string | undefined): void {
    this.drawer = false;
    const c = this.conversation;
    if (session && session === c?.sessionId) return this.focusChat();
    if (!session && c && !c.address && !c.halt) this.focusChat();
    else this.openChat(session);
    if (this.page) this.setAddress(session, 'push');
  }

  private setAddress(session: string | undefined, how: 'push' | 'replace') {
    const hash = writeFragment(session);
    if (hash === location.hash) return;
    const url = location.pathname + location.search + hash;
    if (how === 'push') history.pushState(null, '', url);
    else history.replaceState(null, '', url);
  }

  private onConversation(c: Conversation): void {
    if (c !== this.conversation) return;
    const state = c.linkState;
    if (state.at === 'stopped' && state.code === 4401) this.onTokenNeeded();
    if (this.page && c.address && c.halt !== 'gone') this.name(c.address);
    this.requestUpdate();
  }

  /**
   * Once, when the session gets its name: later the address bar may hold a
   * new link, or where the back button led, and onHash has not yet come.
   */
  private name(session: string): void {
    if (session === this.named) return;
    this.named = session;
    this.setAddress(session, 'replace');
  }

  /** The address changed by hand, by the back button, or a pasted link. */
  private readonly onHash = () => {
    const { token, session, shared } = takeFragment();
    if (shared || this.shared) return location.reload();
    if (token) this.take(token, session);
    const here = this.conversation?.address;
    // A new link without a session renews the token of what is open.
    if (token && !session) this.setAddress(here, 'replace');
    else if (this.conversation && session !== here) this.openChat(session);
  };

  private readonly onFocus = () => void this.list?.refresh();

  /** The live connection goes on for a minute: a parent page may renew. */
  private onExpiring(): void {
    askParent('chatbox:token-needed');
    this.dispatchEvent(new CustomEvent('chatbox-token-needed'));
    this.requestUpdate();
  }

  /** The open chat goes on as long as the server lets it. */
  private onListRefused(): void {
    if (!this.conversation?.open) return this.onTokenNeeded();
    if (this.conversation.tokenExpiring) return;
    this.conversation.tokenExpiring = true;
    this.onExpiring();
  }

  private readonly onTokenNeeded = () => {
    if (!this.conversation) return;
    this.disposeAll();
    this.list = undefined;
    this.expired = true;
    this.token = '';
    if (this.page) saveToken(undefined);
    askParent('chatbox:token-needed');
    this.dispatchEvent(new CustomEvent('chatbox-token-needed'));
  };

  private async rename(item: Item): Promise<void> {
    const name = await this.dialog.ask({
      title: 'Rename this chat',
      input: { label: 'Name', value: item.name ?? '', maxLength: 200 },
      action: 'Rename',
    });
    if (name) await this.attempt(() => this.list!.rename(item.id, name));
  }

  private async share(item: Item): Promise<void> {
    const api = this.conversation!.api;
    let link = '';
    const done = await this.attempt(async () => {
      link = sharedLink(api.base, await api.share(item.id));
    });
    if (!done) return;
    const chosen = await this.dialog.ask({
      title: 'Share this chat',
      body:
        'Whoever has this link can now read this chat, also what is written ' +
        'later, until you stop sharing it.',
      input: { label: 'Link', value: link, maxLength: link.length },
      action: 'Copy link',
      stay: async (dialog) =>
        (await copyText(link, dialog)) ? 'Copied' : 'Not copied',
      aside: 'Stop sharing',
      cancel: 'Close',
    });
    if (chosen === '') await this.attempt(() => api.unshare(item.id));
  }

  private async export({ item, format }: ExportRequest): Promise<void> {
    await this.attempt(async () => {
      saveFile(await this.conversation!.api.export(item.id, format));
    });
  }

  private async end(item: Item): Promise<void> {
    await this.attempt(async () => {
      await this.conversation!.api.end(item.id);
      await this.list!.refresh();
    });
  }

  private async discard(item: Item): Promise<void> {
    const sure = await this.dialog.ask({
      title: 'Delete this chat?',
      body: html`“${item.name || 'This chat'}” and all of its messages will be
      gone. This cannot be undone.`,
      action: 'Delete',
      danger: true,
    });
    if (!sure) return;
    const here = item.id === this.conversation?.sessionId;
    if (here) this.conversation?.dispose();
    const done = await this.attempt(() => this.list!.remove(item.id));
    if (!here) return;
    this.openChat(done ? undefined : item.id);
    if (this.page) this.setAddress(done ? undefined : item.id, 'replace');
  }

  private async attempt(action: () => Promise<void>): Promise<boolean> {
    try {
      await action();
      return true;
    } catch (error) {
      await this.dialog.ask({
        title: 'That did not work',
        body: (error as Error).message,
        action: 'Close',
        cancel: false,
      });
      return false;
    }
  }

  private readonly onKey = (event: KeyboardEvent) => {
    const shortcut = shortcutOf(event);
    if (!shortcut || !this.conversation || this.dialog.isOpen) return;
    if (!this.page && !event.composedPath().includes(this)) return;
    if (shortcut === 'escape') this.onEscape(event);
    else event.preventDefault();
    if (shortcut === 'new') this.go(undefined);
    if (shortcut === 'help') void this.showShortcuts();
    if (shortcut === 'search') void this.search();
  };

  private onEscape(event: KeyboardEvent): void {
    if (event.defaultPrevented) return;
    if (this.narrow && this.drawer) this.closeDrawer();
    else this.chat?.stopAnswer();
  }

  private async search(): Promise<void> {
    if (this.narrow) this.drawer = true;
    await this.updateComplete;
    this.sessions?.focusSearch();
  }

  private readonly openDrawer = async () => {
    this.drawer = true;
    await this.updateComplete;
    this.sessions?.focusFirst();
  };

  private readonly closeDrawer = async () => {
    this.drawer = false;
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>('[slot=lead]')?.focus();
  };

  private onSkip(): void {
    this.drawer = false;
    void this.chat?.focusComposer();
  }

  private switchTheme(): void {
    this.theme = nextTheme(this.theme);
    saveTheme(this.theme);
  }

  private readonly showShortcuts = async () => {
    await this.dialog.ask({
      title: 'Keyboard shortcuts',
      body: shortcutTable(),
      action: 'Close',
      cancel: false,
    });
  };
}
