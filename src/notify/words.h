/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_NOTIFY_WORDS_H
#define CHATBOX_NOTIFY_WORDS_H

#include "base/buf.h"
#include "notify/notice.h"

/* A notice as people read it, in mail and SMS. Values are one line each, valid
 * UTF-8, without control characters. All borrow. */

/* Calls row for who, where and when, as far as it is known. */
void words_each(const struct notice *n,
                void (*row)(void *arg, const char *label, struct str value),
                void *arg);

/* Appends what is not unreserved (RFC 3986 2.3) as %XX. */
void words_put_encoded(struct buf *out, struct str text);

/* Appends the operators' page with the session's id in its query; nothing
 * when there is no such page. */
void words_put_link(struct buf *out, const struct notify_settings *settings,
                    const struct notice *n);

#endif
