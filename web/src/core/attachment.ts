// SPDX-License-Identifier: MIT
// The file of a message: what it is called here, and where a click may lead.

export interface Attachment {
  readonly name: string;
  readonly url?: string; // absent: the server said none that may be followed
  readonly picture?: true; // one of the server's, to be shown in its place
}

/** As the server named it; name and type as whoever sent it did. */
export interface FileRef {
  file_id?: string;
  file_url?: string;
  name?: string;
  type?: string;
}

/** Whatever the server said, only http and https are links. */
function addressOf(url: string | undefined, base: string): URL | undefined {
  try {
    const address = url ? new URL(url, base) : undefined;
    return /^https?:$/.test(address?.protocol ?? '') ? address : undefined;
  } catch {
    return undefined;
  }
}

/** The last part of the path, as its writer wrote it. */
function lastPart(address: URL | undefined): string {
  const part = address?.pathname.split('/').at(-1) ?? '';
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Undefined: the message has no file. */
export function attachmentOf(
  m: FileRef,
  base: string,
): Attachment | undefined {
  if (!m.file_id && !m.file_url) return undefined;
  const address = addressOf(m.file_url, base);
  const name = m.name || lastPart(address) || m.file_id || address?.host;
  const file = { name: name ?? 'without a name', url: address?.href };
  const ours = m.file_id && address?.origin === new URL(base).origin;
  return ours && m.type?.startsWith('image/')
    ? { ...file, picture: true }
    : file;
}
