// SPDX-License-Identifier: MIT
// The conversation as the page knows it: a reducer over frames and history
// pages. It may be told anything twice (replay, several tabs, history over
// HTTP beside a live stream) and shows it once: messages are known by
// message_id, unacknowledged ones of ours by client_id.
import type { Msg } from './api';
import type { FileRef } from './attachment';
import type { Frame, Usage } from './frame';
import type { Problem } from './problem';

export type Role = 'user' | 'ai' | 'admin' | 'system';

export type Status =
  | 'queued' // ours, not acknowledged
  | 'refused' // ours, refused by the server: never stored
  | 'waiting' // an answer before its first text
  | 'streaming'
  | 'complete'
  | 'interrupted'
  | 'cancelled';

export interface Entry {
  readonly key: string; // stable as long as the page shows the entry
  role: Role;
  content: string;
  status: Status;
  messageId?: string;
  clientId?: string;
  seq?: number;
  time?: number;
  file?: FileRef; // as the server named it
  question?: Entry; // of an answer, when it is known here
  replyTo?: string; // its message_id, also when it is not
  replaces?: string;
  superseded: boolean;
  modelId?: string;
  providers?: string[]; // ids, when more than one wrote the answer
  usage?: Usage;
  durationMs?: number;
  ttftMs?: number;
  finishReason?: string;
  problem?: Problem; // of a question: why it has no answer
  link: number; // the connection on which it was seen running
  chunk: number; // last one taken on that connection
}

/** A question with all its answers, or something that stands alone. */
export interface Turn {
  key: string;
  head?: Entry; // absent: the question is on an older page
  answers: Entry[]; // older versions first, the valid one last
}

const ROLES: Record<string, Role> = {
  user: 'user',
  ai: 'ai',
  assistant: 'ai',
  admin: 'admin',
  system: 'system',
};

function roleOf(sender: string | undefined, type: string | undefined): Role {
  return ROLES[sender ?? ''] ?? (type === 'ai_response' ? 'ai' : 'user');
}

/** What is stored and cannot be opened says so, in place of a text. */
function textOf(m: Frame | Msg): string | undefined {
  return m.error ? `\u26a0 ${m.error.message ?? m.error.code}` : m.content;
}

function fileOf(m: Frame | Msg): FileRef | undefined {
  const { file_id, file_url, metadata } = m;
  if (!file_id && !file_url) return undefined;
  const { file_name: name, file_type: type } = metadata ?? {};
  return { file_id, file_url, name, type };
}

/** Who wrote an answer that one began and another went on with, in order. */
function providersOf(m: Frame | Msg): string[] | undefined {
  return m.metadata?.providers?.split(',');
}

function statusOf(finishReason: string | undefined): Status {
  if (finishReason === 'cancelled') return 'cancelled';
  const whole = ['stop', 'length', 'content_filter', undefined, ''];
  return whole.includes(finishReason) ? 'complete' : 'interrupted';
}

function isRunning(entry: Entry): boolean {
  return entry.status === 'waiting' || entry.status === 'streaming';
}

export class Transcript {
  /** Everything up to this number was seen (protocol 2.3). */
  lastSeq = 0;
  /** While older messages exist: what to ask for next. */
  nextBeforeSeq?: number;

  private entries: Entry[] = [];
  private byMessage = new Map<string, Entry>();
  private byClient = new Map<string, Entry>();
  private link = 0;
  private serial = 0;
  private regenerating: string[] = [];

  /** Begins a connection: chunks count anew, running answers are unproven. */
  connected(): void {
    this.link++;
  }

  get empty(): boolean {
    return this.entries.length === 0;
  }

  /** The answer that runs now, if one does. */
  running(): Entry | undefined {
    return this.entries.find(isRunning);
  }

  /** Ours that the server has not acknowledged, in order of writing. */
  queued(): Entry[] {
    return this.entries.filter((e) => e.status === 'queued');
  }

  /** The newest answer that is still valid. */
  lastAnswer(): Entry | undefined {
    return this.entries
      .filter((e) => e.role === 'ai' && !e.superseded)
      .sort(bySeq)
      .at(-1);
  }

  /** Running answers that this connection has not shown to be running. */
  unproven(): Entry[] {
    return this.entries.filter((e) => isRunning(e) && e.link !== this.link);
  }

  hasStored(): boolean {
    return this.entries.some((e) => e.seq !== undefined);
  }

  find(messageId: string): Entry | undefined {
    return this.byMessage.get(messageId);
  }

