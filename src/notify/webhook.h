/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_NOTIFY_WEBHOOK_H
#define CHATBOX_NOTIFY_WEBHOOK_H

#include "base/buf.h"
#include "notify/channel.h"

/* A signed POST. The body is the same at every try, the signature is made
 * anew: its time is the try's. */
extern const struct channel webhook_channel;

/* Appends {id,event,at,session_id?,user_id?,data}. */
void webhook_body(struct buf *out, const struct notice *n);

/* Appends t=<seconds>,v1=<hex of HMAC-SHA-256(secret, seconds "." body)>. */
void webhook_signature(struct buf *out, struct str secret, int64_t seconds,
                       struct str body);

#endif
