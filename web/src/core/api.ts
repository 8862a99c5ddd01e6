// SPDX-License-Identifier: MIT
// The HTTP calls of the page (protocol 1): sessions and their messages.
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
  timestamp?: string;
  status?: string;
  client_id?: string;
  model_id?: string;
  usage?: Usage;
  duration_ms?: number;
  ttft_ms?: number;
  finish_reason?: string;
  reply_to?: string;
  replaces?: string;
  superseded?: boolean;
}

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

  /** Succeeds when the server is there and takes our token. */
  async probe(): Promise<void> {
    await this.call('GET', 'models');
  }

  private async call(method: string, path: string, body?: object): Promise<any> {
    const headers: Record<string, string> = {
      Authorization: `Bearer ${this.token() ?? ''}`,
    };
    if (body) headers['Content-Type'] = 'application/json';
    const response = await fetch(new URL(path, this.base), {
      method,
      headers,
      body: body && JSON.stringify(body),
      cache: 'no-store',
      credentials: 'omit',
    }).catch(() => {
      throw new ApiError(0, 'UNREACHABLE', 'The server cannot be reached.');
    });
    if (response.status === 204) return undefined;
    const answer = await response.json().catch(() => undefined);
    if (!response.ok)
      throw new ApiError(
        response.status,
        answer?.code ?? '',
        answer?.message ?? `The server answered ${response.status}.`,
        answer?.retry_after_ms,
      );
    return answer ?? {};
  }
}
