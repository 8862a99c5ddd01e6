// SPDX-License-Identifier: MIT
// A small menu behind a "more" button, in the top layer, so that no scrolled
// area cuts it. Arrow keys move, Escape and a click elsewhere close.
import { LitElement, css, html } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import { icon } from './icons';
import type { IconName } from './icons';
import { basics } from './styles';

export interface MenuItem {
  label: string;
  icon: IconName;
  danger?: boolean;
  run(): void;
}

@customElement('chatbox-menu')
export class ChatboxMenu extends LitElement {
  @property({ attribute: false }) items: MenuItem[] = [];
  @property() label = 'More';
  @state() private shown = false;
  @query('button.icon') private button!: HTMLButtonElement;
  @query('.menu') private menu!: HTMLElement;

  override focus(): void {
    this.button?.focus();
  }

  protected override render() {
    return html`
      <button
        class="icon"
        title=${this.label}
        aria-label=${this.label}
        aria-haspopup="menu"
        aria-expanded=${this.shown ? 'true' : 'false'}
        @click=${this.toggle}
        @keydown=${this.onButtonKey}
      >
        ${icon('more')}
      </button>
      <div
        class="menu"
        popover="auto"
        role="menu"
        aria-label=${this.label}
        @toggle=${this.onToggle}
        @keydown=${this.onKey}
      >
        ${this.items.map(
          (item) => html`<button
            role="menuitem"
            tabindex="-1"
            class=${item.danger ? 'item alarming' : 'item'}
            @click=${() => this.choose(item)}
          >
            ${icon(item.icon)} ${item.label}
          </button>`,
        )}
      </div>
    `;
  }

  private toggle(): void {
    if (this.shown) this.menu.hidePopover();
    else this.open();
  }

  private open(): void {
    this.menu.showPopover();
    const at = this.button.getBoundingClientRect();
    const box = this.menu.getBoundingClientRect();
    const below = at.bottom + 4 + box.height <= innerHeight;
    const top = below ? at.bottom + 4 : at.top - 4 - box.height;
    const left = Math.min(at.right - box.width, innerWidth - box.width - 8);
    this.menu.style.top = `${Math.max(8, top)}px`;
    this.menu.style.left = `${Math.max(8, left)}px`;
    this.buttons()[0]?.focus();
  }

  private buttons(): HTMLElement[] {
    return [...this.menu.querySelectorAll<HTMLElement>('.item')];
  }

  private onToggle(event: Event): void {
    this.shown = (event as ToggleEvent).newState === 'open';
    this.toggleAttribute('open', this.shown);
  }

  private onButtonKey(event: KeyboardEvent): void {
    if (event.key !== 'ArrowDown' || this.shown) return;
    event.preventDefault();
    this.open();
  }

  private onKey(event: KeyboardEvent): void {
    const all = this.buttons();
    const here = all.indexOf(this.shadowRoot!.activeElement as HTMLElement);
    const steps: Record<string, number> = {
      ArrowDown: here + 1,
      ArrowUp: here - 1,
      Home: 0,
      End: all.length - 1,
    };
    if (event.key === 'Tab' || event.key === 'Escape') this.leave();
    if (event.key === 'Escape') event.stopPropagation();
    const next = steps[event.key];
    if (next === undefined) return;
    event.preventDefault();
    all[(next + all.length) % all.length]?.focus();
  }

  private choose(item: MenuItem): void {
    this.leave();
    item.run();
  }

  /** Back to the button: from there Tab goes on. */
  private leave(): void {
    this.menu.hidePopover();
    this.button.focus();
  }

  static override styles = [
    basics,
    css`
      :host {
        display: inline-flex;
      }

      .menu {
        position: fixed;
        inset: auto;
        min-width: 11rem;
        margin: 0;
        padding: 0.35rem;
        border: 1px solid var(--line);
        border-radius: 0.85rem;
        background: var(--raised);
        color: var(--text);
        box-shadow: var(--shadow);
      }

      .item {
        display: flex;
        justify-content: flex-start;
        width: 100%;
        padding: 0.5rem 0.7rem;
        border-radius: 0.55rem;
        font-size: 0.93rem;
      }

      .item:focus-visible {
        outline-offset: -2px;
      }

      .item svg {
        color: var(--muted);
      }

      .alarming,
      .alarming svg {
        color: var(--danger);
      }
    `,
  ];
}
