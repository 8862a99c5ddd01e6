/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_SQLITE_SCRUB_H
#define CHATBOX_STORE_STORE_SQLITE_SCRUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Private to the SQLite backend: what was deleted leaves the files.
 *
 * SQLite overwrites a row that it deletes (secure_delete), but not the copies
 * of it that it left where the row lay before its page was rearranged; these
 * stay in the unused part of a page until that is used again. And the log file
 * has pages as they were. */

/* Overwrites the unused parts of all pages with zeros, and empties the log
 * file, beside a running server: it waits for a few milliseconds at a time.
 * False: somebody who reads kept the log file for patience_ms, or the database
 * could not be written; what has been done so far is done. */
#define STORE_SQLITE_SCRUB_PATIENCE_MS 5000
bool store_sqlite_scrub_run(const char *path, uint64_t patience_ms);

/* The same by slices, for who has other work in between. On one thread. */
struct sqlite_scrub;

enum store_sqlite_scrub_state {
    STORE_SQLITE_SCRUB_MORE,   /* there are pages left */
    STORE_SQLITE_SCRUB_DONE,   /* that were all */
    STORE_SQLITE_SCRUB_LATER,  /* somebody reads, or writes */
    STORE_SQLITE_SCRUB_FAILED, /* the files cannot be read or written */
    STORE_SQLITE_SCRUB_NEVER   /* the database is too large for this */
};

/* Waits for others for busy_ms at a time. The files are opened by the first
 * slice, and by the next one after a failure. Gives. */
struct sqlite_scrub *store_sqlite_scrub_open(const char *path, int busy_ms);
void store_sqlite_scrub_close(struct sqlite_scrub *s); /* or NULL */

/* Some of the pages. Blocks for slice_ms, and for the disk. */
enum store_sqlite_scrub_state store_sqlite_scrub_slice(struct sqlite_scrub *s,
                                                       uint64_t slice_ms);

/* SQLite's code for why the last slice was LATER or FAILED. */
int store_sqlite_scrub_fault(const struct sqlite_scrub *s);

/* Zeros in the unused parts of one page of a b-tree, other than the first page
 * of the database: calls zero for each part that has something else, and is
 * harmless for whatever is no such page. usable: its bytes without the reserved
 * ones (https://sqlite.org/fileformat2.html, 1.6). */
void store_sqlite_scrub_page(const unsigned char *page, size_t usable,
                             void (*zero)(void *cookie, size_t at, size_t n),
                             void *cookie);

#endif
