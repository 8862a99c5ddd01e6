// SPDX-License-Identifier: MIT
// What was written and not yet acknowledged survives a reload of the page.
// The client_id goes with it, so the server sees a repeat and not a double.

export interface Unsent {
  clientId: string;
  content: string;
}

const key = (session: string) => `chatbox:outbox:${session}`;

export function saveOutbox(session: string, unsent: Unsent[]): void {
  try {
    if (unsent.length === 0) sessionStorage.removeItem(key(session));
    else sessionStorage.setItem(key(session), JSON.stringify(unsent));
  } catch {
    // Storage is off or full: the messages live as long as the page.
  }
}

export function loadOutbox(session: string): Unsent[] {
  try {
    const text = sessionStorage.getItem(key(session));
    const value: unknown = text ? JSON.parse(text) : [];
    return Array.isArray(value) ? value.filter(isUnsent) : [];
  } catch {
    return [];
  }
}

function isUnsent(value: unknown): value is Unsent {
  const unsent = value as Partial<Unsent> | null;
  return (
    typeof unsent?.clientId === 'string' && typeof unsent.content === 'string'
  );
}
