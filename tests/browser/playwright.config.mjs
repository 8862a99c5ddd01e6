// SPDX-License-Identifier: MIT
import { defineConfig } from '@playwright/test';

export default defineConfig({
  testDir: 'specs',
  testMatch: '*.spec.mjs',
  // These need what the mock has not: a real restart, tokens that expire, uploads,
  // models of several providers.
  testIgnore:
    process.env.CHATBOX_MOCK === '1'
      ? ['survive.spec.mjs', 'models.spec.mjs', 'pictures.spec.mjs']
      : [],
  workers: 2,
  retries: 0,
  forbidOnly: true,
  timeout: 120_000,
  // A condition that comes is not waited for longer; slow machines are patient.
  expect: { timeout: 30_000 },
  reporter: 'list',
  outputDir: 'test-results',
  use: {
    browserName: 'chromium',
    viewport: { width: 1280, height: 820 },
    colorScheme: 'light',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        // A document that a test has rewritten counts as coming from outside,
        // and would not be let near 127.0.0.1.
        '--disable-features=LocalNetworkAccessChecks',
      ],
    },
  },
});
