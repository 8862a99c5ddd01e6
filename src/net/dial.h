/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_NET_DIAL_H
#define CHATBOX_NET_DIAL_H

#include <stdint.h>
#include <sys/socket.h>

/* A connection from us to another server: plain TCP to an address, without a
 * look-up of names and without blocking. One attempt. Everything on the shard's
 * thread. */
struct conn;
struct dial;
struct shard;

/* What becomes of a dial: conn, to be attached before this returns, and why is
 * NULL; or conn is NULL and why says it in words (borrowed). */
typedef void dial_done(void *user, struct conn *conn, const char *why);

/* Begins to connect to an address (borrowed; AF_INET or AF_INET6). Exactly one
 * on_done later, never inside this call; after limit_ms at the latest, when why
 * is what the system calls a timeout. The dial is gone by then. Gives it until
 * then. The shard has net_init. */
struct dial *dial_start(struct shard *s, const struct sockaddr *to,
                        uint64_t limit_ms, dial_done *on_done, void *user);

/* on_done does not run. NULL is fine. */
void dial_cancel(struct dial *d);

#endif
