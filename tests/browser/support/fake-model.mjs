// SPDX-License-Identifier: MIT
// An OpenAI-compatible endpoint that plays script.mjs, for the real server.
import { createServer } from 'node:http';
import { plan } from './script.mjs';

export async function startFakeModel() {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => (body += part));
    request.on('end', () => void answer(JSON.parse(body || '{}'), response));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return {
    endpoint: `http://127.0.0.1:${server.address().port}/v1`,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function answer({ model, messages = [] }, response) {
  const question = messages.filter((m) => m.role === 'user').at(-1)?.content;
  const play = plan(textOf(question), model);
  if (play.status) {
    response.writeHead(play.status, { 'Content-Type': 'application/json' });
    response.end('{"error":{"message":"not now"}}');
    return;
  }
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  await stream(play, model, response);
}

async function stream(play, model, response) {
  let gone = false;
  response.on('close', () => (gone = true));
  const send = (delta, finish_reason = null, more = {}) =>
    response.write(
      'data: ' +
        JSON.stringify({
          id: 'x',
          object: 'chat.completion.chunk',
          model,
          choices: [{ index: 0, delta, finish_reason }],
          ...more,
        }) +
        '\n\n',
    );
  for (const content of play.pieces) {
    await new Promise((done) => setTimeout(done, play.delayMs));
    if (gone) return;
    send({ content });
  }
  if (play.cut) {
    // Not before the last piece has left: it is to be seen.
    await new Promise((done) => setTimeout(done, 100));
    return response.destroy();
  }
  const completion = play.pieces.length;
  send({}, 'stop', {
    usage: {
      prompt_tokens: 10,
      completion_tokens: completion,
      total_tokens: 10 + completion,
    },
  });
  response.end('data: [DONE]\n\n');
}

function textOf(content) {
  if (typeof content === 'string') return content;
  return (content ?? []).map((part) => part.text ?? '').join('');
}
