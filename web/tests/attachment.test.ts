// SPDX-License-Identifier: MIT
import { describe, expect, test } from 'vitest';
import { attachmentOf } from '../src/core/attachment';
import { Transcript } from '../src/core/transcript';

const BASE = 'https://chat.example/chatbox/';

describe('the file of a message', () => {
  test.each([
    [{}, undefined],
    [{ file_id: '', file_url: '' }, undefined],
    [{ file_id: 'f1' }, { name: 'f1', url: undefined }],
    [
      { file_id: 'f1', file_url: '/chatbox/files/f1?exp=5&sig=ab' },
      { name: 'f1', url: 'https://chat.example/chatbox/files/f1?exp=5&sig=ab' },
    ],
    [
      { file_url: 'https://files.example/a/plan%20b.pdf#2' },
      { name: 'plan b.pdf', url: 'https://files.example/a/plan%20b.pdf#2' },
    ],
    [
      { file_url: 'http://files.example/100%.txt' },
      { name: '100%.txt', url: 'http://files.example/100%.txt' },
    ],
    [
      { file_id: 'f2', file_url: 'https://files.example/' },
      { name: 'f2', url: 'https://files.example/' },
    ],
    [
      { file_url: 'https://files.example' },
      { name: 'files.example', url: 'https://files.example/' },
    ],
    [{ file_id: 'f3', file_url: 'javascript:alert(1)' }, { name: 'f3', url: undefined }],
    [{ file_url: 'data:text/html,x' }, { name: 'without a name', url: undefined }],
    [{ file_id: 'f4', file_url: 'https://[' }, { name: 'f4', url: undefined }],
    [
      {
        file_id: 'f5',
        file_url: '/chatbox/files/f5?exp=5&sig=ab',
        name: 'cat.png',
        type: 'image/png',
      },
      {
        name: 'cat.png',
        url: 'https://chat.example/chatbox/files/f5?exp=5&sig=ab',
        picture: true,
      },
    ],
    [
      { file_id: 'f6', file_url: 'https://else.example/f6', type: 'image/png' },
      { name: 'f6', url: 'https://else.example/f6' },
    ],
    [
      { file_url: '/chatbox/x.png', type: 'image/png' },
      { name: 'x.png', url: 'https://chat.example/chatbox/x.png' },
    ],
    [
      { file_id: 'f7', file_url: '/chatbox/files/f7', type: 'text/html' },
      { name: 'f7', url: 'https://chat.example/chatbox/files/f7' },
    ],
  ])('%o is %o', (m, expected) => {
    expect(attachmentOf(m, BASE)).toEqual(expected);
  });
});

describe('a message that is only a file', () => {
  const file = { file_id: 'f1', file_url: 'https://files.example/cat.png' };

  test('has it when it comes from the stored conversation', () => {
    const t = new Transcript();
    const m = { message_id: 'a', seq: 1, sender: 'user', content: '', ...file };
    t.load([m], undefined);
    expect(t.turns()[0]?.head).toMatchObject({ content: '', file });
  });

  test('has it when it comes while the page looks on', () => {
    const t = new Transcript();
    t.apply({ type: 'file_upload', message_id: 'a', seq: 1, sender: 'user', ...file });
    expect(t.turns()[0]?.head).toMatchObject({ content: '', file });
  });
});
