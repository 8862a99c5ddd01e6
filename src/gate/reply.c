/* SPDX-License-Identifier: MIT */
/* Writing answers: one place for the headers that all of them share, so that
 * no route can forget one. */
#include "gate/reply.h"

#include "codec/http1_write.h"
#include "gate/answer.h"
#include "gate/cors.h"
#include "gate/gate_state.h"
#include "gate/http.h"
#include "net/conn.h"

/* Headers of one answer. */
#define HEAD_BYTES 16384

/* What stands around a chunk's bytes, at most. */
#define CHUNK_BYTES 64

void
reply_common_headers(const struct request *r, struct buf *out)
{
    answer_put_common(out, r->own_csp, r->id);
    cors_headers(r, out);
}

static void
put_head(struct request *r, struct buf *out, const struct reply_content *what,
         enum answer_framing framing)
{
    struct answer_head head = {.status = r->status,
                               .type = what->type,
                               .cache = what->cache,
                               .csp = r->own_csp,
                               .id = r->id,
                               .framing = framing,
                               .length = what->body.n};

    r->last =
        r->last || !r->whole || r->gate->draining || framing == ANSWER_BY_CLOSE;
    answer_put_head(out, &head);
    cors_headers(r, out);
    buf_put_str(out, what->extra);
    http1_write_connection(out, !r->last, r->head.minor);
    http1_write_end(out);
}

/* Head and body as one run; a HEAD request gets the head alone. */
static void
send_answer(struct request *r, int status, const struct reply_content *what)
{
    bool has_body = status != 204 && status != 304;
    bool silent = what->body.n == 0 || r->head.method == HTTP1_HEAD;
    struct buf head;
    enum err e;

    r->status = status;
    if (r->http != NULL) {
        buf_init(&head, HEAD_BYTES);
        put_head(r, &head, what, has_body ? ANSWER_BY_LENGTH : ANSWER_NO_BODY);
        CHECK(!head.failed);
        e = http_write(r->http, buf_str(&head));
        if (e == ERR_OK && has_body && !silent) {
            e = http_write(r->http, what->body);
        }
        buf_fini(&head);
        r->last = r->last || e != ERR_OK;
    }
    http_answered(r);
}

void
reply_content(struct request *r, int status, const struct reply_content *what)
{
    send_answer(r, status, what);
}

/* --- in parts ----------------------------------------------------------- */

static enum err
begin_parts(struct request *r, int status, const struct reply_content *what,
            enum answer_framing framing)
{
    struct buf head;
    enum err e;

    r->status = status;
    r->chunked = framing == ANSWER_BY_CHUNKS;
    if (r->http == NULL) {
        return ERR_IO;
    }
    buf_init(&head, HEAD_BYTES);
    put_head(r, &head, what, framing);
    CHECK(!head.failed);
    e = http_write(r->http, buf_str(&head));
    buf_fini(&head);
    return e;
}

enum err
reply_begin(struct request *r, int status, const struct reply_content *what)
{
    return begin_parts(r, status, what,
                       r->head.minor > 0 ? ANSWER_BY_CHUNKS : ANSWER_BY_CLOSE);
}

enum err
reply_begin_sized(struct request *r, int status,
                  const struct reply_content *what, uint64_t length)
{
    struct reply_content sized = *what;

    sized.body.n = (size_t)length; /* of which put_head wants the length */
    return begin_parts(r, status, &sized, ANSWER_BY_LENGTH);
}

enum err
reply_begin_events(struct request *r)
{
    static const struct reply_content head = {
        .type = "text/event-stream; charset=utf-8",
        .cache = "no-cache",
        .extra = STR("X-Accel-Buffering: no\r\n")};

    return reply_begin(r, 200, &head);
}

enum err
reply_part(struct request *r, struct str bytes)
{
    struct buf chunk;
    enum err e;

    if (r->http == NULL) {
        return ERR_IO;
    }
    if (bytes.n == 0 || r->head.method == HTTP1_HEAD) {
        return ERR_OK;
    }
    if (!r->chunked) {
        return http_write(r->http, bytes);
    }
    buf_init(&chunk, bytes.n + CHUNK_BYTES);
    http1_write_chunk(&chunk, bytes);
    CHECK(!chunk.failed);
    e = http_write(r->http, buf_str(&chunk));
    buf_fini(&chunk);
    return e;
}

void
reply_end(struct request *r)
{
    struct buf end;

    buf_init(&end, CHUNK_BYTES);
    http1_write_last_chunk(&end);
    if (r->http != NULL && r->chunked && r->head.method != HTTP1_HEAD &&
        http_write(r->http, buf_str(&end)) != ERR_OK) {
        r->last = true;
    }
    buf_fini(&end);
    http_answered(r);
}

static void
send_json(struct request *r, int status, struct str body, struct str extra)
{
    struct reply_content what = {
        .type = ANSWER_JSON, .cache = "no-store", .extra = extra, .body = body};

    send_answer(r, status, &what);
}

void
reply_json(struct request *r, int status, struct str body)
{
    send_json(r, status, body, (struct str){NULL, 0});
}

void
reply_json_after(struct request *r, int status, struct str body,
                 int64_t wait_ms)
{
    struct buf extra;

    buf_init(&extra, 64);
    if (wait_ms >= 0) {
        answer_put_retry_after(&extra, (uint64_t)wait_ms);
    }
    send_json(r, status, body, buf_str(&extra));
    buf_fini(&extra);
}

void
reply_empty(struct request *r, int status, struct str extra)
{
    struct reply_content what = {.cache = "no-store", .extra = extra};

    send_answer(r, status, &what);
}

/* --- errors ------------------------------------------------------------- */

static void
send_error(struct request *r, struct answer_error *what, struct str extra)
{
    int status = err_info(what->err)->http;
    struct buf body;

    what->id = r->id;
    what->openai = r->openai;
    buf_init(&body, HEAD_BYTES);
    answer_put_error(&body, what);
    CHECK(!body.failed);
    send_json(r, status, buf_str(&body), extra);
    buf_fini(&body);
}

void
reply_error_text(struct request *r, enum err e, const char *field,
                 const char *message)
{
    struct answer_error what = {
        .err = e, .field = field, .message = message, .wait_ms = -1};
    struct str extra = {NULL, 0};

    if (err_info(e)->http == 401) {
        extra = STR("WWW-Authenticate: Bearer\r\n");
    } else if (e == ERR_UPGRADE_REQUIRED) {
        extra = STR("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
    }
    send_error(r, &what, extra);
}

void
reply_error(struct request *r, enum err e, const char *field)
{
    reply_error_text(r, e, field, NULL);
}

void
reply_limited(struct request *r, enum err e, uint64_t wait_ms)
{
    struct answer_error what = {.err = e, .wait_ms = (int64_t)wait_ms};
    struct buf extra;

    buf_init(&extra, 64);
    answer_put_retry_after(&extra, wait_ms);
    send_error(r, &what, buf_str(&extra));
    buf_fini(&extra);
}

void
reply_not_allowed(struct request *r, struct str allow)
{
    struct answer_error what = {.err = ERR_METHOD_NOT_ALLOWED, .wait_ms = -1};
    struct buf extra;

    buf_init(&extra, 256);
    http1_write_header(&extra, "Allow", allow);
    send_error(r, &what, buf_str(&extra));
    buf_fini(&extra);
}
