// SPDX-License-Identifier: MIT
// A received frame, as the page sees it: every member may be absent, unknown
// members are ignored. The exact shape of each type is in
// generated/protocol.ts; the page trusts nothing but `type`, so that an older
// or newer server works too.

export interface Model {
  id: string;
  name: string;
}

export interface Usage {
  prompt_tokens?: number;
  completion_tokens?: number;
  total_tokens?: number;
  estimated?: boolean;
}

export interface FrameError {
  code: string;
  message?: string;
  recoverable?: boolean;
  retry_after?: number; // ms
  field?: string;
}

export interface Frame {
  type: string;
  session_id?: string;
  user_id?: string;
  content?: string;
  sender?: string;
  timestamp?: string;
  metadata?: Record<string, string>;
  message_id?: string;
  client_id?: string;
  file_id?: string;
  file_url?: string;
  seq?: number;
  epoch?: string;
  chunk?: number;
  models?: Model[];
  model_id?: string;
  resumed?: boolean;
  admin_assisted?: boolean;
  assisting_admin_name?: string;
  help_requested?: boolean;
  finish_reason?: string;
  usage?: Usage;
  duration_ms?: number;
  ttft_ms?: number;
  reply_to?: string;
  replaces?: string;
  superseded?: boolean;
  error?: FrameError;
}

/** Parses one text frame; undefined when it is not an object with a type. */
export function parseFrame(text: string): Frame | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return undefined;
  const frame = value as Frame;
  return typeof frame.type === 'string' ? frame : undefined;
}
