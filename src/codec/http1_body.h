/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CODEC_HTTP1_BODY_H
#define CHATBOX_CODEC_HTTP1_BODY_H

#include "base/err.h"
#include "base/str.h"
#include "codec/http1_head.h"

#include <stddef.h>
#include <stdint.h>

/* Framing that nobody needs much of, per body: chunk extensions and
 * trailers (both discarded). Digits of one chunk size. */
#define HTTP1_EXTENSION_BYTES_MAX 4096
#define HTTP1_TRAILER_BYTES_MAX 8192
#define HTTP1_CHUNK_DIGITS_MAX 16

/* Reads a body off a connection's bytes, without storing it. Owns
 * nothing. 32 bytes. */
struct http1_body {
    uint64_t left;    /* of the body (length) or of this chunk */
    uint64_t allowed; /* body bytes that may still come before the limit */
    uint32_t extensions;
    uint32_t trailers;
    uint8_t state;
    uint8_t digits;  /* of the chunk size so far */
    uint8_t failure; /* the enum err that every call gives from now on */
};

/* For the body that head announces. ERR_PAYLOAD_TOO_LARGE when its
 * Content-Length says that it is longer than limit_bytes; the request can
 * then be answered at once, and the connection must be closed. */
enum err http1_body_init(struct http1_body *b, const struct http1_head *head,
                         uint64_t limit_bytes) MUST_CHECK;

/* The same for framing known otherwise, as of a response. */
enum err http1_body_begin(struct http1_body *b, enum http1_framing framing,
                          uint64_t content_length,
                          uint64_t limit_bytes) MUST_CHECK;

/* Takes bytes off the front of *in and gives the next run of the body in
 * *data_out (may be empty; points into what *in was; borrowed).
 *
 *   ERR_OK      this was the end of the body; *in begins the next request.
 *   ERR_AGAIN   there is more to come; call again while in->n > 0.
 *   otherwise   the error to answer with; the connection must be closed:
 *               ERR_BAD_REQUEST, ERR_PAYLOAD_TOO_LARGE (a chunk size that
 *               passes the limit), ERR_HEADERS_TOO_LARGE (trailers). It is
 *               given again by every further call.
 *
 * A body of no bytes is at its end at once: call it also with an empty *in. */
enum err http1_body_feed(struct http1_body *b, struct str *in,
                         struct str *data_out) MUST_CHECK;

#endif
