// SPDX-License-Identifier: MIT
// The list at the side.
import { readFile } from 'node:fs/promises';
import { Chat, expect, test } from '../support/test.mjs';

const unique = (word) => `${word} ${Math.random().toString(36).slice(2, 8)}`;

test('a chat appears in the list with its first answer', async ({ chat }) => {
  const name = unique('apple');
  await chat.ask(name);
  const entry = chat.list.getByRole('link', { name });
  await expect(entry).toBeVisible();
  await expect(entry).toHaveAttribute('aria-current', 'page');
});

test('chats are opened from the list and by the back button', async ({
  chat,
  page,
}) => {
  const [one, two] = [unique('first'), unique('second')];
  await chat.ask(one);
  await chat.newChat();
  await chat.ask(two);
  await chat.list.getByRole('link', { name: one }).click();
  await expect(chat.questions).toHaveText([one]);
  await expect(chat.answers).toHaveCount(1);
  await page.goBack();
  await expect(chat.questions).toHaveText([two]);
});

test('the search finds a chat by its name', async ({ chat, page }) => {
  const [one, two] = [unique('cherry'), unique('plum')];
  await chat.ask(one);
  await chat.newChat();
  await chat.ask(two);
  await expect(chat.list.getByRole('link', { name: two })).toBeVisible();
  await page.keyboard.press('Control+k');
  const search = page.getByRole('searchbox', { name: 'Search chats' });
  await expect(search).toBeFocused();
  await search.fill(one);
  await expect(chat.list.getByRole('link')).toHaveCount(1);
  await expect(chat.list.getByRole('link', { name: one })).toBeVisible();
  await search.fill('surely nothing like this');
  await expect(chat.list).toContainText('Nothing found');
  await search.press('Escape');
  await expect(chat.list.getByRole('link', { name: two })).toBeVisible();
});

test('the search finds a chat by what was said in it', async ({
  chat,
  page,
}) => {
  const [one, word] = [unique('pear'), unique('quince')];
  await chat.ask(one);
  await chat.ask(`and also ${word}`);
  await page.keyboard.press('Control+k');
  const search = page.getByRole('searchbox', { name: 'Search chats' });
  await search.fill(word.toUpperCase());
  await expect(chat.list.getByRole('link')).toHaveCount(1);
  await expect(chat.list.getByRole('link', { name: one })).toBeVisible();
});

test('a shared chat is read by anybody until sharing stops', async ({
  chat,
  page,
  browser,
}) => {
  const question = unique('shared');
  await chat.ask(question);
  const answer = (await chat.text()).trim();
  await chat.fromMenu('More about this chat', 'Share');
  const link = await chat.dialog
    .getByRole('textbox', { name: 'Link' })
    .inputValue();
  expect(link).toContain('#shared=');
  await chat.dialog.getByRole('button', { name: 'Copy link' }).click();
  await expect(chat.dialog.getByRole('status')).toHaveText('Copied');
  await chat.dialog.getByRole('button', { name: 'Close' }).click();
  await expect(chat.dialog).toBeHidden();

  const stranger = await (await browser.newContext()).newPage();
  await stranger.goto(link);
  const bubble = stranger.locator('.question .bubble');
  await expect(bubble).toHaveText([question]);
  await expect(stranger.locator('.answer')).toContainText(
    answer.split('\n')[0],
  );
  await expect(stranger.getByRole('heading', { level: 1 })).toHaveText(question);
  await expect(stranger.getByRole('textbox')).toHaveCount(0);
  await expect(
    stranger.getByRole('button', { name: 'Write another answer' }),
  ).toHaveCount(0);
  expect(await new Chat(stranger).findings()).toEqual([]);

  await chat.fromMenu('More about this chat', 'Share');
  await expect(chat.dialog.getByRole('textbox', { name: 'Link' })).toHaveValue(
    link,
  );
  await chat.dialog.getByRole('button', { name: 'Stop sharing' }).click();
  await expect(chat.dialog).toBeHidden();
  await expect(async () => {
    await stranger.reload();
    await expect(stranger.getByRole('alert')).toContainText('not shared', {
      timeout: 1000,
    });
  }).toPass();
  await expect(bubble).toHaveCount(0);
  await stranger.context().close();
});

