/* SPDX-License-Identifier: MIT */
/* The HTTP side of a connection: bytes become a head, a head a route, the
 * route decides who may pass, then the body is read and the handler runs. A
 * request of a user runs on the user's shard: the whole connection moves there
 * first. Timers: a head within 10 s, a body without progress 30 s, idle
 * 75 s. */
#include "gate/http.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "gate/admission.h"
#include "gate/http_body.h"
#include "gate/http_parts.h"
#include "gate/reply.h"
#include "gate/routes.h"
#include "net/conn.h"

#include <string.h>

#define IDLE_MS 75000
#define UNREAD_MS 30000

/* Of one answer: a page of messages of the largest size, escaped. */
#define OUTPUT_BYTES ((size_t)256 << 20)

/* No further request is begun while more than this waits to be read by the
 * client, who may send many requests and read no answer. */
#define BACKLOG_BYTES CONN_HIGH_WATER

/* --- requests ----------------------------------------------------------- */

static struct request *
request_new(struct http *h)
{
    struct request *r = xcalloc(1, sizeof(*r));

    r->gate = h->gate;
    list_push_back(&r->gate->requests, &r->link);
    r->http = h;
    r->begun_us = clock_mono_us();
    r->last = true;
    r->scheme = h->gate->settings->tls ? STR("https") : STR("http");
    buf_init(&r->path, HTTP1_LINE_MAX);
    buf_init(&r->body, 0); /* begin_body knows how much */
    rand_id(r->id);
    (void)client_from_peer(conn_peer_addr(h->conn), &r->client);
    client_format(&r->client, r->client_text);
    return r;
}

static void
finish_conn(struct http *h)
{
    timer_cancel(http_timers(h), &h->timer);
    h->state = HTTP_GONE;
    conn_finish(h->conn, HTTP_LINGER_MS);
}

/* Nobody is in the middle of anything: there is nothing to wait for. */
static void
close_idle(struct http *h)
{
    if (conn_queued(h->conn) > 0 || conn_is_tls(h->conn)) {
        finish_conn(h);
        return;
    }
    timer_cancel(http_timers(h), &h->timer);
    h->state = HTTP_GONE;
    conn_abort(h->conn);
}

static void
expect_head(struct http *h)
{
    h->state = HTTP_HEAD;
    h->scan = (struct http1_scan){0};
    h->begun = false;
    timer_start(http_timers(h), &h->timer, IDLE_MS);
    if (conn_queued(h->conn) > BACKLOG_BYTES) {
        conn_pause(h->conn); /* on_drain goes on */
    } else {
        conn_resume(h->conn);
    }
}

static bool
backlogged(const struct http *h)
{
    return h->state == HTTP_HEAD && conn_queued(h->conn) > BACKLOG_BYTES;
}

enum err
http_write(struct http *h, struct str bytes)
{
    return conn_write(h->conn, bytes.p, bytes.n);
}

void
http_answered(struct request *r)
{
    struct http *h = r->http;
    bool last = r->last;

    request_observe(r);
    request_free(r);
    if (h == NULL) {
        return;
    }
    h->request = NULL;
    if (last || h->gate->draining) {
        finish_conn(h);
    } else {
        expect_head(h);
    }
}

void
http_cut(struct request *r)
{
    struct http *h = r->http;

    request_observe(r);
    request_free(r);
    if (h != NULL) {
        h->request = NULL;
        h->state = HTTP_GONE;
        conn_abort(h->conn);
    }
}

size_t
http_queued(const struct request *r)
{
    return r->http != NULL ? conn_queued(r->http->conn) : 0;
}

bool
http_wait(struct request *r, void (*go_on)(struct request *r))
{
    struct http *h = r->http;

    h->unread = conn_queued(h->conn);
    if (h->unread <= CONN_HIGH_WATER) {
        return false;
    }
    r->go_on = go_on; /* on_drain */
    timer_start(http_timers(h), &h->timer, UNREAD_MS);
    return true;
}

/* A request that never got as far as a route. */
static void
refuse(struct http *h, enum err e)
{
    struct request *r = request_new(h);

    h->request = r;
    h->state = HTTP_BUSY;
    log_info(EVENT_HTTP_REFUSED, "a malformed request",
             log_int("conn", (int64_t)conn_id(h->conn)),
             log_cstr("request_id", r->id), log_cstr("client", r->client_text),
             log_int("status", err_info(e)->http));
    reply_error(r, e, NULL);
}

