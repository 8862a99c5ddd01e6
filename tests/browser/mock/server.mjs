// SPDX-License-Identifier: MIT
// Enough of the server to work on the page without building it: sessions,
// turns, resume and the content security policy, in memory. `npm run mock`
// serves web/dist and prints a link. The tests run against it only when they
// are told to (CHATBOX_MOCK=1); what they prove then is the page alone.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { WebSocketServer } from 'ws';
import { plan } from '../support/script.mjs';

const DIST = fileURLToPath(new URL('../../../web/dist/', import.meta.url));
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; " +
  "img-src 'self' data: blob:; font-src 'self'; " +
  "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; " +
  "frame-ancestors 'none'; manifest-src 'self'";
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};
const MODELS = [
  { id: 'alpha', name: 'Alpha' },
  { id: 'beta', name: 'Beta' },
];

const newId = () => randomBytes(16).toString('hex');
const now = () => new Date().toISOString();

export function userToken(user = 'ada', name = 'Ada Lovelace') {
  const part = (o) => Buffer.from(JSON.stringify(o)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 86_400;
  return `${part({ alg: 'HS256' })}.${part({ user_id: user, name, exp })}.mock`;
}

function userOf(token) {
  try {
    const claims = Buffer.from(token.split('.')[1], 'base64url');
    return token.endsWith('.mock') ? JSON.parse(claims).user_id : undefined;
  } catch {
    return undefined;
  }
}

export function newState() {
  return { sessions: new Map() };
}

/** Starts on 127.0.0.1; `state` may be that of a server stopped before. */
export async function startMock(options = {}) {
  const mock = new Mock(options.state ?? newState(), options.prefix);
  mock.state.messages = options.messages ?? Infinity;
  await mock.listen(options.port ?? 0);
  return mock;
}

class Mock {
  constructor(state, prefix = '/chatbox') {
    this.state = state;
    this.prefix = prefix === '/' ? '' : prefix;
    this.http = createServer((q, s) => void this.onRequest(q, s));
    this.sockets = new WebSocketServer({
      noServer: true,
      handleProtocols: () => 'chatbox.v1',
    });
    this.http.on('upgrade', (q, s, h) => this.onUpgrade(q, s, h));
  }

  async listen(port) {
    await new Promise((done) => this.http.listen(port, '127.0.0.1', done));
    this.port = this.http.address().port;
    this.origin = `http://127.0.0.1:${this.port}`;
    this.link = `${this.origin}${this.prefix}/#token=${userToken()}`;
  }

  async stop() {
    for (const session of this.state.sessions.values()) session.cut?.();
    for (const client of this.sockets.clients) client.close(1012);
    await new Promise((done) => {
      this.http.close(done);
      setTimeout(() => this.http.closeAllConnections(), 50);
    });
  }

  async onRequest(request, response) {
    const url = new URL(request.url, this.origin);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    if (!url.pathname.startsWith(`${this.prefix}/`))
      return json(response, 404, { code: 'NOT_FOUND', message: 'no' });
    const path = url.pathname.slice(this.prefix.length + 1);
    if (path.startsWith('shared/'))
      return this.onShared(response, path.slice('shared/'.length));
    if (/^(sessions|models)\b/.test(path))
      return this.onApi(request, response, path, url.searchParams);
    await this.onAsset(response, path || 'index.html');
  }

  async onAsset(response, path) {
    const file = normalize(join(DIST, path));
    const body = file.startsWith(DIST)
      ? await readFile(file).catch(() => undefined)
      : undefined;
    if (!body) return json(response, 404, { code: 'NOT_FOUND' });
    response.writeHead(200, {
      'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
      'Content-Security-Policy': CSP,
      'X-Frame-Options': 'DENY',
      'Referrer-Policy': 'strict-origin-when-cross-origin',
    });
    response.end(body);
  }

  async onApi(request, response, path, query) {
    const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '');
    const user = bearer && userOf(bearer[1]);
    if (!user)
      return json(response, 401, { code: 'INVALID_TOKEN', message: 'token' });
    const [room, id, verb] = path.split('/');
    if (room === 'models') return json(response, 200, { models: MODELS });
    if (!id) return json(response, 200, this.list(user, query));
    const session = this.state.sessions.get(id);
    if (session?.user !== user || !session.stored)
      return json(response, 404, { code: 'NOT_FOUND', message: 'Not found' });
    const body = JSON.parse((await bodyOf(request)) || '{}');
    const calls = { GET: 'read', PATCH: 'patch', DELETE: 'remove' };
    const unshare = verb === 'share' && request.method === 'DELETE';
    const call = unshare ? 'unshare' : (verb ?? calls[request.method]);
    session[call](response, body, query);
  }

  onShared(response, token) {
    const all = [...this.state.sessions.values()];
    const found = all.find((s) => s.shareToken === token);
    if (!found) return json(response, 404, { code: 'NOT_FOUND' });
    const { name } = found.item();
    json(response, 200, { name, session_id: token, messages: found.messages });
  }

  list(user, query) {
    const q = (query.get('q') ?? '').toLowerCase();
    const limit = Number(query.get('limit') ?? 20);
    const from = Number(query.get('cursor') ?? 0);
    const all = [...this.state.sessions.values()]
      .filter((s) => s.user === user && s.stored)
      .filter((s) => s.texts().some((t) => t.toLowerCase().includes(q)))
      .sort((a, b) => b.last.localeCompare(a.last));
    const sessions = all.slice(from, from + limit).map((s) => s.item());
    const more = from + limit < all.length;
    return { sessions, next_cursor: more ? String(from + limit) : undefined };
  }

  onUpgrade(request, socket, head) {
    const url = new URL(request.url, this.origin);
    const protocols = request.headers['sec-websocket-protocol'] ?? '';
    const token = /bearer\.([^,\s]+)/.exec(protocols)?.[1];
    const user = token && userOf(token);
    if (!user) return socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n');
    this.sockets.handleUpgrade(request, socket, head, (ws) =>
      this.attach(ws, user, url.searchParams),
    );
  }

  attach(ws, user, query) {
    const asked = query.get('session_id');
    let session = this.state.sessions.get(asked);
    if (session?.user !== user) session = new Session(this.state, user);
    session.attach(ws, query, asked);
  }
}

