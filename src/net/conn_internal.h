/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_NET_CONN_INTERNAL_H
#define CHATBOX_NET_CONN_INTERNAL_H

#include "base/list.h"
#include "loop/shard.h"
#include "net/conn.h"
#include "net/net.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <uv.h>

/* What the files of this room share. Nobody else includes it. */

/* Output blocks of the common size are kept per shard for reuse. */
#define NET_BLOCK_BYTES 512
#define NET_BLOCKS_KEPT 256

/* The longest a TLS handshake may take. */
#define CONN_TLS_LIMIT_MS 10000

/* Reads from one socket before the others have their turn. */
#define CONN_READS_MAX 4

/* What a read or write of the transport answers instead of a count. */
enum { CONN_EOF = 0, CONN_LATER = -1, CONN_FAILED = -2 };

struct net_block {
    struct net_block *next;
};

struct net {
    struct shard *shard;
    const struct net_settings *settings;
    char *scratch;       /* CONN_UNREAD_MAX bytes that reading goes through */
    struct list pending; /* connections with something to do this turn */
    struct list conns;
    size_t count;
    uint64_t last_id;
    struct net_block *blocks;
    unsigned block_count;
};

/* Bytes presented and not consumed. */
struct conn_unread {
    uint32_t n;
    char bytes[];
};

/* Bytes p[head..head+n) wait for the socket. p is NULL when n is 0. */
struct conn_out {
    char *p;
    uint32_t head;
    uint32_t n;
    uint32_t room;
    uint32_t limit;
};

union conn_addr {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct conn_move;

/* A quiet connection is this and nothing else (and its SSL). */
struct conn {
    uv_poll_t poll;
    struct list pending; /* in net->pending, or alone */
    struct list all;     /* in net->conns unless moving */
    const struct conn_events *events;
    void *user;
    struct shard *shard;
    SSL *ssl;                   /* NULL: plain */
    struct conn_unread *unread; /* NULL: none */
    struct conn_move *move;     /* not NULL between handover and arrival */
    struct conn_out out;
    struct timer timer; /* the handshake's, conn_gather's, the linger time's */
    uint64_t id;
    union conn_addr peer;
    int fd;
    uint32_t linger_ms;
    int8_t armed;    /* what uv_poll watches for: UV_READABLE, UV_WRITABLE */
    int8_t why;      /* enum conn_end, once ended */
    bool polled : 1; /* poll is a live handle */
    bool paused : 1;
    bool eof : 1;     /* the peer has closed its sending side */
    bool blocked : 1; /* the kernel takes no output; wait for UV_WRITABLE */
    bool above_high : 1;
    bool gathering : 1; /* the queue waits for the next write or the timer */
    bool finishing : 1; /* conn_finish was called: input is dropped */
    bool fin_sent : 1;  /* finishing, and the queue was empty */
    bool resets : 1;    /* conn_reset was called */
    bool no_output : 1; /* conn_end_output was called */
    bool half_due : 1;  /* and its FIN waits for the queue */
    bool ended : 1;     /* on_closed follows at the end of the turn */
    bool handshaking : 1;
    bool present_due : 1; /* unread bytes are shown at the turn's end */
    bool read_due : 1;    /* TLS may hold bytes that no event will tell of */
    bool read_wants_write : 1; /* TLS needs UV_WRITABLE to go on reading */
    bool write_wants_read : 1; /* and the other way round */
};

/* conn.c */

/* Puts c on the list of what the end of this turn looks after. */
void conn_due(struct conn *c);

/* The connection is over, for the first reason given; on_closed follows at
 * the end of this turn. Nothing is read or written any more. */
void conn_end(struct conn *c, enum conn_end why);

/* Everything that the end of a turn does for one connection. */
void conn_settle(struct conn *c);

/* Closes, tells the user and frees, at once. */
void conn_close(struct conn *c);

/* Brings what uv_poll watches for in line with c's state. */
void conn_watch(struct conn *c);

/* Ties c to a shard's loop and list. ERR_IO: the kernel will not watch it. */
enum err conn_settle_in(struct conn *c, struct shard *here) MUST_CHECK;

/* conn_in.c */

/* Reads what the socket has, at most CONN_READS_MAX times, and tells. */
void conn_in_ready(struct conn *c);

/* Shows what was kept once more. */
void conn_in_present(struct conn *c);

/* Bytes that come now are read (to be shown, or to be dropped). */
bool conn_in_open(const struct conn *c);

/* conn_out.c */
char *conn_out_reserve(struct conn *c, size_t n);

/* Writes what the socket takes. Sets blocked, or ends c. */
void conn_out_flush(struct conn *c);
void conn_out_fini(struct conn *c);
void conn_out_free_blocks(struct net *net);

/* conn_tls.c: as the plain calls, for c->ssl != NULL */
enum err conn_tls_start(struct conn *c, struct tls *tls) MUST_CHECK;
void conn_tls_handshake(struct conn *c);
ssize_t conn_tls_read(struct conn *c, void *into, size_t n);
ssize_t conn_tls_write(struct conn *c, const void *from, size_t n);
bool conn_tls_holds_bytes(const struct conn *c);

/* Queues close_notify; false: the kernel takes it later, call again. */
bool conn_tls_shutdown(struct conn *c);

/* conn_move.c */
void conn_move_start(struct conn *c, struct shard *to,
                     void (*on_arrive)(struct shard *, void *));
void conn_move_depart(struct conn *c);

/* Where a move that did not happen is forgotten; NULL is fine. */
void conn_move_free(struct conn_move *m);

/* tls.c: a server-side object on fd with the current certificate, or NULL.
 * Gives. */
SSL *tls_session(struct tls *t, int fd);

#endif
