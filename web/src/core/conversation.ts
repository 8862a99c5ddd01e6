// SPDX-License-Identifier: MIT
// One open chat: the link, the transcript and what the person does with them.
// The view listens to 'change', which comes at most once per animation frame,
// however fast the model writes.
import type { ClientMessage } from '../generated/protocol';
import { socketAddress } from './address';
import { Api, ApiError } from './api';
import type { FileRef } from './attachment';
import type { Frame, Model } from './frame';
import { randomId } from './ids';
import { Link } from './link';
import type { LinkState } from './link';
import { loadDraft, loadOutbox, saveDraft, saveOutbox } from './outbox';
import type { Place } from './outbox';
import { endsTurn, problemOf } from './problem';
import type { Problem } from './problem';
import { readClaims } from './token';
import { Transcript } from './transcript';
import type { Entry } from './transcript';

/** Why nothing goes on by itself, beside the states of the link. */
export type Halt = 'gone' | 'refused' | undefined;

const EPOCHS = 'chatbox:epoch:';
const TYPING_EVERY_MS = 3_000;

export class Conversation extends EventTarget {
  readonly transcript = new Transcript();
  readonly api: Api;

  /** The session; undefined until the server has named it. */
  sessionId?: string;
  models: Model[] = [];
  modelId = '';
  loading = false;
  loadingOlder = false;
  halt: Halt;
  problem?: Problem; // of the whole conversation
  helpRequested = false;
  adminName?: string; // an operator holds the session
  ended = false;
  othersTypeUntil = 0;
  tokenExpiring = false;

  private readonly link: Link;
  private readonly device = randomId();
  private epoch?: string;
  private fresh = false; // begun here, nothing stored yet
  private useSeq = true;
  private first = true; // the next frame is the first of its connection
  private wantedModel?: string;
  private confirmedModel = '';
  private posted = new Set<string>(); // client ids, on this connection
  private holes = new Set<string>();
  private keptAsNew = false; // the outbox 'new' is ours
  private generation = 0; // of open(): answers to older ones are dropped
  private dirty = false;
  private typedAt = 0;

  constructor(
    readonly base: string,
    private readonly token: () => string | undefined,
  ) {
    super();
    this.api = new Api(base, token);
    this.link = new Link({
      target: () => this.target(),
      onFrame: (frame) => this.onFrame(frame),
      onState: (state) => this.onLinkState(state),
      onBlamed: () => this.refuseQueued(),
      onRefused: () => void this.findOutWhy(),
    });
    addEventListener('online', this.wake);
    addEventListener('offline', this.wake);
    document.addEventListener('visibilitychange', this.wake);
  }

  get linkState(): LinkState {
    return this.link.state;
  }

  get open(): boolean {
    return this.link.state.at === 'open' && !this.first;
  }

  /** The id for the address bar: none while there is nothing to come back to. */
  get address(): string | undefined {
    return this.fresh && this.transcript.empty ? undefined : this.sessionId;
  }

  /** Somebody must stay for what was written to be sent. */
  get unsent(): boolean {
    const { at } = this.link.state;
    const trying = at === 'connecting' || at === 'waiting' || at === 'open';
    return trying && !this.halt && this.transcript.queued().length > 0;
  }

  /**
   * Opens a session from the list, or a new one; the first one of a page
   * takes up what was not sent before there was a name to keep it under.
   */
  start(sessionId: string | undefined, firstOfPage = true): void {
    this.generation++;
    this.fresh = sessionId === undefined;
    this.sessionId = sessionId;
    this.epoch = sessionId ? loadEpoch(sessionId) : undefined;
    if (this.fresh) this.connectFresh(firstOfPage);
    else void this.loadAndConnect();
  }

  /** Ends everything; the object is not used again. */
  dispose(): void {
    this.generation++;
    this.link.close();
    removeEventListener('online', this.wake);
    removeEventListener('offline', this.wake);
    document.removeEventListener('visibilitychange', this.wake);
  }

  retryNow(): void {
    this.problem = undefined;
    if (this.link.state.at === 'waiting') this.link.retryNow();
    else if (this.fresh) this.link.connect();
    else void this.loadAndConnect();
  }

  /** For send; its link is good for a while. */
  upload(file: File): Promise<FileRef> {
    return this.api.upload(file);
  }

  send(content: string, file?: FileRef): void {
    this.ended = false;
    this.transcript.queue(randomId(), content, Date.now(), file);
    this.flush();
    this.dispatchEvent(new Event('sent'));
  }

  /** Sends a refused message once more. */
  sendAgain(entry: Entry): void {
    this.posted.delete(entry.clientId!);
    this.transcript.requeue(entry);
    this.flush();
  }

