// SPDX-License-Identifier: MIT
// A database that the older system has left behind (older.py), and the command
// that moves what is in it.
import { execFile, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const SCRIPT = fileURLToPath(new URL('older.py', import.meta.url));

/** Gives { env, texts, stop() }: `env` is for a server that reads it. */
export async function startOlderDatabase() {
  const child = spawn(`${ROOT}.venv/bin/python`, [SCRIPT], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise((done) => child.once('exit', done));
  const told = await firstLine(child.stdout, ended);
  const { uri, key, texts } = JSON.parse(told);
  const env = { STORE: 'mongo', MONGO_URI: uri, ENCRYPTION_KEY: key };
  const stop = async () => {
    child.stdin.end();
    await ended;
  };
  return { env, texts, stop };
}

function firstLine(stream, ended) {
  return new Promise((done, fail) => {
    let text = '';
    stream.on('data', (part) => {
      text += part;
      if (text.includes('\n')) done(text.split('\n')[0]);
    });
    ended.then((code) => fail(new Error(`older.py ended with ${code}`)));
  });
}

/** `chatbox migrate`; gives { code, stdout }. */
export function migrate(binary, env, ...options) {
  return new Promise((done) => {
    execFile(binary, ['migrate', ...options], { env }, (error, stdout) =>
      done({ code: error?.code ?? 0, stdout }),
    );
  });
}
