// SPDX-License-Identifier: MIT
// What the page promises when the network, the server or the token goes away,
// and when one conversation is open on two devices. Two browser contexts are
// two devices: they share nothing but the user.
import { startLine } from '../support/line.mjs';
import { startServer } from '../support/server.mjs';
import { signToken } from '../support/token.mjs';
import { Chat, expect, test } from '../support/test.mjs';

/** With a server of its own, which the test may stop and set as it likes. */
const alone = test.extend({
  env: [{}, { option: true }],
  own: async ({ env }, use) => {
    const server = await startServer({ env });
    await use(server);
    await server.dispose();
  },
  chat: async ({ page, own }, use) => {
    const chat = new Chat(page);
    await chat.open(own.link);
    await use(chat);
  },
});

/** A device that reaches the server by a line that the test can cut. */
const wired = test.extend({
  line: async ({ server }, use) => {
    const line = await startLine(server.link);
    await use(line);
    line.stop();
  },
  chat: async ({ page, line }, use) => {
    const chat = new Chat(page);
    await chat.open(line.link);
    await use(chat);
  },
});

/** The same person at another device, in the chat that `chat` shows. */
const anotherDevice = async (browser, link, chat) =>
  chat.beside(await browser.newContext(), link);

/** What the server has of the chat at that address, oldest first. */
async function stored(server, url) {
  const [address, token] = server.link.split('#token=');
  const id = /session=(\w+)/.exec(url)[1];
  const answer = await fetch(new URL(`sessions/${id}`, address), {
    headers: { Authorization: `Bearer ${token}` },
  });
  return (await answer.json()).messages;
}

async function storedQuestions(server, url) {
  const messages = await stored(server, url);
  return messages.filter((m) => m.sender === 'user').map((m) => m.content);
}

/** The page notices after some seconds, and comes back when it tries next. */
const PATIENT = { timeout: 30_000 };

test('the text so far is there at once after a reload', async ({
  chat,
  page,
}) => {
  const question = 'something slow for a quick reload';
  await chat.send(question);
  await expect(chat.answers.last()).toContainText('step40');
  await page.reload();
  // The first text that is shown at all, not what it has grown to since.
  const first = await page.waitForFunction(() => {
    const app = document.querySelector('chatbox-app');
    const chat = app?.shadowRoot?.querySelector('chatbox-chat');
    const text = chat?.shadowRoot?.querySelector('.answer chatbox-markdown');
    return text?.shadowRoot?.querySelector('.body')?.textContent;
  });
  expect(await first.jsonValue()).toContain('step15');
  await expect(chat.answers.last()).toContainText('step60');
  await chat.box.press('Escape');
  await chat.settled();
  expect(await chat.steps()).toBeGreaterThan(60);
  await expect(chat.questions).toHaveText([question]);
  await expect(chat.answers).toHaveCount(1);
});

test('an answer goes on after the network was away in its middle', async ({
  chat,
  page,
  context,
}) => {
  await chat.send('something slow while the network goes');
  await expect(chat.answers.last()).toContainText('step10');
  await context.setOffline(true);
  await expect(page.getByText('You are offline.')).toBeVisible(PATIENT);
  expect(await chat.text()).toContain('step10');
  const kept = await chat.steps();
  await context.setOffline(false);
  await expect(page.getByText('You are offline.')).toBeHidden(PATIENT);
  await expect(chat.answers.last()).toContainText(`step${kept + 20} `, PATIENT);
  await chat.box.press('Escape');
  await chat.settled();
  expect(await chat.steps()).toBeGreaterThan(kept + 20);
  await expect(chat.answers).toHaveCount(1);
});

test('what is written offline waits, and is sent once', async ({
  chat,
  page,
  context,
  server,
}) => {
  await chat.ask('while there is a network');
  await context.setOffline(true);
  await chat.send('one without a network');
  await chat.send('two without a network');
  await expect(page.getByText('Will be sent when')).toHaveCount(
    2,
    PATIENT,
  );
  await expect(chat.answers).toHaveCount(1);
  await context.setOffline(false);
  await expect(chat.answers).toHaveCount(3, PATIENT);
  await chat.settled();
  await expect(page.getByText('Will be sent when')).toHaveCount(0);
  const said = [
    'while there is a network',
    'one without a network',
    'two without a network',
  ];
  await expect(chat.questions).toHaveText(said);
  expect(await storedQuestions(server, page.url())).toEqual(said);
});

wired('a message whose acknowledgement was lost is stored once', async ({
  chat,
  line,
  page,
  server,
}) => {
  await chat.ask('heard');
  line.holdAnswers();
  await chat.send('heard, but nobody says so');
  await expect(page.getByText('Being sent')).toBeVisible();
  await expect
    .poll(async () => (await stored(server, page.url())).length)
    .toBe(4);
  line.cut();
  await expect(page.getByText('Will be sent when')).toBeVisible();
  line.mend();
  await expect(chat.answers).toHaveCount(2, PATIENT);
  await chat.settled();
  const said = ['heard', 'heard, but nobody says so'];
  await expect(chat.questions).toHaveText(said);
  expect(await storedQuestions(server, page.url())).toEqual(said);
  expect(await stored(server, page.url())).toHaveLength(4);
});

