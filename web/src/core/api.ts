// SPDX-License-Identifier: MIT
// The HTTP calls of the page (protocol 1): sessions and their messages.
import type { FileRef } from './attachment';
import type { Usage } from './frame';

export interface Item {
  id: string;
  name?: string;
  model_id?: string;
  start_time: string;
  last_activity: string;
  is_active?: boolean;
  message_count?: number;
  archived?: boolean;
}

export interface Msg {
  message_id: string;
  seq?: number;
  type?: string;
  sender: string;
  content?: string;
  metadata?: Record<string, string>;
  error?: { code: string; message?: string }; // why there is no content
  timestamp?: string;
  status?: string;
  client_id?: string;
  file_id?: string;
  file_url?: string;
  model_id?: string;
  usage?: Usage;
  duration_ms?: number;
  ttft_ms?: number;
  finish_reason?: string;
  reply_to?: string;
  replaces?: string;
  superseded?: boolean;
}

export type ExportFormat = 'md' | 'json';

export interface SessionPage {
  items: Item[];
  next?: string;
}

export interface Transcript {
  name?: string;
  modelId?: string;
  messages: Msg[];
  nextBeforeSeq?: number;
}

/** A refusal by the server; `status` 0 when it could not be reached. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly retryAfterMs?: number,
  ) {
    super(message);
  }
}

export class Api {
  constructor(
    readonly base: string,
    readonly token: () => string | undefined,
  ) {}

  async sessions(q: string, cursor?: string, limit = 30): Promise<SessionPage> {
    const query = new URLSearchParams({ limit: String(limit) });
    if (q) query.set('q', q);
    if (cursor) query.set('cursor', cursor);
    const body = await this.call('GET', `sessions?${query}`);
    return { items: body.sessions ?? [], next: body.next_cursor };
  }

  async session(id: string, beforeSeq?: number): Promise<Transcript> {
    const query = beforeSeq === undefined ? '' : `?before_seq=${beforeSeq}`;
    const body = await this.call('GET', `sessions/${id}${query}`);
    return {
      name: body.name,
      modelId: body.model_id,
      messages: body.messages ?? [],
      nextBeforeSeq: body.next_before_seq,
    };
  }

  async rename(id: string, name: string): Promise<void> {
    await this.call('PATCH', `sessions/${id}`, { name });
  }

  async remove(id: string): Promise<void> {
    await this.call('DELETE', `sessions/${id}`);
  }

  async end(id: string): Promise<void> {
    await this.call('POST', `sessions/${id}/end`, {});
  }

  /** The whole chat as a file, under the name that the server gives it. */
  async export(id: string, format: ExportFormat): Promise<File> {
    const response = await this.fetch(
      'GET',
      `sessions/${id}/export?format=${format}`,
    );
    if (!response.ok) throw await refusal(response);
    const disposition = response.headers.get('Content-Disposition') ?? '';
    const name = /filename="([^"]+)"/.exec(disposition)?.[1];
    const content = await response.blob().catch(() => {
      throw new ApiError(0, 'UNREACHABLE', 'The export broke off.');
    });
    return new File([content], name ?? `chat.${format}`, {
      type: content.type,
    });
  }

  /** The share's token; the same one as long as the chat is shared. */
  async share(id: string): Promise<string> {
    return (await this.call('POST', `sessions/${id}/share`)).share_token;
  }

  async unshare(id: string): Promise<void> {
    await this.call('DELETE', `sessions/${id}/share`);
  }

  /** Gives a file to the server, to be shown in a message. */
  async upload(file: File): Promise<FileRef> {
    const form = new FormData();
    form.append('file', file);
    const body = await this.call('POST', 'upload', form);
    const { file_id, file_url, mime_type: type } = body;
    return { file_id, file_url, name: file.name, type };
  }

  /** What somebody shared; our own token is not needed. */
  async shared(token: string): Promise<Transcript> {
    const path = `shared/${encodeURIComponent(token)}`;
    const body = await this.call('GET', path);
    return { name: body.name, messages: body.messages ?? [] };
  }

  /** Succeeds when the server is there and takes our token. */
  async probe(): Promise<void> {
    await this.call('GET', 'models');
  }

  private async call(method: string, path: string, body?: object): Promise<any> {
    const response = await this.fetch(method, path, body);
    if (response.status === 204) return undefined;
    if (!response.ok) throw await refusal(response);
    return (await response.json().catch(() => undefined)) ?? {};
  }

  private fetch(
    method: string,
    path: string,
    body?: object,
  ): Promise<Response> {
    const headers: Record<string, string> = {};
    const token = this.token();
    if (token !== undefined) headers.Authorization = `Bearer ${token}`;
    const form = body instanceof FormData;
    if (body && !form) headers['Content-Type'] = 'application/json';
    return fetch(new URL(path, this.base), {
      method,
      headers,
      body: form ? body : body && JSON.stringify(body),
      cache: 'no-store',
      credentials: 'omit',
    }).catch(() => {
      throw new ApiError(0, 'UNREACHABLE', 'The server cannot be reached.');
    });
  }
}

async function refusal(response: Response): Promise<ApiError> {
  const answer = await response.json().catch(() => undefined);
  return new ApiError(
    response.status,
    answer?.code ?? '',
    answer?.message ?? `The server answered ${response.status}.`,
    answer?.retry_after_ms,
  );
}
