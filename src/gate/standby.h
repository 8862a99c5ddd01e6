/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_STANDBY_H
#define CHATBOX_GATE_STANDBY_H

#include "base/err.h"
#include "gate/gate.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* What a server does at its door while another one, the holder, has the
 * database: every connection is passed on to the holder, as a reverse proxy
 * does, but for the probes and the metrics page, which are about this process
 * and are answered here. A connection brings one request, or one WebSocket: its
 * head is read, written anew for the holder (gate/forward.h), and behind it
 * both ways are a pipe (gate/pipe.h). Without a holder, or when it cannot be
 * reached, a connection waits until there is another one, and is tried again
 * several times a second; after 3 s the answer is 503 with Retry-After.
 *
 * One per shard that has net_init and no gate; everything on that shard's
 * thread. */
struct conn;
struct shard;
struct standby;

/* settings: borrowed until standby_fini; of it path_prefix, trusted_proxies,
 * metrics_networks and tls are looked at, the rest may be empty. No holder is
 * known, and it is not ready. Gives. */
enum err standby_init(struct shard *s, const struct gate_settings *settings,
                      struct standby **standby_out) MUST_CHECK;

/* Frees it. Its connections have ended: on_empty of standby_drain has run, or
 * net_fini has. NULL is fine. */
void standby_fini(struct standby *standby);

/* For listener_start, with the struct standby as its cookie. */
void standby_on_accept(struct shard *s, struct conn *c, void *cookie);

/* Where the holder listens for other servers (borrows; AF_INET or AF_INET6), or
 * NULL: nobody knows. Another address than before aborts what is joined to the
 * old one; those who are still being connected, or wait, are connected to the
 * new one. The same address changes nothing. */
void standby_set_holder(struct standby *standby,
                        const struct sockaddr_storage *holder);

/* What readyz says while a holder is known; without one it is 503 anyway. It
 * changes nothing else. */
void standby_set_ready(struct standby *standby, bool ready);

/* Another one accepts from now on; who is here goes on. on_empty as below. */
void standby_retire(struct standby *standby, void (*on_empty)(void *cookie),
                    void *cookie);

/* The way down. Who has not sent a whole head, and who asked for a WebSocket,
 * is let go now; a plain request may have its answer; not ready any more, and a
 * connection that still comes is refused with 503. on_empty runs once, when no
 * connection is left: perhaps before this returns, never after standby_fini. */
void standby_drain(struct standby *standby, void (*on_empty)(void *cookie),
                   void *cookie);

/* Aborts what is left; returns how many had something that was not sent. They
 * are gone at the end of this turn of the loop, and then on_empty runs. */
size_t standby_abort_all(struct standby *standby);

#endif
