// SPDX-License-Identifier: MIT
// One conversation with models of three kinds of providers, and answers that
// one of them begins and another goes on with. Two browser contexts are two
// devices.
import { startProvider } from '../support/fake-providers.mjs';
import { startServer } from '../support/server.mjs';
import { Chat, expect, test } from '../support/test.mjs';

const NAMES = { openai: 'Opal', anthropic: 'Amber', dify: 'Dune' };
const KEYS = {
  openai: 'openai-key',
  anthropic: 'anthropic-key',
  dify: 'app-dify-key',
};
const PHONE = { width: 375, height: 720 };

/** The settings of provider number `n`, whose id is its kind. */
const row = (n, kind, { endpoint }, more) =>
  Object.fromEntries(
    Object.entries({
      ID: kind,
      NAME: NAMES[kind],
      TYPE: kind,
      MODEL: `${kind}-1`,
      API_KEY: KEYS[kind],
      ENDPOINT: endpoint,
      ...more,
    }).map(([key, value]) => [`LLM_PROVIDER_${n}_${key}`, value]),
  );

/** `kinds` are the server's providers, in its order; `first` and `env` are
 * more settings of the first of them, and of the server. */
const models = test.extend({
  kinds: [['openai', 'anthropic', 'dify'], { option: true }],
  first: [{}, { option: true }],
  env: [{}, { option: true }],
  providers: async ({ kinds }, use) => {
    const started = {};
    for (const kind of kinds) started[kind] = await startProvider(kind);
    await use(started);
    for (const kind of kinds) started[kind].kill();
  },
  own: async ({ kinds, first, env, providers }, use) => {
    const rows = kinds.map((kind, i) =>
      row(i + 1, kind, providers[kind], i === 0 ? first : {}),
    );
    const server = await startServer({ env: Object.assign({}, ...rows, env) });
    await use(server);
    await server.dispose();
  },
  chat: async ({ page, own }, use) => {
    const chat = new Chat(page);
    await chat.open(own.link);
    await use(chat);
  },
});

/** Everything that is shown of the chat: [question, answer, who answered]. */
async function shown(chat) {
  const questions = await chat.questions.allInnerTexts();
  const answers = await chat.answers.all();
  return Promise.all(
    answers.map(async (answer, i) => [
      questions[i]?.trim(),
      (await answer.locator('chatbox-markdown .body').textContent()).trim(),
      (await answer.locator('.usage').textContent()).split(' · ')[0],
    ]),
  );
}

async function expectShown(chat, turns) {
  await expect(chat.answers).toHaveCount(turns.length);
  await chat.settled();
  await expect.poll(() => shown(chat)).toEqual(turns);
}

const said = (messages) => messages.map((m) => [m.role, m.content]);

const told = (turns) =>
  turns.flatMap(([question, answer]) => [
    ['user', question],
    ['assistant', answer],
  ]);

for (const [where, viewport] of [['a desk', undefined], ['a phone', PHONE]]) {
  models.describe(`on ${where}`, () => {
    if (viewport) models.use({ viewport, hasTouch: true, isMobile: true });

    models('a conversation goes from model to model', async ({
      chat,
      page,
      own,
      providers,
      browser,
    }) => {
      const turns = [];
      const ask = async (kind, question) => {
        await chat.model.selectOption(NAMES[kind]);
        await chat.ask(question);
        turns.push([question, `${kind} answers “${question}”.`, NAMES[kind]]);
        await expectShown(chat, turns);
      };
      await ask('openai', 'one');
      await ask('anthropic', 'two');
      await ask('dify', 'three');
      const [first] = providers.openai.asked;
      expect(said(first.messages).at(-1)).toEqual(['user', 'one']);
      const [second] = providers.anthropic.asked;
      expect(said(second.messages)).toEqual(told(turns).slice(0, 3));
      const [third] = providers.dify.asked;
      const [before, now] = third.query.split('The message to answer now:');
      expect(now.trim()).toBe('three');
      for (const [, answer] of turns.slice(0, 2))
        expect(before.split(answer)).toHaveLength(2);
      expect(before.indexOf(turns[0][1])).toBeLessThan(
        before.indexOf(turns[1][1]),
      );

      await page.reload();
      await expectShown(chat, turns);
      await expect(chat.model).toHaveValue('dify');
      await ask('dify', 'four');
      const fourth = providers.dify.asked.at(-1);
      expect(fourth.query).toBe('four');
      expect(providers.dify.conversations.has(fourth.conversation_id)).toBe(true);
      await ask('openai', 'five');
      const fifth = said(providers.openai.asked.at(-1).messages);
      expect(fifth.slice(-9)).toEqual(told(turns).slice(0, 9));
      const other = await chat.beside(await browser.newContext(), own.link);
      await expectShown(other, turns);
      await expect(other.model).toHaveValue('openai');
    });
  });
}

const TEXT = 'The quick brown fox – 速い茶色の狐 – jumps over the lazy dog.';
const HALF = TEXT.indexOf('jumps');
const MOST = TEXT.indexOf('the lazy');

