/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CODEC_HTTP1_TARGET_H
#define CHATBOX_CODEC_HTTP1_TARGET_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* The request-target of RFC 9112 section 3.2, in pieces, still
 * percent-encoded (every "%" is followed by two hexadecimal digits). */
struct http1_target {
    struct str raw;       /* all of it; holds the query, so never log it */
    struct str authority; /* absolute-form and CONNECT; otherwise empty */
    struct str path;      /* "/…"; "*" for OPTIONS *; empty for CONNECT */
    struct str query;     /* behind "?"; empty when there is none */
};

/* Origin-form and absolute-form (http and https) for every method but
 * CONNECT, authority-form for CONNECT only, "*" for OPTIONS only. A fragment,
 * user information, an empty host and any byte that RFC 3986 does not allow
 * are ERR_BAD_REQUEST. Borrows raw; the pieces point into it. */
enum err http1_target_parse(struct str raw, bool connect, bool options,
                            struct http1_target *out) MUST_CHECK;

/* uri-host [":" port] with a host that is not empty and a port, if any, of at
 * most 65535. */
bool http1_target_authority_valid(struct str authority);

/* Appends the decoded path to out, except that the escapes of "/", "\" and
 * "%" stay: they are no separators, and every "%" that is left begins one of
 * them. ERR_BAD_REQUEST for an encoded control character or NUL, invalid
 * UTF-8, and for a segment that is "." or "..": such a path names different
 * things to different readers. Once decoded a segment may be "..", and is a
 * name like any other then: nothing may walk along a decoded path. ERR_TOO_BIG
 * when out is full. A decoded path is never longer than the path. */
enum err http1_target_decode_path(struct str path, struct buf *out) MUST_CHECK;

/* Appends a segment of a decoded path with what stayed decoded, too: what its
 * client meant. It may be ".." or hold slashes, so it is a name, never a part
 * of a path. Errors as above. */
enum err http1_target_decode_segment(struct str segment,
                                     struct buf *out) MUST_CHECK;

/* Walks "key=value&key=value": takes the first pair off *query and appends
 * key and value, decoded ("+" is a space), to out, where the two strs given
 * back point; they are valid until out changes. They may hold any bytes: who
 * knows what the value should be judges it. A pair without "=" has an empty
 * value; empty pairs are passed over.
 *
 *   ERR_OK           a pair was given.
 *   ERR_NOT_FOUND    there is no further pair.
 *   ERR_BAD_REQUEST  a "%" without two hexadecimal digits.
 *   ERR_TOO_BIG      out is full. */
struct http1_pair {
    struct str key;
    struct str value;
};
enum err http1_target_next_pair(struct str *query, struct buf *out,
                                struct http1_pair *pair_out) MUST_CHECK;

/* The value of key in query, appended decoded to out. As above, and
 * ERR_NOT_FOUND when key is not there, ERR_BAD_REQUEST when it is there more
 * than once. out is emptied first. */
enum err http1_target_query(struct str query, const char *key, struct buf *out,
                            struct str *value_out) MUST_CHECK;

#endif
