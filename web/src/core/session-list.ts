// SPDX-License-Identifier: MIT
// The list at the side: newest first, page by page, filtered by a search.
import { ApiError } from './api';
import type { Api, Item } from './api';

/** No page is larger. */
const LARGEST = 100;

export class SessionList extends EventTarget {
  items: Item[] = [];
  query = '';
  next?: string;
  loading = false;
  failed = false;
  loaded = false;
  private round = 0;

  constructor(private readonly api: Api) {
    super();
  }

  /** The newest rows anew; what was listed below them stays. */
  async refresh(): Promise<void> {
    const want = Math.min(LARGEST, Math.max(30, this.items.length));
    await this.fetch(undefined, want, true);
  }

  async search(query: string): Promise<void> {
    this.query = query;
    this.items = [];
    this.next = undefined;
    await this.fetch(undefined, 30);
  }

  async more(): Promise<void> {
    if (this.next && !this.loading) await this.fetch(this.next, 30);
  }

  find(id: string | undefined): Item | undefined {
    return this.items.find((item) => item.id === id);
  }

  async rename(id: string, name: string): Promise<void> {
    await this.api.rename(id, name);
    const item = this.find(id);
    if (item) item.name = name;
    this.changed();
  }

  async remove(id: string): Promise<void> {
    await this.api.remove(id);
    this.items = this.items.filter((item) => item.id !== id);
    this.changed();
  }

  private async fetch(
    cursor: string | undefined,
    limit: number,
    keepBelow = false,
  ) {
    const round = ++this.round;
    this.loading = true;
    this.changed();
    try {
      const page = await this.page(cursor, limit, round);
      if (round !== this.round) return;
      const below = keepBelow && page.next ? this.olderThan(page.items) : [];
      this.take(page.items, cursor !== undefined);
      this.take(below, true);
      if (below.length === 0) this.next = page.next;
      this.failed = false;
      this.loaded = true;
    } catch (error) {
      if (round === this.round) this.onError(error);
    } finally {
      if (round === this.round) this.loading = false;
      this.changed();
    }
  }

  /** A search that has looked far enough may give an empty page and go on. */
  private async page(from: string | undefined, limit: number, round: number) {
    let page = await this.api.sessions(this.query, from, limit);
    while (page.items.length === 0 && page.next && round === this.round)
      page = await this.api.sessions(this.query, page.next, limit);
    return page;
  }

  private olderThan(items: Item[]): Item[] {
    const end = items.at(-1)?.last_activity ?? '';
    return this.items.filter((item) => item.last_activity < end);
  }

  /** A chat that moved up between two pages is shown once. */
  private take(items: Item[], append: boolean): void {
    const known = new Set(append ? this.items.map((item) => item.id) : []);
    const fresh = items.filter((item) => !known.has(item.id));
    this.items = append ? [...this.items, ...fresh] : fresh;
  }

  private onError(error: unknown): void {
    this.failed = true;
    if (error instanceof ApiError && error.status === 401)
      this.dispatchEvent(new Event('token-needed'));
  }

  private changed(): void {
    this.dispatchEvent(new Event('change'));
  }
}
