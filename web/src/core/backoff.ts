// SPDX-License-Identifier: MIT
// When to try again after a lost connection, and whether at all.

const FIRST_MS = 500;
const LONGEST_MS = 30_000;
const PATIENT_MS = 10_000;

/** What a close code asks of us (protocol 2.2). */
export type CloseAdvice =
  | 'now' // reconnect at once
  | 'later' // reconnect with back-off
  | 'patient' // reconnect, but not before PATIENT_MS
  | 'token' // not with this token
  | 'never';

export function closeAdvice(code: number): CloseAdvice {
  switch (code) {
    case 1012:
    case 4408:
      return 'now';
    case 1013:
    case 4429:
      return 'patient';
    case 4401:
      return 'token';
    case 4400:
    case 4403:
    case 4409:
    case 4410:
      return 'never';
    default:
      return 'later';
  }
}

/** True for codes that say our own frame was at fault: do not resend it. */
export function blamesUs(code: number): boolean {
  return code === 1002 || code === 1003 || code === 1007 || code === 1009;
}

/**
 * The wait before attempt number `attempt` (0 is the first retry): doubling
 * from half a second up to 30 s, of which the upper half is random, so that
 * the clients of a restarted server do not all come back in one moment.
 */
export function backoffMs(
  attempt: number,
  advice: CloseAdvice,
  random: () => number = Math.random,
): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 16));
  const wait = ceiling / 2 + (ceiling / 2) * random();
  if (advice === 'now' && attempt === 0) return Math.round(100 * random());
  if (advice === 'patient') return Math.round(Math.max(PATIENT_MS, wait));
  return Math.round(wait);
}