/** What a test opens when it has seen enough; whoever waits goes on then. */
function gate() {
  const it = {};
  it.opened = new Promise((open) => (it.open = open));
  return it;
}

/** Keeps every text that answer number `n` (from 0) is painted with. */
const watch = (chat, n) =>
  chat.page.evaluate((n) => {
    const all = (root, selector) => [
      ...root.querySelectorAll(selector),
      ...[...root.querySelectorAll('*')].flatMap((e) =>
        e.shadowRoot ? all(e.shadowRoot, selector) : [],
      ),
    ];
    globalThis.painted = [];
    const look = () => {
      const answer = all(document, '.answer chatbox-markdown')[n];
      const body = answer?.shadowRoot.querySelector('.body');
      const text = body?.textContent.trim();
      if (text && text !== globalThis.painted.at(-1))
        globalThis.painted.push(text);
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, n);

/** Every one of them was a beginning of the text, longer than the last. The page
 * looks when it paints, which may be after the text is there. */
async function expectOnlyGrown(chat) {
  const look = () => chat.page.evaluate(() => globalThis.painted);
  await expect.poll(async () => (await look()).at(-1)).toBe(TEXT);
  const painted = await look();
  for (const [i, text] of painted.entries()) {
    expect(TEXT.startsWith(text), text).toBe(true);
    expect(text.length).toBeGreaterThan(painted[i - 1]?.length ?? 0);
  }
}

for (const kinds of [
  ['openai', 'anthropic'],
  ['anthropic', 'dify'],
  ['dify', 'openai'],
]) {
  const [one, two] = kinds;
  models.describe(`from ${one} to ${two}`, () => {
    const first = { FALLBACK: two, CONTINUE_ON_FAILURE: 'true' };
    models.use({ kinds, first });

    models('an answer goes on when its provider is killed', async ({
      chat,
      page,
      own,
      providers,
      browser,
    }) => {
      await chat.ask('hello');
      const greeting = ['hello', `${one} answers “hello”.`, NAMES[one]];
      const end = gate();
      providers[one].play = (speaker) =>
        speaker.say(TEXT.slice(0, 5), TEXT.slice(5, HALF));
      providers[two].play = async (speaker) => {
        speaker.say(TEXT.slice(TEXT.indexOf('brown'), MOST));
        await end.opened;
        speaker.say(TEXT.slice(MOST)).end();
      };
      const phone = await browser.newContext({ viewport: PHONE });
      const other = await chat.beside(phone, own.link);
      const devices = [chat, other];
      for (const device of devices) await watch(device, 1);
      await chat.send('about a fox');
      for (const { answers } of devices)
        await expect(answers.nth(1)).toContainText(TEXT.slice(0, HALF).trim());
      providers[one].kill();
      for (const { answers } of devices)
        await expect(answers.nth(1)).toContainText(TEXT.slice(0, MOST).trim());
      end.open();
      const by = `${NAMES[one]}, ${NAMES[two]}`;
      const whole = [greeting, ['about a fox', TEXT, by]];
      for (const device of devices) {
        await expectShown(device, whole);
        await expectOnlyGrown(device);
        await expect(device.answers.locator('.ending')).toHaveCount(0);
      }
      for (const device of [...devices, await chat.beside(phone, own.link)]) {
        await device.page.reload();
        await expectShown(device, whole);
      }
      expect(providers[one].asked).toHaveLength(2);
      expect(providers[two].asked).toHaveLength(1);

      // The one that was chosen is still away: the other one answers at once.
      providers[two].play = (speaker) => speaker.say('Here.').end();
      await expect(chat.model).toHaveValue(one);
      await chat.ask('and now');
      const both = [...whole, ['and now', 'Here.', NAMES[two]]];
      for (const device of devices) await expectShown(device, both);
      await page.reload();
      await expectShown(chat, both);
    });
  });
}

models.describe('with a small budget', () => {
  models.use({ env: { LLM_BUDGET_1_TOKENS_PER_DAY: '40' } });

  models('an answer that exceeds it says so', async ({
    chat,
    page,
    providers,
  }) => {
    providers.openai.play = (speaker) => {
      for (let i = 0; i < 60; i++) speaker.say('word ');
    };
    const words = 'The budget for answers is used up; this is what arrived.';
    const ending = chat.answers.locator('.ending');
    await chat.ask('more than there is');
    await expect(ending).toHaveText(words);
    const [[, text]] = await shown(chat);
    expect(text).toMatch(/^word( word)+$/);
    await chat.send('once more');
    const alert = page.getByRole('alert');
    await expect(alert).toContainText('The budget for answers is used up.');
    await expect(chat.answers).toHaveCount(1);
    await page.reload();
    await expect(ending).toHaveText(words);
    await expect(chat.questions).toHaveText(['more than there is', 'once more']);
    expect(await chat.text()).toContain(text);
  });
});
