/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_UPLOAD_UPLOAD_H
#define CHATBOX_UPLOAD_UPLOAD_H

#include "base/buf.h"
#include "base/str.h"
#include "upload/file_type.h"
#include "upload/shelf.h"

#include <stdbool.h>
#include <stdint.h>

/* Where files of users are, and the links to them. Immutable while the server
 * runs; shared by all threads. */
struct upload {
    struct shelf shelf;
    struct str key;           /* file_id.h */
    const char *const *types; /* that are taken; NULL at the end */
    const char *prefix;       /* "/chatbox/files/": of links */
    uint64_t max_bytes;       /* of one file */
    int64_t url_ttl_ms;
};

/* Appends a link to the file that is good from now (wall clock) for
 * url_ttl_ms. */
void upload_put_url(const struct upload *u, struct str id, int64_t now_ms,
                    struct buf *out);

/* The link that something stored with this id and link is shown with, either
 * may be NULL: anew for a file of ours, else as it is stored; maybe nothing. */
void upload_put_shown(const struct upload *u, const char *id, const char *url,
                      struct buf *out);

/* The id in a link of ours, whatever stands behind it; empty: it is none.
 * Points into url. */
struct str upload_id_in(const struct upload *u, struct str url);

/* Whether the signature of a link is ours and still good. */
bool upload_link_good(const struct upload *u, struct str id, int64_t until_s,
                      struct str sig, int64_t now_ms);

/* Of an id that was read as one (file_id_read); NULL: of a type that an older
 * version knew. */
const struct file_type *upload_type(struct str id);

#endif
