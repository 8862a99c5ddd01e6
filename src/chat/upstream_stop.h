/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_UPSTREAM_STOP_H
#define CHATBOX_CHAT_UPSTREAM_STOP_H

#include "chat/terms.h"

/* Telling a provider that nobody waits for an answer any more. Best effort:
 * once, on its own, waited for by nobody; what came of it is counted and
 * logged. The shard's thread. */

/* For all of it: name, connection, answer. */
#define UPSTREAM_STOP_MS 5000

/* Tells the provider (an index of the terms' settings; holds the terms), if it
 * has a stop, to end the answer called task that user asked for. Nothing after
 * chat_fini has begun. Borrows. */
void upstream_stop_send(struct terms *terms, unsigned provider, struct str task,
                        struct str user);

/* Frees all that are under way (chat_fini). */
void upstream_stop_fini_all(struct chat *c);

#endif
