/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_BACKUP_H
#define CHATBOX_STORE_BACKUP_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store_settings;

/* A copy of a whole database in one file, and back (docs/operations.md). */
struct backup {
    /* in */
    const char *file;
    bool replace; /* what stands there: the file, or the database */

    /* out: what the copy holds */
    int64_t version; /* of its schema */
    uint64_t sessions;
    uint64_t messages; /* running answers included */
    uint64_t bytes;
    bool kept; /* the database from before stands beside the new one */
};

/* Writes the database as it is at one moment to the file, beside a running
 * server, which goes on reading and writing. The copy has been read as a whole
 * and found sound before the file has its name, and is one file that needs no
 * other. Texts stay sealed; no key is needed. ERR_CONFLICT: the file is there,
 * or is the storage's own; ERR_NOT_FOUND: there is no database;
 * ERR_BAD_REQUEST: it is one that has tools of its own. On error one sentence
 * in why, and nothing is left of the file. Main thread, no store open in this
 * process. */
enum err store_backup(const struct store_settings *settings, struct backup *b,
                      char *why, size_t why_size) MUST_CHECK;

/* The database of the file takes the place of the one in the data folder,
 * which no server may use meanwhile (ERR_CONFLICT; also when there is one and
 * `replace` is not set, or the keys do not open what is sealed in the file).
 * The file is copied into the folder and found sound first; then one rename
 * decides. A kill at any moment leaves the old one, or the new one, which the
 * next start or restore finds and puts up. The old one is kept beside it as
 * chatbox.db.before-restore. Errors as above. */
enum err store_restore(const struct store_settings *settings, struct backup *b,
                       char *why, size_t why_size) MUST_CHECK;

#endif
