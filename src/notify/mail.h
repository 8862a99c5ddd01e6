/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_NOTIFY_MAIL_H
#define CHATBOX_NOTIFY_MAIL_H

#include "base/buf.h"
#include "notify/channel.h"

/* One mail for each address: text and HTML of the same. */
extern const struct channel mail_channel;

/* Appends the whole message (RFC 5322, multipart/alternative of RFC 2046) in
 * lines of at most MIME_LINE_MAX bytes, ASCII, that end with CRLF; but an
 * address may make its line longer. recipient is an index of mail_to; the same
 * notice and recipient give the same Message-ID. */
void mail_build(struct buf *out, const struct notify_settings *settings,
                const struct notice *n, size_t recipient);

#endif
