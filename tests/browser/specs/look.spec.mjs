// SPDX-License-Identifier: MIT
// Colours, widths, accessibility and the reach of a hostile answer.
import { createServer } from 'node:http';
import { startServer } from '../support/server.mjs';
import { Chat, expect, test } from '../support/test.mjs';

const GROUND = (page) =>
  page.evaluate(() => {
    const colour = getComputedStyle(
      document.querySelector('chatbox-app'),
    ).backgroundColor;
    return Number(/\d+/.exec(colour)[0]);
  });

/** Everything that the page can show, one after the other. */
async function inspect(chat, page) {
  expect(await chat.findings(), 'empty').toEqual([]);
  await chat.ask('A rich answer please');
  expect(await chat.findings(), 'answered').toEqual([]);
  await page.getByRole('button', { name: 'Write another answer' }).click();
  await expect(page.getByText('One earlier version')).toBeVisible();
  await chat.settled();
  await page.getByText('One earlier version').click();
  await chat.send('unavailable today');
  await expect(page.getByRole('alert')).toBeVisible();
  expect(await chat.findings(), 'with an alert').toEqual([]);
  await chat.send('something slow');
  await expect(chat.answers.last()).toContainText('step3');
  expect(await chat.findings(), 'streaming').toEqual([]);
  await chat.stop.click();
  await chat.settled();
  await page.getByRole('button', { name: 'More about this chat' }).click();
  await expect(page.getByRole('menuitem', { name: 'Delete' })).toBeVisible();
  expect(await chat.findings(), 'with a menu').toEqual([]);
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await expect(chat.dialog).toBeVisible();
  expect(await chat.findings(), 'with a dialog').toEqual([]);
  await page.keyboard.press('Escape');
  await expect(chat.dialog).toBeHidden();
}

test.describe('light', () => {
  test('axe finds nothing', async ({ chat, page }) => {
    expect(await GROUND(page)).toBeGreaterThan(200);
    await inspect(chat, page);
  });
});

test.describe('dark', () => {
  test.use({ colorScheme: 'dark' });

  test('axe finds nothing', async ({ chat, page }) => {
    expect(await GROUND(page)).toBeLessThan(60);
    await inspect(chat, page);
  });
});

test.describe('phone', () => {
  test.use({
    viewport: { width: 375, height: 720 },
    isMobile: true,
    hasTouch: true,
  });

  test('axe finds nothing', async ({ chat, page }) => {
    await inspect(chat, page);
  });

  test('nothing is wider than the screen', async ({ chat, page }) => {
    await chat.ask('A rich answer please');
    const width = await page.evaluate(
      () => document.documentElement.scrollWidth,
    );
    expect(width).toBe(375);
    const over = await page
      .getByRole('region', { name: 'Conversation' })
      .evaluate((e) => e.scrollWidth - e.clientWidth);
    expect(over).toBe(0);
  });

  test('the list is a drawer', async ({ chat, page }) => {
    await chat.ask('from a phone');
    await expect(chat.list).toBeHidden();
    await page.getByRole('button', { name: 'Show the list' }).click();
    await expect(chat.list).toBeVisible();
    expect(await chat.findings()).toEqual([]);
    await chat.list.getByRole('link', { name: 'from a phone' }).first().click();
    await expect(chat.list).toBeHidden();
    await page.getByRole('button', { name: 'Show the list' }).click();
    await page.keyboard.press('Escape');
    await expect(chat.list).toBeHidden();
  });
});

test('the colours can be switched, and stay', async ({ chat, page }) => {
  expect(await GROUND(page)).toBeGreaterThan(200);
  const button = page.getByRole('button', { name: /^Colours:/ });
  await button.click();
  await button.click();
  await expect(button).toHaveAccessibleName(/Colours: dark/);
  await expect.poll(() => GROUND(page)).toBeLessThan(60);
  await page.reload();
  await expect(chat.box).toBeVisible();
  expect(await GROUND(page)).toBeLessThan(60);
  await button.click();
  await expect.poll(() => GROUND(page)).toBeGreaterThan(200);
});

test('the keyboard reaches everything', async ({ chat, page }) => {
  await chat.ask('by keyboard');
  const wanted = new Set([
    'Skip to the message field',
    'New chat',
    'Search chats',
    'Keyboard shortcuts',
    'Ask a person',
    'More about this chat',
    'Conversation',
    'Copy the answer',
    'Write another answer',
    'Message',
    'Model',
  ]);
  // The list has two stops for each chat of the tests before.
  for (let i = 0; i < 300 && wanted.size > 0; i++) {
    await page.keyboard.press('Tab');
    wanted.delete(await focusedName(page));
  }
  expect([...wanted]).toEqual([]);
});

test('the shortcuts are listed', async ({ chat, page }) => {
  await chat.box.press('Control+/');
  await expect(chat.dialog).toContainText('Search chats');
  await page.keyboard.press('Escape');
  await expect(chat.dialog).toBeHidden();
});

