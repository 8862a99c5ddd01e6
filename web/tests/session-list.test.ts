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