  /** Takes a refused or unsent message back; gives its text. */
  withdraw(entry: Entry): string {
    this.transcript.drop(entry);
    this.saveQueue();
    this.changed();
    return entry.content;
  }

  /** What is being written here and was not sent. */
  get draft(): string {
    return loadDraft(this.place(this.address ?? 'new'));
  }

  set draft(text: string) {
    saveDraft(this.place(this.address ?? 'new'), text);
  }

  stop(): void {
    const running = this.transcript.running();
    if (running) this.post({ type: 'cancel', message_id: running.messageId });
  }

  /** Another answer to the same question, or one to an unanswered question. */
  regenerate(entry: Entry): void {
    const id = entry.messageId;
    if (!id || !this.post({ type: 'regenerate', message_id: id })) return;
    this.transcript.regenerate(id);
    this.changed();
  }

  selectModel(modelId: string): void {
    this.modelId = modelId;
    this.wantedModel = modelId;
    if (this.open) this.post({ type: 'model_select', model_id: modelId });
    this.changed();
  }

  requestHelp(): void {
    this.post({ type: 'help_request' });
  }

  /** The person types; an operator who holds the session sees it. */
  typing(): void {
    if (!this.adminName || Date.now() - this.typedAt < TYPING_EVERY_MS) return;
    this.typedAt = Date.now();
    this.post({ type: 'typing_indicator' });
  }

  /** A new token: for the live connection, or to connect again. */
  renewToken(token: string): void {
    this.tokenExpiring = false;
    if (!this.post({ type: 'auth', token })) this.retryNow();
    this.changed();
  }

  async loadOlder(): Promise<void> {
    const before = this.transcript.nextBeforeSeq;
    if (!this.sessionId || before === undefined || this.loadingOlder) return;
    const generation = this.generation;
    this.loadingOlder = true;
    this.changed();
    try {
      const page = await this.api.session(this.sessionId, before);
      if (generation !== this.generation) return;
      this.transcript.prepend(page.messages, page.nextBeforeSeq);
    } catch (error) {
      this.say(error);
    } finally {
      this.loadingOlder = false;
      this.changed();
    }
  }

  private onLinkState(state: LinkState): void {
    if (state.at === 'stopped' && state.code === 4401)
      this.dispatchEvent(new Event('token-needed'));
    this.changed();
  }

  private readonly wake = () => {
    if (document.visibilityState === 'visible') this.link.check();
  };

  private changed(): void {
    if (this.dirty) return;
    this.dirty = true;
    const tell = () => {
      if (!this.dirty) return;
      this.dirty = false;
      this.dispatchEvent(new Event('change'));
    };
    requestAnimationFrame(tell);
    // Animation frames stop in a hidden tab; states must not.
    if (document.hidden) setTimeout(tell, 250);
  }

  private target(): { url: string; protocols: string[] } {
    const known = this.sessionId !== undefined && !this.fresh;
    const resume = known && this.useSeq;
    this.first = true;
    return {
      url: socketAddress(this.base, {
        session_id: this.sessionId,
        last_seq: resume ? this.transcript.lastSeq : undefined,
        epoch: resume ? this.epoch : undefined,
        device_id: this.device,
      }),
      protocols: ['chatbox.v1', `bearer.${this.token() ?? ''}`],
    };
  }

  /** A new chat: an id that the server does not know makes it begin one. */
  private connectFresh(firstOfPage: boolean): void {
    this.sessionId = randomId();
    if (firstOfPage) this.restoreQueue('new');
    this.link.connect();
  }

  private async loadAndConnect(): Promise<void> {
    const generation = this.generation;
    this.loading = this.transcript.empty;
    this.restoreQueue(this.sessionId!);
    this.changed();
    const done = await this.reload();
    if (generation !== this.generation) return;
    this.loading = false;
    this.changed();
    if (done !== 'stop') this.link.connect();
  }

  /**
   * Takes the newest page of the session over HTTP. 'stop' when there is no
   * point in connecting; when the server is away the link finds out again
   * and says so.
   */
  private async reload(): Promise<'done' | 'failed' | 'stop'> {
    const generation = this.generation;
    try {
      const page = await this.api.session(this.sessionId!);
      if (generation !== this.generation) return 'stop';
      this.transcript.load(page.messages, page.nextBeforeSeq);
      this.modelId = page.modelId ?? this.modelId;
      this.changed();
      return 'done';
    } catch (error) {
      if (generation !== this.generation) return 'stop';
      return this.onReloadError(error);
    }
  }

  private onReloadError(error: unknown): 'failed' | 'stop' {
    const status = error instanceof ApiError ? error.status : 0;
    if (status === 401) this.link.stop(4401);
    else if (status === 404 && !this.neverStored()) this.halt = 'gone';
    else return 'failed';
    this.changed();
    return 'stop';
  }

