// SPDX-License-Identifier: MIT
// The token: from the fragment of a link or from the parent page, kept for
// this tab only. It never stays in the address bar, where it would end up in
// the history, and it never goes into a query, where it would end up in logs.
import { readFragment, writeFragment } from './address';
import type { Fragment } from './address';

const KEY = 'chatbox:token';

export interface Claims {
  user_id?: string;
  sub?: string;
  name?: string;
  roles?: string[];
  exp?: number;
}

/** The claims, for display only: nothing here is verified. */
export function readClaims(token: string): Claims | undefined {
  const part = token.split('.')[1];
  if (!part) return undefined;
  try {
    const binary = atob(part.replace(/-/g, '+').replace(/_/g, '/'));
    const bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === 'object' && claims !== null ? claims : undefined;
  } catch {
    return undefined;
  }
}

/** True for three base64url parts: what fits into a subprotocol name. */
export function looksLikeToken(text: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text);
}

/** A token out of what a person pasted: the token itself or a whole link. */
export function tokenFromPaste(text: string): string | undefined {
  const trimmed = text.trim();
  if (looksLikeToken(trimmed)) return trimmed;
  const hash = trimmed.indexOf('#');
  const token = hash < 0 ? undefined : readFragment(trimmed.slice(hash)).token;
  return token && looksLikeToken(token) ? token : undefined;
}

/** Takes the fragment, and removes the token from the address bar. */
export function takeFragment(): Fragment {
  const fragment = readFragment(location.hash);
  if (fragment.token !== undefined)
    history.replaceState(
      history.state,
      '',
      location.pathname + location.search + writeFragment(fragment.session),
    );
  return fragment;
}

export function loadToken(): string | undefined {
  try {
    return sessionStorage.getItem(KEY) ?? undefined;
  } catch {
    return undefined;
  }
}

export function saveToken(token: string | undefined): void {
  try {
    if (token === undefined) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, token);
  } catch {
    // Storage is switched off: the token lives as long as the page.
  }
}

/** The one origin from which a parent page may hand over a token. */
export function parentOrigin(
  embedded: boolean,
  referrer: string,
  ownOrigin: string,
): string | undefined {
  if (!embedded) return undefined;
  try {
    return referrer ? new URL(referrer).origin : ownOrigin;
  } catch {
    return ownOrigin;
  }
}

/**
 * Listens for `{type:'chatbox:token', token}` of the parent page and tells
 * it that we are ready. Does nothing when the page is not embedded. Gives a
 * function that ends the listening.
 */
export function listenToParent(onToken: (token: string) => void): () => void {
  const origin = parentOrigin(
    window.parent !== window,
    document.referrer,
    location.origin,
  );
  if (origin === undefined) return () => {};
  const listener = (event: MessageEvent) => {
    const data = event.data as { type?: unknown; token?: unknown } | null;
    if (event.source !== window.parent) return;
    if (event.origin !== origin && event.origin !== location.origin) return;
    if (data?.type !== 'chatbox:token') return;
    if (typeof data.token === 'string' && looksLikeToken(data.token))
      onToken(data.token);
  };
  addEventListener('message', listener);
  askParent('chatbox:ready');
  return () => removeEventListener('message', listener);
}

/** Tells the parent page that we are ready, or need another token. */
export function askParent(type: 'chatbox:ready' | 'chatbox:token-needed') {
  const origin = parentOrigin(
    window.parent !== window,
    document.referrer,
    location.origin,
  );
  if (origin !== undefined) window.parent.postMessage({ type }, origin);
}