  /** A message of ours that is about to be sent. */
  queue(
    clientId: string,
    content: string,
    now: number,
    file?: FileRef,
  ): Entry {
    const entry = this.add({ role: 'user', content, status: 'queued' });
    entry.file = file;
    entry.clientId = clientId;
    entry.time = now;
    this.byClient.set(clientId, entry);
    return entry;
  }

  /** A refused message is tried again, under the same client_id. */
  requeue(entry: Entry): void {
    entry.status = 'queued';
    entry.problem = undefined;
  }

  drop(entry: Entry): void {
    this.entries = this.entries.filter((e) => e !== entry);
    if (entry.messageId) this.byMessage.delete(entry.messageId);
    if (entry.clientId) this.byClient.delete(entry.clientId);
  }

  /** We asked for another answer; the next one that starts replaces it. */
  regenerate(messageId: string): void {
    const target = this.byMessage.get(messageId);
    if (target?.role === 'ai') this.regenerating.push(messageId);
    const question = target?.role === 'ai' ? target.question : target;
    if (question) question.problem = undefined;
  }

  /** None of the answers that we asked for will come. */
  forgetRegenerations(): void {
    this.regenerating = [];
  }

  /** Takes a running answer as it is, though its beginning is missing. */
  accept(messageId: string): void {
    const entry = this.byMessage.get(messageId);
    if (!entry) return;
    entry.link = this.link;
    entry.chunk = -1;
  }

  /**
   * Takes one frame. Gives false when the frame shows that something was
   * missed (a delta of an answer whose beginning this connection did not
   * bring): the caller resumes with lastSeq to get it whole.
   */
  apply(frame: Frame): boolean {
    switch (frame.type) {
      case 'ack':
        this.onAck(frame);
        return true;
      case 'loading':
        if (frame.message_id) this.start(frame.message_id, frame);
        return true;
      case 'ai_response':
        return this.onAnswer(frame);
      case 'user_message':
      case 'file_upload':
      case 'voice_message':
        this.onMessage(frame);
        return true;
      default:
        return true;
    }
  }

  /** The turn of this answer, or the running one, ended without any text. */
  failTurn(messageId: string | undefined, problem: Problem): boolean {
    const known = messageId ? this.byMessage.get(messageId) : undefined;
    if (known?.role === 'ai' && !isRunning(known)) return false;
    const answer = known?.role === 'ai' ? known : this.running();
    const question = known?.role === 'user' ? known : answer?.question;
    if (answer && isRunning(answer)) {
      this.revive(answer.replaces);
      this.drop(answer);
    }
    if (question) question.problem = problem;
    return question !== undefined || answer !== undefined;
  }

  /** A message of ours was refused: this one, or the first in the queue. */
  refuse(clientId: string | undefined, problem: Problem): boolean {
    const named = clientId ? this.byClient.get(clientId) : undefined;
    const entry = named ?? (clientId ? undefined : this.queued()[0]);
    if (!entry || entry.status !== 'queued') return false;
    entry.status = 'refused';
    entry.problem = problem;
    return true;
  }

  /** The newest page of the stored conversation: replaces what was known. */
  load(messages: Msg[], nextBeforeSeq: number | undefined): void {
    const end = Math.max(0, ...messages.map((m) => m.seq ?? 0));
    const kept = this.entries.filter((e) => this.outlives(e, end));
    const known = new Map(this.byMessage);
    this.entries = kept;
    this.byMessage = new Map();
    this.nextBeforeSeq = nextBeforeSeq;
    this.lastSeq = 0;
    for (const e of kept) {
      if (e.messageId) this.byMessage.set(e.messageId, e);
      this.saw(e.seq);
    }
    this.merge(messages, known);
  }

  /** Ours alone, or younger than the page that ends with number `end`. */
  private outlives(e: Entry, end: number): boolean {
    if (e.status === 'queued' || e.status === 'refused') return true;
    const live = this.link > 0 && e.link === this.link;
    return live && (isRunning(e) || (e.seq ?? 0) > end);
  }

  /** An older page. */
  prepend(messages: Msg[], nextBeforeSeq: number | undefined): void {
    this.nextBeforeSeq = nextBeforeSeq;
    this.merge(messages, this.byMessage);
  }

  /** What is shown, in order. */
  turns(): Turn[] {
    const turns = new Map<Entry, Turn>();
    const tops: Entry[] = [];
    const listed = new Set(this.entries);
    for (const e of [...this.entries].sort(bySeq)) {
      const head = e.question && listed.has(e.question) ? e.question : e;
      if (head === e) tops.push(e);
      const turn = turns.get(head) ?? { key: head.key, answers: [] };
      turns.set(head, turn);
      if (e.role === 'ai') turn.answers.push(e);
      else turn.head = e;
    }
    return tops.map((e) => turns.get(e)!);
  }

