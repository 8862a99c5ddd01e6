// SPDX-License-Identifier: MIT
// The frames of the WebSocket, one interface per type (docs: protocol 2).
// This file is generated from the message table of the server.

export type Sender = 'user' | 'ai' | 'admin' | 'system';

export type ErrorCode =
  | 'INVALID_FORMAT'
  | 'MISSING_FIELD'
  | 'UNAUTHORIZED'
  | 'INVALID_TOKEN'
  | 'EXPIRED_TOKEN'
  | 'INSUFFICIENT_PERMISSIONS'
  | 'NOT_FOUND'
  | 'TOO_MANY_REQUESTS'
  | 'SERVICE_ERROR'
  | 'DATABASE_ERROR'
  | 'LLM_UNAVAILABLE'
  | 'LLM_TIMEOUT'
  | 'INVALID_FILE_TYPE'
  | 'INVALID_FILE_SIZE'
  | 'STORAGE_ERROR'
  | 'CONNECTION_LIMIT_EXCEEDED'
  | 'BUDGET_EXCEEDED';

export interface ErrorBody {
  code: ErrorCode;
  message: string;
  recoverable: boolean;
  retry_after?: number;
  field?: string;
}

export interface Model {
  id: string;
  name: string;
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  estimated?: boolean;
}

interface ClientEnvelope {
  session_id?: string;
  timestamp?: string;
  sender?: Sender;
  metadata?: Record<string, string>;
}

export interface UserMessage extends ClientEnvelope {
  type: 'user_message';
  content: string;
  client_id?: string;
  model_id?: string;
  file_id?: string;
  file_url?: string;
}

export interface ModelSelect extends ClientEnvelope {
  type: 'model_select';
  model_id: string;
}

export interface HelpRequest extends ClientEnvelope {
  type: 'help_request';
  content?: string;
}

export interface TypingIndicator extends ClientEnvelope {
  type: 'typing_indicator';
}

export interface Cancel extends ClientEnvelope {
  type: 'cancel';
  message_id?: string;
}

export interface Regenerate extends ClientEnvelope {
  type: 'regenerate';
  message_id: string;
}

export interface Auth extends ClientEnvelope {
  type: 'auth';
  token: string;
}

export interface Ping extends ClientEnvelope {
  type: 'ping';
}

export type ClientMessage =
  | UserMessage
  | ModelSelect
  | HelpRequest
  | TypingIndicator
  | Cancel
  | Regenerate
  | Auth
  | Ping;

interface ServerEnvelope {
  session_id?: string;
  timestamp?: string;
  sender?: Sender;
  content?: string;
  metadata?: Record<string, string>;
  message_id?: string;
  seq?: number;
}

export interface ConnectionStatus extends ServerEnvelope {
  type: 'connection_status';
  user_id?: string;
  models?: Model[];
  model_id?: string;
  epoch?: string;
  resumed?: boolean;
  admin_assisted?: boolean;
  assisting_admin_name?: string;
  help_requested?: boolean;
}

export interface Ack extends ServerEnvelope {
  type: 'ack';
  client_id?: string;
}

export interface Loading extends ServerEnvelope {
  type: 'loading';
}

export interface AiResponse extends ServerEnvelope {
  type: 'ai_response';
  chunk?: number;
  model_id?: string;
  finish_reason?: string;
  usage?: Usage;
  duration_ms?: number;
  ttft_ms?: number;
}

export interface OtherMessage extends ServerEnvelope {
  type: 'user_message' | 'file_upload' | 'voice_message';
  client_id?: string;
}

export interface ErrorMessage extends ServerEnvelope {
  type: 'error';
  error: ErrorBody;
}

export interface Notice extends ServerEnvelope {
  type:
    | 'admin_join'
    | 'admin_leave'
    | 'notification'
    | 'typing_indicator'
    | 'pong';
}

export type ServerMessage =
  | ConnectionStatus
  | Ack
  | Loading
  | AiResponse
  | OtherMessage
  | ErrorMessage
  | Notice;
