/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_SQLITE_FOLDER_H
#define CHATBOX_STORE_STORE_SQLITE_FOLDER_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Private to the SQLite backend: the data folder and the names in it. */
#define STORE_SQLITE_PATH_BYTES 4096

/* The database. SQLite's own files are it with -wal and -shm behind. */
#define STORE_SQLITE_FILE "chatbox.db"

/* A whole database that was restored and is to take that one's place, and
 * what was in its place before. */
#define STORE_SQLITE_RESTORED "chatbox.db.restored"
#define STORE_SQLITE_BEFORE "chatbox.db.before-restore"

/* The path of a name in the folder. ERR_DATABASE_ERROR: too long. */
enum err store_sqlite_folder_path(const char *dir, const char *name,
                                  char path[static STORE_SQLITE_PATH_BYTES],
                                  char *why, size_t why_size) MUST_CHECK;

/* Makes the folder if need be, and locks it as long as the descriptor is open.
 * ERR_CONFLICT: another process has it. On error one sentence. */
enum err store_sqlite_folder_lock(const char *dir, int *fd_out, char *why,
                                  size_t why_size) MUST_CHECK;

/* Makes the file if need be, readable for its owner only. */
enum err store_sqlite_folder_make(const char *path, char *why,
                                  size_t why_size) MUST_CHECK;

/* Whether there is something under this name (a link that leads nowhere is
 * something). */
bool store_sqlite_folder_has(const char *dir, const char *name);

/* Ends what a restore that was killed has left: puts up the new database if
 * that was decided, else removes the half of it. The folder is locked by
 * dir_fd. Every step can be taken again: on error, with one sentence, another
 * call goes on from there. */
enum err store_sqlite_folder_settle(const char *dir, int dir_fd, char *why,
                                    size_t why_size) MUST_CHECK;

#endif