class Session {
  constructor(state, user) {
    Object.assign(this, { state, user, id: newId(), epoch: newId() });
    Object.assign(this, { seq: 0, messages: [], outlets: new Set() });
    Object.assign(this, { waiting: [], model: 'alpha', active: true });
    this.start = this.last = now();
    state.sessions.set(this.id, this);
  }

  item() {
    return {
      id: this.id,
      session_id: this.id,
      name: this.name ?? this.messages[0]?.content.slice(0, 60) ?? '',
      model_id: this.model,
      start_time: this.start,
      last_activity: this.last,
      is_active: this.active,
      message_count: this.messages.length,
    };
  }

  read(response, _body, query) {
    const before = Number(query.get('before_seq') ?? Infinity);
    const limit = Number(query.get('limit') ?? 200);
    const all = this.messages.filter((m) => m.seq < before);
    const page = all.slice(-limit);
    json(response, 200, {
      ...this.item(),
      messages: page,
      next_before_seq: page.length < all.length ? page[0].seq : undefined,
    });
  }

  patch(response, body) {
    this.name = body.name ?? this.name;
    json(response, 200, this.item());
  }

  remove(response) {
    this.state.sessions.delete(this.id);
    this.stopRunning?.('cancelled');
    for (const ws of this.outlets) ws.close(4410);
    response.writeHead(204).end();
  }

  end(response) {
    this.active = false;
    const metadata = { event: 'session_ended' };
    this.tell({ type: 'connection_status', sender: 'system', metadata });
    json(response, 200, { status: 'ended' });
  }

  share(response) {
    this.shareToken ??= randomBytes(16).toString('hex');
    json(response, 200, { share_token: this.shareToken });
  }

  unshare(response) {
    this.shareToken = undefined;
    response.writeHead(204).end();
  }

  texts() {
    return [this.item().name, ...this.messages.map((m) => m.content ?? '')];
  }

  export(response, body, query) {
    const format = query.get('format') ?? 'json';
    response.writeHead(200, {
      'Content-Disposition': `attachment; filename="chat.${format}"`,
    });
    const text = this.messages.map((m) => `## ${m.sender}\n\n${m.content}\n`);
    if (format === 'md') response.end(text.join('\n'));
    else response.end(JSON.stringify({ messages: this.messages }));
  }

  attach(ws, query, asked) {
    const given = query.has('last_seq');
    const resumed = given && (query.get('epoch') ?? this.epoch) === this.epoch;
    ws.send(JSON.stringify(this.status(resumed, asked)));
    if (resumed) this.replay(ws, Number(query.get('last_seq')));
    this.outlets.add(ws);
    ws.on('close', () => this.outlets.delete(ws));
    ws.on('message', (data) => this.onFrame(ws, JSON.parse(data)));
  }

  status(resumed, asked) {
    const lost = asked && asked !== this.id;
    return {
      type: 'connection_status',
      session_id: this.id,
      user_id: this.user,
      sender: 'system',
      models: MODELS,
      model_id: this.model,
      seq: this.seq,
      epoch: this.epoch,
      resumed,
      admin_assisted: false,
      help_requested: this.help === true,
      metadata: lost ? { requested_session_id: asked } : undefined,
    };
  }

  replay(ws, lastSeq) {
    for (const m of this.messages.filter((m) => m.seq > lastSeq))
      ws.send(
        JSON.stringify({
          ...m,
          metadata: { replay: 'true', streaming: 'true', done: 'true' },
        }),
      );
    if (this.running) ws.send(JSON.stringify(this.snapshot()));
  }

  snapshot() {
    return {
      type: 'ai_response',
      sender: 'ai',
      message_id: this.running.message_id,
      reply_to: this.running.reply_to,
      content: this.running.content,
      metadata: { streaming: 'true', done: 'false', snapshot: 'true' },
    };
  }

