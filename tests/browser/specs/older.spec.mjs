// SPDX-License-Identifier: MIT
// A chat of the older system, read in the page: as it was left, and moved.
import { migrate, startOlderDatabase } from '../support/older.mjs';
import { BINARY, startServer } from '../support/server.mjs';
import { Chat, expect, test as base } from '../support/test.mjs';

const test = base.extend({
  older: async ({}, use) => {
    const older = await startOlderDatabase();
    await use(older);
    await older.stop();
  },

  moved: async ({ older }, use) => {
    const server = await startServer({ env: older.env });
    await use(server);
    await server.dispose();
  },
});

const CLOSED = 'This message is stored, but it cannot be opened.';

async function shows(chat, texts) {
  await expect(chat.questions.first()).toHaveText(texts[0]);
  for (const text of texts)
    await expect(chat.page.getByText(text, { exact: true })).toBeVisible();
  await expect(chat.page.getByText(CLOSED)).toHaveCount(1);
  await expect(chat.page.getByRole('link', { name: 'plan.pdf' }))
    .toHaveAttribute('href', 'https://files.example/plan.pdf');
}

test('a chat of the older system is read, moved, read again and continued', async ({
  older,
  moved,
  page,
}) => {
  const chat = new Chat(page);
  await chat.open(moved.link);
  await chat.list.getByRole('link', { name: 'Lighthouses' }).click();
  await shows(chat, older.texts);

  const { code, stdout } = await migrate(BINARY, moved.environment());
  expect(stdout).toContain('sessions moved: 1\nmessages moved: 6\n');
  expect(stdout).toContain('that do not open: 1\n');
  expect(code).toBe(1); // one does not open
  await page.reload();
  await shows(chat, older.texts);

  await chat.ask('And the stairs?');
  await page.reload();
  await shows(chat, older.texts);
  await expect(chat.questions.last()).toHaveText('And the stairs?');
  await expect(chat.answers.last()).toHaveAttribute('aria-busy', 'false');
});
