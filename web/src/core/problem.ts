// SPDX-License-Identifier: MIT
// Error codes and finish reasons in the words of a person.
import type { Frame } from './frame';

/** What went wrong with one message, and when trying again makes sense. */
export interface Problem {
  code: string;
  text: string;
  recoverable: boolean;
  retryAt?: number; // clock of Date.now(), ms
}

const WORDS: Record<string, string> = {
  LLM_UNAVAILABLE: 'The model cannot be reached right now.',
  LLM_TIMEOUT: 'The model took too long to begin its answer.',
  TOO_MANY_REQUESTS: 'That was a lot of messages in a short time.',
  SERVICE_ERROR: 'The server could not take this right now.',
  DATABASE_ERROR: 'The message could not be stored, so it was not sent.',
  STORAGE_ERROR: 'The file could not be stored.',
  BUDGET_EXCEEDED: 'The budget for answers is used up.',
  CONNECTION_LIMIT_EXCEEDED: 'Too many connections are open.',
  INVALID_FORMAT: 'The server did not accept this message.',
  MISSING_FIELD: 'The message was empty.',
  INSUFFICIENT_PERMISSIONS: 'You are not allowed to do that.',
  UNAUTHORIZED: 'You are not signed in.',
  INVALID_TOKEN: 'Your sign-in is not valid.',
  EXPIRED_TOKEN: 'Your sign-in has expired.',
  NOT_FOUND: 'The server does not know this any more.',
};

export function problemOf(error: Frame['error'], now: number): Problem {
  const code = error?.code ?? '';
  return {
    code,
    text: WORDS[code] ?? error?.message ?? 'Something went wrong.',
    recoverable: error?.recoverable !== false,
    retryAt: error?.retry_after ? now + error.retry_after : undefined,
  };
}

/** Codes that end a turn, rather than refuse a message. */
export function endsTurn(code: string): boolean {
  return code === 'LLM_UNAVAILABLE' || code === 'LLM_TIMEOUT';
}

/** What a reader must know about how an answer ended; '' when it is whole. */
export function finishWords(reason: string | undefined): string {
  switch (reason) {
    case undefined:
    case 'stop':
      return '';
    case 'length':
      return 'This answer reached its maximum length.';
    case 'content_filter':
      return 'The provider withheld the rest of this answer.';
    case 'cancelled':
      return 'Stopped.';
    case 'timeout':
      return 'The model fell silent; this is what arrived.';
    case 'budget_exceeded':
      return 'The budget for answers is used up; this is what arrived.';
    case 'provider_error':
      return 'The model reported an error; this is what arrived.';
    default:
      return 'The answer was interrupted; this is what arrived.';
  }
}
