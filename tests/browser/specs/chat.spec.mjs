// SPDX-License-Identifier: MIT
// A conversation: send, stream, stop, another answer, models, reload, tabs.
import { Chat, expect, test } from '../support/test.mjs';

test('the token leaves the address bar', async ({ chat, page }) => {
  expect(page.url()).not.toContain('token');
  await expect(chat.box).toBeFocused();
});

test('an answer streams in and ends with its figures', async ({ chat }) => {
  await chat.send('Please write something slow');
  await expect(chat.answers.last()).toHaveAttribute('aria-busy', 'true');
  await expect(chat.answers.last()).toContainText('step3');
  const early = await chat.text();
  await expect(chat.answers.last()).toContainText('step30');
  expect(early).not.toContain('step30');
  await chat.stop.click();
  await chat.settled();
  await expect(chat.answers.last()).toContainText('Alpha ·');
});

test('Markdown becomes headings, lists, tables and code', async ({ chat }) => {
  const answer = await chat.ask('A rich answer please');
  await expect(answer.getByRole('heading', { name: 'Three ways' })).toBeVisible();
  await expect(answer.getByRole('listitem')).toHaveCount(7);
  await expect(answer.getByRole('columnheader')).toHaveCount(3);
  await expect(answer.locator('code.language-c')).toContainText('poll(&p, 1');
  await expect(answer.locator('.hljs-keyword').first()).toBeAttached();
  const link = answer.getByRole('link', { name: 'libuv guide' });
  await expect(link).toHaveAttribute('rel', 'noopener noreferrer nofollow');
  await expect(link).toHaveAttribute('target', '_blank');
});

test('a code block can be copied', async ({ chat, page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const answer = await chat.ask('A rich answer please');
  await answer.getByRole('button', { name: 'Copy this c code' }).click();
  await expect(answer.locator('button.copy')).toHaveText('Copied');
  const text = await page.evaluate(() => navigator.clipboard.readText());
  expect(text).toContain('wait_readable(int fd, int timeout_ms)\n{');
});

test('stop keeps what had arrived', async ({ chat, page }) => {
  await chat.send('something slow');
  await expect(chat.answers.last()).toContainText('step5');
  await chat.box.press('Escape');
  await chat.settled();
  await expect(chat.answers.last()).toContainText('Stopped.');
  const text = await chat.text();
  expect(text).toContain('step5');
  expect(text).not.toContain('step399');
  await page.reload();
  await expect(chat.answers.last()).toContainText('Stopped.');
  await expect(chat.answers.last()).toContainText('step5');
});

test('a tab opened in mid-answer shows it from its beginning', async ({
  chat,
  context,
  server,
}) => {
  await chat.send('something slow for a late tab');
  await expect(chat.answers.last()).toContainText('step20');
  const late = await chat.beside(context, server.link);
  await expect(late.answers).toContainText('step40');
  await late.stop.click();
  await late.settled();
  await chat.settled();
  expect(await late.steps()).toBeGreaterThan(40);
  expect(await late.text()).toBe(await chat.text());
});

test('two tabs show the same stream', async ({
  chat,
  context,
  server,
}) => {
  await chat.ask('first words');
  const other = await chat.beside(context, server.link);
  await expect(other.questions).toHaveText(['first words']);
  await chat.send('now something slow');
  await expect(other.questions.last()).toHaveText('now something slow');
  await expect(other.answers.last()).toContainText('step5');
  await other.stop.click();
  await expect(chat.answers).toHaveCount(2); // a tab behind may be slow
  await chat.settled();
  await other.settled();
  expect(await chat.text()).toBe(await other.text());
  expect(await chat.text()).toContain('step5');
});

test('another answer replaces the last one and keeps it folded', async ({
  chat,
  page,
}) => {
  await chat.ask('who are you');
  const first = (await chat.text()).trim();
  await page.getByRole('button', { name: 'Write another answer' }).click();
  await expect(page.getByText('One earlier version')).toBeVisible();
  await chat.settled();
  await expect(chat.answers).toHaveCount(1);
  await expect(chat.answers).not.toContainText(first);
  await page.getByText('One earlier version').click();
  await expect(page.locator('.old')).toContainText(first);
  await page.reload();
  await expect(chat.answers).toHaveCount(1);
  await expect(page.getByText('One earlier version')).toBeVisible();
});

test('the chosen model answers, also after a reload', async ({
  chat,
  page,
}) => {
  await expect(chat.model).toHaveValue('alpha');
  await chat.model.selectOption('Beta');
  await expect(await chat.ask('which model')).toContainText('of beta');
  await page.reload();
  await expect(chat.model).toHaveValue('beta');
  await expect(await chat.ask('still which model')).toContainText('of beta');
});

test('questions that wait are answered in order', async ({ chat }) => {
  await chat.send('something slow first');
  await expect(chat.answers.last()).toContainText('step2');
  await chat.send('second question');
  await chat.stop.click();
  await expect(chat.answers).toHaveCount(2);
  await chat.settled();
  await expect(chat.answers.last()).toContainText('second question');
});

test('a long conversation keeps its order', async ({ chat, page }) => {
  for (let i = 1; i <= 10; i++) await chat.ask(`question number ${i}`);
  const expected = Array.from({ length: 10 }, (_, i) => `question number ${i + 1}`);
  await expect(chat.questions).toHaveText(expected);
  await page.reload();
  await expect(chat.questions).toHaveText(expected);
  await expect(chat.answers).toHaveCount(10);
});

test('Enter sends, Shift and Enter begin a new line', async ({ chat }) => {
  await chat.box.pressSequentially('one');
  await chat.box.press('Shift+Enter');
  await chat.box.pressSequentially('two');
  await expect(chat.box).toHaveValue('one\ntwo');
  await chat.box.press('Enter');
  await expect(chat.questions).toHaveText('one\ntwo');
  await expect(chat.box).toHaveValue('');
});

test('a reader who scrolled up is left there', async ({ chat, page }) => {
  for (let i = 0; i < 3; i++) await chat.ask('A rich answer please');
  await chat.send('something slow');
  await expect(chat.answers.last()).toContainText('step2');
  const region = page.getByRole('region', { name: 'Conversation' });
  await region.hover();
  await page.mouse.wheel(0, -600);
  const latest = page.getByRole('button', { name: 'Jump to latest' });
  await expect(latest).toBeVisible();
  let top;
  const still = async () => {
    const before = top;
    top = await region.evaluate((e) => e.scrollTop);
    return top === before;
  };
  await expect.poll(still, 'the wheel has come to rest').toBe(true);
  await expect(chat.answers.last()).toContainText('step60');
  expect(await region.evaluate((e) => e.scrollTop)).toBe(top);
  await latest.click();
  await expect(latest).toBeHidden();
  await chat.stop.click();
});

test('a novel of 20,000 words arrives whole', async ({ chat }) => {
  test.setTimeout(180_000);
  await chat.send('a novel please');
  await expect(chat.answers.last()).toContainText('This is the very end.', {
    timeout: 150_000,
  });
  await chat.settled();
  const words = (await chat.text()).match(/word\d+/g).length;
  // 200 parts of 92 words; every eleventh part has 40 of them once more.
  expect(words).toBe(200 * 92 + 18 * 40);
});
