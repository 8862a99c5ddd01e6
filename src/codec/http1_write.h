/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CODEC_HTTP1_WRITE_H
#define CHATBOX_CODEC_HTTP1_WRITE_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A response in the order it is written: status, headers, end, body. All
 * append to b, whose sticky failure says at the end whether it all fitted.
 */

/* "HTTP/1.1 200 OK" */
void http1_write_status(struct buf *b, int status);

/* "name: value". Bytes of the value that could end the line or are no text
 * (controls but the tab) are written as spaces, so that no value, wherever it
 * came from, can begin another header. name is our own literal. */
void http1_write_header(struct buf *b, const char *name, struct str value);
void http1_write_header_u64(struct buf *b, const char *name, uint64_t value);

/* "Date: Sun, 06 Nov 1994 08:49:37 GMT" (IMF-fixdate); years 1970 to 9999. */
void http1_write_date(struct buf *b, int64_t wall_ms);

/* "Connection: close" when it does not stay; "keep-alive" when it does and
 * the client is HTTP/1.0 (minor 0); otherwise nothing, as it is the rule. */
void http1_write_connection(struct buf *b, bool keep_alive, int minor);

/* The empty line. */
void http1_write_end(struct buf *b);

/* Behind "Transfer-Encoding: chunked": data.n > 0 bytes; then the end. */
void http1_write_chunk(struct buf *b, struct str data);
void http1_write_last_chunk(struct buf *b);

/* The interim answer to Expect: a whole response. */
void http1_write_continue(struct buf *b);

#endif
