// SPDX-License-Identifier: MIT
// Pictures: chosen or pasted, shown before and after they are sent, by keys
// and on a phone.
import { expect, test } from '../support/test.mjs';

/** Of eight by four pixels, as a browser makes one. */
async function picture(page, colour = 'teal') {
  const bytes = await page.evaluate(async (fill) => {
    const canvas = new OffscreenCanvas(8, 4);
    const ink = canvas.getContext('2d');
    ink.fillStyle = fill;
    ink.fillRect(0, 0, 8, 4);
    const blob = await canvas.convertToBlob();
    return [...new Uint8Array(await blob.arrayBuffer())];
  }, colour);
  return { name: 'cat.png', mimeType: 'image/png', buffer: Buffer.from(bytes) };
}

/** Chosen as a person does it, who is shown a dialog by the browser. A key can overtake
 * what tells the page that the dialog is waited for; its answer to a question cannot. */
async function choose(page, files, press) {
  const [dialog] = await Promise.all([
    page.waitForEvent('filechooser'),
    page.evaluate(() => 0).then(press),
  ]);
  await dialog.setFiles(files);
}

const button = (page) => page.getByRole('button', { name: 'Attach a picture' });
const remove = (page) => page.getByRole('button', { name: 'Remove the picture' });
const send = (page) => page.getByRole('button', { name: 'Send' });
const status = (page) => page.locator('.chosen span');

/** The newest question's picture, once it is there. */
async function shown(chat) {
  const image = chat.questions.last().getByRole('img', { name: 'Picture: cat.png' });
  await expect(image).toBeVisible();
  await expect
    .poll(() => image.evaluate((e) => [e.naturalWidth, e.naturalHeight]))
    .toEqual([8, 4]);
  return image;
}

test('a picture is chosen, sent with words, and stays', async ({ chat, page }) => {
  await choose(page, await picture(page), () => button(page).click());
  await expect(status(page)).toHaveText('cat.png');
  await chat.ask('What is this?');
  await expect(remove(page)).toHaveCount(0);
  await shown(chat);
  await page.reload();
  await expect(chat.questions.last()).toContainText('What is this?');
  await shown(chat);
});

test('a picture alone is a message, and keys are enough', async ({ chat, page }) => {
  await expect(chat.box).toBeFocused();
  await page.keyboard.press('Tab');
  await expect(button(page)).toBeFocused();
  await choose(page, await picture(page), () => page.keyboard.press('Enter'));
  await expect(chat.box).toBeFocused();
  await page.keyboard.press('Tab');
  await expect(remove(page)).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(remove(page)).toHaveCount(0);
  await choose(page, await picture(page), () => button(page).press('Enter'));
  await expect(send(page)).toBeEnabled();
  await chat.box.press('Enter');
  await chat.settled();
  await shown(chat);
});

test('a picture is pasted', async ({ chat, page }) => {
  const { buffer } = await picture(page);
  await chat.box.evaluate((box, bytes) => {
    const data = new DataTransfer();
    data.items.add(
      new File([new Uint8Array(bytes)], 'cat.png', { type: 'image/png' }),
    );
    const paste = { clipboardData: data, bubbles: true, cancelable: true };
    box.dispatchEvent(new ClipboardEvent('paste', paste));
  }, [...buffer]);
  await expect(status(page)).toHaveText('cat.png');
  await chat.ask('What is this?');
  await shown(chat);
});

test('what the server refuses is said and not sent', async ({ chat, page }) => {
  const file = { name: 'a.png', mimeType: 'image/png', buffer: Buffer.from([0, 1]) };
  await choose(page, file, () => button(page).click());
  await expect(status(page)).toContainText('not allowed');
  await chat.box.fill('words');
  await expect(send(page)).toBeDisabled();
  await remove(page).click();
  await chat.ask('words');
});

test('on a phone all of it fits', async ({ chat, page }) => {
  await page.setViewportSize({ width: 360, height: 640 });
  await choose(page, await picture(page), () => button(page).click());
  await expect(status(page)).toHaveText('cat.png');
  expect(await chat.findings()).toEqual([]);
  await chat.ask('What is this?');
  await shown(chat);
  expect(await chat.findings()).toEqual([]);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(wide).toBeLessThanOrEqual(360);
});
