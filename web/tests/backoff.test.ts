// SPDX-License-Identifier: MIT
import { expect, test } from 'vitest';
import { backoffMs, blamesUs, closeAdvice } from '../src/core/backoff';

test.each([
  [1000, 'later'],
  [1001, 'later'],
  [1006, 'later'],
  [1011, 'later'],
  [1012, 'now'],
  [1013, 'patient'],
  [4400, 'never'],
  [4401, 'token'],
  [4403, 'never'],
  [4408, 'now'],
  [4409, 'never'],
  [4410, 'never'],
  [4429, 'patient'],
] as const)('close code %i means %s', (code, advice) => {
  expect(closeAdvice(code)).toBe(advice);
});

test('codes that blame our frame are told apart', () => {
  const all = [1000, 1001, 1002, 1003, 1006, 1007, 1009, 1011, 4408];
  expect(all.filter(blamesUs)).toEqual([1002, 1003, 1007, 1009]);
});

test('waits double up to half a minute and half of each is random', () => {
  const low = [0, 1, 2, 3, 6, 20].map((n) => backoffMs(n, 'later', () => 0));
  const high = [0, 1, 2, 3, 6, 20].map((n) => backoffMs(n, 'later', () => 1));
  expect(low).toEqual([250, 500, 1000, 2000, 15000, 15000]);
  expect(high).toEqual([500, 1000, 2000, 4000, 30000, 30000]);
});

test('a restart is tried at once, but only once', () => {
  expect(backoffMs(0, 'now', () => 1)).toBe(100);
  expect(backoffMs(1, 'now', () => 1)).toBe(1000);
});

test('a full server is left alone for ten seconds', () => {
  expect(backoffMs(0, 'patient', () => 0)).toBe(10_000);
  expect(backoffMs(9, 'patient', () => 1)).toBe(30_000);
});
