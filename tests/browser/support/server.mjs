// SPDX-License-Identifier: MIT
// Starts what is under test, and nothing else knows how: the real server
// (CHATBOX_BIN, default build/chatbox) with a scripted fake model behind it,
// or, with CHATBOX_MOCK=1, the mock of this folder.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { newState, startMock } from '../mock/server.mjs';
import { startFakeModel } from './fake-model.mjs';
import { SECRET } from './token.mjs';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const BINARY = resolve(process.env.CHATBOX_BIN ?? join(ROOT, 'build/chatbox'));
const START_MS = 15_000;
const STOP_MS = 10_000;
// A bucket of two has room again after half of it: a third comes before, also from
// a page that is slow.
const WINDOW_S = 12;

/**
 * Gives { link, stop(), start() }: `link` opens the page with a user's token;
 * stop() and start() again keep the port and the data, as a restart does;
 * kill() is a stop without any warning; dispose() ends everything. `prefix`
 * is the path prefix, `messages` how many a user may send in `WINDOW_S`,
 * `env` more settings (the mock has none).
 */
export async function startServer(options = {}) {
  const Server = process.env.CHATBOX_MOCK === '1' ? MockServer : RealServer;
  const server = new Server({
    prefix: '/chatbox',
    messages: 10_000,
    env: {},
    ...options,
  });
  await server.prepare();
  await server.start();
  return server;
}

class MockServer {
  constructor(options) {
    Object.assign(this, options, { state: newState(), port: 0 });
  }

  async prepare() {}

  async start() {
    const { prefix, state, port, messages } = this;
    this.mock = await startMock({ prefix, state, port, messages });
    this.port = this.mock.port;
    this.link = this.mock.link;
  }

  async stop() {
    await this.mock.stop();
  }

  async kill() {
    await this.mock.stop();
  }

  async dispose() {
    await this.stop();
  }
}

class RealServer {
  constructor(options) {
    Object.assign(this, options, { port: 0, log: '' });
  }

  async prepare() {
    if (!existsSync(BINARY))
      throw new Error(`${BINARY} is not built; set CHATBOX_BIN, or make`);
    this.folder = mkdtempSync(join(tmpdir(), 'chatbox-browser-'));
    this.model = await startFakeModel();
  }

  environment() {
    const env = { PATH: process.env.PATH, HOME: this.folder };
    ['Alpha', 'Beta'].forEach((name, i) => {
      const row = { ID: name.toLowerCase(), NAME: name, TYPE: 'openai' };
      row.MODEL = row.ID;
      row.API_KEY = 'scripted-model-key';
      row.ENDPOINT = this.model.endpoint;
      for (const [key, value] of Object.entries(row))
        env[`LLM_PROVIDER_${i + 1}_${key}`] = value;
    });
    return {
      ...env,
      CHATBOX_PATH_PREFIX: this.prefix,
      LLM_RETRY_ATTEMPTS: '1',
      // One address and one user do all of the tests.
      PUBLIC_RATE_LIMIT: '10000',
      USER_HTTP_RATE_LIMIT: '10000',
      RATE_LIMIT: String(this.messages),
      RATE_LIMIT_WINDOW: `${WINDOW_S}s`,
      MAX_CONNECTIONS_PER_USER: '100',
      JWT_SECRET: SECRET,
      ...this.env,
    };
  }

  async start() {
    const args = ['dev', '--port', String(this.port)];
    const child = spawn(BINARY, args, {
      cwd: this.folder,
      env: this.environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    this.ended = new Promise((done) => child.once('exit', done));
    child.stderr.on('data', (part) => (this.log += part));
    this.link = await this.readLink(child);
    this.port = Number(new URL(this.link).port);
  }

  /** The first link on standard output is the user's. */
  readLink(child) {
    return new Promise((done, fail) => {
      let text = '';
      const give = (reason) =>
        fail(new Error(`${reason}; its log:\n${this.log}\n${text}`));
      const timer = setTimeout(() => give('no link in time'), START_MS);
      child.once('error', (error) => give(error.message));
      child.once('exit', (code) => give(`the server ended with ${code}`));
      child.stdout.on('data', (part) => {
        text += part;
        const link = /https?:\/\/\S+#token=[\w.-]+(?=\s)/.exec(text);
        if (!link) return;
        clearTimeout(timer);
        done(link[0]);
      });
    });
  }

  async stop() {
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
    await this.ended;
    clearTimeout(timer);
  }

  async kill() {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  async dispose() {
    await this.stop();
    this.model.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
