/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_NET_CONN_H
#define CHATBOX_NET_CONN_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* A byte stream to one peer, plain or TLS, owned by one shard at a time. It
 * reads into the shard's scratch memory and keeps only what its user has not
 * consumed; output is queued and written once per turn of the loop. It knows
 * nothing of HTTP. Everything on the owner's thread. */
struct conn;
struct shard;

enum conn_end {
    CONN_END_PEER,  /* the peer closed, and what was queued has been sent */
    CONN_END_LOCAL, /* conn_finish: everything queued has been sent */
    CONN_END_ERROR, /* the socket failed (reset, TLS error, …) */
    CONN_END_ABORT  /* conn_abort */
};

struct conn_events {
    /* n > 0 bytes are there, writable, borrowed. Returns how many were
     * consumed; the rest is kept and presented again, at the front of what
     * arrives next (n never exceeds CONN_UNREAD_MAX). Consuming nothing of
     * CONN_UNREAD_MAX bytes while reading is not paused ends the connection:
     * CONN_END_ERROR. */
    size_t (*on_bytes)(void *user, char *bytes, size_t n);
    /* The queue has fallen to the low-water mark after having been above the
     * high-water mark. */
    void (*on_drain)(void *user);
    /* The peer has closed its sending side (FIN); output still works. The
     * user decides: conn_finish or go on. */
    void (*on_eof)(void *user);
    /* Exactly once, the last callback; the conn is freed after it returns. */
    void (*on_closed)(void *user, enum conn_end why);
};

/* A connection of fd, a connected stream socket (takes it, also on error;
 * becomes non-blocking). peer may be NULL: unknown. ERR_IO when the system
 * will not watch it. No TLS. The caller attaches before it returns to the loop.
 */
enum err conn_open(struct shard *s, int fd, const struct sockaddr *peer,
                   struct conn **conn_out) MUST_CHECK;

#define CONN_UNREAD_MAX (64 * 1024)
#define CONN_LOW_WATER (16 * 1024)
#define CONN_HIGH_WATER (64 * 1024)

/* Events go to user from now on. Borrows events (static). */
void conn_attach(struct conn *c, const struct conn_events *events, void *user);

/* Queues n bytes; borrows them. They leave at the end of the turn. Beyond
 * limit_bytes nothing is queued: ERR_TOO_BIG, and the caller decides. After
 * conn_finish, conn_abort or a failure: ERR_IO, and on_closed will tell. */
enum err conn_write(struct conn *c, const void *bytes, size_t n) MUST_CHECK;

/* Room for exactly n bytes at the end of the queue, or NULL as above; the
 * caller fills it before it returns to the loop. */
char *conn_reserve(struct conn *c, size_t n);

/* What is queued now leaves together with what is written next, or when
 * wait_ms have passed: one packet instead of two, for a first write that is of
 * no use without the second. On a connection that is not finishing. */
void conn_gather(struct conn *c, uint64_t wait_ms);

/* The cap of the queue, at most 1 GiB; also counts what TLS holds. Initially
 * output_limit_bytes of net_settings. */
void conn_set_limit(struct conn *c, size_t limit_bytes);

size_t conn_queued(const struct conn *c);

/* No on_bytes until resumed (bytes stay in the kernel). Resuming presents
 * what was kept at the end of this turn. Both are idempotent. */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c);

/* Sends what is queued, then FIN, then waits for the peer's FIN, then closes.
 * linger_ms is the longest wait without progress in either; when it passes
 * before all was sent the end is CONN_END_ERROR. Input is dropped: no more
 * on_bytes, on_eof, on_drain. Idempotent (the first linger_ms counts). */
void conn_finish(struct conn *c, uint64_t linger_ms);

/* Sends what is queued, then FIN, and reads on: the peer hears that nothing
 * more comes, and may still answer. Nothing can be queued from now on (as after
 * conn_finish). Of a plain connection. Idempotent; conn_finish may follow. */
void conn_end_output(struct conn *c);

/* Closes at once, dropping what is queued; when that was something the peer
 * sees a reset, so that it cannot take what it has for the whole. on_closed
 * comes at the end of this turn. Idempotent. A connection that is to move and
 * has not left yet stays, and ends here. */
void conn_abort(struct conn *c);

/* The same, and the peer sees a reset in any case: what it has been sent is a
 * part, though nothing is queued. */
void conn_reset(struct conn *c);

/* Moves the whole connection (descriptor, TLS object, unread bytes, queued
 * output) to another shard. The user is taken along: on_arrive(to, user) runs
 * there before any other event. Reading must be paused; until arrival nobody
 * may touch conn or user. to == own shard calls on_arrive in this turn's end.
 * When the connection has failed already, on_closed comes instead, here. When
 * `to` has stopped meanwhile, on_closed (CONN_END_ABORT) comes from its
 * shard_fini instead; conn_shard is `to` then. */
void conn_handover(struct conn *c, struct shard *to,
                   void (*on_arrive)(struct shard *here, void *user));

struct shard *conn_shard(const struct conn *c);
void *conn_user(const struct conn *c);
bool conn_is_tls(const struct conn *c);
uint64_t conn_id(const struct conn *c); /* unique in the process, for the log */

/* The peer's address as text ("203.0.113.7", "2001:db8::1"), without port. */
void conn_peer(const struct conn *c, char *out, size_t size);

/* AF_INET or AF_INET6; AF_UNSPEC when the peer has no such address. */
const struct sockaddr *conn_peer_addr(const struct conn *c);

#endif
