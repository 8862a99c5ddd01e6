// SPDX-License-Identifier: MIT
// Where the server is. The page lives at {prefix}/, whatever the prefix, so
// everything is derived from its own address.

/** The prefix with a trailing slash, as an absolute http(s) address. */
export function baseOf(location: { origin: string; pathname: string }): string {
  const cut = location.pathname.lastIndexOf('/') + 1;
  return location.origin + (location.pathname.slice(0, cut) || '/');
}

/** An absolute base from whatever an embedding page wrote into `base`. */
export function normaliseBase(base: string, pageAddress: string): string {
  const url = new URL(base, pageAddress);
  url.hash = '';
  url.search = '';
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url.href;
}

/** The address of the WebSocket; absent parameters are left out. */
export function socketAddress(
  base: string,
  query: Record<string, string | number | undefined>,
): string {
  const url = new URL('ws', base);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  for (const [name, value] of Object.entries(query))
    if (value !== undefined) url.searchParams.set(name, String(value));
  return url.href;
}

export interface Fragment {
  token?: string;
  session?: string;
  shared?: string; // a share's token
}

/** What the fragment of the page's address carries. */
export function readFragment(hash: string): Fragment {
  const values = new URLSearchParams(hash.replace(/^#/, ''));
  const session = values.get('session') ?? undefined;
  return {
    token: values.get('token') || undefined,
    session: session && isId(session) ? session : undefined,
    shared: values.get('shared') || undefined,
  };
}

/** The link to a shared chat: the page with the share's token. */
export function sharedLink(base: string, token: string): string {
  return `${base}#shared=${token}`;
}

/** The fragment that names a session, and never a token. */
export function writeFragment(session: string | undefined): string {
  return session ? `#session=${session}` : '';
}

export function isId(text: string): boolean {
  return /^[0-9a-f]{32}$/.test(text);
}
