// SPDX-License-Identifier: MIT
import { expect, test } from 'vitest';
import { finishWords, problemOf } from '../src/core/problem';
import type { Entry } from '../src/core/transcript';
import {
  dayGroup,
  duration,
  endWords,
  secondsLeft,
  titleFrom,
  usageLine,
} from '../src/core/words';

test.each([
  [0, '0 ms'],
  [999, '999 ms'],
  [1000, '1.0 s'],
  [59_940, '59.9 s'],
  [60_000, '1 min 0 s'],
  [125_400, '2 min 5 s'],
])('%i ms is written %s', (ms, words) => {
  expect(duration(ms)).toBe(words);
});

test('days are grouped as people speak of them', () => {
  const now = new Date(2025, 5, 15, 0, 30).getTime();
  const at = (...date: [number, number, number, number]) =>
    dayGroup(new Date(...date).getTime(), now);
  expect(at(2025, 5, 15, 0)).toBe('Today');
  expect(at(2025, 5, 14, 23)).toBe('Yesterday');
  expect(at(2025, 5, 8, 1)).toBe('Last seven days');
  expect(at(2025, 5, 7, 1)).toBe('Last thirty days');
  expect(at(2025, 3, 1, 1)).toBe('April 2025');
});

test('a title is the first line, cut between characters', () => {
  expect(titleFrom('  Hello\nthere ')).toBe('Hello');
  expect([...titleFrom('🙂'.repeat(80))]).toHaveLength(60);
});

test('a countdown rounds up and ends at zero', () => {
  expect(secondsLeft(undefined, 0)).toBe(0);
  expect(secondsLeft(1001, 0)).toBe(2);
  expect(secondsLeft(1000, 2000)).toBe(0);
});

test('the line under an answer names all who wrote it', () => {
  const answer = (more: Partial<Entry>): Entry => ({
    key: 'k',
    role: 'ai',
    content: 'Yes.',
    status: 'complete',
    superseded: false,
    link: 0,
    chunk: -1,
    ...more,
  });
  const names: Record<string, string> = { a: 'Alpha', b: 'Beta' };
  const name = (id: string) => names[id];
  const usage = { completion_tokens: 3, estimated: true };
  expect(usageLine(answer({}), name)).toBe('');
  expect(usageLine(answer({ modelId: 'a', durationMs: 12 }), name)).toBe(
    'Alpha · 12 ms',
  );
  const both = answer({ modelId: 'b', providers: ['a', 'b', 'gone'], usage });
  expect(usageLine(both, name)).toBe('Alpha, Beta, gone · about 3 tokens');
});

test('an error says what to do and until when', () => {
  const error = { code: 'LLM_UNAVAILABLE', retry_after: 500 } as const;
  expect(problemOf(error, 1000)).toEqual({
    code: 'LLM_UNAVAILABLE',
    text: 'The model cannot be reached right now.',
    recoverable: true,
    retryAt: 1500,
  });
  expect(problemOf({ code: 'NEW', message: 'Said so' }, 0).text).toBe(
    'Said so',
  );
  expect(problemOf({ code: 'X', recoverable: false }, 0).recoverable).toBe(
    false,
  );
});

test('a whole answer needs no words, a cut one does', () => {
  expect(finishWords('stop')).toBe('');
  expect(finishWords(undefined)).toBe('');
  expect(finishWords('interrupted')).not.toBe('');
  expect(finishWords('something new')).not.toBe('');
});

test('a short answer is read out, and a cut one never called complete', () => {
  expect(endWords('Yes.', 'stop')).toBe('Answer: Yes.');
  expect(endWords('long '.repeat(99), 'stop')).toBe('The answer is complete.');
  expect(endWords('Yes', 'cancelled')).toBe('The answer was stopped.');
  expect(endWords('Yes', 'interrupted')).toContain('interrupted');
  expect(endWords('Yes', 'provider_error')).toContain('error');
  expect(endWords('Yes', 'budget_exceeded')).toContain('budget');
  expect(endWords('', 'stop')).toBe('The answer is complete.');
});