  /** Reloaded before the first message of a new chat had arrived. */
  private neverStored(): boolean {
    if (this.transcript.hasStored()) return false;
    this.restoreQueue('new');
    this.fresh = this.transcript.queued().length > 0;
    return this.fresh;
  }

  private onFrame(frame: Frame): void {
    if (this.first && frame.type === 'connection_status')
      this.onFirstFrame(frame);
    else if (frame.type === 'connection_status') this.onStatus(frame);
    else if (frame.type === 'error') this.onError(frame);
    else if (frame.type === 'pong') void this.settleUnproven();
    else this.onOther(frame);
    this.changed();
  }

  private onFirstFrame(frame: Frame): void {
    this.first = false;
    this.useSeq = true;
    this.halt = undefined;
    this.problem = undefined;
    this.transcript.connected();
    this.posted.clear();
    if (frame.seq) this.fresh = false;
    const asked = this.sessionId;
    if (frame.session_id && frame.session_id !== asked) {
      if (this.transcript.hasStored()) return this.lose();
      this.sessionId = frame.session_id;
    }
    this.epoch = frame.epoch ?? this.epoch;
    if (this.sessionId && this.epoch) saveEpoch(this.sessionId, this.epoch);
    this.takeStatus(frame);
    this.dispatchEvent(new Event('session'));
    this.catchUp(frame);
  }

  /** Replays come by themselves; without them history comes over HTTP. */
  private catchUp(frame: Frame): void {
    const missing = (frame.seq ?? 0) !== this.transcript.lastSeq;
    if (!this.fresh && frame.resumed === false && missing) void this.reload();
    const wanted = this.wantedModel;
    if (wanted && wanted !== frame.model_id)
      this.post({ type: 'model_select', model_id: wanted });
    this.flush();
    // The pong comes after everything that the server had to catch up with.
    if (this.transcript.unproven().length > 0) this.post({ type: 'ping' });
  }

  /** The session that we were in is not there any more. */
  private lose(): void {
    this.halt = 'gone';
    this.link.stop(4410);
  }

  private takeStatus(frame: Frame): void {
    if (frame.models) this.models = frame.models;
    if (frame.model_id) this.confirmedModel = frame.model_id;
    this.modelId = this.wantedModel ?? this.confirmedModel;
    if (frame.help_requested !== undefined)
      this.helpRequested = frame.help_requested;
    // An old `admin_assisted` without a name is a session that was released.
    if (frame.admin_assisted !== undefined)
      this.adminName =
        frame.admin_assisted && frame.assisting_admin_name
          ? frame.assisting_admin_name
          : undefined;
  }

  private onStatus(frame: Frame): void {
    if (frame.model_id === this.wantedModel) this.wantedModel = undefined;
    this.takeStatus(frame);
    if (frame.metadata?.event === 'session_ended') this.ended = true;
    if (frame.content && frame.metadata?.event !== 'session_ended')
      this.announce(frame.content);
    this.dispatchEvent(new Event('stored'));
  }

  private onOther(frame: Frame): void {
    if (frame.type === 'loading') this.announce('The model is answering.');
    if (frame.type === 'admin_join')
      this.adminName = frame.metadata?.admin_name || 'An operator';
    if (frame.type === 'admin_leave') this.adminName = undefined;
    if (frame.type === 'typing_indicator')
      this.othersTypeUntil = Date.now() + 2 * TYPING_EVERY_MS;
    if (frame.type === 'notification' && frame.content)
      this.announce(frame.content);
    if (!this.transcript.apply(frame)) this.onHole(frame);
    this.afterApply(frame);
  }

  private afterApply(frame: Frame): void {
    if (frame.seq !== undefined) this.fresh = false;
    if (frame.type === 'ack') this.saveQueue();
    // Not of a message: the token was taken, whatever was said before.
    if (frame.type === 'ack' && !frame.client_id) this.tokenExpiring = false;
    if (frame.sender === 'admin') this.othersTypeUntil = 0;
    const done = frame.metadata?.done === 'true';
    if (frame.type === 'ack' || done)
      this.dispatchEvent(new Event('stored'));
    if (done && !frame.metadata?.replay)
      this.dispatchEvent(new CustomEvent('answered', { detail: frame }));
  }

  /** Text is missing in front of this delta: resume brings it whole. */
  private onHole(frame: Frame): void {
    const id = frame.message_id ?? '';
    if (this.holes.has(id)) {
      this.transcript.accept(id);
      this.transcript.apply(frame);
    } else {
      this.holes.add(id);
      this.link.connect();
    }
  }

