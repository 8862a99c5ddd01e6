// SPDX-License-Identifier: MIT
// The page is served under a prefix known only at run time, so every address
// in it is relative. Nothing is inlined: the content security policy allows
// scripts and styles from files only.
import { defineConfig } from 'vite';

export default defineConfig({
  base: './',
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    reportCompressedSize: true,
  },
});
