/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CODEC_HTTP1_HEAD_H
#define CHATBOX_CODEC_HTTP1_HEAD_H

#include "base/err.h"
#include "base/str.h"
#include "codec/http1_target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Limits of protocol.md section 1. */
#define HTTP1_LINE_MAX 8192          /* request line, without its CRLF */
#define HTTP1_HEADERS_MAX 100        /* header lines */
#define HTTP1_HEADER_BYTES_MAX 16384 /* header lines with their CRLFs */

/* No head is longer than this, the empty lines around it included. */
#define HTTP1_HEAD_MAX (HTTP1_LINE_MAX + HTTP1_HEADER_BYTES_MAX + 6)

enum http1_method {
    HTTP1_GET,
    HTTP1_HEAD,
    HTTP1_POST,
    HTTP1_PUT,
    HTTP1_PATCH,
    HTTP1_DELETE,
    HTTP1_OPTIONS,
    HTTP1_CONNECT,
    HTTP1_TRACE,
    HTTP1_OTHER /* any other token; methods are case-sensitive */
};

enum http1_framing {
    HTTP1_NO_BODY,
    HTTP1_LENGTH, /* content_length bytes, possibly 0 */
    HTTP1_CHUNKED
};

struct http1_header {
    struct str name;  /* as sent; compare without case */
    struct str value; /* without the white space around it */
};

/* A request head. All strs point into the bytes it was parsed from. About
 * 3.4 KB: keep it on the stack, not in a connection. */
struct http1_head {
    enum http1_method method;
    struct str method_text;
    struct http1_target target;
    struct str host;      /* of the target, else the Host header, with its
                             port; empty when an HTTP/1.0 client gave none */
    int minor;            /* HTTP/1.minor: 0 or 1 */
    bool keep_alive;      /* the client wants the connection to stay */
    bool expect_continue; /* it waits for "100 Continue" before the body */
    enum http1_framing framing;
    uint64_t content_length; /* for HTTP1_LENGTH; below 2^63 */
    size_t header_count;
    struct http1_header headers[HTTP1_HEADERS_MAX];
};

/* What a parser remembers of a head that is not complete, all below
 * HTTP1_HEAD_MAX: bytes looked at, where the last line begins, where the
 * header lines begin (0: not yet), how many of them are complete. */
struct http1_scan {
    uint16_t seen;
    uint16_t line;
    uint16_t headers;
    uint16_t count;
};

/* Reads a request head at the beginning of bytes. To be called with all bytes
 * since the end of the last request, again whenever there are more; *scan is
 * the parser's memory between these calls, all zero before the first one. A
 * byte is looked at no more often than the head has lines, however few come
 * at once.
 *
 *   ERR_OK       head is filled; it took *consumed_out bytes. *scan is zero.
 *   ERR_AGAIN    the head is not complete; head is void.
 *   otherwise    the error to answer with; the connection must be closed
 *                after the answer, for where the request ends is unknown:
 *                ERR_BAD_REQUEST, ERR_URI_TOO_LONG, ERR_HEADERS_TOO_LARGE,
 *                ERR_EXPECTATION_FAILED.
 *
 * RFC 9112, strictly: whatever another recipient could read in another way is
 * ERR_BAD_REQUEST. Said at the earliest: a line that is complete is judged at
 * once, in one that is not control characters and excess length are. */
enum err http1_head_parse(struct http1_head *head, struct http1_scan *scan,
                          struct str bytes, size_t *consumed_out) MUST_CHECK;

/* The first header of that name at or after *at (start with 0), moving *at
 * behind it; NULL when there is none. Borrowed from head. */
const struct http1_header *http1_head_next(const struct http1_head *head,
                                           const char *name, size_t *at);

/* The value of a header that may stand only once (Authorization, Origin…).
 * ERR_OK: there is one. ERR_NOT_FOUND: none. ERR_BAD_REQUEST: more than one.
 * On an error *value_out is empty. */
enum err http1_head_single(const struct http1_head *head, const char *name,
                           struct str *value_out) MUST_CHECK;

/* Some header of that name holds token in its comma-separated list, compared
 * without case. */
bool http1_head_lists(const struct http1_head *head, const char *name,
                      const char *token);

/* Takes the next item off *rest, a comma-separated list of tokens, without
 * white space around it; empty ones are passed over. False when there is none.
 * Borrows. */
bool http1_head_next_item(struct str *rest, struct str *item_out);

/* What the Connection fields of a message say, begun as {0}. */
struct http1_persistence {
    bool close;
    bool keep_alive;
};

/* Adds one field's value. */
void http1_head_see_connection(struct http1_persistence *p, struct str value);

/* Whether the connection goes on behind a message of HTTP/1.minor; RFC 9112
 * section 9.3. */
bool http1_head_persists(const struct http1_persistence *p, int minor);

#endif
