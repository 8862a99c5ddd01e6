// SPDX-License-Identifier: MIT
import { marked } from 'marked';
import { describe, expect, test } from 'vitest';
import { BlockSplitter } from '../src/render/blocks';
import type { Piece } from '../src/render/blocks';

const OPTIONS = { gfm: true };

const DOCUMENTS: Record<string, string> = {
  paragraphs: 'One\nline.\n\nTwo.\n\nThree *emphasised* words.\n',
  'a list with blank lines': '- a\n\n- b\n\n  more of b\n\n- c\n\nend\n',
  'an ordered list': 'Before:\n\n1. one\n2. two\n\n3. three\n\nafter\n',
  'a list in a list': '- a\n  - b\n    - c\n- d\n\ntext\n',
  'a setext heading': 'Heading\n=======\n\ntext\n\nSecond\n---\nx\n',
  'a fence with blank lines': 'x\n\n```c\nint a;\n\nint b;\n```\n\ny\n',
  'a fence in a fence': '````md\n```\ninner\n```\n````\n\nafter\n',
  'a tilde fence': '~~~\n```\n~~~\nafter\n',
  'an unclosed fence': 'text\n\n```js\nlet a = 1;\n\nlet b',
  'a fence in a list': '1. do\n\n   ```sh\n   ls\n\n   pwd\n   ```\n\n2. done\n',
  'a table': 'a table:\n\n| a | b |\n|--|:-:|\n| 1 | 2 |\n| 3 | 4 |\n\nend\n',
  'a quote': '> one\nlazy\n>\n> two\n\nafter\n',
  'indented code': 'a\n\n    code\n\n    more\n\nb\n',
  html: '<div>\n\ntext\n\n</div>\n\nend\n',
  headings: '# a\ntext\n## b\n### c\n\n---\n\n***\nend',
  'line endings of Windows': 'a\r\n\r\nb\r\n\r\n- c\r\n- d\r\n',
  'characters outside the BMP': '🙂 **bold 🙂**\n\n- 🙂\n- 👩‍👩‍👧\n\nend 🙂',
};

function html(pieces: Piece[]): string {
  return marked.parser(
    pieces.map((piece) => piece.token),
    OPTIONS,
  );
}

/** Feeds all prefixes given by `cuts`; gives the rendered whole. */
function feed(text: string, cuts: number[]): string {
  const splitter = new BlockSplitter(OPTIONS);
  let out = '';
  for (const cut of [...cuts, text.length]) {
    const frozen = splitter.feed(text.slice(0, cut));
    if (!frozen) throw new Error('not a continuation');
    out += html(frozen);
    splitter.open();
  }
  return out + html(splitter.finish());
}

describe.each(Object.entries(DOCUMENTS))('%s', (_name, text) => {
  const whole = () => marked.parse(text, OPTIONS) as string;

  test('comes out the same character by character', () => {
    const every = Array.from(text, (_, i) => i);
    expect(feed(text, every)).toBe(whole());
  });

  test('comes out the same cut once anywhere', () => {
    for (let cut = 0; cut <= text.length; cut++)
      expect(feed(text, [cut]), `cut at ${cut}`).toBe(whole());
  });
});

test('only the last block of a long text stays open', () => {
  const splitter = new BlockSplitter(OPTIONS);
  const text = 'A paragraph of some length.\n\n'.repeat(2000) + 'The last';
  splitter.feed(text);
  expect(text.length - splitter.frozen.length).toBeLessThan(100);
});

test('each block freezes once', () => {
  const splitter = new BlockSplitter(OPTIONS);
  const text = 'one\n\ntwo\n\nthree\n\nfour\n';
  const seen: string[] = [];
  for (let i = 0; i <= text.length; i++)
    for (const { token } of splitter.feed(text.slice(0, i))!)
      if (token.type !== 'space') seen.push(token.raw.trim());
  expect(seen).toEqual(['one', 'two', 'three']);
});

describe('a long list freezes item by item', () => {
  const item = (i: number) => `${i + 1}. item ${i} **bold**\n      - nested ${i}\n`;
  const list = Array.from({ length: 400 }, (_, i) => item(i)).join('');

  test('and only its last item stays open', () => {
    const splitter = new BlockSplitter(OPTIONS);
    splitter.feed(list);
    expect(list.length - splitter.frozen.length).toBeLessThan(60);
    expect(splitter.joins).toBe(true);
  });

  test('and every item comes out once, in order, in one list', () => {
    const splitter = new BlockSplitter(OPTIONS);
    const text = `before\n\n${list}\nafter\n\n- another\n`;
    const pieces: Piece[] = [];
    for (let i = 0; i <= text.length; i += 37)
      pieces.push(...splitter.feed(text.slice(0, i))!);
    pieces.push(...splitter.feed(text)!, ...splitter.finish());
    const found = html(pieces).match(/<(?:p|li)>(item|nested|\w+) ?\d*/g);
    expect(found).toHaveLength(803);
    const starts = pieces.filter((p) => p.token.type === 'list' && !p.joins);
    expect(starts).toHaveLength(2);
    const order = html(pieces).match(/nested (\d+)/g)!;
    expect(order).toEqual(order.map((_, i) => `nested ${i}`));
  });
});

test('another text is not taken for a continuation', () => {
  const splitter = new BlockSplitter(OPTIONS);
  expect(splitter.feed('one\n\ntwo\n\nthree')).toHaveLength(2);
  expect(splitter.feed('One\n\ntwo\n\nthree and more')).toBeUndefined();
});

test('a definition serves the links of later blocks', () => {
  const text = '[x]: https://e.example/\n\ntext\n\nsee [x]\n\nand [x]\n';
  const all = feed(text, Array.from(text, (_, i) => i));
  expect(all.match(/href="https:\/\/e\.example\/"/g)).toHaveLength(2);
});

describe('an open fence', () => {
  const fence = (text: string) => {
    const splitter = new BlockSplitter(OPTIONS);
    splitter.feed(text);
    return splitter.openFence();
  };

  test('is seen with its language and its code', () => {
    expect(fence('text\n\n```c\nint a;\n')).toEqual({
      language: 'c',
      code: 'int a;\n',
    });
    expect(fence('~~~~ rust\nfn')).toEqual({ language: 'rust', code: 'fn' });
  });

  test('is not what is closed, inline or not begun', () => {
    for (const text of ['```c\na\n```\n', '```c\na\n  ````', 'a ``` b', '```c'])
      expect(fence(text), text).toBeUndefined();
  });

  test('is not closed by a shorter or another mark', () => {
    for (const text of ['````\n```\n', '```\n~~~\n', '```\n``` x\n'])
      expect(fence(text), text).toBeDefined();
  });
});
