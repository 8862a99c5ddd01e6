// SPDX-License-Identifier: MIT
// What was written and not yet acknowledged survives a reload of the page,
// and so does what is still being written. The client_id goes with a message,
// so the server sees a repeat and not a double. All is kept for this tab and
// under its user: another one who signs in here neither sees nor sends it.

import type { FileRef } from './attachment';

export interface Unsent {
  clientId: string;
  content: string;
  file?: FileRef;
}

/** Whose, and of which session; 'new' as long as it has no name. */
export interface Place {
  user: string;
  session: string;
}

const key = (what: string, { user, session }: Place) =>
  `chatbox:${what}:${user}:${session}`;

export function saveOutbox(place: Place, unsent: Unsent[]): void {
  keep(key('outbox', place), unsent.length > 0 ? JSON.stringify(unsent) : '');
}

export function loadOutbox(place: Place): Unsent[] {
  try {
    const value: unknown = JSON.parse(kept(key('outbox', place)) || '[]');
    return Array.isArray(value) ? value.filter(isUnsent) : [];
  } catch {
    return [];
  }
}

export function saveDraft(place: Place, text: string): void {
  keep(key('draft', place), text);
}

export function loadDraft(place: Place): string {
  return kept(key('draft', place));
}

function keep(name: string, text: string): void {
  try {
    if (text) sessionStorage.setItem(name, text);
    else sessionStorage.removeItem(name);
  } catch {
    // Storage is off or full: it lives as long as the page.
  }
}

function kept(name: string): string {
  try {
    return sessionStorage.getItem(name) ?? '';
  } catch {
    return '';
  }
}

function isUnsent(value: unknown): value is Unsent {
  const unsent = value as Partial<Unsent> | null;
  return (
    typeof unsent?.clientId === 'string' && typeof unsent.content === 'string'
  );
}
