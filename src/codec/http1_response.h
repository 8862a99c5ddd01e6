/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CODEC_HTTP1_RESPONSE_H
#define CHATBOX_CODEC_HTTP1_RESPONSE_H

#include "base/err.h"
#include "base/str.h"
#include "codec/http1_head.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP1_RESPONSE_HEAD_MAX 65536 /* bytes, with the empty line */
#define HTTP1_RESPONSE_LINES_MAX 256  /* header lines */

/* What the head of an HTTP/1.x response says about its body and to us. The
 * strs point into the bytes it was parsed from; empty when not sent. */
struct http1_response {
    int status;      /* 100 to 999 */
    int minor;       /* HTTP/1.minor: 0 or 1 */
    bool keep_alive; /* the connection may carry another request */
    /* For http1_body_begin. A body that ends when the connection does is
     * HTTP1_LENGTH of INT64_MAX bytes, and until_close. */
    enum http1_framing framing;
    bool until_close;
    uint64_t content_length;
    struct str content_type;
    struct str retry_after;
};

/* Reads a response head at the beginning of bytes. To be called with all
 * bytes since the end of the last head or body, again whenever there are more;
 * *seen is the parser's memory between these calls, 0 before the first one.
 * to_head: the answer to a HEAD request, which has no body whatever it says.
 *
 *   ERR_OK     r is filled; it took *consumed_out bytes. *seen is 0. An
 *              interim response (status below 200) has no body, and the next
 *              head follows.
 *   ERR_AGAIN  the head is not complete; r is void.
 *   otherwise  not a head that everybody would read in the same way:
 *              ERR_BAD_REQUEST, or ERR_HEADERS_TOO_LARGE. Close the connection.
 *
 * RFC 9112; a lone LF ends a line too (section 2.2), folded lines and any
 * transfer coding but "chunked" are refused, and so is 101, which nobody asked
 * for. */
enum err http1_response_parse(struct http1_response *r, struct str bytes,
                              bool to_head, size_t *seen,
                              size_t *consumed_out) MUST_CHECK;

#endif