  tell(frame, except) {
    const text = JSON.stringify({
      session_id: this.id,
      timestamp: now(),
      ...frame,
    });
    for (const ws of this.outlets) if (ws !== except) ws.send(text);
  }

  onFrame(ws, frame) {
    const answer = (f) => ws.send(JSON.stringify({ session_id: this.id, ...f }));
    const handlers = {
      ping: () => answer({ type: 'pong' }),
      cancel: () => this.stopRunning?.('cancelled'),
      user_message: () => this.onMessage(ws, frame, answer),
      regenerate: () => this.onRegenerate(frame),
      model_select: () => this.onModel(frame),
      help_request: () => this.onHelp(),
    };
    handlers[frame.type]?.();
  }

  onModel(frame) {
    this.model = frame.model_id;
    const name = MODELS.find((m) => m.id === this.model)?.name;
    this.tell({
      type: 'connection_status',
      model_id: this.model,
      content: `Model changed to ${name}`,
    });
  }

  onHelp() {
    this.help = true;
    this.tell({ type: 'connection_status', help_requested: true });
  }

  onMessage(ws, frame, answer) {
    const { client_id } = frame;
    const twin = this.messages.find((m) => m.client_id === client_id);
    if (!twin && this.state.messages-- <= 0) {
      this.state.messages = 1;
      const error = { code: 'TOO_MANY_REQUESTS', message: 'slow down' };
      Object.assign(error, { recoverable: true, retry_after: 2000 });
      return answer({ type: 'error', client_id, error });
    }
    const acked = twin ?? this.store({ ...frame, sender: 'user' });
    const { message_id, seq } = acked;
    this.stored = this.active = true;
    answer({ type: 'ack', client_id, message_id, seq });
    if (twin) return;
    this.tell(acked, ws);
    if (/\boperator\b/.test(frame.content)) {
      const metadata = { admin_id: 'grace', admin_name: 'Grace' };
      return this.tell({ type: 'admin_join', metadata });
    }
    this.waiting.push({ question: acked });
    this.next();
  }

  onRegenerate({ message_id }) {
    const target = this.messages.find((m) => m.message_id === message_id);
    const question =
      target?.sender === 'ai'
        ? this.messages.find((m) => m.message_id === target.reply_to)
        : target;
    if (!question) return;
    if (target !== question) target.superseded = true;
    const replaces = target === question ? undefined : message_id;
    this.waiting.push({ question, replaces });
    this.next();
  }

  store(message) {
    const stored = { message_id: newId(), ...message, seq: ++this.seq };
    stored.timestamp = this.last = now();
    this.messages.push(stored);
    return stored;
  }

  next() {
    if (this.running || this.waiting.length === 0) return;
    void this.turn(this.waiting.shift());
  }

  async turn({ question, replaces }) {
    const play = plan(question.content, this.model);
    const about = {
      message_id: newId(),
      reply_to: question.message_id,
      replaces,
    };
    const run = { ...about, content: '', begin: Date.now() };
    this.running = run;
    let finish;
    this.stopRunning = (reason) => (finish ??= reason);
    this.cut = () => (finish ??= 'interrupted');
    this.tell({ type: 'loading', ...about, replaces: undefined });
    await this.stream(play, run, about, () => finish);
    if (play.status && !finish) this.fail(about);
    else this.finish(run, about, finish ?? (play.cut ? 'interrupted' : 'stop'));
    this.running = this.stopRunning = this.cut = undefined;
    this.next();
  }

  async stream(play, run, about, finished) {
    let chunk = 0;
    await new Promise((done) => setTimeout(done, 150));
    for (const content of play.pieces) {
      if (play.delayMs > 1 || chunk % 20 === 0)
        await new Promise((done) => setTimeout(done, play.delayMs));
      if (finished()) return;
      run.content += content;
      this.tell({
        type: 'ai_response',
        sender: 'ai',
        ...about,
        content,
        chunk: chunk++,
        model_id: this.model,
        metadata: { streaming: 'true', done: 'false' },
      });
    }
  }

  fail({ message_id }) {
    const error = { code: 'LLM_UNAVAILABLE', message: 'not now' };
    Object.assign(error, { recoverable: true, retry_after: 3000 });
    this.tell({ type: 'error', message_id, error });
  }

  finish(run, about, finish_reason) {
    const tokens = Math.ceil(run.content.length / 4);
    const { content, ...end } = this.store({
      type: 'ai_response',
      sender: 'ai',
      ...about,
      content: run.content,
      model_id: this.model,
      status: { cancelled: 'cancelled', interrupted: 'interrupted' }[
        finish_reason
      ] ?? 'complete',
      finish_reason,
      duration_ms: Date.now() - run.begin,
      usage: {
        prompt_tokens: 10,
        completion_tokens: tokens,
        total_tokens: tokens + 10,
      },
    });
    this.tell({ ...end, metadata: { streaming: 'true', done: 'true' } });
  }
}

function json(response, status, body) {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(body));
}

async function bodyOf(request) {
  let body = '';
  for await (const part of request) body += part;
  return body;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const mock = await startMock({ port: Number(process.env.PORT ?? 0) });
  console.log(mock.link);
}
