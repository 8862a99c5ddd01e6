/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_NET_LISTENER_H
#define CHATBOX_NET_LISTENER_H

#include "base/err.h"
#include "net/net.h"

#include <stddef.h>
#include <stdint.h>

/* The listening socket of one shard (SO_REUSEPORT: one each). Accepting is
 * bounded per turn of the loop. An eighth of the process's descriptors, at most
 * LISTENER_RESERVE, are not for connections, which are closed when only those
 * are left: files and requests to the outside go on. When descriptors run out a
 * spare one is used to take and close one connection, and accepting pauses for
 * 100 ms: no busy loop. */
#define LISTENER_RESERVE 64
struct conn;
struct listener;
struct shard;

/* Binds a socket to host:*port with SO_REUSEPORT; any thread. When *port is 0
 * one is chosen and put there. Gives a descriptor. On error ERR_IO with a
 * sentence in why. */
enum err listener_bind(const char *host, uint16_t *port, int *fd_out, char *why,
                       size_t why_size) MUST_CHECK;

/* ERR_IO with a sentence in why when some process listens at host:port
 * already. To be asked once before the first listener_bind, which would share
 * the port with another process of the same user without noticing. */
enum err listener_probe(const char *host, uint16_t port, char *why,
                        size_t why_size) MUST_CHECK;

/* Watches fd (takes it), which listens from now on. on_accept gets each new
 * connection on this shard's thread; it must conn_attach it before it returns.
 * With TLS the handshake goes on behind it. NULL: it cannot be listened on or
 * watched; fd is closed. */
struct listener *listener_start(struct shard *s, int fd,
                                void (*on_accept)(struct shard *, struct conn *,
                                                  void *cookie),
                                void *cookie);

/* Its connections speak no TLS, whatever net_settings say. Before the loop
 * turns. */
void listener_without_tls(struct listener *l);

/* Stops accepting and gives the descriptor, which goes on listening: who comes
 * meanwhile waits for the next listener_start with it. */
int listener_release(struct listener *l) MUST_CHECK;

/* Stops accepting and closes the descriptor. NULL is fine. */
void listener_stop(struct listener *l);

#endif
