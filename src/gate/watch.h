/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_WATCH_H
#define CHATBOX_GATE_WATCH_H

#include "gate/request.h"

/* An operator's WebSocket on its way to somebody else's session: found out
 * whose it is, put down in the audit, and brought to that user's shard, while
 * the operator's own shard goes on counting the connection. */
struct watch;

/* On the operator's shard. Later then runs with the request, from a move, on
 * the shard where it is to become a socket; watch_owner says whose session it
 * watches. Or the request has been answered. Borrows session_id. */
void watch_start(struct request *r, struct str session_id,
                 void (*then)(struct request *r));

/* Whose session; empty: the operator's own, or one that nobody has. Borrowed.
 * w may be NULL. */
struct str watch_owner(const struct watch *w);

/* The connection has ended, or is no watching one: its own shard counts it no
 * more. Takes w; NULL is fine. Any shard's thread. */
void watch_end(struct watch *w);

#endif
