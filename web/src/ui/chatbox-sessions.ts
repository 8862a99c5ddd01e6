// SPDX-License-Identifier: MIT
// The panel at the side: new chat, search, the list and what can be done
// with each chat. What is chosen is told by events; the app acts.
import { LitElement, css, html, nothing } from 'lit';
import { customElement, property, query } from 'lit/decorators.js';
import { repeat } from 'lit/directives/repeat.js';
import type { Item } from '../core/api';
import type { SessionList } from '../core/session-list';
import { dayGroup } from '../core/words';
import './chatbox-menu';
import type { MenuItem } from './chatbox-menu';
import { exportItems } from './export';
import type { ExportRequest } from './export';
import { icon } from './icons';
import { basics } from './styles';

const TYPING_PAUSE_MS = 220;

@customElement('chatbox-sessions')
export class ChatboxSessions extends LitElement {
  @property({ attribute: false }) list?: SessionList;
  @property() current = '';
  @query('input') private input!: HTMLInputElement;
  @query('.new') private newButton!: HTMLButtonElement;

  private bound?: SessionList;
  private timer = 0;
  private readonly onChange = () => this.requestUpdate();

  focusSearch(): void {
    this.input?.focus();
    this.input?.select();
  }

  focusFirst(): void {
    this.newButton?.focus();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.timer);
  }

  protected override willUpdate(): void {
    if (this.list === this.bound) return;
    this.bound?.removeEventListener('change', this.onChange);
    this.list?.addEventListener('change', this.onChange);
    this.bound = this.list;
  }

  protected override render() {
    return html`
      <div class="top">
        <button class="new" @click=${() => this.emit('chatbox-new')}>
          ${icon('plus')} New chat
        </button>
        <label class="search">
          <span class="visually-hidden">Search chats</span>
          ${icon('search')}
          <input
            type="search"
            placeholder="Search"
            autocomplete="off"
            spellcheck="false"
            aria-keyshortcuts="Control+K"
            @input=${this.onSearch}
            @keydown=${this.onSearchKey}
          />
        </label>
      </div>
      <nav aria-label="Chats">${this.listTemplate()}</nav>
    `;
  }

  private listTemplate() {
    const list = this.list;
    if (!list) return nothing;
    if (list.items.length === 0) return this.emptyTemplate(list);
    return html`
      ${this.groups(list.items).map(
        ([name, items]) => html`
          <h2>${name}</h2>
          <ul>
            ${repeat(
              items,
              (item) => item.id,
              (item) => this.itemTemplate(item),
            )}
          </ul>
        `,
      )}
      ${list.next
        ? html`<button
            class="more"
            ?disabled=${list.loading}
            @click=${() => void list.more()}
          >
            ${list.loading ? 'Loading…' : 'Show more'}
          </button>`
        : nothing}
    `;
  }

  private emptyTemplate(list: SessionList) {
    if (list.failed)
      return html`<p class="empty" role="status">
        The list could not be loaded.
        <button class="outline" @click=${() => void list.refresh()}>
          Try again
        </button>
      </p>`;
    if (!list.loaded || list.loading) return nothing;
    return html`<p class="empty" role="status">
      ${list.query
        ? html`Nothing found for “${list.query}”.`
        : 'Your chats will be listed here.'}
    </p>`;
  }

  private groups(items: Item[]): [string, Item[]][] {
    const now = Date.now();
    const groups = new Map<string, Item[]>();
    for (const item of items) {
      const name = dayGroup(Date.parse(item.last_activity), now);
      const group = groups.get(name) ?? [];
      groups.set(name, group);
      group.push(item);
    }
    return [...groups];
  }

  private itemTemplate(item: Item) {
    const here = item.id === this.current;
    const name = item.name || 'Chat without a name';
    return html`
      <li class=${here ? 'here' : ''}>
        <a
          href="#session=${item.id}"
          title=${name}
          dir="auto"
          aria-current=${here ? 'page' : nothing}
          @click=${(e: MouseEvent) => this.onOpen(e, item)}
        >
          ${name}
          ${item.is_active === false
            ? html`<span class="ended">ended</span>`
            : nothing}
        </a>
        <chatbox-menu
          .label=${`More about “${name}”`}
          .items=${this.menuOf(item)}
        ></chatbox-menu>
      </li>
    `;
  }

  private menuOf(item: Item): MenuItem[] {
    const items: MenuItem[] = [
      {
        label: 'Rename',
        icon: 'pencil',
        run: () => this.emit('chatbox-rename', item),
      },
      {
        label: 'Share',
        icon: 'link',
        run: () => this.emit('chatbox-share', item),
      },
      ...exportItems((format) => this.emit('chatbox-export', { item, format })),
      {
        label: 'Delete',
        icon: 'trash',
        danger: true,
        run: () => this.emit('chatbox-delete', item),
      },
    ];
    const end: MenuItem = {
      label: 'End',
      icon: 'finish',
      run: () => this.emit('chatbox-end', item),
    };
    if (item.is_active !== false) items.splice(1, 0, end);
    return items;
  }

  /** A plain click stays in the page; others open a tab, as links do. */
  private onOpen(event: MouseEvent, item: Item): void {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.emit('chatbox-open', item);
  }

  private onSearch(): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(
      () => void this.list?.search(this.input.value.trim()),
      TYPING_PAUSE_MS,
    );
  }

  private onSearchKey(event: KeyboardEvent): void {
    if (event.key !== 'Escape' || !this.input.value) return;
    event.stopPropagation();
    event.preventDefault();
    this.input.value = '';
    void this.list?.search('');
  }

  private emit(type: string, detail?: Item | ExportRequest): void {
    this.dispatchEvent(
      new CustomEvent(type, { detail, bubbles: true, composed: true }),
    );
  }

  static override styles = [
    basics,
    css`
      :host {
        display: flex;
        flex-direction: column;
        min-height: 0;
      }

      .top {
        display: flex;
        flex-direction: column;
        gap: 0.55rem;
        padding: 0.25rem 0.75rem 0.6rem;
      }

      .new {
        justify-content: flex-start;
        padding: 0.55rem 0.75rem;
        border-color: var(--line);
        background: var(--raised);
        font-weight: 550;
      }

      .new svg {
        color: var(--accent);
      }

      .search {
        position: relative;
        display: block;
      }

      .search svg {
        position: absolute;
        inset: 0 auto 0 0.75rem;
        margin-block: auto;
        width: 1.05rem;
        height: 1.05rem;
        color: var(--muted);
      }

      input {
        width: 100%;
        padding: 0.48rem 0.75rem 0.48rem 2.35rem;
        border: 1px solid transparent;
        border-radius: 0.6rem;
        background: var(--hover);
        font-size: 0.94rem;
      }

      input::placeholder {
        color: var(--muted);
        opacity: 1;
      }

      input:focus {
        border-color: var(--accent);
        background: var(--raised);
        outline: 2px solid transparent; /* seen where colours are forced */
      }

      nav {
        flex: 1;
        min-height: 0;
        padding: 0 0.5rem 0.75rem;
        overflow-y: auto;
        scrollbar-width: thin;
        scrollbar-color: var(--line) transparent;
      }

      h2 {
        padding: 0.85rem 0.6rem 0.3rem;
        font-size: 0.76rem;
        font-weight: 600;
        color: var(--muted);
      }

      ul {
        list-style: none;
      }

      li {
        position: relative;
        display: flex;
        align-items: center;
        border-radius: 0.6rem;
      }

      li:hover,
      li:focus-within {
        background: var(--hover);
      }

      li.here {
        background: var(--selected);
      }

      a {
        flex: 1;
        min-width: 0;
        padding: 0.45rem 0.6rem;
        border-radius: inherit;
        overflow: hidden;
        color: inherit;
        font-size: 0.94rem;
        text-align: left; /* a list of many directions has one edge */
        text-decoration: none;
        text-overflow: ellipsis;
        white-space: nowrap;
      }

      a:focus-visible {
        outline-offset: -2px;
      }

      .ended {
        margin-inline-start: 0.35rem;
        font-size: 0.78rem;
        font-weight: 400;
        color: var(--muted);
      }

      chatbox-menu {
        position: absolute;
        inset-inline-end: 0.1rem;
        opacity: 0;
        border-radius: inherit;
      }

      li:hover chatbox-menu,
      li:focus-within chatbox-menu,
      chatbox-menu[open] {
        opacity: 1;
      }

      li:hover a,
      li:focus-within a {
        margin-inline-end: 2.3rem;
      }

      @media (hover: none) {
        chatbox-menu {
          position: static;
          opacity: 1;
        }

        li a {
          margin: 0 !important;
        }
      }

      .more {
        width: 100%;
        margin-top: 0.4rem;
        color: var(--muted);
        font-size: 0.9rem;
      }

      .empty {
        display: flex;
        flex-direction: column;
        align-items: flex-start;
        gap: 0.6rem;
        padding: 0.9rem 0.6rem;
        font-size: 0.92rem;
        color: var(--muted);
      }
    `,
  ];
}