  private add(init: Pick<Entry, 'role' | 'content' | 'status'>): Entry {
    const entry: Entry = {
      ...init,
      key: `e${++this.serial}`,
      superseded: false,
      link: 0,
      chunk: -1,
    };
    this.entries.push(entry);
    return entry;
  }

  private saw(seq: number | undefined): void {
    if (seq !== undefined && seq > this.lastSeq) this.lastSeq = seq;
  }

  private identify(entry: Entry, frame: Frame | Msg): void {
    if (frame.message_id) {
      const twin = this.byMessage.get(frame.message_id);
      if (twin && twin !== entry) this.entries.splice(this.entries.indexOf(twin), 1);
      entry.messageId = frame.message_id;
      this.byMessage.set(frame.message_id, entry);
    }
    if (frame.seq !== undefined) entry.seq = frame.seq;
    this.saw(frame.seq);
  }

  private onAck(frame: Frame): void {
    const entry = frame.client_id && this.byClient.get(frame.client_id);
    if (!entry) return this.saw(frame.seq);
    entry.status = 'complete';
    entry.problem = undefined;
    entry.link = this.link;
    this.identify(entry, frame);
  }

  private onMessage(frame: Frame): void {
    if (frame.client_id && this.byClient.has(frame.client_id))
      return this.onAck(frame);
    if (frame.message_id && this.byMessage.has(frame.message_id))
      return this.saw(frame.seq);
    const entry = this.add({
      role: roleOf(frame.sender, frame.type),
      content: textOf(frame) ?? '',
      status: 'complete',
    });
    entry.time = timeOf(frame.timestamp);
    entry.file = fileOf(frame);
    entry.link = this.link;
    this.identify(entry, frame);
  }

  /** The oldest question without an answer: turns run in order. */
  private openQuestion(): Entry | undefined {
    const answered = new Set(this.entries.map((e) => e.question));
    return this.entries
      .filter((e) => e.role === 'user' && e.messageId && !e.problem)
      .sort(bySeq)
      .find((e) => !answered.has(e) && this.isAfterLastAnswer(e));
  }

  private isAfterLastAnswer(question: Entry): boolean {
    const last = this.lastAnswer();
    const mark = last?.question?.seq ?? last?.seq;
    return mark === undefined || (question.seq ?? Infinity) > mark;
  }

  private start(id: string, frame: Frame): Entry {
    let entry = this.byMessage.get(id);
    if (!entry) {
      entry = this.add({ role: 'ai', content: '', status: 'waiting' });
      entry.messageId = id;
      this.byMessage.set(id, entry);
      this.relate(entry, frame);
    }
    if (isRunning(entry)) {
      if (entry.link !== this.link) entry.chunk = -1;
      entry.link = this.link;
    }
    entry.time ??= timeOf(frame.timestamp);
    entry.modelId = frame.model_id ?? entry.modelId;
    return entry;
  }

  /** Finds what the new answer answers, and what it replaces. */
  private relate(entry: Entry, frame: Frame | Msg): void {
    const named = frame.reply_to
      ? this.byMessage.get(frame.reply_to)
      : undefined;
    const replaced = frame.replaces ?? this.takeRegenerating(named);
    const old = replaced ? this.byMessage.get(replaced) : undefined;
    entry.question = named ?? old?.question ?? this.openQuestion();
    const versions = this.entries.filter(
      (e) => e !== entry && e.role === 'ai' && !!e.question &&
        e.question === entry.question,
    );
    for (const e of versions) e.superseded = true;
    if (old) old.superseded = true;
    entry.replyTo = frame.reply_to ?? entry.question?.messageId;
    entry.replaces = replaced ?? versions.at(-1)?.messageId;
    if (entry.question) entry.question.problem = undefined;
  }

  /** The answer that we asked to replace, if this is its question. */
  private takeRegenerating(question: Entry | undefined): string | undefined {
    const at = this.regenerating.findIndex((id) => {
      const old = this.byMessage.get(id);
      return !question || !old?.question || old.question === question;
    });
    return at < 0 ? undefined : this.regenerating.splice(at, 1)[0];
  }

  /** A regeneration came to nothing: the older answer is valid again. */
  private revive(messageId: string | undefined): void {
    const old = messageId ? this.byMessage.get(messageId) : undefined;
    if (old) old.superseded = false;
  }