test('a hostile answer runs nothing and fetches nothing', async ({
  chat,
  page,
  server,
}) => {
  const origin = new URL(server.link).origin;
  const foreign = [];
  page.on('request', (request) => {
    if (!request.url().startsWith(origin)) foreign.push(request.url());
  });
  page.on('dialog', (dialog) => void dialog.dismiss());
  const answer = await chat.ask('something hostile');
  await expect(answer).toContainText('end of hostile text');
  const markdown = answer.locator('chatbox-markdown');
  await expect(markdown.getByText('Image: picture')).toBeVisible();
  await expect(markdown.getByRole('link', { name: 'fine' })).toHaveAttribute(
    'href',
    'https://good.example/page',
  );
  await expect(
    markdown.locator(
      'script, img, style, iframe, svg, form, input, video, object, embed, ' +
        'meta, base, [style], [onerror], [onclick], [id], [name]',
    ),
  ).toHaveCount(0);
  const targets = await markdown
    .locator('a')
    .evaluateAll((links) => links.map((a) => a.getAttribute('href')));
  for (const target of targets) expect(target).toMatch(/^(https?|mailto):/);
  expect(await page.evaluate(() => globalThis.pwned)).toBeUndefined();
  expect(foreign).toEqual([]);
  expect(await chat.findings()).toEqual([]);
});

test('a hostile question is shown as it was written', async ({
  chat,
  page,
}) => {
  const text = '<img src=x onerror="window.pwned=1"> **bold** {{7*7}}';
  await chat.send(text);
  await expect(chat.questions.last()).toHaveText(text);
  expect(await page.evaluate(() => globalThis.pwned)).toBeUndefined();
});

test('the page is served with a strict policy', async ({ request, server }) => {
  const page = await request.get(server.link.replace(/#.*/, ''));
  const policy = page.headers()['content-security-policy'];
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("script-src 'self'");
  expect(policy).not.toContain('unsafe');
  expect(await page.text()).not.toMatch(/<script>|<style|style=|onclick/);
});

test('the parent page hands over the token', async ({ page, server }) => {
  const [address, token] = server.link.split('#token=');
  // Framing is off unless the server is configured for it.
  await page.route(address, async (route) => {
    const response = await route.fetch();
    const headers = response.headers();
    delete headers['x-frame-options'];
    headers['content-security-policy'] = headers[
      'content-security-policy'
    ].replace(/frame-ancestors[^;]*;?/, '');
    await route.fulfill({ response, headers });
  });
  const site = createServer((_request, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end(parentPage(address, token));
  });
  await new Promise((done) => site.listen(0, '127.0.0.1', done));
  try {
    await page.goto(`http://127.0.0.1:${site.address().port}/`);
    const frame = page.frameLocator('iframe');
    await expect(frame.getByRole('textbox', { name: 'Message' })).toBeVisible();
    await expect(frame.getByRole('combobox', { name: 'Model' })).toHaveCount(1);
  } finally {
    site.close();
  }
});

/** A site of another origin, as docs/pages.md tells to write it. */
function parentPage(address, token) {
  return `<!doctype html><title>A site</title>
    <iframe title="Chat" width="900" height="700" src="${address}"></iframe>
    <script>
      const frame = document.querySelector('iframe');
      const origin = new URL(frame.src).origin;
      addEventListener('message', (event) => {
        if (event.origin !== origin || event.source !== frame.contentWindow)
          return;
        if (event.data.type === 'chatbox:ready')
          frame.contentWindow.postMessage(
            { type: 'chatbox:token', token: '${token}' }, origin);
      });
    </script>`;
}

test('another page cannot hand over a token', async ({ page, server }) => {
  const [address, token] = server.link.split('#token=');
  await page.goto(address);
  await page.evaluate(
    (value) => postMessage({ type: 'chatbox:token', token: value }, '*'),
    token,
  );
  await expect(page.getByRole('heading')).toHaveText('You are not signed in');
  expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
});

test('one chat can be put into a page as an element', async ({
  page,
  server,
}) => {
  const [address, token] = server.link.split('#token=');
  const index = await (await page.request.get(address)).text();
  const script = new URL(/src="(\S+\.js)"/.exec(index)[1], address).href;
  await page.route(`${new URL(address).origin}/site`, (route) =>
    route.fulfill({
      contentType: 'text/html',
      body: `<!doctype html><title>A site</title>
        <script type="module" src="${script}"></script>
        <h1>A site</h1><div style="height: 600px">
        <chatbox-chat base="${address}" token="${token}"></chatbox-chat>`,
    }),
  );
  await page.goto(`${new URL(address).origin}/site`);
  const chat = new Chat(page);
  await chat.ask('inside a site');
  await expect(chat.answers).toContainText('inside a site');
});

test('the page works without a prefix', async ({ page }) => {
  const server = await startServer({ prefix: '/' });
  try {
    const chat = new Chat(page);
    expect(new URL(server.link).pathname).toBe('/');
    await chat.open(server.link);
    await chat.ask('at the root');
    await page.reload();
    await expect(chat.questions).toHaveText(['at the root']);
  } finally {
    await server.dispose();
  }
});

function focusedName(page) {
  return page.evaluate(() => {
    let at = document.activeElement;
    while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
    if (!at) return '';
    const label = at.labels?.[0]?.querySelector('span') ?? at.labels?.[0];
    const text = at.getAttribute('aria-label') ?? (label ?? at).textContent;
    return text.trim();
  });
}
