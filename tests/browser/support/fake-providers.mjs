// SPDX-License-Identifier: MIT
// Three services, each in the form of one kind of provider: OpenAI's chat
// completions, Anthropic's Messages API, and a Dify app, which keeps its
// conversations itself. What is asked beyond its form is refused, so that no
// test passes by accident. What they answer is the test's: a play gets a
// Speaker and may wait between two of its words for whatever it wants.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

const NOW = 'The message to answer now:\n\n';
const FORMS = {};

/** Gives a service of that kind: its `endpoint`, what it was `asked`. */
export async function startProvider(kind) {
  const provider = new Provider(kind);
  const { server } = provider;
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  provider.endpoint = `http://127.0.0.1:${server.address().port}/v1`;
  return provider;
}

class Provider {
  constructor(kind) {
    this.kind = kind;
    this.form = FORMS[kind];
    this.asked = []; // the bodies, oldest first
    this.conversations = new Map(); // Dify's, with their users
    this.play = (speaker, question) =>
      speaker.say(`${kind} answers `, `“${question}”.`).end();
    this.server = createServer((request, response) => {
      let body = '';
      request.on('data', (part) => (body += part));
      request.on('end', () => this.answer(request, body, response));
    });
  }

  /** As if its process had been killed: nothing more comes, nobody is let in. */
  kill() {
    this.server.closeAllConnections();
    this.server.close();
  }

  answer(request, text, response) {
    const body = JSON.parse(text);
    const fault = this.form.fault(request, body, this);
    if (fault) {
      response.writeHead(400, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify(this.form.error(fault)));
      return;
    }
    this.asked.push(body);
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    const speaker = new Speaker(this.form.voice(body, this), response);
    void this.play(speaker, this.form.question(body));
  }
}

/** One answer on its way. */
class Speaker {
  constructor(voice, response) {
    Object.assign(this, { voice, response, pieces: 0 });
    this.send(voice.begin);
  }

  say(...pieces) {
    for (const piece of pieces) this.send(this.voice.text(piece));
    this.pieces += pieces.length;
    return this;
  }

  end() {
    this.send(this.voice.end(this.pieces));
    this.response.end();
  }

  send(events) {
    for (const [name, data] of events)
      this.response.write(
        (name ? `event: ${name}\n` : '') +
          `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`,
      );
  }
}

const asked = (request, path) =>
  request.method !== 'POST' || request.url !== path ? `not ${path}` : '';

const lastUser = ({ messages }) =>
  messages.filter((m) => m.role === 'user').at(-1).content;

FORMS.openai = {
  fault: ({ method, url, headers }, { stream, messages }) =>
    asked({ method, url }, '/v1/chat/completions') ||
    (headers.authorization !== 'Bearer openai-key' && 'a wrong key') ||
    ((stream !== true || !messages?.length) && 'no messages to stream for'),
  error: (message) => ({ error: { message, type: 'invalid_request_error' } }),
  question: lastUser,

  voice({ model, stream_options }) {
    const chunk = (choices, more) => [
      '',
      { id: 'c', object: 'chat.completion.chunk', model, choices, ...more },
    ];
    const choice = (delta, finish_reason = null) =>
      chunk([{ index: 0, delta, finish_reason }]);
    const usage = (n) => ({
      usage: { prompt_tokens: 9, completion_tokens: n, total_tokens: 9 + n },
    });
    return {
      begin: [choice({ role: 'assistant', content: '' })],
      text: (content) => [choice({ content })],
      end: (n) => [
        choice({}, 'stop'),
        ...(stream_options?.include_usage ? [chunk([], usage(n))] : []),
        ['', '[DONE]'],
      ],
    };
  },
};

/** The two take turns, and the user begins and ends. */
const alternates = (messages) =>
  messages.length % 2 === 1 &&
  messages.every((m, i) => m.role === (i % 2 ? 'assistant' : 'user'));

FORMS.anthropic = {
  fault: ({ method, url, headers }, { stream, max_tokens, messages }) =>
    asked({ method, url }, '/v1/messages') ||
    (headers['x-api-key'] !== 'anthropic-key' && 'a wrong key') ||
    (!headers['anthropic-version'] && 'no version') ||
    (!(max_tokens > 0) && 'no max_tokens') ||
    ((stream !== true || !alternates(messages)) && 'roles do not alternate'),
  error: (message) => ({
    type: 'error',
    error: { type: 'invalid_request_error', message },
  }),
  question: lastUser,

  voice({ model }) {
    const event = (type, more) => [type, { type, ...more }];
    const message = {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model,
      content: [],
      stop_reason: null,
      usage: { input_tokens: 9, output_tokens: 1 },
    };
    const content_block = { type: 'text', text: '' };
    const delta = { stop_reason: 'end_turn', stop_sequence: null };
    return {
      begin: [
        event('message_start', { message }),
        event('content_block_start', { index: 0, content_block }),
        event('ping'),
      ],
      text: (text) => [
        event('content_block_delta', {
          index: 0,
          delta: { type: 'text_delta', text },
        }),
      ],
      end: (output_tokens) => [
        event('content_block_stop', { index: 0 }),
        event('message_delta', { delta, usage: { output_tokens } }),
        event('message_stop'),
      ],
    };
  },
};

FORMS.dify = {
  fault: ({ method, url, headers }, body, { conversations }) =>
    asked({ method, url }, '/v1/chat-messages') ||
    (headers.authorization !== 'Bearer app-dify-key' && 'a wrong key') ||
    (body.response_mode !== 'streaming' && 'not streaming') ||
    ((!body.query || !body.user || !body.inputs) && 'something is missing') ||
    (body.conversation_id &&
      conversations.get(body.conversation_id) !== body.user &&
      'Conversation Not Exists.'),
  error: (message) => ({ code: 'invalid_param', message, status: 400 }),
  question: ({ query }) => query.split(NOW).at(-1),

  voice({ conversation_id, user }, { conversations }) {
    const conversation = conversation_id || randomUUID();
    conversations.set(conversation, user);
    const ids = {
      task_id: randomUUID(),
      message_id: randomUUID(),
      conversation_id: conversation,
    };
    const event = (name, more) => ['', { event: name, ...ids, ...more }];
    const usage = (n) => ({
      prompt_tokens: 9,
      completion_tokens: n,
      total_tokens: 9 + n,
    });
    return {
      begin: [],
      text: (answer) => [event('message', { answer })],
      end: (n) => [event('message_end', { metadata: { usage: usage(n) } })],
    };
  },
};
