/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_PIPE_H
#define CHATBOX_GATE_PIPE_H

#include "net/conn.h"

/* Two connections as one: what comes in at either end goes out at the other
 * one, unread. Whoever reads slowly slows the other one down. Owned by itself
 * until its end; on the shard's thread, that of both connections. */
struct pipe;

/* Most bytes that wait in one direction. A pipe holds two such queues at most,
 * each in a buffer of up to twice the size; one that carries nothing has no
 * buffer. */
#define PIPE_QUEUE_BYTES (CONN_HIGH_WATER + CONN_UNREAD_MAX)

/* Why a pipe ended; the first reason counts. */
enum pipe_end {
    PIPE_DONE,        /* the server closed, and so was the client, behind all
                         that the server had said */
    PIPE_CLIENT_LOST, /* the client's connection broke */
    PIPE_SERVER_LOST, /* the server's did; the client was cut */
    PIPE_CLOSED       /* pipe_close or pipe_abort */
};

/* Joins a client and the server that answers it, both of this shard; the
 * server's speaks no TLS. Takes both, with what waits in their queues and what
 * of their bytes was not consumed; a paused one is resumed.
 *
 * - The server's end ends the client, behind everything that the server said.
 * - The client's FIN is passed on at once, behind everything that the client
 *   said; the server decides what that means, and its answer is still passed
 *   on.
 * - When a connection breaks the other one is reset, so that nobody takes a
 * part for the whole.
 *
 * Exactly one on_end, later, when both have been closed; the pipe is gone by
 * then. Gives it until then. */
struct pipe *pipe_join(struct conn *client, struct conn *server,
                       void (*on_end)(void *user, enum pipe_end why),
                       void *user);

/* Closes both ends behind what waits for them. Idempotent. */
void pipe_close(struct pipe *p);

/* Closes both at once, dropping what waits. Idempotent. */
void pipe_abort(struct pipe *p);

/* Something waits that has not been sent. */
bool pipe_holds_bytes(const struct pipe *p);

#endif
