/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_NET_LISTENER_H
#define CHATBOX_NET_LISTENER_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The listening socket of one shard (SO_REUSEPORT: one each). Accepting is
 * bounded per turn of the loop; when descriptors run out a reserve descriptor
 * is used to take and close one connection, and accepting pauses for 100 ms:
 * no busy loop. */
struct conn;
struct listener;
struct shard;
struct tls;

struct net_settings {
    struct tls *tls; /* NULL: plain; borrowed, see net/tls.h */
    size_t output_limit_bytes;
};

/* Per-shard part of this room (scratch memory, flush list); hangs itself into
 * shard->net. Borrows settings for its life. */
enum err net_init(struct shard *s,
                  const struct net_settings *settings) MUST_CHECK;
void net_fini(struct shard *s);

/* Number of open connections of this shard. */
size_t net_conn_count(const struct shard *s);

/* Calls fn for every open connection of this shard (shutdown). */
void net_each_conn(struct shard *s, void (*fn)(struct conn *, void *), void *);

/* Binds a socket to host:port with SO_REUSEPORT; any thread. port 0 chooses
 * one, told through *port_out. Gives a descriptor. On error ERR_IO with a
 * sentence in why. */
enum err listener_bind(const char *host, uint16_t port, int *fd_out,
                       uint16_t *port_out, char *why,
                       size_t why_size) MUST_CHECK;

/* Watches fd (takes it). on_accept gets each new connection on this shard's
 * thread; it must conn_attach it before it returns. */
struct listener *listener_start(struct shard *s, int fd,
                                void (*on_accept)(struct shard *, struct conn *,
                                                  void *cookie),
                                void *cookie);

/* Stops accepting and closes the descriptor. NULL is fine. */
void listener_stop(struct listener *l);

#endif