  private onError(frame: Frame): void {
    const problem = problemOf(frame.error, Date.now());
    this.transcript.forgetRegenerations();
    if (problem.code === 'EXPIRED_TOKEN') {
      this.tokenExpiring = true;
      this.dispatchEvent(new Event('token-needed'));
      return;
    }
    if (this.placeError(frame, problem)) return;
    if (frame.error?.field === 'model_id') {
      this.wantedModel = undefined;
      this.modelId = this.confirmedModel;
    }
    // A stop that came after the end of the answer is no news to anybody.
    if (problem.code === 'NOT_FOUND' && !frame.error?.field) return;
    this.problem = problem;
  }

  /** Puts the error where the message is that it is about. */
  private placeError(frame: Frame, problem: Problem): boolean {
    const { message_id: message, client_id: client } = frame;
    if (endsTurn(problem.code))
      return this.transcript.failTurn(message, problem);
    if (message && this.transcript.failTurn(message, problem)) return true;
    const field = frame.error?.field;
    const aboutText = !field || field === 'content' || field === 'client_id';
    if ((client || aboutText) && this.transcript.refuse(client, problem)) {
      this.saveQueue();
      return true;
    }
    return (
      problem.code === 'SERVICE_ERROR' &&
      this.transcript.failTurn(undefined, problem)
    );
  }

  /** Running answers that the server did not mention are over. */
  private async settleUnproven(): Promise<void> {
    if (this.transcript.unproven().length > 0) await this.reload();
    this.changed();
  }

  private refuseQueued(): void {
    const problem = problemOf(
      { code: 'INVALID_FORMAT', recoverable: false },
      Date.now(),
    );
    while (this.transcript.refuse(undefined, problem));
    this.saveQueue();
  }

  /** The upgrade failed; a browser does not say why, HTTP does. */
  private async findOutWhy(): Promise<void> {
    const generation = this.generation;
    try {
      await this.api.probe();
      if (generation !== this.generation) return;
      this.useSeq = false;
      this.halt = 'refused';
    } catch (error) {
      if (generation !== this.generation) return;
      this.halt = undefined;
      const status = error instanceof ApiError ? error.status : 0;
      if (status === 401) this.link.stop(4401);
      else if (status === 403) this.link.stop(4403);
    }
    this.changed();
  }

  private flush(): void {
    if (this.open) for (const e of this.transcript.queued()) this.postOnce(e);
    this.saveQueue();
    this.changed();
  }

  private postOnce(e: Entry): void {
    if (this.posted.has(e.clientId!)) return;
    this.posted.add(e.clientId!);
    const { clientId: client_id, content } = e;
    this.post({ type: 'user_message', client_id, content, ...fileMembers(e) });
  }

  private post(frame: ClientMessage): boolean {
    return this.link.send(frame);
  }

  private queueKey(): string {
    const unnamed = this.fresh && this.first;
    return unnamed || !this.sessionId ? 'new' : this.sessionId;
  }

  private saveQueue(): void {
    const unsent = this.transcript.queued().map((e) => ({
      clientId: e.clientId!,
      content: e.content,
      file: e.file,
    }));
    const key = this.queueKey();
    const asNew = key === 'new' && unsent.length > 0;
    if (this.keptAsNew && !asNew) saveOutbox(this.place('new'), []);
    if (key !== 'new' || asNew) saveOutbox(this.place(key), unsent);
    this.keptAsNew = asNew;
  }

  private place(session: string): Place {
    const claims = readClaims(this.token() ?? '');
    return { user: claims?.user_id ?? claims?.sub ?? '', session };
  }

  private restoreQueue(key: string): void {
    if (this.transcript.queued().length > 0) return;
    for (const unsent of loadOutbox(this.place(key)))
      this.transcript.queue(
        unsent.clientId,
        unsent.content,
        Date.now(),
        unsent.file,
      );
    this.keptAsNew ||= key === 'new' && this.transcript.queued().length > 0;
  }

  private say(error: unknown): void {
    if (error instanceof ApiError)
      this.problem = {
        code: error.code,
        text: error.message,
        recoverable: true,
        retryAt: error.retryAfterMs
          ? Date.now() + error.retryAfterMs
          : undefined,
      };
  }

  private announce(text: string): void {
    this.dispatchEvent(new CustomEvent('announce', { detail: text }));
  }
}

/** The server keeps neither name nor type: they go with the message. */
function fileMembers({ file }: Entry) {
  if (!file?.file_id) return {};
  const metadata = {
    file_name: (file.name ?? '').slice(0, 200),
    file_type: file.type ?? '',
  };
  return { file_id: file.file_id, metadata };
}

function loadEpoch(session: string): string | undefined {
  try {
    return sessionStorage.getItem(EPOCHS + session) ?? undefined;
  } catch {
    return undefined;
  }
}

function saveEpoch(session: string, epoch: string): void {
  try {
    sessionStorage.setItem(EPOCHS + session, epoch);
  } catch {
    // Without storage a reload asks for the history over HTTP.
  }
}
