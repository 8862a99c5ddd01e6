/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_UPLOAD_S3_WIRE_H
#define CHATBOX_UPLOAD_S3_WIRE_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* What S3 is asked and what it says, as bytes; pure. Keys are ids of files
 * (file_id.h): nothing in them needs an escape. */

/* Where a bucket is, without a slash at the end. With an endpoint (an http or
 * https URL) "ENDPOINT/BUCKET"; without one it is Amazon's: the bucket is part
 * of the host, unless it has a dot, which no certificate would cover. */
void s3_wire_put_bucket(struct str endpoint, struct str region,
                        struct str bucket, struct buf *out);

/* "?list-type=2&max-keys=N", or what comes after a token of an answer. The
 * names are in the order in which they are signed. */
void s3_wire_put_list(struct str token, unsigned max_keys, struct buf *out);

/* Letters, digits and ". _ -", 1 to 255: a bucket or a region. */
bool s3_wire_name_good(struct str name);

/* The next <Contents> of a ListBucketResult, moving *rest behind it. False:
 * there is none. The key is as it is written, with its escapes. */
struct s3_wire_entry {
    struct str key;
    uint64_t bytes; /* 0: not said */
};
bool s3_wire_next(struct str *rest, struct s3_wire_entry *out);

/* The token for what comes after this page, without escapes; false: this is
 * the last one, or, with *bad_out, it is no page. */
bool s3_wire_more(struct str page, struct buf *token_out, bool *bad_out);

/* The <Code> of an answer that refuses: letters and digits, at most 64; empty:
 * it says none. Borrows from body. */
struct str s3_wire_code(struct str body);

#endif
