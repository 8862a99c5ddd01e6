/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_SQLITE_COPY_H
#define CHATBOX_STORE_STORE_SQLITE_COPY_H

#include "base/newfile.h"
#include "store/backup.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

/* Private to the SQLite backend: a database copied as it is at one moment, page
 * by page, into a file that is not yet there. Pages that were deleted are
 * copied as what they are, zeros. */
struct sqlite_copy {
    /* in */
    const char *from;
    bool beside; /* a server may be writing to it: leave it the disk as often
                    as not; and what a crash left in its log file is read */
    /* asked about the copy before it is called good; NULL: nobody. False: one
     * sentence in why. */
    bool (*admit)(void *cookie, sqlite3 *copy, char *why, size_t why_size);
    void *cookie;

    struct backup *report; /* out: what is in the copy */
};

/* Fills the file, which stays the caller's to publish or to end. ERR_CONFLICT:
 * it is not one of ours, or is of a newer version, or was not admitted;
 * ERR_DATABASE_ERROR: it cannot be read or written, or is not sound. On error
 * one sentence. */
enum err store_sqlite_copy_run(const struct sqlite_copy *c,
                               const struct newfile *to, char *why,
                               size_t why_size) MUST_CHECK;

#endif
