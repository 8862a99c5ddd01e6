// SPDX-License-Identifier: MIT
import { beforeEach, describe, expect, test } from 'vitest';
import type { Msg } from '../src/core/api';
import type { Frame } from '../src/core/frame';
import type { Problem } from '../src/core/problem';
import { Transcript } from '../src/core/transcript';

const PROBLEM: Problem = { code: 'X', text: 'x', recoverable: true };

let t: Transcript;
beforeEach(() => {
  t = new Transcript();
  t.connected();
});

function delta(id: string, content: string, chunk?: number): Frame {
  return {
    type: 'ai_response',
    message_id: id,
    content,
    chunk,
    metadata: { streaming: 'true', done: 'false' },
  };
}

function done(id: string, seq: number, more: Partial<Frame> = {}): Frame {
  return {
    type: 'ai_response',
    message_id: id,
    seq,
    finish_reason: 'stop',
    metadata: { streaming: 'true', done: 'true' },
    ...more,
  };
}

function snapshot(id: string, content: string): Frame {
  return {
    ...delta(id, content),
    metadata: { streaming: 'true', done: 'false', snapshot: 'true' },
  };
}

const loading = (id: string, more: Partial<Frame> = {}): Frame => ({
  type: 'loading',
  message_id: id,
  ...more,
});

function ask(text: string, id: string, seq: number): void {
  t.queue(`c-${id}`, text, 0);
  t.apply({ type: 'ack', client_id: `c-${id}`, message_id: id, seq });
}

/** The conversation as short lines: what a reader sees. */
function seen(): string[] {
  return t.turns().flatMap((turn) => [
    ...(turn.head ? [`${turn.head.role}: ${turn.head.content}`] : []),
    ...turn.answers.map(
      (a) => `${a.superseded ? 'old' : 'ai'}: ${a.content} (${a.status})`,
    ),
  ]);
}

describe('a turn', () => {
  test('goes from queued to complete', () => {
    t.queue('c1', 'Hi', 0);
    expect(t.queued()).toHaveLength(1);
    t.apply({ type: 'ack', client_id: 'c1', message_id: 'q', seq: 1 });
    expect(t.queued()).toHaveLength(0);
    t.apply(loading('a'));
    expect(t.running()?.status).toBe('waiting');
    t.apply(delta('a', 'Hel', 0));
    t.apply(delta('a', 'lo', 1));
    expect(seen()).toEqual(['user: Hi', 'ai: Hello (streaming)']);
    t.apply(done('a', 2, { duration_ms: 7 }));
    expect(seen()).toEqual(['user: Hi', 'ai: Hello (complete)']);
    expect(t.lastSeq).toBe(2);
    expect(t.lastAnswer()?.durationMs).toBe(7);
  });

  test.each([
    ['stop', 'complete'],
    ['length', 'complete'],
    ['content_filter', 'complete'],
    ['cancelled', 'cancelled'],
    ['timeout', 'interrupted'],
    ['interrupted', 'interrupted'],
    ['provider_error', 'interrupted'],
    ['budget_exceeded', 'interrupted'],
  ])('that ends with %s is %s', (finish_reason, status) => {
    ask('q', 'q', 1);
    t.apply(loading('a'));
    t.apply(delta('a', 'x', 0));
    t.apply(done('a', 2, { finish_reason }));
    expect(t.lastAnswer()?.status).toBe(status);
  });

  test('that several providers wrote names them, live, replayed and read', () => {
    const metadata = { streaming: 'true', done: 'true', providers: 'a,b' };
    const end = done('a', 2, { content: 'Hello', model_id: 'b', metadata });
    const replay = { ...end, metadata: { ...metadata, replay: 'true' } };
    const tellings = [
      () => t.apply({ ...end, content: '' }),
      () => t.apply(replay),
      () => t.load([msg('a', 2, 'ai', 'Hello', { metadata })], undefined),
    ];
    for (const tell of tellings) {
      t = new Transcript();
      t.connected();
      tell();
      expect(t.lastAnswer()?.providers).toEqual(['a', 'b']);
    }
  });

  test('that failed leaves the question with its problem', () => {
    ask('q', 'q', 1);
    t.apply(loading('a'));
    expect(t.failTurn('a', PROBLEM)).toBe(true);
    expect(t.running()).toBeUndefined();
    expect(seen()).toEqual(['user: q']);
    expect(t.turns()[0]?.head?.problem).toBe(PROBLEM);
    t.regenerate('q');
    expect(t.turns()[0]?.head?.problem).toBeUndefined();
    t.apply(loading('b'));
    t.apply(done('b', 2, { content: 'at last' }));
    expect(seen()).toEqual(['user: q', 'ai: at last (complete)']);
  });

  test('that is over is not failed by a late error', () => {
    ask('q', 'q', 1);
    t.apply(loading('a'));
    t.apply(done('a', 2, { content: 'whole' }));
    expect(t.failTurn('a', PROBLEM)).toBe(false);
    expect(t.turns()[0]?.head?.problem).toBeUndefined();
  });

  test('waiting questions get their answers in order', () => {
    ask('one', 'q1', 1);
    t.apply(loading('a1'));
    ask('two', 'q2', 2);
    ask('three', 'q3', 3);
    t.apply(delta('a1', 'A1', 0));
    t.apply(done('a1', 4));
    t.apply(loading('a2'));
    t.apply(delta('a2', 'A2', 0));
    expect(seen()).toEqual([
      'user: one',
      'ai: A1 (complete)',
      'user: two',
      'ai: A2 (streaming)',
      'user: three',
    ]);
  });
});

