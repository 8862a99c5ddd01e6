/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_UPLOAD_FOLDER_H
#define CHATBOX_UPLOAD_FOLDER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/newfile.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Files on a local disk: a folder with one file an id, nothing else. A file
 * has its name only once it is whole and on the disk (base/newfile.h). All of
 * it may block; any thread. */

/* Makes the folder, and removes what uploads that were cut left in it. On
 * error (ERR_IO) one sentence. */
enum err folder_init(const char *folder, char *why, size_t why_size) MUST_CHECK;

/* A new file for this id, for newfile_write and newfile_publish. */
enum err folder_create(const char *folder, struct str id, struct newfile *out,
                       char *why, size_t why_size) MUST_CHECK;

/* ERR_NOT_FOUND, ERR_IO. The caller closes *fd_out. */
enum err folder_open(const char *folder, struct str id, int *fd_out,
                     uint64_t *size_out) MUST_CHECK;

/* n bytes from an offset, all of them: ERR_IO when they are not there. */
enum err folder_read(int fd, uint64_t at, char *out, size_t n) MUST_CHECK;

/* Not there is fine. */
enum err folder_remove(const char *folder, struct str id) MUST_CHECK;

/* What a user has; with `erase` it is removed, overwritten before. key is what
 * the ids were made with. A folder that is not there has nothing. ERR_IO: some
 * of it is still there. */
struct folder_sum {
    uint64_t files;
    uint64_t bytes;
};
enum err folder_of_user(const char *folder, struct str key, struct str user_id,
                        bool erase, struct folder_sum *out) MUST_CHECK;

#endif
