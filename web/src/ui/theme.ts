// SPDX-License-Identifier: MIT
// Light, dark, or what the system says; remembered in this browser.

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'chatbox:theme';
const ORDER: Theme[] = ['system', 'light', 'dark'];

export function nextTheme(theme: Theme): Theme {
  return ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length]!;
}

export function themeWords(theme: Theme): string {
  const now = theme === 'system' ? 'as the system' : theme;
  return `Colours: ${now}. Switch to ${nextTheme(theme)}`;
}

export function loadTheme(): Theme {
  try {
    const theme = localStorage.getItem(KEY) as Theme;
    return ORDER.includes(theme) ? theme : 'system';
  } catch {
    return 'system';
  }
}

export function saveTheme(theme: Theme): void {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Not remembered, then.
  }
}