  private onAnswer(frame: Frame): boolean {
    const id = frame.message_id;
    if (!id) return true;
    const meta = frame.metadata ?? {};
    const done = meta.done === 'true';
    const whole = meta.snapshot === 'true' || meta.replay === 'true';
    const known = this.byMessage.get(id);
    if (known && !isRunning(known)) {
      this.saw(frame.seq);
      return true;
    }
    if (!known && done && !frame.content && frame.seq === undefined)
      return true;
    const begun = known?.link === this.link;
    const entry = this.start(id, frame);
    if (whole) this.replace(entry, frame);
    else if (frame.content) {
      if (!begun && !done) return this.onHole(entry);
      this.append(entry, frame);
    }
    if (done) this.finish(entry, frame);
    return true;
  }

  private onHole(entry: Entry): boolean {
    entry.link = 0;
    return false;
  }

  private replace(entry: Entry, frame: Frame): void {
    entry.content = textOf(frame) ?? entry.content;
    entry.chunk = frame.chunk ?? -1;
    if (entry.content) entry.status = 'streaming';
  }

  private append(entry: Entry, frame: Frame): void {
    if (frame.chunk !== undefined) {
      if (frame.chunk <= entry.chunk) return;
      entry.chunk = frame.chunk;
    }
    entry.content += frame.content;
    entry.status = 'streaming';
  }

  private finish(entry: Entry, frame: Frame): void {
    this.identify(entry, frame);
    entry.finishReason = frame.finish_reason;
    entry.status = statusOf(frame.finish_reason);
    entry.usage = frame.usage ?? entry.usage;
    entry.durationMs = frame.duration_ms ?? entry.durationMs;
    entry.ttftMs = frame.ttft_ms ?? entry.ttftMs;
    entry.modelId = frame.model_id ?? entry.modelId;
    entry.providers = providersOf(frame) ?? entry.providers;
    entry.time = timeOf(frame.timestamp) ?? entry.time;
    const nothing = entry.status === 'cancelled' && !entry.content;
    if (nothing && entry.replaces) {
      this.revive(entry.replaces);
      this.drop(entry);
    }
  }

  private merge(messages: Msg[], known: Map<string, Entry>): void {
    for (const m of messages) this.saw(m.seq);
    for (const m of messages) this.mergeOne(m, known);
    for (const e of this.entries) if (e.role === 'ai') this.tie(e);
  }

  private mergeOne(m: Msg, known: Map<string, Entry>): void {
    const here = this.byMessage.get(m.message_id);
    if (here && isRunning(here) && here.link === this.link) return;
    const mine = m.client_id ? this.byClient.get(m.client_id) : undefined;
    let entry = here ?? mine ?? known.get(m.message_id);
    if (!entry)
      entry = this.add({ role: roleOf(m.sender, m.type), content: '', status: 'complete' });
    else if (!this.entries.includes(entry)) this.entries.push(entry);
    fill(entry, m);
    this.identify(entry, m);
  }

  private tie(answer: Entry): void {
    const { replyTo, replaces } = answer;
    answer.question ??= replyTo ? this.byMessage.get(replyTo) : undefined;
    const old = replaces ? this.byMessage.get(replaces) : undefined;
    if (old) old.superseded = true;
  }
}

function fill(entry: Entry, m: Msg): void {
  entry.content = textOf(m) ?? '';
  entry.file = fileOf(m);
  entry.status = storedStatus(m);
  entry.time = timeOf(m.timestamp) ?? entry.time;
  entry.superseded = m.superseded === true;
  entry.replaces = m.replaces ?? entry.replaces;
  entry.replyTo = m.reply_to ?? entry.replyTo;
  entry.modelId = m.model_id ?? entry.modelId;
  entry.providers = providersOf(m) ?? entry.providers;
  entry.usage = m.usage ?? entry.usage;
  entry.durationMs = m.duration_ms ?? entry.durationMs;
  entry.ttftMs = m.ttft_ms ?? entry.ttftMs;
  entry.finishReason = m.finish_reason ?? entry.finishReason;
  if (entry.role !== 'ai') entry.problem = undefined;
}

function storedStatus(m: Msg): Status {
  switch (m.status) {
    case 'streaming':
      return m.content ? 'streaming' : 'waiting';
    case 'interrupted':
    case 'cancelled':
      return m.status;
    default:
      return 'complete';
  }
}

/** What has no number yet comes last, in the order of its arrival. */
function bySeq(a: Entry, b: Entry): number {
  const left = a.seq ?? Infinity;
  const right = b.seq ?? Infinity;
  return left === right ? 0 : left - right;
}

function timeOf(timestamp: string | undefined): number | undefined {
  const time = timestamp ? Date.parse(timestamp) : NaN;
  return Number.isNaN(time) ? undefined : time;
}
