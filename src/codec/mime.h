/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CODEC_MIME_H
#define CHATBOX_CODEC_MIME_H

#include "base/buf.h"

#include <stdint.h>

/* Parts of Internet messages that we write (RFC 5322, 2045, 2047). All append
 * and borrow. Lines end with CRLF and have at most MIME_LINE_MAX bytes before
 * it, whatever the text, but for HTML, which is to be quoted. Bytes that are
 * not UTF-8 become U+FFFD. */
#define MIME_LINE_MAX 76

/* The text itself, on one line however long: control characters, line ends
 * among them, become spaces. */
void mime_put_line(struct buf *out, struct str text);

/* "Name: text", folded. Control characters, line ends among them, become
 * spaces; what is not printable ASCII, or could be read as an encoded word,
 * is written as encoded words. name has at most 40 bytes. */
void mime_put_header(struct buf *out, const char *name, struct str text);

/* "Date: Sun, 22 Nov 2026 15:49:51 +0000". */
void mime_put_date(struct buf *out, int64_t wall_ms);

/* As quoted-printable; LF and CRLF are line ends, and there is one at the end.
 */
void mime_put_quoted(struct buf *out, struct str text);

/* As text or a quoted attribute of HTML: & < > " ' are escaped, control
 * characters but LF become spaces. */
void mime_put_html(struct buf *out, struct str text);

#endif
