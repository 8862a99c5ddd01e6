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

  test('wide tables, code and words stay within the screen', async ({
    chat,
    page,
  }) => {
    const answer = await chat.ask(`something wide ${'question'.repeat(40)}`);
    const over = await page
      .getByRole('region', { name: 'Conversation' })
      .evaluate((e) => e.scrollWidth - e.clientWidth);
    expect(over).toBe(0);
    for (const name of ['Table', 'Code, c']) {
      const box = answer.getByRole('group', { name });
      const hidden = await box.evaluate((e) => e.scrollWidth - e.clientWidth);
      expect(hidden, `${name} scrolls by itself`).toBeGreaterThan(0);
    }
  });

  test('the welcome begins at its top', async ({ page, chat }) => {
    await page.setViewportSize({ width: 360, height: 500 });
    await expect(chat.box).toBeVisible();
    const region = page.getByRole('region', { name: 'Conversation' });
    await expect
      .poll(() => region.evaluate((e) => e.scrollHeight - e.clientHeight))
      .toBeGreaterThan(0);
    expect(await region.evaluate((e) => e.scrollTop)).toBe(0);
  });

  test('the message field is as tall as its text', async ({ chat, page }) => {
    const height = async () => (await chat.box.boundingBox()).height;
    expect(await height()).toBeLessThan(60);
    await chat.box.fill('many words '.repeat(14));
    const upright = await height();
    expect(upright).toBeGreaterThan(100);
    await page.setViewportSize({ width: 720, height: 375 });
    await expect.poll(height).toBeLessThan(upright);
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

test('a question is as tall as its lines', async ({ chat }) => {
  const text = 'one\n  two\n\nfour';
  await chat.box.fill(text);
  await chat.box.press('Enter');
  await expect(chat.questions).toHaveCount(1);
  const lines = await chat.questions.evaluate((bubble) => {
    const { lineHeight, paddingTop, paddingBottom } = getComputedStyle(bubble);
    const around = parseFloat(paddingTop) + parseFloat(paddingBottom);
    return (bubble.clientHeight - around) / parseFloat(lineHeight);
  });
  expect(Math.round(lines)).toBe(4);
  expect(await chat.questions.innerText()).toBe(text);
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
  await expect.poll(() => GROUND(page)).toBeLessThan(60);
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

/** Where the next key would go; '' when it would go nowhere. */
async function focused(page) {
  const name = await focusedName(page);
  const lost = await page.evaluate(
    () => document.activeElement === document.body,
  );
  return lost ? '' : name;
}

test('what has done its work gives the focus to the message field', async ({
  chat,
  page,
}) => {
  const press = async (name) => {
    const button = page.getByRole('button', { name });
    await button.focus();
    await button.press('Enter');
  };
  await press('Write a small HTTP server in C');
  await expect(chat.answers).toHaveCount(1);
  await expect.poll(() => focused(page), 'after an example').toBe('Message');
  await chat.settled();

  await chat.box.fill('something slow');
  await press('Send');
  await expect.poll(() => focused(page), 'after Send').toBe('Message');
  await expect(chat.answers.last()).toContainText('step2');
  await press('Stop the answer');
  await chat.settled();
  await expect.poll(() => focused(page), 'after Stop').toBe('Message');

  await press('Write another answer');
  await expect(page.getByText('One earlier version')).toBeVisible();
  await expect.poll(() => focused(page), 'after another').toBe('Message');
  await chat.box.press('Escape');
  await chat.settled();

  await chat.ask('A rich answer please');
  await page
    .getByRole('region', { name: 'Conversation' })
    .evaluate((e) => e.scrollTo(0, 0));
  await press('Jump to latest');
  await expect.poll(() => focused(page), 'after the jump').toBe('Message');

  await chat.send('unavailable today');
  await expect(page.getByRole('alert')).toBeVisible();
  await press('Ask again');
  await expect(page.getByRole('alert')).toBeVisible();
  await expect.poll(() => focused(page), 'after asking again').not.toBe('');
});

test('a menu and a dialog give the focus back', async ({ chat, page }) => {
  await chat.ask('for the focus');
  const more = page.getByRole('button', { name: 'More about this chat' });
  await more.focus();
  await more.press('Enter');
  await expect(page.getByRole('menuitem', { name: 'Rename' })).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(more).toBeFocused();
  await more.press('Enter');
  await page.keyboard.press('Enter');
  await expect(chat.dialog.getByRole('textbox', { name: 'Name' })).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(chat.dialog).toBeHidden();
  await expect(more).toBeFocused();
});

test('keys of an input method neither send nor stop', async ({
  chat,
  page,
  context,
}) => {
  await chat.send('something slow');
  await expect(chat.answers.last()).toContainText('step2');
  await chat.box.focus();
  const browser = await context.newCDPSession(page);
  await browser.send('Input.imeSetComposition', {
    text: 'にほんご',
    selectionStart: 4,
    selectionEnd: 4,
  });
  await expect(chat.box).toHaveValue('にほんご');
  // As browsers tell of the keys that an input method takes, and as one that
  // says so by the key code alone.
  for (const how of [{ isComposing: true }, { keyCode: 229 }])
    for (const key of ['Enter', 'Escape'])
      await chat.box.dispatchEvent('keydown', { key, ...how });
  const steps = await chat.steps();
  await expect(chat.answers.last()).toContainText(`step${steps + 10} `);
  await expect(chat.questions).toHaveCount(1);
  await browser.send('Input.insertText', { text: '日本語' });
  await expect(chat.box).toHaveValue('日本語');
  await chat.box.press('Enter');
  await expect(chat.questions.last()).toHaveText('日本語');
  await chat.stop.click();
});

test('who listens hears of an answer, not of its every word', async ({
  chat,
  page,
}) => {
  const live = page.locator('chatbox-chat .live');
  await live.evaluate((e) => {
    globalThis.heard = [];
    const note = () => globalThis.heard.push(e.textContent);
    new MutationObserver(note).observe(e, { childList: true });
  });
  const heard = () => page.evaluate(() => globalThis.heard.splice(0));
  await expect(
    page.getByRole('region', { name: 'Conversation' }),
  ).not.toHaveAttribute('aria-live', /./);
  await chat.ask('a short one');
  await expect(live).toContainText('to “a short one”.');
  const words = await chat.text();
  expect(await heard()).toEqual([
    'The model is answering.',
    `Answer: ${words.trim()}`,
  ]);
  await chat.send('something slow');
  await expect(chat.answers.last()).toContainText('step20');
  await chat.stop.click();
  await expect(live).toHaveText('The answer was stopped.');
  expect(await heard()).toHaveLength(2);
  await chat.ask('a cut answer');
  await expect(live).toContainText('interrupted');
  const answer = await chat.ask('A rich answer please');
  await expect(live).toHaveText('The answer is complete.');
  await answer.getByRole('button', { name: 'Copy this c code' }).click();
  await expect(live).toHaveText(/Code copied|could not be copied/);
});

test('text runs in its own direction, and code from left to right', async ({
  chat,
  page,
}) => {
  const answer = await chat.ask('مرحبا arabic please');
  const direction = (element) =>
    element.evaluate((e) => getComputedStyle(e).direction);
  const shown = [
    [answer.getByRole('heading', { name: 'كيف' }), 'rtl'],
    [answer.getByText('ينتظر الخادم').last(), 'rtl'],
    [answer.getByRole('list'), 'rtl'],
    [answer.locator('pre'), 'ltr'],
    [answer.getByText('this paragraph is English'), 'ltr'],
    [chat.questions.getByText('arabic'), 'rtl'],
  ];
  for (const [element, expected] of shown)
    expect(await direction(element)).toBe(expected);
  await chat.box.fill('مرحبا');
  expect(await direction(chat.box)).toBe('rtl');
  expect(await chat.findings()).toEqual([]);
  await page.keyboard.press('Control+a');
  await chat.box.fill('');
});

test('nothing moves for who wants no motion', async ({ chat, page }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await chat.send('something slow');
  await expect(chat.answers.last()).toContainText('step2');
  const endless = () =>
    page.evaluate(() => {
      // Animations are told by each tree for itself.
      const within = (root) =>
        [...root.querySelectorAll('*')]
          .filter((e) => e.shadowRoot)
          .flatMap((e) => [
            ...e.shadowRoot.getAnimations(),
            ...within(e.shadowRoot),
          ]);
      return within(document).filter(
        (a) => a.effect.getTiming().iterations === Infinity,
      ).length;
    });
  expect(await endless()).toBe(0);
  await page.emulateMedia({ reducedMotion: 'no-preference' });
  await expect.poll(endless).toBeGreaterThan(0);
  await chat.stop.click();
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
  const told = page.getByRole('heading', { name: 'You are not signed in' });
  await expect(told).toBeVisible();
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
