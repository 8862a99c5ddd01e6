/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_SQLITE_BACKUP_H
#define CHATBOX_STORE_STORE_SQLITE_BACKUP_H

#include "store/backup.h"
#include "store/store_settings.h"

/* The rows `backup` and `restore` of the backend's table. */
enum err store_sqlite_backup_run(const struct store_settings *settings,
                                 struct backup *b, char *why, size_t why_size);
enum err store_sqlite_backup_restore(const struct store_settings *settings,
                                     struct backup *b, char *why,
                                     size_t why_size);

#endif
