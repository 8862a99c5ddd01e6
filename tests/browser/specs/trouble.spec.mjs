// SPDX-License-Identifier: MIT
// What a person is told when something is away, and how it comes back.
import { startServer } from '../support/server.mjs';
import { Chat, expect, test } from '../support/test.mjs';

test('a model that is away is told, and can be asked again', async ({
  chat,
  page,
}) => {
  await chat.send('unavailable today');
  const alert = page.getByRole('alert');
  await expect(alert).toContainText('The model cannot be reached');
  await expect(alert.getByRole('button')).toContainText('Ask again');
  await expect(chat.stop).toHaveCount(0);
  await expect(await chat.ask('another thing')).toContainText('another thing');
});

test('an answer that was cut says so', async ({ chat, page }) => {
  const answer = await chat.ask('a cut answer');
  await expect(answer).toContainText('This answer is cut');
  await expect(answer).toContainText('interrupted; this is what arrived');
  await page.reload();
  await expect(chat.answers).toContainText('interrupted');
  await page.getByRole('button', { name: 'Write another answer' }).click();
  await page.getByText('One earlier version').click();
  await expect(page.locator('.old')).toContainText('interrupted');
});

test('a restart is told, survived, and what was written is sent', async ({
  page,
}) => {
  test.setTimeout(120_000);
  const server = await startServer();
  const chat = new Chat(page);
  try {
    await chat.open(server.link);
    await chat.ask('before the restart');
    await server.stop();
    const notice = page.getByText('The server cannot be reached');
    await expect(notice).toBeVisible();
    await chat.send('written while it was away');
    await expect(page.getByText('Will be sent when')).toBeVisible();
    await server.start();
    // It may have tried by itself before the button was reached.
    const now = page.getByRole('button', { name: 'Try now' });
    await now.click({ timeout: 2_000 }).catch(() => {});
    await expect(notice).toBeHidden();
    await expect(chat.answers).toHaveCount(2);
    await chat.settled();
    await expect(chat.questions).toHaveText([
      'before the restart',
      'written while it was away',
    ]);
  } finally {
    await server.dispose();
  }
});

test('a restart in mid-answer leaves it whole or marked', async ({ page }) => {
  test.setTimeout(120_000);
  const server = await startServer();
  const chat = new Chat(page);
  try {
    await chat.open(server.link);
    await chat.send('something slow to be cut');
    await expect(chat.answers.last()).toContainText('step5');
    const stopped = server.stop();
    await chat.stop.click({ timeout: 5_000 }).catch(() => {});
    await stopped;
    await server.start();
    await chat.settled(60_000);
    await chat.ask('and after it');
    await page.reload();
    await expect(chat.answers).toHaveCount(2);
    await expect(chat.answers.first()).toContainText('step5');
    await expect(chat.answers.first()).toContainText(/Stopped|interrupted/);
  } finally {
    await server.dispose();
  }
});

test('a kill in mid-answer leaves what was shown, interrupted', async ({
  page,
}) => {
  test.setTimeout(120_000);
  const server = await startServer();
  const chat = new Chat(page);
  try {
    await chat.open(server.link);
    await chat.send('something slow to be killed');
    await expect(chat.answers.last()).toContainText('step40');
    await server.kill();
    await server.start();
    await chat.settled(60_000);
    // At most the last second is missing: 20 steps.
    await expect(chat.answers).toContainText('step20');
    await expect(chat.answers).toContainText('interrupted');
    await chat.ask('and after it');
    await expect(chat.questions).toHaveCount(2);
  } finally {
    await server.dispose();
  }
});

test('too many messages are counted down and sent again', async ({ page }) => {
  const server = await startServer({ messages: 2 });
  const chat = new Chat(page);
  try {
    await chat.open(server.link);
    await chat.ask('one');
    await chat.ask('two');
    await chat.send('three');
    const alert = page.getByRole('alert');
    await expect(alert).toContainText('a lot of messages in a short time');
    const again = alert.getByRole('button', { name: 'Send again' });
    await expect(again).toBeDisabled();
    await expect(again).toBeEnabled();
    await again.click();
    await expect(chat.answers).toHaveCount(3);
    await chat.settled();
    await expect(alert).toHaveCount(0);
    await expect(chat.questions).toHaveText(['one', 'two', 'three']);
  } finally {
    await server.dispose();
  }
});

test('a person can be asked for', async ({ chat, page }) => {
  await chat.ask('something for a person');
  await page.getByRole('button', { name: 'Ask a person' }).click();
  await expect(
    page.getByRole('button', { name: 'Help is on its way' }),
  ).toBeDisabled();
  await page.reload();
  await expect(page.getByText('Help is on its way')).toBeVisible();
});

test('a message written offline and a reload are not lost', async ({
  chat,
  page,
  context,
}) => {
  await chat.ask('something first');
  await context.setOffline(true);
  await page.evaluate(() => dispatchEvent(new Event('offline')));
  await context.setOffline(false);
  await chat.ask('after a moment offline');
  await expect(chat.questions).toHaveCount(2);
  await page.reload();
  await expect(chat.questions).toHaveCount(2);
});

test('without a token the page explains itself and takes a link', async ({
  page,
  server,
}) => {
  const chat = new Chat(page);
  await page.goto(server.link.replace(/#.*/, ''));
  const told = page.getByRole('heading', { name: 'You are not signed in' });
  await expect(told).toBeVisible();
  expect(await chat.findings()).toEqual([]);
  const field = page.getByRole('textbox', { name: 'Link or token' });
  await field.fill('nonsense');
  await field.press('Enter');
  await expect(page.getByRole('alert')).toContainText('neither such a link');
  await field.fill(server.link);
  await field.press('Enter');
  await expect(chat.box).toBeVisible();
  await chat.ask('signed in by hand');
});

test('a new link in the same tab renews the token and keeps the chat', async ({
  chat,
  page,
  server,
}) => {
  await chat.ask('with the first token');
  const session = /session=\w+/.exec(page.url())[0];
  await page.evaluate(
    (hash) => (location.hash = hash),
    new URL(server.link).hash,
  );
  await expect.poll(() => page.url()).toContain(session);
  expect(page.url()).not.toContain('token');
  await chat.ask('with the second token');
  await expect(chat.questions).toHaveText([
    'with the first token',
    'with the second token',
  ]);
});

test('a token that the server refuses leads back to the explanation', async ({
  page,
  server,
}) => {
  await page.goto(server.link.replace(/#.*/, '#token=a.b.c'));
  const told = page.getByRole('heading', { name: 'Your sign-in has expired' });
  await expect(told).toBeVisible();
  expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
});

test('a chat that does not exist is told', async ({ page, server }) => {
  await page.goto(`${server.link}&session=${'0123456789abcdef'.repeat(2)}`);
  await expect(page.getByText('does not exist any more')).toBeVisible();
  const notices = page.locator('.notices');
  await notices.getByRole('button', { name: 'New chat' }).click();
  const chat = new Chat(page);
  await chat.ask('a fresh start');
});
