/* SPDX-License-Identifier: MIT */
/* From a head that was let in to the handler. See http.c, which reads the
 * connection. */
#include "gate/http_body.h"

#include "codec/http1_write.h"
#include "gate/file_in.h"
#include "gate/http_parts.h"
#include "gate/reply.h"
#include "gate/routes.h"
#include "net/conn.h"

#define BODY_MS 30000

bool
http_body_comes(const struct http1_head *head)
{
    return head->framing == HTTP1_CHUNKED || head->content_length > 0;
}

static void
run_handler(struct http *h)
{
    h->state = HTTP_BUSY;
    h->request->whole = true;
    timer_cancel(http_timers(h), &h->timer);
    h->request->route->handle(h->request);
}

void
http_body_refuse(struct request *r, enum err e, const char *field)
{
    if (r->http != NULL) {
        r->http->state = HTTP_BUSY;
    }
    reply_error(r, e, field);
}

static void
put_body(struct request *r, struct str data)
{
    if (r->on_body != NULL) {
        r->on_body(r, data);
    } else {
        buf_put_str(&r->body, data);
    }
}

/* More is to come: from now on the client's time runs, unless it is told to
 * wait. */
static void
await_body(struct http *h)
{
    if (h->request->held) {
        timer_cancel(http_timers(h), &h->timer);
        conn_pause(h->conn);
    } else {
        timer_start_spread(http_timers(h), &h->timer, BODY_MS, HTTP_SPREAD_MS);
    }
}

void
http_body_more(struct request *r)
{
    struct http *h = r->http;

    r->held = false;
    if (h != NULL && h->state == HTTP_BODY) {
        await_body(h);
        conn_resume(h->conn);
    }
}

/* Whoever takes the body may have refused the request: then it is gone. */
size_t
http_body_take(struct http *h, char *bytes, size_t n)
{
    struct str in = {bytes, n}, data;
    enum err e;

    do {
        e = http1_body_feed(&h->body, &in, &data);
        put_body(h->request, data);
    } while (e == ERR_AGAIN && in.n > 0 && h->state == HTTP_BODY);
    if (h->state != HTTP_BODY) {
        return n;
    }
    if (e == ERR_OK) {
        run_handler(h);
    } else if (e != ERR_AGAIN) {
        http_body_refuse(h->request, e, NULL);
    } else {
        await_body(h);
    }
    return n - in.n;
}

void
http_body_begin(struct http *h)
{
    struct request *r = h->request;
    uint64_t limit = request_body_limit(r);
    enum err e = http1_body_init(&h->body, &r->head, limit);
    struct buf interim;

    buf_init(&r->body, limit);
    if (e != ERR_OK) {
        reply_error(r, e, NULL);
        return;
    }
    if (r->route->body_limit == FILE_BODY && !file_in_begin(r)) {
        return;
    }
    if (!http_body_comes(&r->head)) {
        run_handler(h);
        return;
    }
    if (r->head.expect_continue) {
        buf_init(&interim, 256);
        http1_write_continue(&interim);
        if (conn_write(h->conn, interim.p, interim.n) != ERR_OK) {
            r->last = true;
        }
        buf_fini(&interim);
    }
    h->state = HTTP_BODY;
    timer_start_spread(http_timers(h), &h->timer, BODY_MS, HTTP_SPREAD_MS);
    conn_resume(h->conn);
}
