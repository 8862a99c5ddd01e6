// SPDX-License-Identifier: MIT
// The frames of the WebSocket, one interface per type and side. Generated
// from src/proto/message.def and field.def by `make docs`.

export interface ClientEnvelope {
  session_id?: string;
  content?: string;
  file_id?: string;
  file_url?: string;
  model_id?: string;
  timestamp?: string;
  sender?: "user" | "ai" | "admin" | "system";
  metadata?: Record<string, string>;
  client_id?: string;
  message_id?: string;
  token?: string;
}

/** A message of a person: to the server a turn, from the server what another connection sent. */
export interface ClientUserMessage extends ClientEnvelope {
  type: 'user_message';
  content: string;
}

/** Chooses the model for the answers from now on; answered by connection_status. */
export interface ClientModelSelect extends ClientEnvelope {
  type: 'model_select';
  model_id: string;
}

/** Asks for a person; answered by connection_status. 3 per session in 5 minutes. */
export interface ClientHelpRequest extends ClientEnvelope {
  type: 'help_request';
}

/** An uploaded file; stored, sent to the others, ack to the sender. */
export interface ClientFileUpload extends ClientEnvelope {
  type: 'file_upload';
  file_id: string;
  file_url: string;
}

/** A recording; like file_upload. What was said is asked as a user_message, when a transcription service is configured. */
export interface ClientVoiceMessage extends ClientEnvelope {
  type: 'voice_message';
  file_id: string;
  file_url: string;
}

/** Somebody types; passed to the others, not stored. */
export interface ClientTypingIndicator extends ClientEnvelope {
  type: 'typing_indicator';
}

/** Stops the running answer (of message_id, if given). */
export interface ClientCancel extends ClientEnvelope {
  type: 'cancel';
}

/** Another answer to the same question. */
export interface ClientRegenerate extends ClientEnvelope {
  type: 'regenerate';
  message_id: string;
}

/** An operator enters the session. */
export interface ClientAdminJoin extends ClientEnvelope {
  type: 'admin_join';
}

/** An operator leaves the session. */
export interface ClientAdminLeave extends ClientEnvelope {
  type: 'admin_leave';
}

/** Replaces the token of the live connection. */
export interface ClientAuth extends ClientEnvelope {
  type: 'auth';
  token: string;
}

/** Answered by pong. */
export interface ClientPing extends ClientEnvelope {
  type: 'ping';
}

export type ClientMessage =
  | ClientUserMessage
  | ClientModelSelect
  | ClientHelpRequest
  | ClientFileUpload
  | ClientVoiceMessage
  | ClientTypingIndicator
  | ClientCancel
  | ClientRegenerate
  | ClientAdminJoin
  | ClientAdminLeave
  | ClientAuth
  | ClientPing;

export interface ServerEnvelope {
  session_id?: string;
  timestamp?: string;
}

/** A message of a person: to the server a turn, from the server what another connection sent. */
export interface ServerUserMessage extends ServerEnvelope {
  type: 'user_message';
  content?: string;
  file_id?: string;
  file_url?: string;
  sender?: "user" | "ai" | "admin" | "system";
  metadata?: Record<string, string>;
  error?: { code: string; message: string; recoverable: boolean; retry_after?: number; field?: string };
  client_id?: string;
  message_id?: string;
  seq?: number;
}

/** An uploaded file; stored, sent to the others, ack to the sender. */
export interface ServerFileUpload extends ServerEnvelope {
  type: 'file_upload';
  content?: string;
  file_id?: string;
  file_url?: string;
  sender?: "user" | "ai" | "admin" | "system";
  metadata?: Record<string, string>;
  error?: { code: string; message: string; recoverable: boolean; retry_after?: number; field?: string };
  client_id?: string;
  message_id?: string;
  seq?: number;
}

/** A recording; like file_upload. What was said is asked as a user_message, when a transcription service is configured. */
export interface ServerVoiceMessage extends ServerEnvelope {
  type: 'voice_message';
  content?: string;
  file_id?: string;
  file_url?: string;
  sender?: "user" | "ai" | "admin" | "system";
  metadata?: Record<string, string>;
  error?: { code: string; message: string; recoverable: boolean; retry_after?: number; field?: string };
  client_id?: string;
  message_id?: string;
  seq?: number;
}

/** Somebody types; passed to the others, not stored. */
export interface ServerTypingIndicator extends ServerEnvelope {
  type: 'typing_indicator';
  sender?: "user" | "ai" | "admin" | "system";
  metadata?: Record<string, string>;
}

/** An operator enters the session. */
export interface ServerAdminJoin extends ServerEnvelope {
  type: 'admin_join';
  metadata?: Record<string, string>;
}

/** An operator leaves the session. */
export interface ServerAdminLeave extends ServerEnvelope {
  type: 'admin_leave';
  metadata?: Record<string, string>;
}

/** Answer to ping. */
export interface ServerPong extends ServerEnvelope {
  type: 'pong';
}

/** The message is durable. */
export interface ServerAck extends ServerEnvelope {
  type: 'ack';
  client_id?: string;
  message_id?: string;
  seq?: number;
}

/** The model is being asked; message_id is the answer's. */
export interface ServerLoading extends ServerEnvelope {
  type: 'loading';
  message_id?: string;
  reply_to?: string;
}

/** A part of an answer, or its end (metadata.done). */
export interface ServerAiResponse extends ServerEnvelope {
  type: 'ai_response';
  content?: string;
  model_id?: string;
  sender?: "user" | "ai" | "admin" | "system";
  metadata?: Record<string, string>;
  error?: { code: string; message: string; recoverable: boolean; retry_after?: number; field?: string };
  message_id?: string;
  seq?: number;
  chunk?: number;
  finish_reason?: string;
  usage?: { prompt_tokens: number; completion_tokens: number; total_tokens: number; cached_tokens?: number; reasoning_tokens?: number; cost?: number; estimated?: true };
  duration_ms?: number;
  ttft_ms?: number;
  reply_to?: string;
  replaces?: string;
}

/** The first frame of a connection, and later changes of the session. */
export interface ServerConnectionStatus extends ServerEnvelope {
  type: 'connection_status';
  content?: string;
  model_id?: string;
  sender?: "user" | "ai" | "admin" | "system";
  metadata?: Record<string, string>;
  models?: { id: string; name: string }[];
  seq?: number;
  epoch?: string;
  user_id?: string;
  resumed?: boolean;
  admin_assisted?: boolean;
  assisting_admin_name?: string;
  help_requested?: boolean;
}

/** Something the person should know. */
export interface ServerNotification extends ServerEnvelope {
  type: 'notification';
  content?: string;
  sender?: "user" | "ai" | "admin" | "system";
  metadata?: Record<string, string>;
}

/** What went wrong with what this connection sent. */
export interface ServerError extends ServerEnvelope {
  type: 'error';
  error?: { code: string; message: string; recoverable: boolean; retry_after?: number; field?: string };
  client_id?: string;
  message_id?: string;
}

export type ServerMessage =
  | ServerUserMessage
  | ServerFileUpload
  | ServerVoiceMessage
  | ServerTypingIndicator
  | ServerAdminJoin
  | ServerAdminLeave
  | ServerPong
  | ServerAck
  | ServerLoading
  | ServerAiResponse
  | ServerConnectionStatus
  | ServerNotification
  | ServerError;
