/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_NET_NET_H
#define CHATBOX_NET_NET_H

#include "base/err.h"

#include <stddef.h>

/* The per-shard part of this room: scratch memory for reading, the list of
 * connections, and the list of those that have something to do at the end of
 * the turn. */
struct conn;
struct shard;
struct tls;

struct net_settings {
    struct tls *tls;           /* NULL: plain; borrowed, see net/tls.h */
    size_t output_limit_bytes; /* of one connection, at most 1 GiB */
};

/* Hangs itself into shard->net. Borrows settings for its life. On the
 * shard's thread, or before it starts. */
enum err net_init(struct shard *s,
                  const struct net_settings *settings) MUST_CHECK;

/* Drops the connections that are left (on_closed, CONN_END_ABORT). On the
 * shard's thread, or after it has ended; never inside a callback of this
 * room. Fine when net_init has not run. */
void net_fini(struct shard *s);

/* Number of open connections of this shard. */
size_t net_conn_count(const struct shard *s);

/* Calls fn for every open connection of this shard (shutdown). */
void net_each_conn(struct shard *s, void (*fn)(struct conn *, void *), void *);

#endif
