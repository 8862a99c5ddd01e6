/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_HTTP_H
#define CHATBOX_GATE_HTTP_H

#include "gate/request.h"

/* A connection while it speaks HTTP: requests one after the other, each
 * answered before the next is begun. Ends by close, or by becoming a
 * WebSocket (http_take_conn). */
struct conn;
struct shard;

#define HTTP_HEAD_MS 10000  /* the longest that a head may take */
#define HTTP_LINGER_MS 2000 /* for what waits, and for the client's end */
#define HTTP_SPREAD_MS 1000 /* slow peers who came together end apart */

/* A new connection on this shard. */
void http_start(struct shard *s, struct conn *c);

/* Queues bytes of an answer. Borrows. */
enum err http_write(struct http *h, struct str bytes) MUST_CHECK;

/* For an answer in parts: true when much of it still waits for the client;
 * then go_on runs, later, once most of that has left, or the client is gone
 * (r->http is NULL then). One that reads nothing for half a minute is cut off.
 * False: the next part may be written now. */
bool http_wait(struct request *r, void (*go_on)(struct request *r));

/* Bytes of the answer that wait to be read by the client; 0 when it has gone.
 */
size_t http_queued(const struct request *r);

/* From the handler, for an answer that is of use to nobody once the client has
 * gone: on_gone runs when it has closed its side or the connection broke (then
 * r->http is NULL), instead of go_on; it is to end the request by http_cut. A
 * client that has sent its next request already is noticed when it is written
 * to. */
static inline void
http_watch(struct request *r, void (*on_gone)(struct request *r))
{
    r->on_gone = on_gone;
}

/* An answer that cannot be completed: the connection is cut, so that nobody
 * takes the part for the whole. Frees r, also when r->http is NULL. */
void http_cut(struct request *r);

/* The request has its answer queued (reply.c): the next one may begin, or the
 * connection closes. Frees r. When r->http is NULL only r is freed. */
void http_answered(struct request *r);

/* The request waits for newer keys: then(r) runs later on this shard, unless
 * the client has gone by then. After AGAIN of keys_verify. */
void http_wait_keys(struct request *r, void (*then)(struct request *r));

/* Goes on with a request at the check of its token. */
void http_again(struct request *r);

/* Moves the request with its connection to a shard (also its own), where then
 * goes on with it, later. r may not be touched until then. */
void http_move(struct request *r, struct shard *to,
               void (*then)(struct request *r));

/* The request's connection stops speaking HTTP and is the caller's: frees r
 * and its http, gives the conn (reading is paused). Only from what http_move
 * leads to. */
struct conn *http_take_conn(struct request *r);

/* Shutdown: idle ones close now, others behind their answer. */
void http_drain(struct gate *g);

/* Then: who is still sending a request is answered 503, not waited for. */
void http_refuse_rest(struct gate *g);

#endif
