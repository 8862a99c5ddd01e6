/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_CALLER_H
#define CHATBOX_GATE_CALLER_H

#include "base/buf.h"
#include "base/list.h"
#include "base/rand.h"
#include "codec/http1_head.h"
#include "gate/client.h"
#include "loop/timer.h"

#include <stdbool.h>

/* One connection at the door of a server that waits for the database
 * (standby.h), from its first byte on: it is answered here, or joined to the
 * holder's. Owned by itself; on the standby's thread. */
struct conn;
struct dial;
struct pipe;
struct standby;

enum caller_state {
    CALLER_HEAD,  /* waits for a head, or is in it */
    CALLER_DIAL,  /* the holder is being connected to */
    CALLER_WAITS, /* the holder did not take it: it will be tried again */
    CALLER_PIPE,  /* joined; the pipe has both connections */
    CALLER_GONE   /* answered here; closing */
};

struct caller {
    struct list link; /* standby->callers */
    struct standby *standby;
    struct conn *conn; /* the client's; NULL in CALLER_PIPE */
    struct dial *dial; /* in CALLER_DIAL */
    struct pipe *pipe; /* in CALLER_PIPE */
    struct timer timer;
    struct http1_scan scan;
    struct buf head; /* for the holder */
    struct client_address client;
    char client_text[CLIENT_TEXT_SIZE]; /* of the peer; "": unknown */
    char request_id[RAND_ID_CHARS + 1]; /* of its one request */
    uint64_t id;                        /* of the connection, for the log */
    uint64_t until_ms;                  /* then nobody is tried any more */
    enum caller_state state;
    bool begun;    /* at least one byte of the head has come */
    bool silent;   /* a HEAD request: its answer has no body */
    bool openai;   /* under /v1: errors have OpenAI's form */
    bool waited;   /* the holder did not take it at once */
    bool upgrades; /* it asked for another protocol */
};

/* A new connection; takes it. */
void caller_start(struct standby *standby, struct conn *c);

/* The holder is another one, or unknown. */
void caller_change(struct caller *c);

/* The way down: closes now, unless a plain request may still have its answer.
 */
void caller_drain(struct caller *c);

/* Closes at once, at the end of this turn of the loop; true when something was
 * not sent. */
bool caller_abort(struct caller *c);

#endif
