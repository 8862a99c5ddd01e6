/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_ALERT_H
#define CHATBOX_CHAT_ALERT_H

struct shard;

/* A provider's breaker has opened, or closed: in the log, in the metric's slot
 * and to operators. Once for the process, by the shard that saw it. Borrow. */
void alert_breaker_opened(struct shard *s, const char *provider, unsigned slot,
                          const char *reason);
void alert_breaker_closed(struct shard *s, const char *provider, unsigned slot);

#endif