describe('what comes twice is shown once', () => {
  beforeEach(() => {
    ask('q', 'q', 1);
    t.apply(loading('a'));
    t.apply(delta('a', 'one', 0));
  });

  test('a repeated chunk', () => {
    t.apply(delta('a', 'one', 0));
    t.apply(delta('a', ' two', 1));
    expect(seen()[1]).toBe('ai: one two (streaming)');
  });

  test('an end, and deltas after it', () => {
    t.apply(done('a', 2));
    t.apply(done('a', 2));
    t.apply(delta('a', 'late', 9));
    expect(seen()).toEqual(['user: q', 'ai: one (complete)']);
  });

  test('a replay of everything', () => {
    t.apply(done('a', 2));
    t.connected();
    const metadata = { replay: 'true', done: 'true' };
    const question = { type: 'user_message', sender: 'user', content: 'q' };
    t.apply({ ...question, message_id: 'q', seq: 1, metadata });
    t.apply(done('a', 2, { content: 'one', metadata }));
    expect(seen()).toEqual(['user: q', 'ai: one (complete)']);
  });

  test('our own message told by another connection', () => {
    t.apply(done('a', 2));
    t.queue('c2', 'again', 0);
    const more = { message_id: 'q2', client_id: 'c2', seq: 3 };
    t.apply({ type: 'user_message', content: 'again', ...more });
    t.apply({ type: 'ack', ...more });
    expect(seen()).toHaveLength(3);
    expect(t.queued()).toHaveLength(0);
  });

  test('a message replayed before its ack', () => {
    t.apply(done('a', 2));
    t.queue('c2', 'again', 0);
    const more = { message_id: 'q2', seq: 3 };
    t.apply({ type: 'user_message', content: 'again', ...more });
    t.apply({ type: 'ack', client_id: 'c2', ...more });
    expect(seen().filter((line) => line === 'user: again')).toHaveLength(1);
  });
});

describe('after a reconnect', () => {
  beforeEach(() => {
    ask('q', 'q', 1);
    t.apply(loading('a'));
    t.apply(delta('a', 'one ', 0));
    t.connected();
  });

  test('a snapshot replaces the text and deltas go on', () => {
    expect(t.unproven()).toHaveLength(1);
    t.apply(snapshot('a', 'one two '));
    expect(t.unproven()).toHaveLength(0);
    expect(t.apply(delta('a', 'three', 0))).toBe(true);
    expect(seen()[1]).toBe('ai: one two three (streaming)');
  });

  test('a delta without a snapshot is a hole, until it is accepted', () => {
    expect(t.apply(delta('a', 'three', 0))).toBe(false);
    expect(seen()[1]).toBe('ai: one  (streaming)');
    t.accept('a');
    expect(t.apply(delta('a', 'three', 0))).toBe(true);
  });

  test('a delta of an unknown answer is a hole', () => {
    expect(t.apply(delta('b', 'x', 0))).toBe(false);
  });

  test('a replayed end completes it', () => {
    const metadata = { replay: 'true', done: 'true' };
    const end = { content: 'one two', finish_reason: 'interrupted' };
    t.apply(done('a', 2, { ...end, metadata }));
    expect(seen()[1]).toBe('ai: one two (interrupted)');
  });

  test('history without the answer ends it', () => {
    t.load([msg('q', 1, 'user', 'q')], undefined);
    expect(t.running()).toBeUndefined();
    expect(seen()).toEqual(['user: q']);
  });
});

describe('regenerating', () => {
  beforeEach(() => {
    ask('q', 'q', 1);
    t.apply(loading('a'));
    t.apply(delta('a', 'first', 0));
    t.apply(done('a', 2));
  });

  const expected = [
    'user: q',
    'old: first (complete)',
    'ai: second (streaming)',
  ];

  test('our own request supersedes the older answer', () => {
    t.regenerate('a');
    t.apply(loading('b'));
    t.apply(delta('b', 'second', 0));
    expect(seen()).toEqual(expected);
  });

  test('another tab sees it by reply_to', () => {
    t.apply(loading('b', { reply_to: 'q' }));
    t.apply(delta('b', 'second', 0));
    expect(seen()).toEqual(expected);
  });

  test('an old server tells it by replaces alone', () => {
    t.apply(loading('b', { replaces: 'a' }));
    t.apply(delta('b', 'second', 0));
    expect(seen()).toEqual(expected);
  });

  test('a failure makes the older answer valid again', () => {
    t.regenerate('a');
    t.apply(loading('b'));
    t.failTurn('b', PROBLEM);
    expect(seen()).toEqual(['user: q', 'ai: first (complete)']);
  });

  test('a stop before the first word does too', () => {
    t.regenerate('a');
    t.apply(loading('b', { reply_to: 'q' }));
    t.apply(done('b', 0, { seq: undefined, finish_reason: 'cancelled' }));
    expect(seen()).toEqual(['user: q', 'ai: first (complete)']);
  });
});

