/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_BASE_NEWFILE_H
#define CHATBOX_BASE_NEWFILE_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* A file that has its name only once it is whole: it is written beside it as
 * NAME.partial and takes the name when everything of it is on the disk. After
 * a kill at any moment there is under the name what was there before, or all
 * of the new file; the next one takes what is left of the partial's place.
 *
 * Readable for its owner only. Any thread. */
struct newfile {
    char *path;
    char *partial;
    int fd; /* of the partial, for the caller to write to; -1: none */
};

/* Empty, and ours alone: ERR_CONFLICT when another process is writing it,
 * or when somebody else has made the partial. ERR_IO. On error one sentence in
 * why, and there is nothing to end. */
enum err newfile_open(struct newfile *f, const char *path, char *why,
                      size_t why_size) MUST_CHECK;

/* All of the bytes, to any file: ERR_IO, and errno says why. */
enum err newfile_write(int fd, struct str bytes) MUST_CHECK;

/* Syncs, and gives it the name; then syncs the folder. Unless `replace`
 * nothing may have the name: ERR_CONFLICT. On error (ERR_IO, too) one sentence,
 * and the name has what it had. */
enum err newfile_publish(struct newfile *f, bool replace, char *why,
                         size_t why_size) MUST_CHECK;

/* Ends: what was not published is removed. Twice is fine. */
void newfile_end(struct newfile *f);

/* Makes what happened to the names in the folder of this path durable. */
enum err newfile_sync_folder(const char *path) MUST_CHECK;

#endif