wired('the first message of a chat survives a cut line and a reload', async ({
  chat,
  line,
  page,
  server,
}) => {
  await expect(page.locator('.notice')).toHaveCount(0);
  line.cut();
  await expect(page.getByText('cannot be reached')).toBeVisible();
  await chat.send('the very first words');
  await expect(page.getByText('Will be sent when')).toBeVisible();
  await expect.poll(() => page.url()).toContain('session=');
  const address = page.url();
  // Away and back: a reload that the old page cannot forestall.
  await page.goto('about:blank');
  line.mend();
  await page.goto(address);
  await expect(chat.answers).toHaveCount(1, PATIENT);
  await chat.settled();
  await expect(chat.questions).toHaveText(['the very first words']);
  expect(await storedQuestions(server, page.url())).toEqual([
    'the very first words',
  ]);
});

wired('what waits is sent though another chat was opened', async ({
  chat,
  line,
  page,
  server,
}) => {
  await chat.ask('a chat to be left');
  const address = page.url();
  line.cut();
  await expect(page.getByText('cannot be reached')).toBeVisible();
  await chat.send('left waiting here');
  await chat.newChat();
  line.mend();
  await chat.send('something else meanwhile');
  await chat.settled(30_000);
  const said = ['a chat to be left', 'left waiting here'];
  await expect
    .poll(() => storedQuestions(server, address), PATIENT)
    .toEqual(said);
  await page.goto(address);
  await expect(chat.questions).toHaveText(said);
  await expect(chat.answers).toHaveCount(2);
});

wired('a device that missed whole turns catches up in order', async ({
  browser,
  chat: away,
  line,
  page,
  server,
}) => {
  await away.ask('seen by both');
  const other = await anotherDevice(browser, server.link, away);
  await expect(other.answers).toHaveCount(1);
  line.cut();
  await expect(page.getByText('cannot be reached')).toBeVisible();
  await other.ask('missed one');
  await other.ask('missed two');
  await other.page
    .getByRole('button', { name: 'Write another answer' })
    .click();
  await expect(other.page.getByText('One earlier version')).toBeVisible();
  await other.settled();
  await expect(away.answers).toHaveCount(1);
  line.mend();
  await expect(away.questions).toHaveText(
    ['seen by both', 'missed one', 'missed two'],
    PATIENT,
  );
  await expect(away.answers).toHaveCount(3);
  await away.settled();
  await expect(page.getByText('One earlier version')).toBeVisible();
  expect(await away.text()).toBe(await other.text());
  await other.page.context().close();
});

test('two devices show one stream, and each can stop it', async ({
  chat,
  browser,
  server,
}) => {
  await chat.send('something slow for two devices');
  await expect(chat.answers.last()).toContainText('step10');
  const other = await anotherDevice(browser, server.link, chat);
  await expect(other.answers.last()).toContainText('step30');
  await other.send('asked from the other one');
  await expect(chat.questions.last()).toHaveText('asked from the other one');
  await other.stop.click();
  await expect(chat.answers).toHaveCount(2);
  await chat.settled();
  await other.settled();
  expect(await textsOf(other)).toEqual(await textsOf(chat));
  await expect(chat.answers.first()).toContainText('Stopped.');
  await expect(other.answers.first()).toContainText('Stopped.');
  await other.page.context().close();
});

/** All answers that a device shows. */
function textsOf(device) {
  return device.page
    .locator('.answer chatbox-markdown')
    .evaluateAll((all) =>
      all.map((e) => e.shadowRoot.querySelector('.body').textContent),
    );
}

for (const [how, end] of [
  ['a restart', (server) => server.stop()],
  ['a kill', (server) => server.kill()],
])
  alone(`${how} in mid-answer leaves two devices alike`, async ({
    chat,
    page,
    browser,
    own: server,
  }) => {
    await chat.send('something slow on two devices');
    await expect(chat.answers.last()).toContainText('step0'); // so it is stored
    const other = await anotherDevice(browser, server.link, chat);
    await expect(chat.answers.last()).toContainText('step30');
    await expect(other.answers.last()).toContainText('step30');
    const ended = end(server);
    await chat.stop.click({ timeout: 5_000 }).catch(() => {});
    await ended;
    await other.send('written while there was no server');
    await server.start();
    for (const device of [chat, other]) {
      await expect(device.answers).toHaveCount(2, PATIENT);
      await device.settled();
      await expect(device.answers.first()).toContainText(
        /Stopped|interrupted/,
      );
      await expect(device.answers.last()).toContainText('no server');
    }
    expect(await textsOf(other)).toEqual(await textsOf(chat));
    expect(await storedQuestions(server, page.url())).toEqual([
      'something slow on two devices',
      'written while there was no server',
    ]);
    await other.page.context().close();
  });

