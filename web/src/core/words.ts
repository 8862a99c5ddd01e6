// SPDX-License-Identifier: MIT
// What the page says about the state of things, and how it writes figures.
import type { Conversation } from './conversation';
import { finishWords } from './problem';
import type { Entry } from './transcript';

export interface Notice {
  tone: 'info' | 'warn' | 'danger';
  text: string;
  until?: number; // of a countdown
  action?: 'retry' | 'token' | 'new' | 'dismiss';
}

/** The one sentence that matters most now, if any. */
export function noticeOf(c: Conversation, online: boolean): Notice | undefined {
  if (c.halt === 'gone')
    return {
      tone: 'warn',
      text: 'This chat does not exist any more.',
      action: 'new',
    };
  const link = linkNotice(c, online);
  if (link) return link;
  if (c.tokenExpiring)
    return {
      tone: 'warn',
      text: 'Your sign-in has expired. Open a new link to go on.',
      action: 'token',
    };
  if (c.problem)
    return {
      tone: 'danger',
      text: c.problem.text,
      until: c.problem.retryAt,
      action: 'dismiss',
    };
  return c.ended
    ? { tone: 'info', text: 'This chat was ended. Write to take it up again.' }
    : undefined;
}

function linkNotice(c: Conversation, online: boolean): Notice | undefined {
  const state = c.linkState;
  if (state.at === 'stopped') return stopNotice(state.code);
  const trying = state.at === 'waiting' || state.at === 'connecting';
  if (!trying || (state.attempt === 0 && !c.halt)) return undefined;
  const until = state.at === 'waiting' ? state.until : undefined;
  if (!online)
    return { tone: 'warn', text: 'You are offline.', until, action: 'retry' };
  const text =
    c.halt === 'refused' || (state.at === 'waiting' && state.code === 4429)
      ? 'The server is there but takes no more connections from you now. ' +
        'Closing other tabs may help.'
      : 'The server cannot be reached. What you write will be sent later.';
  return { tone: 'warn', text, until, action: 'retry' };
}

function stopNotice(code: number): Notice {
  switch (code) {
    case 4401:
      return {
        tone: 'warn',
        text: 'Your sign-in is not valid any more. Open a new link to go on.',
        action: 'token',
      };
    case 4409:
      return {
        tone: 'info',
        text: 'This chat was continued in another place.',
        action: 'retry',
      };
    case 4410:
      return { tone: 'warn', text: 'This chat was deleted.', action: 'new' };
    case 4403:
      return {
        tone: 'danger',
        text: 'The server does not let you into this chat.',
        action: 'new',
      };
    default:
      return {
        tone: 'danger',
        text: 'The server ended the connection because of a mistake of this page.',
        action: 'retry',
      };
  }
}

/** A longer answer is not read out: its reader goes through it. */
const READ_OUT = 300;

/** What somebody who listens is told when an answer ends. */
export function endWords(answer: string, reason: string | undefined): string {
  if (reason === 'cancelled') return 'The answer was stopped.';
  const words = finishWords(reason);
  if (words) return words;
  return answer && answer.length <= READ_OUT
    ? `Answer: ${answer}`
    : 'The answer is complete.';
}

export function secondsLeft(until: number | undefined, now: number): number {
  return until === undefined ? 0 : Math.max(0, Math.ceil((until - now) / 1000));
}

/** "Demo · 1.2 s · 340 tokens", of what is known; all who wrote are named. */
export function usageLine(
  entry: Entry,
  modelName: (id: string) => string | undefined,
): string {
  const ids = entry.providers ?? [entry.modelId ?? ''];
  const parts = [ids.map((id) => modelName(id) ?? id).join(', ')];
  if (entry.durationMs !== undefined) parts.push(duration(entry.durationMs));
  const tokens = entry.usage?.completion_tokens;
  if (tokens !== undefined)
    parts.push(
      `${entry.usage?.estimated ? 'about ' : ''}${tokens.toLocaleString('en')} ` +
        (tokens === 1 ? 'token' : 'tokens'),
    );
  return parts.filter(Boolean).join(' · ');
}

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  return `${minutes} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/** The heading under which a day is listed. */
export function dayGroup(time: number, now: number): string {
  const days = Math.round((midnight(now) - midnight(time)) / 86_400_000);
  if (days <= 0) return 'Today';
  if (days === 1) return 'Yesterday';
  if (days <= 7) return 'Last seven days';
  if (days <= 30) return 'Last thirty days';
  return new Date(time).toLocaleDateString('en', {
    month: 'long',
    year: 'numeric',
  });
}

function midnight(time: number): number {
  const date = new Date(time);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

/** A name for a chat that has none: the beginning of its first question. */
export function titleFrom(text: string): string {
  const line = text.trim().split('\n', 1)[0]!.trim();
  const letters = [...line];
  return letters.length > 60 ? `${letters.slice(0, 59).join('').trimEnd()}…` : line;
}
