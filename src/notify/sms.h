/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_NOTIFY_SMS_H
#define CHATBOX_NOTIFY_SMS_H

#include "base/buf.h"
#include "notify/channel.h"

/* One SMS for each number, by an HTTP API: Twilio's, or JSON {to,from,text}
 * with a bearer token. */
extern const struct channel sms_channel;

/* At most so many characters: what a provider cuts into a few parts. */
#define SMS_CHARS_MAX 300

/* Appends the text: the sentence, who, where, when, and the link if it fits. */
void sms_text(struct buf *out, const struct notify_settings *settings,
              const struct notice *n);

/* Append the request's body of either provider. */
void sms_body_twilio(struct buf *out, const char *to, const char *from,
                     struct str text);
void sms_body_generic(struct buf *out, const char *to, const char *from,
                      struct str text);

#endif
