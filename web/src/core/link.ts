// SPDX-License-Identifier: MIT
// One WebSocket that is kept alive: it reconnects with back-off, honours the
// close codes, notices a silent server and knows when there is no point in
// trying. What is sent and what it means is the conversation's business.
import { backoffMs, blamesUs, closeAdvice } from './backoff';
import type { CloseAdvice } from './backoff';
import { parseFrame } from './frame';
import type { Frame } from './frame';

const SILENCE_MS = 30_000; // then we ask with a ping
const PATIENCE_MS = 10_000; // for the pong, and for the first frame
const HURRY_MS = 4_000; // for the pong, when the network has just changed
const STEADY_MS = 5_000; // open for so long: the next failure is a first one

export type LinkState =
  | { at: 'idle' }
  | { at: 'connecting'; attempt: number }
  | { at: 'open' }
  | { at: 'waiting'; attempt: number; until: number; code: number }
  | { at: 'stopped'; code: number };

export interface LinkEvents {
  /** The address and subprotocols of the next attempt. */
  target(): { url: string; protocols: string[] };
  onFrame(frame: Frame): void;
  onState(state: LinkState): void;
  /** The server closed because of a frame of ours. */
  onBlamed(): void;
  /** An attempt failed before the socket was open: find out why over HTTP. */
  onRefused(): void;
}

export class Link {
  state: LinkState = { at: 'idle' };
  private socket?: WebSocket;
  private attempt = 0;
  private openSince = 0;
  private expecting = false; // something was sent, nothing came since
  private retryTimer?: ReturnType<typeof setTimeout>;
  private quietTimer?: ReturnType<typeof setTimeout>;

  constructor(private readonly events: LinkEvents) {}

  /** Opens, or drops what there is and opens anew with a new target. */
  connect(): void {
    this.drop();
    this.attempt = 0;
    this.open();
  }

  /** Tries now instead of at the end of the wait. */
  retryNow(): void {
    if (this.state.at === 'waiting') this.open();
  }

  /** The network came or went: tries now, or asks whether the socket lives. */
  check(): void {
    if (this.state.at === 'open') this.ask(HURRY_MS);
    else this.retryNow();
  }

  close(): void {
    this.drop();
    this.become({ at: 'idle' });
  }

  /** Gives up until connect() is called, for a reason learnt elsewhere. */
  stop(code: number): void {
    this.drop();
    this.become({ at: 'stopped', code });
  }

  /** False when there is no open socket: nothing was sent. */
  send(frame: object): boolean {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(frame));
    this.expect();
    return true;
  }

  /** What was sent is answered soon, or the socket only looks alive. */
  private expect(): void {
    if (this.state.at !== 'open' || this.expecting) return;
    this.expecting = true;
    this.watch(PATIENCE_MS, () => this.ask());
  }

  private become(state: LinkState): void {
    this.state = state;
    this.events.onState(state);
  }

  private drop(): void {
    clearTimeout(this.retryTimer);
    clearTimeout(this.quietTimer);
    const socket = this.socket;
    this.socket = undefined;
    socket?.close(1000);
  }

  private open(): void {
    clearTimeout(this.retryTimer);
    this.expecting = false;
    const { url, protocols } = this.events.target();
    this.become({ at: 'connecting', attempt: this.attempt });
    const socket = new WebSocket(url, protocols);
    this.socket = socket;
    let opened = false;
    socket.onopen = () => (opened = true);
    socket.onmessage = (e) => this.socket === socket && this.onMessage(e.data);
    socket.onclose = (e) => {
      if (this.socket !== socket) return;
      if (!opened) this.events.onRefused();
      if (this.socket === socket) this.onClose(e.code);
    };
    this.watch(PATIENCE_MS, () => this.lost());
  }

  private onMessage(data: unknown): void {
    const frame = typeof data === 'string' ? parseFrame(data) : undefined;
    if (!frame) return;
    this.expecting = false;
    this.watch(SILENCE_MS, () => this.ask());
    if (this.state.at !== 'open') {
      this.openSince = Date.now();
      this.become({ at: 'open' });
    }
    this.events.onFrame(frame);
  }

  private onClose(code: number): void {
    this.socket = undefined;
    clearTimeout(this.quietTimer);
    const steady = Date.now() - this.openSince >= STEADY_MS;
    if (this.state.at === 'open' && steady) this.attempt = 0;
    if (blamesUs(code)) this.events.onBlamed();
    const advice = closeAdvice(code);
    if (advice === 'never' || advice === 'token')
      this.become({ at: 'stopped', code });
    else this.wait(code, advice);
  }

  private wait(code: number, advice: CloseAdvice): void {
    const ms = backoffMs(this.attempt, advice);
    const attempt = this.attempt++;
    this.retryTimer = setTimeout(() => this.open(), ms);
    this.become({ at: 'waiting', attempt, until: Date.now() + ms, code });
  }

  private watch(ms: number, then: () => void): void {
    clearTimeout(this.quietTimer);
    this.quietTimer = setTimeout(then, ms);
  }

  private ask(patienceMs = PATIENCE_MS): void {
    this.expecting = true;
    this.send({ type: 'ping' });
    this.watch(patienceMs, () => this.lost());
  }

  /** Nothing came back: the socket only looks alive. */
  private lost(): void {
    this.drop();
    this.wait(1006, 'later');
  }
}
