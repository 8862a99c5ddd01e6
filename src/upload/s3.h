/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_UPLOAD_S3_H
#define CHATBOX_UPLOAD_S3_H

#include "base/err.h"
#include "base/str.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Files in a bucket of S3, or of what speaks like it: one object an id. All of
 * it waits for the network, each wait with a limit; what failed for a reason
 * that passes (no connection, 5xx, 429) is tried three times in all. Any
 * thread, after fetch_pool_prepare.
 *
 * On error: ERR_NOT_FOUND, or ERR_IO; why is a few words for the log then, of
 * S3's or of libcurl's, without keys. */
struct s3;

struct s3_settings {
    const char *endpoint; /* a URL; "": Amazon's */
    const char *region;
    const char *bucket;
    const char *key_id;
    const char *secret;
    const atomic_bool *stop; /* true: nothing is waited for any more; or NULL */
};

#define S3_WHY_BYTES 160

/* Borrows the texts of settings; nothing is asked yet. */
struct s3 *s3_new(const struct s3_settings *settings);
void s3_free(struct s3 *s); /* NULL is fine; nothing runs */

/* Looks into the bucket, once. *sure_out: it is not only away, but says no (it
 * does not exist, the keys are wrong, they may not): it will not get better by
 * itself. */
enum err s3_check(struct s3 *s, bool *sure_out,
                  char why[static S3_WHY_BYTES]) MUST_CHECK;

/* All of a file. After an error it may be there all the same. */
enum err s3_put(struct s3 *s, struct str key, int fd,
                char why[static S3_WHY_BYTES]) MUST_CHECK;

enum err s3_size(struct s3 *s, struct str key, uint64_t *size_out,
                 char why[static S3_WHY_BYTES]) MUST_CHECK;

/* n bytes (not 0) from an offset, all of them. */
struct s3_part {
    uint64_t at;
    char *out;
    size_t n;
};
enum err s3_read(struct s3 *s, struct str key, const struct s3_part *part,
                 char why[static S3_WHY_BYTES]) MUST_CHECK;

/* Not there is fine. */
enum err s3_remove(struct s3 *s, struct str key,
                   char why[static S3_WHY_BYTES]) MUST_CHECK;

/* Calls each(cookie, key, bytes) for every object; an error of its ends it and
 * is the answer (why is its). */
struct s3_visitor {
    enum err (*each)(void *cookie, struct str key, uint64_t bytes);
    void *cookie;
};
enum err s3_list(struct s3 *s, const struct s3_visitor *visitor,
                 char why[static S3_WHY_BYTES]) MUST_CHECK;

#endif
