// SPDX-License-Identifier: MIT
// Fixtures: one server for a worker, a page that a person has opened with the
// link, and the words a person would use for what they do there.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test as base, expect } from '@playwright/test';
import { startServer } from './server.mjs';

const AXE = readFileSync(
  createRequire(import.meta.url).resolve('axe-core/axe.min.js'),
  'utf8',
);

/** In the page: until nothing is half-way to another colour or place. */
async function settled() {
  const roots = (of) => [
    of,
    ...[...of.querySelectorAll('*')].flatMap((e) =>
      e.shadowRoot ? roots(e.shadowRoot) : [],
    ),
  ];
  const moving = () =>
    roots(document)
      .flatMap((root) => root.getAnimations())
      .filter((a) => a.effect.getComputedTiming().endTime !== Infinity);
  const frame = () => new Promise((done) => requestAnimationFrame(done));

  await frame();
  while (moving().length > 0) {
    await Promise.allSettled(moving().map((a) => a.finished));
    await frame();
  }
}

export { expect };

export const test = base.extend({
  server: [
    async ({}, use) => {
      const server = await startServer();
      await use(server);
      await server.dispose();
    },
    { scope: 'worker' },
  ],

  /** Fails the test when the page made an error or broke the policy. */
  watched: [
    async ({ page }, use) => {
      const faults = [];
      page.on('pageerror', (error) => faults.push(error.message));
      page.on('console', (message) => {
        const text = message.text();
        if (/Content Security Policy|TypeError|Uncaught/.test(text))
          faults.push(text);
      });
      await use(faults);
      expect(faults).toEqual([]);
    },
    { auto: true },
  ],

  chat: async ({ page, server }, use) => {
    const chat = new Chat(page);
    await chat.open(server.link);
    await use(chat);
  },
});

/** The open page, in a person's words. */
export class Chat {
  constructor(page) {
    this.page = page;
    this.box = page.getByRole('textbox', { name: 'Message' });
    this.answers = page.locator('.answer');
    this.questions = page.locator('.question .bubble');
    this.stop = page.getByRole('button', { name: 'Stop the answer' });
    this.model = page.getByRole('combobox', { name: 'Model' });
    this.list = page.getByRole('navigation', { name: 'Chats' });
    this.dialog = page.getByRole('dialog');
  }

  async open(link) {
    await this.page.goto(link);
    await expect(this.model).toHaveCount(1);
  }

  async send(text) {
    await this.box.fill(text);
    await this.box.press('Enter');
    await expect(this.questions.last()).toHaveText(text);
  }

  /** Sends, and waits until the answer is whole. */
  async ask(text) {
    await this.send(text);
    await this.settled();
    return this.answers.last();
  }

  /** The newest question's answer, not one that stood there before it. */
  async settled(timeout = 30_000) {
    const last = this.page.locator('.turn').last().locator('.answer').last();
    await expect(last).toHaveAttribute('aria-busy', 'false', { timeout });
    await expect(this.stop).toHaveCount(0);
  }

  /** The text of the newest answer, without what stands under it. */
  async text() {
    const markdown = this.answers.last().locator('chatbox-markdown');
    return markdown.evaluate(
      (e) => e.shadowRoot.querySelector('.body').textContent,
    );
  }

  /** How many steps a slow answer has come to; none may be missing. */
  async steps() {
    const steps = (await this.text()).match(/step\d+/g) ?? [];
    expect(steps).toEqual(steps.map((_, i) => `step${i}`));
    return steps.length;
  }

  /** The same person in another tab or at another device (what `context` is),
   * in the chat that this page shows; nothing is remembered but the token. */
  async beside(context, link) {
    const other = new Chat(await context.newPage());
    const session = /session=\w+/.exec(this.page.url())[0];
    await other.open(`${link}&${session}`);
    return other;
  }

  async newChat() {
    await this.page.getByRole('button', { name: 'New chat' }).click();
    await expect(this.questions).toHaveCount(0);
  }

  async fromMenu(of, item) {
    await this.page.getByRole('button', { name: of }).click();
    await this.page.getByRole('menuitem', { name: item }).click();
  }

  /** What axe has to say about the page as it is now, one line each. */
  async findings() {
    await this.page.evaluate(AXE);
    await this.page.evaluate(settled);
    const { violations } = await this.page.evaluate(() =>
      globalThis.axe.run(document, {
        rules: { 'color-contrast-enhanced': { enabled: false } },
      }),
    );
    return violations.flatMap((v) =>
      v.nodes.map((n) => `${v.id}: ${n.target.flat().join(' ')}: ${n.html}`),
    );
  }
}
