/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_SQLITE_SCRUB_H
#define CHATBOX_STORE_STORE_SQLITE_SCRUB_H

#include <stddef.h>
#include <stdint.h>

/* Private to the SQLite backend: what was deleted leaves the files.
 *
 * SQLite overwrites a row that it deletes (secure_delete), but not the copies
 * of it that it left where the row lay before its page was rearranged; these
 * stay in the unused part of a page until that is used again. And the log file
 * has pages as they were. */

/* Overwrites the unused parts of all pages with zeros, and empties the log
 * file, by slices for who has other work in between. On one thread. */
struct sqlite_scrub;

enum store_sqlite_scrub_state {
    STORE_SQLITE_SCRUB_MORE,  /* there are pages left */
    STORE_SQLITE_SCRUB_DONE,  /* that were all */
    STORE_SQLITE_SCRUB_LATER, /* somebody reads, or writes, or it failed */
    STORE_SQLITE_SCRUB_NEVER  /* the database is too large for this */
};

/* Waits for others for busy_ms at a time. NULL: it cannot be opened now. */
struct sqlite_scrub *store_sqlite_scrub_open(const char *path, int busy_ms);
void store_sqlite_scrub_close(struct sqlite_scrub *s); /* or NULL */

/* Some of the pages. Blocks for slice_ms, and for the disk. */
enum store_sqlite_scrub_state store_sqlite_scrub_slice(struct sqlite_scrub *s,
                                                       uint64_t slice_ms);

/* Zeros in the unused parts of one page of a b-tree, other than the first page
 * of the database: calls zero for each part that has something else, and is
 * harmless for whatever is no such page. usable: its bytes without the reserved
 * ones (https://sqlite.org/fileformat2.html, 1.6). */
void store_sqlite_scrub_page(const unsigned char *page, size_t usable,
                             void (*zero)(void *cookie, size_t at, size_t n),
                             void *cookie);

#endif
