/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_REQUEST_H
#define CHATBOX_GATE_REQUEST_H

#include "base/buf.h"
#include "base/list.h"
#include "base/rand.h"
#include "codec/http1_head.h"
#include "gate/client.h"
#include "gate/gate.h"
#include "gate/keys.h"
#include "guard/token.h"

/* One HTTP request from its complete head to its one answer. Owned by its
 * struct http; while a handler waits for the store and the client goes away,
 * http becomes NULL and the answer is thrown away. */
struct http;
struct route;
struct watch;

struct request {
    struct list link;          /* gate->requests */
    struct gate *gate;         /* NULL: on its way between two, or it is gone */
    struct http *http;         /* NULL: nobody waits for the answer any more */
    const struct route *route; /* NULL before it was found */
    char *bytes;               /* the head's, which head points into */
    struct http1_head head;
    struct buf path;  /* decoded, without the prefix */
    struct str param; /* what {id} stands for, as in path and part of it */
    struct buf body;
    struct client_address client;
    char client_text[CLIENT_TEXT_SIZE];
    struct str scheme; /* "http" or "https", of the client's connection */
    struct identity *identity; /* of a verified token, or NULL */
    struct watch *watch;       /* of an upgrade of an operator's, or NULL */
    struct keys_waiter waiter; /* while its token's key is being fetched */
    const char *own_csp;       /* instead of the strictest one, or NULL */
    void (*go_on)(struct request *r);   /* what http_wait calls, or NULL */
    void (*on_gone)(struct request *r); /* see http_watch; or NULL */
    /* The body as it comes, instead of into body; may refuse the request
     * (http_body_refuse), which is gone then. NULL: into body. */
    void (*on_body)(struct request *r, struct str data);
    void (*on_free)(struct request *r); /* before it goes; or NULL */
    void *parts;  /* of the handler that answers in parts, or of on_body's */
    bool held;    /* no more of the body for now: http_body_hold */
    bool chunked; /* as the answer's head says */
    uint64_t begun_us;
    int status;  /* of the answer; 0: not answered */
    bool last;   /* the connection closes behind the answer */
    bool openai; /* under /v1: errors have OpenAI's form */
    bool whole;  /* the body has been read: the next request can be found */
    char id[RAND_ID_CHARS + 1];
};

/* Its handler wants to know when the client goes: reading goes on. */
static inline bool
request_watched(const struct request *r)
{
    return r != NULL && r->on_gone != NULL;
}

/* Its time by route, or, without one, a refusal by status. */
void request_observe(const struct request *r);

/* Most bytes of its body; its route is known. */
uint64_t request_body_limit(const struct request *r);

/* Of http.c: what http_wait waited for is there; the client has gone. Whatever
 * waits for that runs. */
void request_go_on(struct request *r);
void request_gone(struct request *r);

/* Of http.c, which makes them. It may be what the gate's end waits for. */
void request_free(struct request *r);

#endif
