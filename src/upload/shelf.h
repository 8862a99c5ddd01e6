/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_UPLOAD_SHELF_H
#define CHATBOX_UPLOAD_SHELF_H

#include "base/err.h"
#include "base/newfile.h"
#include "base/str.h"
#include "upload/file_id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where files of users are kept, by kind: a folder of this machine (folder.h),
 * or S3 (s3.h). An upload is gathered in the folder with either kind, and is
 * taken over from there when it is whole. Immutable while the server runs; all
 * of it may block; any thread.
 *
 * why gets a few words for the log with every error but ERR_NOT_FOUND. */
#define SHELF_WHY_BYTES 160

struct s3;
struct shelf_kind;
struct shelf {
    const struct shelf_kind *kind;
    const char *folder;
    struct s3 *s3; /* NULL: the folder has the files */
};

/* Borrows both. */
void shelf_init(struct shelf *s, const char *folder, struct s3 *s3);

/* The word of the setting: "local", "s3". */
const char *shelf_kind_name(const struct shelf *s);

/* So much is read at once when a file is sent. */
size_t shelf_part_bytes(const struct shelf *s);

/* Makes the folder, removes what uploads that were cut left in it, and looks
 * whether the shelf is there. *away_out: it is not, but that may pass, and
 * ERR_OK. Otherwise an error (ERR_IO) is for good. One sentence in why. */
enum err shelf_open(const struct shelf *s, bool *away_out, char *why,
                    size_t why_size) MUST_CHECK;

/* A new file for this id. */
enum err shelf_create(const struct shelf *s, struct str id, struct newfile *out,
                      char why[static SHELF_WHY_BYTES]) MUST_CHECK;

/* All of the bytes, behind those that it has. */
enum err shelf_write(struct newfile *f, struct str bytes,
                     char why[static SHELF_WHY_BYTES]) MUST_CHECK;

/* All of it is there under its id from now on. After an error it may be, too:
 * shelf_remove. newfile_end is the caller's in any case. */
enum err shelf_publish(const struct shelf *s, struct str id, struct newfile *f,
                       char why[static SHELF_WHY_BYTES]) MUST_CHECK;

/* Not there is fine. */
enum err shelf_remove(const struct shelf *s, struct str id,
                      char why[static SHELF_WHY_BYTES]) MUST_CHECK;

/* A file to read from; shelf_file_close also after an error. */
struct shelf_file {
    char id[FILE_ID_CHARS + 1]; /* the caller's */
    uint64_t size;
    char why[SHELF_WHY_BYTES];
    int fd; /* of the folder's; -1 */
};
void shelf_file_init(struct shelf_file *f, struct str id);
void shelf_file_close(struct shelf_file *f);

/* ERR_NOT_FOUND, ERR_IO. */
enum err shelf_file_open(const struct shelf *s,
                         struct shelf_file *f) MUST_CHECK;

/* n bytes (not 0) from an offset, all of them. */
enum err shelf_file_read(const struct shelf *s, struct shelf_file *f,
                         uint64_t at, char *out, size_t n) MUST_CHECK;

/* What a user has; with `erase` it is removed. key is what the ids were made
 * with. ERR_IO: some of it is still there. */
struct shelf_search {
    struct str key;
    struct str user_id;
    bool erase;
    uint64_t files; /* found */
    uint64_t bytes;
};
enum err shelf_of_user(const struct shelf *s, struct shelf_search *search,
                       char why[static SHELF_WHY_BYTES]) MUST_CHECK;

#endif