/* --- who may pass ------------------------------------------------------- */

static void
on_arrive(struct shard *here, void *user)
{
    struct http *h = user;

    h->gate = here->gate;
    h->request->gate = here->gate;
    list_push_back(&h->gate->requests, &h->request->link);
    list_push_back(&h->gate->https, &h->link);
    h->state = HTTP_BUSY;
    h->then(h->request);
}

void
http_move(struct request *r, struct shard *to, void (*then)(struct request *r))
{
    struct http *h = r->http;
    struct gate *g = h->gate;

    timer_cancel(http_timers(h), &h->timer);
    conn_pause(h->conn);
    h->then = then;
    h->state = HTTP_MOVE;
    h->gate = r->gate = NULL;
    list_remove(&r->link);
    list_remove(&h->link);
    conn_handover(h->conn, to, on_arrive);
    gate_check_empty(g);
}

/* On the owner's shard. */
static void
go_on(struct request *r)
{
    if (admission_limit(r)) {
        http_body_begin(r->http);
    }
}

static void
go_to(struct http *h, struct shard *owner)
{
    if (owner != NULL && owner != h->gate->shard) {
        http_move(h->request, owner, go_on);
    } else {
        go_on(h->request);
    }
}

void
http_again(struct request *r)
{
    struct shard *owner;

    if (admission_user(r, &owner)) {
        go_to(r->http, owner);
    }
}

static void
on_keys(struct keys_waiter *w)
{
    struct request *r = CONTAINER_OF(w, struct request, waiter);

    if (r->http == NULL) {
        http_answered(r);
    } else {
        r->http->then(r);
    }
}

void
http_wait_keys(struct request *r, void (*then)(struct request *r))
{
    r->http->then = then;
    r->waiter.wake = on_keys;
    keys_wait(r->gate, &r->waiter);
}

/* The head is complete: route, token, limits, then the body; each refusal is
 * answered on the spot. */
static void
begin_request(struct http *h)
{
    struct request *r = h->request;
    struct shard *owner;

    h->state = HTTP_BUSY;
    timer_cancel(http_timers(h), &h->timer);
    if (admission_check(r, &owner)) {
        go_to(h, owner);
    }
}

/* --- bytes -------------------------------------------------------------- */

/* A whole head lies in bytes: it is parsed in a copy that lives as long as
 * the request. */
static bool
take_head(struct http *h, const char *bytes, size_t n, size_t *consumed)
{
    struct request *r = request_new(h);
    enum err e;

    n = n < HTTP1_HEAD_MAX ? n : HTTP1_HEAD_MAX;
    r->bytes = xmemdup(bytes, n);
    h->scan = (struct http1_scan){0};
    e = http1_head_parse(&r->head, &h->scan, (struct str){r->bytes, n},
                         consumed);
    if (e != ERR_OK) {
        request_free(r);
        h->scan = (struct http1_scan){0};
        return false;
    }
    r->last = !r->head.keep_alive;
    r->whole = !http_body_comes(&r->head);
    h->request = r;
    return true;
}

/* Looks for a head; 0 while there is none. */
static size_t
feed_head(struct http *h, char *bytes, size_t n)
{
    struct http1_head head;
    size_t consumed = 0;
    enum err e;

    if (!h->begun) {
        h->begun = true;
        timer_start_spread(http_timers(h), &h->timer, HTTP_HEAD_MS,
                           HTTP_SPREAD_MS);
    }
    if (memmem(bytes, n, "\r\n\r\n", 4) != NULL &&
        take_head(h, bytes, n, &consumed)) {
        begin_request(h);
        return consumed;
    }
    e = http1_head_parse(&head, &h->scan, (struct str){bytes, n}, &consumed);
    if (e == ERR_AGAIN) {
        return 0;
    }
    refuse(h, e == ERR_OK ? ERR_BAD_REQUEST : e);
    return n;
}

static size_t
on_bytes(void *user, char *bytes, size_t n)
{
    struct http *h = user;
    size_t used = 0;

    while (used < n && h->state <= HTTP_BODY && !backlogged(h)) {
        size_t step = h->state == HTTP_HEAD
                          ? feed_head(h, bytes + used, n - used)
                          : http_body_take(h, bytes + used, n - used);

        used += step;
        if (step == 0) {
            break;
        }
    }
    if ((h->state == HTTP_BUSY && (used < n || !request_watched(h->request))) ||
        backlogged(h)) {
        conn_pause(h->conn);
    }
    return used;
}

