// SPDX-License-Identifier: MIT
// Exporting a chat: its entries in a menu, and how a file reaches the disk.
import type { ExportFormat, Item } from '../core/api';
import type { MenuItem } from './chatbox-menu';

export interface ExportRequest {
  item: Item;
  format: ExportFormat;
}

export function exportItems(run: (format: ExportFormat) => void): MenuItem[] {
  return [
    { label: 'Export as Markdown', icon: 'save', run: () => run('md') },
    { label: 'Export as JSON', icon: 'save', run: () => run('json') },
  ];
}

/** Long enough for any browser to have taken the file. */
const KEEP_MS = 60_000;

/** As a click on a link to the file would. */
export function saveFile(file: File): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEEP_MS);
}