test('a chat is exported as Markdown and as JSON', async ({ chat, page }) => {
  const question = unique('export');
  await chat.ask(question);
  const answer = (await chat.text()).trim();
  const save = async (item) => {
    const coming = page.waitForEvent('download');
    await chat.fromMenu('More about this chat', item);
    const file = await coming;
    const text = await readFile(await file.path(), 'utf8');
    return { name: file.suggestedFilename(), text };
  };
  const md = await save('Export as Markdown');
  expect(md.name).toMatch(/^chat[-\w]*\.md$/);
  expect(md.text).toContain(question);
  expect(md.text).toContain(answer.split('\n')[0]);
  const json = await save('Export as JSON');
  expect(json.name).toMatch(/^chat[-\w]*\.json$/);
  const { messages } = JSON.parse(json.text);
  expect(messages.map((m) => m.sender)).toEqual(['user', 'ai']);
  expect(messages[0].content).toBe(question);
});

test('an export of a chat that is gone says so', async ({ chat, page }) => {
  await chat.ask(unique('vanishing'));
  await page.route('**/export?*', (route) =>
    route.fulfill({
      status: 404,
      json: { code: 'NOT_FOUND', message: 'There is no such thing.' },
    }),
  );
  await chat.fromMenu('More about this chat', 'Export as JSON');
  await expect(chat.dialog).toContainText('There is no such thing.');
});

test('a chat is renamed', async ({ chat, page }) => {
  const [old, name] = [unique('old'), unique('new')];
  await chat.ask(old);
  await chat.fromMenu('More about this chat', 'Rename');
  const field = chat.dialog.getByRole('textbox', { name: 'Name' });
  await field.fill(name);
  await field.press('Enter');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(name);
  await page.reload();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(name);
  await expect(chat.list.getByRole('link', { name })).toBeVisible();
});

test('a chat is deleted, after a question', async ({ chat, page }) => {
  const name = unique('gone');
  await chat.ask(name);
  await chat.fromMenu('More about this chat', 'Delete');
  await chat.dialog.getByRole('button', { name: 'Cancel' }).click();
  await expect(chat.questions).toHaveText([name]);
  const menu = page.getByRole('button', { name: `More about “${name}”` });
  await chat.list.getByRole('link', { name }).hover();
  await menu.click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await chat.dialog.getByRole('button', { name: 'Delete' }).click();
  await expect(chat.list.getByRole('link', { name })).toHaveCount(0);
  await expect(chat.questions).toHaveCount(0);
  await page.reload();
  await expect(chat.list.getByRole('link', { name })).toHaveCount(0);
});

test('a chat is ended, and taken up again by writing', async ({
  chat,
  page,
}) => {
  const name = unique('ended');
  await chat.ask(name);
  await chat.fromMenu('More about this chat', 'End');
  await expect(page.getByText('This chat was ended.')).toBeVisible();
  await chat.ask('and on it goes');
  await expect(page.getByText('This chat was ended.')).toBeHidden();
});

test('a chat deleted elsewhere says so', async ({ chat, page, request }) => {
  await chat.ask(unique('elsewhere'));
  const id = /session=(\w+)/.exec(page.url())[1];
  const token = await page.evaluate(() =>
    sessionStorage.getItem('chatbox:token'),
  );
  const url = new URL(`sessions/${id}`, page.url().replace(/#.*/, ''));
  const headers = { Authorization: `Bearer ${token}` };
  const answer = await request.delete(url.href, { headers });
  expect(answer.status()).toBe(204);
  await expect(page.getByText('This chat was deleted.')).toBeVisible();
});

test('a new chat is begun by keyboard', async ({ chat, page }) => {
  await chat.ask(unique('keyboard'));
  await page.keyboard.press('Alt+n');
  await expect(chat.questions).toHaveCount(0);
  await expect(chat.box).toBeFocused();
  expect(page.url()).not.toContain('session=');
});