/* --- ends --------------------------------------------------------------- */

/* The client of an answer in parts reads slowly, or not at all. */
static void
on_unread(struct http *h)
{
    size_t queued = conn_queued(h->conn);

    if (queued < h->unread) {
        h->unread = queued;
        timer_start(http_timers(h), &h->timer, UNREAD_MS);
    } else {
        conn_abort(h->conn);
    }
}

static void
on_timeout(struct timer *timer)
{
    struct http *h = CONTAINER_OF(timer, struct http, timer);

    if (h->state == HTTP_BUSY) {
        on_unread(h);
    } else if (h->state == HTTP_BODY) {
        http_body_refuse(h->request, ERR_REQUEST_TIMEOUT, NULL);
    } else if (h->begun) {
        refuse(h, ERR_REQUEST_TIMEOUT);
    } else {
        close_idle(h);
    }
}

static void
on_eof(void *user)
{
    struct http *h = user;

    /* An answer under way is still sent; nothing else can come. */
    if (h->state == HTTP_BUSY && h->request->on_gone != NULL) {
        h->request->on_gone(h->request);
    } else if (h->state == HTTP_BUSY) {
        h->request->last = true;
    } else if (h->state == HTTP_HEAD && h->begun) {
        refuse(h, ERR_BAD_REQUEST);
    } else if (h->state != HTTP_GONE && h->state != HTTP_MOVE) {
        finish_conn(h);
    }
}

static void
http_free(struct http *h)
{
    if (h->gate != NULL) {
        timer_cancel(http_timers(h), &h->timer);
    }
    list_remove(&h->link);
    xfree(h);
}

static void
on_closed(void *user, enum conn_end why)
{
    struct http *h = user;
    struct gate *g = h->gate;
    struct request *waiting = NULL;

    (void)why;
    if (h->request != NULL && h->state == HTTP_BUSY) {
        h->request->http = NULL; /* its handler frees it with the answer */
        waiting = h->request;
    } else if (h->request != NULL) {
        request_free(h->request);
    }
    http_free(h);
    if (waiting != NULL) {
        request_gone(waiting);
    }
    if (g != NULL) {
        gate_check_empty(g);
    }
}

/* The client has read on: the next request may begin, or the next part of an
 * answer. */
static void
on_drain(void *user)
{
    struct http *h = user;

    if (h->state == HTTP_HEAD) {
        conn_resume(h->conn);
    } else if (h->state == HTTP_BUSY && h->request->go_on != NULL) {
        timer_cancel(http_timers(h), &h->timer);
        request_go_on(h->request);
    }
}

static const struct conn_events events = {on_bytes, on_drain, on_eof,
                                          on_closed};

void
http_start(struct shard *s, struct conn *c)
{
    struct http *h = xcalloc(1, sizeof(*h));

    h->gate = s->gate;
    h->conn = c;
    list_push_back(&h->gate->https, &h->link);
    timer_init(&h->timer, on_timeout);
    timer_start_spread(&s->timers, &h->timer, HTTP_HEAD_MS, HTTP_SPREAD_MS);
    conn_set_limit(c, OUTPUT_BYTES);
    conn_attach(c, &events, h);
}

struct conn *
http_take_conn(struct request *r)
{
    struct http *h = r->http;
    struct conn *c = h->conn;

    conn_pause(c);
    http_free(h);
    r->status = 101;
    request_observe(r);
    request_free(r);
    return c;
}

void
http_drain(struct gate *g)
{
    LIST_FOREACH (it, &g->https) {
        struct http *h = CONTAINER_OF(it, struct http, link);

        if (h->state == HTTP_HEAD && !h->begun) {
            close_idle(h);
        }
    }
}

void
http_refuse_rest(struct gate *g)
{
    LIST_FOREACH (it, &g->https) {
        struct http *h = CONTAINER_OF(it, struct http, link);

        if (h->state == HTTP_HEAD && h->begun) {
            refuse(h, ERR_SERVICE_UNAVAILABLE);
        } else if (h->state == HTTP_BODY) {
            http_body_refuse(h->request, ERR_SERVICE_UNAVAILABLE, NULL);
        }
    }
}