alone.describe('one connection for a session', () => {
  alone.use({ env: { SESSION_CONNECTIONS: 'one' } });

  alone('the older device is told, and can take the chat back', async ({
    chat,
    page,
    browser,
    own: server,
  }) => {
    await chat.ask('on the first device');
    const other = await anotherDevice(browser, server.link, chat);
    await expect(other.answers).toHaveCount(1);
    await expect(page.getByText('continued in another place')).toBeVisible();
    await other.ask('on the second device');
    await page.getByRole('button', { name: 'Use it here' }).click();
    await expect(chat.answers).toHaveCount(2);
    await expect(
      other.page.getByText('continued in another place'),
    ).toBeVisible();
    await chat.ask('on the first one again');
    await expect(other.answers).toHaveCount(2);
    await other.page.context().close();
  });
});

alone.describe('a token that expires', () => {
  alone.use({ env: { JWT_LEEWAY: '0s' } });

  const linkFor = (server, seconds) =>
    server.link.replace(/#.*/, `#token=${signToken({ seconds })}`);

  /** As a person who opens another link in the same tab. */
  const open = (page, link) =>
    page.evaluate((hash) => (location.hash = hash), new URL(link).hash);

  alone('is told, renewed by a new link, and breaks no answer', async ({
    page,
    own: server,
  }) => {
    let sockets = 0;
    page.on('websocket', () => sockets++);
    const chat = new Chat(page);
    await chat.open(linkFor(server, 600));
    await chat.send('something slow past the end of the token');
    await open(page, linkFor(server, 4));
    const notice = page.getByText('Your sign-in has expired');
    await expect(notice).toBeVisible(PATIENT);
    // The list is fetched anew and refused; the open chat must not mind.
    const refused = page.waitForResponse((r) => r.status() === 401);
    await page.evaluate(() => dispatchEvent(new Event('focus')));
    await refused;
    await chat.box.fill('half a thought');
    const steps = await chat.steps();
    await expect(chat.answers.last()).toContainText(`step${steps + 10} `);
    await open(page, linkFor(server, 600));
    await expect(notice).toBeHidden();
    await expect(chat.box).toHaveValue('half a thought');
    await chat.stop.click();
    await chat.settled();
    expect(await chat.steps()).toBeGreaterThan(steps + 10);
    await chat.ask('with the new token');
    expect(sockets).toBe(1);
  });

  alone('leads to the sign-in, and what was written is kept', async ({
    page,
    own: server,
  }) => {
    const chat = new Chat(page);
    await chat.open(linkFor(server, 600));
    await chat.ask('before the token ends');
    await chat.box.fill('half a thought');
    await open(page, linkFor(server, 4));
    await page.getByRole('button', { name: 'Sign in again' }).click(PATIENT);
    const told = page.getByRole('heading', { name: 'Your sign-in has expired' });
    await expect(told).toBeVisible();
    const field = page.getByRole('textbox', { name: 'Link or token' });
    await field.fill(linkFor(server, 600));
    await field.press('Enter');
    await expect(chat.questions).toHaveText(['before the token ends']);
    await expect(chat.box).toHaveValue('half a thought');
    await chat.ask('after it');
  });
});

test('a new link in mid-answer is not overlooked', async ({
  chat,
  page,
}) => {
  await chat.send('something slow while a link is pasted');
  await expect(chat.answers.last()).toContainText('step2');
  const token = signToken({ seconds: 600 });
  const taken = page.waitForRequest(
    (r) => r.headers().authorization === `Bearer ${token}`,
    PATIENT,
  );
  // Between the new fragment and the event that tells of it, the page draws.
  await page.evaluate((hash) => {
    const frame = globalThis.requestAnimationFrame;
    globalThis.requestAnimationFrame = (draw) =>
      frame((now) => {
        globalThis.requestAnimationFrame = frame;
        location.hash = hash;
        draw(now);
      });
  }, `#token=${token}`);
  await taken;
  await expect.poll(() => page.url()).toContain('#session=');
  await chat.stop.click();
  await chat.settled();
});

test('a draft survives a reload and a look at another chat', async ({
  chat,
  page,
}) => {
  const [one, two] = ['draft here', 'no draft here'];
  await chat.ask(one);
  await chat.newChat();
  await chat.ask(two);
  await chat.list.getByRole('link', { name: one, exact: true }).first().click();
  await expect(chat.questions).toHaveText([one]);
  await chat.box.fill('half\na thought');
  await chat.list.getByRole('link', { name: two }).first().click();
  await expect(chat.questions).toHaveText([two]);
  await expect(chat.box).toHaveValue('');
  await chat.list.getByRole('link', { name: one, exact: true }).first().click();
  await expect(chat.box).toHaveValue('half\na thought');
  await page.reload();
  await expect(chat.box).toHaveValue('half\na thought');
  await chat.box.press('Enter');
  await expect(chat.questions.last()).toHaveText('half\na thought');
  await page.reload();
  await expect(chat.questions).toHaveCount(2);
  await expect(chat.box).toHaveValue('');
});
