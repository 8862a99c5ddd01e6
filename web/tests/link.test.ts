// SPDX-License-Identifier: MIT
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Link } from '../src/core/link';
import type { LinkEvents } from '../src/core/link';

class FakeSocket {
  static readonly OPEN = 1;
  static all: FakeSocket[] = [];
  readyState = 0;
  sent: string[] = [];
  closedWith?: number;
  onopen?: () => void;
  onmessage?: (event: { data: unknown }) => void;
  onclose?: (event: { code: number }) => void;

  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {
    FakeSocket.all.push(this);
  }

  static get last(): FakeSocket {
    return FakeSocket.all.at(-1)!;
  }

  open(): this {
    this.readyState = FakeSocket.OPEN;
    this.onopen?.();
    return this;
  }

  say(frame: object | string): this {
    const data = typeof frame === 'string' ? frame : JSON.stringify(frame);
    this.onmessage?.({ data });
    return this;
  }

  drop(code: number): void {
    this.readyState = 3;
    this.onclose?.({ code });
  }

  send(text: string): void {
    this.sent.push(text);
  }

  close(code: number): void {
    this.readyState = 3;
    this.closedWith = code;
  }
}

let link: Link;
let events: { [K in keyof LinkEvents]: ReturnType<typeof vi.fn> };

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('WebSocket', FakeSocket);
  FakeSocket.all = [];
  events = {
    target: vi.fn(() => ({ url: 'ws://h/ws', protocols: ['chatbox.v1'] })),
    onFrame: vi.fn(),
    onState: vi.fn(),
    onBlamed: vi.fn(),
    onRefused: vi.fn(),
  };
  link = new Link(events as unknown as LinkEvents);
  link.connect();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('is open with the first frame, and gives frames on', () => {
  FakeSocket.last.open();
  expect(link.state.at).toBe('connecting');
  FakeSocket.last.say({ type: 'connection_status' });
  expect(link.state.at).toBe('open');
  expect(events.onFrame).toHaveBeenCalledTimes(1);
});

test('ignores what is not a frame', () => {
  FakeSocket.last.open().say('nonsense').say('[1]').say('{"a":1}').say('7');
  expect(events.onFrame).not.toHaveBeenCalled();
});

test('reconnects after a loss, with a new target', () => {
  FakeSocket.last.open().say({ type: 'x' }).drop(1006);
  expect(link.state.at).toBe('waiting');
  vi.advanceTimersByTime(500);
  expect(FakeSocket.all).toHaveLength(2);
  expect(events.target).toHaveBeenCalledTimes(2);
});

test.each([4400, 4403, 4409, 4410, 4401])('stays closed after %i', (code) => {
  FakeSocket.last.open().say({ type: 'x' }).drop(code);
  vi.advanceTimersByTime(600_000);
  expect(link.state).toEqual({ at: 'stopped', code });
  expect(FakeSocket.all).toHaveLength(1);
});

test('a server that drops every connection is not hammered', () => {
  for (let i = 0; i < 200; i++) {
    if (FakeSocket.last.readyState === 0)
      FakeSocket.last.open().say({ type: 'x' }).drop(1012);
    vi.advanceTimersByTime(300);
  }
  expect(FakeSocket.all.length).toBeLessThan(12);
});

test('a refused upgrade asks why, an opened one does not', () => {
  FakeSocket.last.drop(1006);
  expect(events.onRefused).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(500);
  FakeSocket.last.open().drop(1006);
  expect(events.onRefused).toHaveBeenCalledTimes(1);
});

test('a blamed frame is told before the next attempt', () => {
  FakeSocket.last.open().say({ type: 'x' }).drop(1009);
  expect(events.onBlamed).toHaveBeenCalledTimes(1);
  expect(link.state.at).toBe('waiting');
});

test('a silent server is asked, and left when it does not answer', () => {
  FakeSocket.last.open().say({ type: 'x' });
  const first = FakeSocket.last;
  vi.advanceTimersByTime(30_000);
  expect(first.sent).toEqual(['{"type":"ping"}']);
  first.say({ type: 'pong' });
  vi.advanceTimersByTime(30_000);
  expect(first.sent).toHaveLength(2);
  vi.advanceTimersByTime(10_000);
  expect(first.closedWith).toBe(1000);
  expect(link.state.at).toBe('waiting');
});

test('a socket that never opens is given up', () => {
  vi.advanceTimersByTime(10_000);
  expect(link.state.at).toBe('waiting');
});

test('a wait can be cut short, and only a wait', () => {
  link.retryNow();
  expect(FakeSocket.all).toHaveLength(1);
  FakeSocket.last.open().drop(1013);
  link.retryNow();
  expect(FakeSocket.all).toHaveLength(2);
});

test('nothing is heard of a socket that was closed by us', () => {
  const old = FakeSocket.last.open();
  link.close();
  old.say({ type: 'x' }).drop(1006);
  expect(events.onFrame).not.toHaveBeenCalled();
  expect(link.state.at).toBe('idle');
  expect(link.send({ type: 'ping' })).toBe(false);
});

test('what was sent is answered soon, or the server is asked', () => {
  FakeSocket.last.open().say({ type: 'x' });
  const first = FakeSocket.last;
  vi.advanceTimersByTime(25_000);
  link.send({ type: 'user_message' });
  vi.advanceTimersByTime(6_000);
  link.send({ type: 'typing_indicator' });
  expect(first.sent).toHaveLength(2);
  vi.advanceTimersByTime(4_000);
  expect(first.sent.at(-1)).toBe('{"type":"ping"}');
  vi.advanceTimersByTime(10_000);
  expect(first.closedWith).toBe(1000);
});

test('a frame after what was sent is answer enough', () => {
  FakeSocket.last.open().say({ type: 'x' });
  link.send({ type: 'user_message' });
  FakeSocket.last.say({ type: 'ack' });
  vi.advanceTimersByTime(29_000);
  expect(FakeSocket.last.sent).toHaveLength(1);
});

test('when the network changed, an open socket is asked at once', () => {
  FakeSocket.last.open().say({ type: 'x' });
  const first = FakeSocket.last;
  link.check();
  expect(first.sent).toEqual(['{"type":"ping"}']);
  vi.advanceTimersByTime(4_000);
  expect(first.closedWith).toBe(1000);
  expect(link.state.at).toBe('waiting');
  link.check();
  expect(FakeSocket.all).toHaveLength(2);
});