describe('history', () => {
  test('is sorted into turns, older versions before the valid one', () => {
    t.load(
      [
        msg('q', 1, 'user', 'q'),
        msg('a', 2, 'ai', 'old', { reply_to: 'q', superseded: true }),
        msg('q2', 3, 'user', 'q2'),
        msg('b', 4, 'ai', 'new', { reply_to: 'q', replaces: 'a' }),
      ],
      undefined,
    );
    expect(seen()).toEqual([
      'user: q',
      'old: old (complete)',
      'ai: new (complete)',
      'user: q2',
    ]);
    expect(t.lastSeq).toBe(4);
  });

  test('an answer whose question is on an older page joins it later', () => {
    t.load([msg('a', 2, 'ai', 'A', { reply_to: 'q' })], 2);
    expect(seen()).toEqual(['ai: A (complete)']);
    t.prepend([msg('q', 1, 'user', 'Q')], undefined);
    expect(seen()).toEqual(['ai: A (complete)', 'user: Q'].reverse());
    expect(t.turns()).toHaveLength(1);
    expect(t.nextBeforeSeq).toBeUndefined();
  });

  test('keeps what is not acknowledged and what is younger', () => {
    t.apply({ type: 'user_message', message_id: 'x', seq: 7, content: 'live' });
    t.queue('c', 'mine', 0);
    t.load([msg('q', 1, 'user', 'q')], undefined);
    expect(seen()).toEqual(['user: q', 'user: live', 'user: mine']);
    expect(t.lastSeq).toBe(7);
  });

  test('settles a message of ours that had arrived', () => {
    t.queue('c', 'mine', 0);
    t.load([msg('q', 1, 'user', 'mine', { client_id: 'c' })], undefined);
    expect(seen()).toEqual(['user: mine']);
    expect(t.queued()).toHaveLength(0);
  });

  test('does not touch an answer that streams here', () => {
    ask('q', 'q', 1);
    t.apply(loading('a'));
    t.apply(delta('a', 'live text', 0));
    const draft = { status: 'streaming', reply_to: 'q' };
    t.load(
      [msg('q', 1, 'user', 'q'), msg('a', undefined, 'ai', 'live', draft)],
      undefined,
    );
    expect(seen()).toEqual(['user: q', 'ai: live text (streaming)']);
  });

  test('keeps the keys of what was shown before', () => {
    ask('q', 'q', 1);
    const key = t.turns()[0]!.key;
    t.load([msg('q', 1, 'user', 'q')], undefined);
    expect(t.turns()[0]!.key).toBe(key);
  });
});

describe('a refusal', () => {
  test('marks the message it names', () => {
    t.queue('c1', 'one', 0);
    t.queue('c2', 'two', 0);
    expect(t.refuse('c2', PROBLEM)).toBe(true);
    expect(t.queued().map((e) => e.content)).toEqual(['one']);
    t.requeue(t.turns().find((turn) => turn.head?.problem)!.head!);
    expect(t.queued()).toHaveLength(2);
  });

  test('without a name marks the first in the queue', () => {
    t.queue('c1', 'one', 0);
    t.queue('c2', 'two', 0);
    t.refuse(undefined, PROBLEM);
    expect(t.queued().map((e) => e.content)).toEqual(['two']);
    t.refuse(undefined, PROBLEM);
    expect(t.refuse(undefined, PROBLEM)).toBe(false);
  });
});

test('an operator speaks as one', () => {
  const type = 'user_message';
  t.apply({ type, sender: 'admin', message_id: 'm', seq: 1, content: 'Hello' });
  expect(seen()).toEqual(['admin: Hello']);
});

test('frames of unknown types and without ids are ignored', () => {
  for (const frame of [
    { type: 'later' },
    { type: 'ai_response', content: 'x' },
    { type: 'ack' },
    { type: 'loading' },
    done('cancelled-before-text', 0, { seq: undefined }),
  ])
    expect(t.apply(frame)).toBe(true);
  expect(t.empty).toBe(true);
});

function msg(
  message_id: string,
  seq: number | undefined,
  sender: string,
  content: string,
  more: Partial<Msg> = {},
): Msg {
  return { message_id, seq, sender, content, status: 'complete', ...more };
}
