/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_SQLITE_SWEEP_H
#define CHATBOX_STORE_STORE_SQLITE_SWEEP_H

#include "store/store_sqlite.h"

/* Private to the SQLite backend: while a server runs, what was deleted leaves
 * the unused parts of pages as well (store_sqlite_scrub.h). That takes a look
 * at every page, so it goes by slices between the groups of jobs. */

/* Before the database is opened: whether it was not closed, and so may have
 * been deleted from just before a crash. */
bool store_sqlite_sweep_due(const char *path);

/* A slice, if it is time for one. Returns the milliseconds until the next one,
 * up to a minute after failures; -1: there is nothing to do. */
int store_sqlite_sweep_tend(struct sqlite_link *link);

/* Before the writer's link is closed: what is left, unless that takes seconds;
 * or fails; then it is kept for the next start. */
void store_sqlite_sweep_end(struct sqlite_link *link);

/* An attempt to remove what was deleted from the file: with SQLite's code, or
 * SQLITE_OK. A failure counts, and the first one after a success has a line in
 * the log; so has the first success after that. *fails is what was noted
 * last. */
void store_sqlite_sweep_note(bool *fails, int rc, const char *file);

/* Makes that a sweep is due at the next start as well, however the link is
 * closed. */
void store_sqlite_sweep_keep(struct sqlite_link *link);

#endif
