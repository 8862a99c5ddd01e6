// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import type { Api, Item, SessionPage } from '../src/core/api';
import { SessionList } from '../src/core/session-list';

const item = (id: string): Item => ({ id, start_time: '', last_activity: '' });

/** Answers page after page; remembers what it was asked. */
function fakeApi(pages: SessionPage[]) {
  const asked: (string | undefined)[] = [];
  const sessions = async (_q: string, cursor?: string) => {
    asked.push(cursor);
    return pages.shift()!;
  };
  return { asked, api: { sessions } as unknown as Api };
}

describe('SessionList', () => {
  it('goes on behind an empty page until there is something or the end', async () => {
    const { asked, api } = fakeApi([
      { items: [], next: 'a' },
      { items: [], next: 'b' },
      { items: [item('1')], next: 'c' },
      { items: [], next: undefined },
    ]);
    const list = new SessionList(api);
    await list.search('x');
    expect(asked).toEqual([undefined, 'a', 'b']);
    expect(list.items.map((i) => i.id)).toEqual(['1']);
    await list.more();
    expect(asked).toEqual([undefined, 'a', 'b', 'c']);
    expect(list.next).toBeUndefined();
  });

  it('stops looking when another search has begun', async () => {
    const { asked, api } = fakeApi([
      { items: [], next: 'a' },
      { items: [item('2')], next: undefined },
    ]);
    const list = new SessionList(api);
    await Promise.all([list.search('x'), list.search('y')]);
    expect(asked).toEqual([undefined, undefined]);
    expect(list.items.map((i) => i.id)).toEqual(['2']);
  });
});

describe('SessionList.refresh', () => {
  const at = (n: number): Item => ({
    id: `${n}`,
    start_time: '',
    last_activity: new Date(n * 1000).toISOString(),
  });
  const down = (from: number, to: number) =>
    Array.from({ length: from - to + 1 }, (_, i) => at(from - i));

  it('leaves what is listed below the newest hundred', async () => {
    const { asked, api } = fakeApi([
      { items: down(200, 101), next: 'a' },
      { items: down(100, 51), next: 'b' },
      { items: [at(201), ...down(200, 102)], next: 'c' },
      { items: down(50, 1), next: undefined },
    ]);
    const list = new SessionList(api);
    await list.refresh();
    await list.more();
    await list.refresh();
    expect(list.items.map((i) => i.id)).toEqual(
      down(201, 51).map((i) => i.id),
    );
    await list.more();
    expect(asked).toEqual([undefined, 'a', undefined, 'b']);
    expect(list.items).toHaveLength(201);
  });

  it('drops what is gone among the newest, and all when there is no more', async () => {
    const { api } = fakeApi([
      { items: down(9, 5), next: 'a' },
      { items: down(4, 1), next: undefined },
      { items: [at(9), ...down(7, 3)], next: 'b' },
      { items: [at(9), at(3)], next: undefined },
    ]);
    const list = new SessionList(api);
    await list.refresh();
    await list.more();
    await list.refresh();
    expect(list.items.map((i) => i.id)).toEqual([...'9765432'].concat('1'));
    await list.refresh();
    expect(list.items.map((i) => i.id)).toEqual(['9', '3']);
  });
});
