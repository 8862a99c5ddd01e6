/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_WATCH_H
#define CHATBOX_GATE_WATCH_H

#include "gate/request.h"

/* An operator's WebSocket on its way to somebody else's session: found out
 * whose it is, put down in the audit, and brought to that user's shard, while
 * the operator's own shard goes on counting the connection. */
struct watch;

struct watch_wish {
    struct str session_id; /* an id by its shape */
    struct str device_id;  /* empty: not given */
    bool full; /* the operator may have no more connections: this one has room
                  only in the place of one that it replaces */
};

/* On the operator's shard, which counts the connection from now on unless it
 * is full or the connection replaces one there. Later then runs with the
 * request, from a move, on the shard where it is to become a socket;
 * watch_owner says whose session it watches. Or on the operator's again, and
 * watch_refused says that there is nothing to replace. Or the request has been
 * answered. Borrows what wish points to. */
void watch_start(struct request *r, const struct watch_wish *wish,
                 void (*then)(struct request *r));

/* The request becomes a socket here: its own shard counts it by now. w may be
 * NULL. */
void watch_begin(struct watch *w, const struct shard *here);

/* Home was full, and there is nothing whose place it could take. w may be
 * NULL. */
bool watch_refused(const struct watch *w);

/* Whose session; empty: the operator's own, or one that nobody has. Borrowed.
 * w may be NULL. */
struct str watch_owner(const struct watch *w);

/* One more connection of the operator was refused: tells those that it has on
 * the other shards. */
void watch_tell_refused(struct gate *g, const char *who);

/* The connection has ended, or is no watching one: its own shard counts it no
 * more. Takes w; NULL is fine. Any shard's thread. */
void watch_end(struct watch *w);

#endif
