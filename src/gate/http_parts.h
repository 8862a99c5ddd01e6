/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_HTTP_PARTS_H
#define CHATBOX_GATE_HTTP_PARTS_H

#include "codec/http1_body.h"
#include "gate/gate_state.h"
#include "gate/http.h"
#include "gate/request.h"
#include "loop/shard.h"

/* What a connection that speaks HTTP holds; private to http.c and http_body.c.
 */
struct conn;

enum http_state {
    HTTP_HEAD, /* waits for a head, or is in it */
    HTTP_BODY, /* the request is allowed, its body is read */
    HTTP_BUSY, /* a handler has the request */
    HTTP_MOVE, /* on its way to another shard */
    HTTP_GONE  /* closing */
};

struct http {
    struct list link;  /* gate->https */
    struct gate *gate; /* NULL in HTTP_MOVE: it is of no shard then */
    struct conn *conn;
    struct request *request;         /* from HTTP_BODY on, until answered */
    void (*then)(struct request *r); /* behind HTTP_MOVE or with new keys */
    struct timer timer;
    struct http1_scan scan;
    struct http1_body body;
    size_t unread; /* of a long answer, when its timer was started */
    enum http_state state;
    bool begun; /* at least one byte of this head has come */
};

static inline struct timers *
http_timers(struct http *h)
{
    return &h->gate->shard->timers;
}

#endif
