// SPDX-License-Identifier: MIT
import { describe, expect, test } from 'vitest';
import {
  baseOf,
  normaliseBase,
  readFragment,
  sharedLink,
  socketAddress,
  writeFragment,
} from '../src/core/address';
import { parentOrigin, readClaims, tokenFromPaste } from '../src/core/token';

const ID = '0123456789abcdef0123456789abcdef';

describe('the base is everything up to the last slash', () => {
  const cases: [string, string][] = [
    ['/chatbox/', 'http://h/chatbox/'],
    ['/chatbox/index.html', 'http://h/chatbox/'],
    ['/', 'http://h/'],
    ['/a/b/', 'http://h/a/b/'],
    ['/index.html', 'http://h/'],
  ];
  test.each(cases)('%s', (pathname, base) => {
    expect(baseOf({ origin: 'http://h', pathname })).toBe(base);
  });
});

test('a base given by an embedding page is made absolute', () => {
  const page = 'https://site.example/shop/cart?x=1#y';
  expect(normaliseBase('/chat', page)).toBe('https://site.example/chat/');
  expect(normaliseBase('https://c.example/chatbox/?q#h', page)).toBe(
    'https://c.example/chatbox/',
  );
});

test('the socket address keeps the scheme and leaves absent members out', () => {
  expect(socketAddress('https://h/chatbox/', { session_id: ID })).toBe(
    `wss://h/chatbox/ws?session_id=${ID}`,
  );
  const query = { session_id: undefined, last_seq: 0, epoch: 'a b' };
  expect(socketAddress('http://h:1/', query)).toBe(
    'ws://h:1/ws?last_seq=0&epoch=a+b',
  );
});

test('the fragment gives token and session, and nothing malformed', () => {
  expect(readFragment(`#token=a.b.c&session=${ID}`)).toEqual({
    token: 'a.b.c',
    session: ID,
  });
  expect(readFragment('#session=../../etc')).toEqual({
    token: undefined,
    session: undefined,
  });
  expect(readFragment('')).toEqual({ token: undefined, session: undefined });
  expect(writeFragment(ID)).toBe(`#session=${ID}`);
  expect(writeFragment(undefined)).toBe('');
});

test('the link to a shared chat is read back', () => {
  const link = sharedLink('http://h/chatbox/', ID);
  expect(link).toBe(`http://h/chatbox/#shared=${ID}`);
  expect(readFragment(new URL(link).hash)).toEqual({ shared: ID });
  expect(readFragment('#shared=').shared).toBeUndefined();
});

test('a token is found in a pasted link or alone', () => {
  expect(tokenFromPaste('  a.b.c ')).toBe('a.b.c');
  expect(tokenFromPaste('http://h/chatbox/#token=a.b-_.c')).toBe('a.b-_.c');
  expect(tokenFromPaste('http://h/chatbox/?token=a.b.c')).toBeUndefined();
  expect(tokenFromPaste('hello')).toBeUndefined();
  expect(tokenFromPaste('#token=a b.c.d')).toBeUndefined();
});

test('claims are read for display, also when they are not ASCII', () => {
  const json = '{"user_id":"u","name":"Zoë 🙂>?"}';
  const bytes = new TextEncoder().encode(json);
  const base64 = btoa(String.fromCharCode(...bytes));
  const url = base64.replace(/\+/g, '-').replace(/\//g, '_');
  const token = `x.${url.replace(/=/g, '')}.y`;
  expect(readClaims(token)).toEqual({ user_id: 'u', name: 'Zoë 🙂>?' });
  for (const bad of ['', 'a', 'a.!!.c', `a.${btoa('7')}.c`])
    expect(readClaims(bad)).toBeUndefined();
});

test('only the page around us may hand over a token', () => {
  expect(parentOrigin(false, 'https://p.example/x', 'https://me')).toBe(
    undefined,
  );
  expect(parentOrigin(true, 'https://p.example/x', 'https://me')).toBe(
    'https://p.example',
  );
  expect(parentOrigin(true, '', 'https://me')).toBe('https://me');
  expect(parentOrigin(true, 'not an address', 'https://me')).toBe(
    'https://me',
  );
});
