/* SPDX-License-Identifier: MIT */
/* Writing answers: one place for the headers that all of them share, so that
 * no route can forget one. */
#include "gate/reply.h"

#include "base/clock.h"
#include "codec/http1_write.h"
#include "codec/json.h"
#include "gate/cors.h"
#include "gate/gate_state.h"
#include "gate/http.h"
#include "gate/openai_error.h"
#include "net/conn.h"

/* For everything that is not a page: nothing may be loaded, nothing may embed
 * it. */
#define STRICTEST_CSP "default-src 'none'; frame-ancestors 'none'"

/* Headers of one answer. */
#define HEAD_BYTES 16384

/* What stands around a chunk's bytes, at most. */
#define CHUNK_BYTES 64

void
reply_common_headers(const struct request *r, struct buf *out)
{
    const char *csp = r->own_csp != NULL ? r->own_csp : STRICTEST_CSP;

    http1_write_header(out, "X-Content-Type-Options", STR("nosniff"));
    http1_write_header(out, "X-Frame-Options", STR("DENY"));
    http1_write_header(out, "Referrer-Policy",
                       STR("strict-origin-when-cross-origin"));
    http1_write_header(out, "Content-Security-Policy", str_from(csp));
    http1_write_header(out, "X-Request-Id", str_from(r->id));
    cors_headers(r, out);
}

/* How the client finds the end of the body (RFC 9112, 6.3). */
enum framing { NO_BODY, BY_LENGTH, BY_CHUNKS, BY_CLOSE };

static void
put_framing(struct buf *out, enum framing framing, struct str body)
{
    if (framing == BY_LENGTH) {
        http1_write_header_u64(out, "Content-Length", body.n);
    } else if (framing == BY_CHUNKS) {
        http1_write_header(out, "Transfer-Encoding", STR("chunked"));
    }
}

static void
put_head(struct request *r, struct buf *out, const struct reply_content *what,
         enum framing framing)
{
    r->last = r->last || !r->whole || r->gate->draining || framing == BY_CLOSE;
    http1_write_status(out, r->status);
    http1_write_date(out, clock_wall_ms());
    if (what->type != NULL) {
        http1_write_header(out, "Content-Type", str_from(what->type));
    }
    put_framing(out, framing, what->body);
    http1_write_header(out, "Cache-Control", str_from(what->cache));
    reply_common_headers(r, out);
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
        put_head(r, &head, what, has_body ? BY_LENGTH : NO_BODY);
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
            enum framing framing)
{
    struct buf head;
    enum err e;

    r->status = status;
    r->chunked = framing == BY_CHUNKS;
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
                       r->head.minor > 0 ? BY_CHUNKS : BY_CLOSE);
}

enum err
reply_begin_sized(struct request *r, int status,
                  const struct reply_content *what, uint64_t length)
{
    struct reply_content sized = *what;

    sized.body.n = (size_t)length; /* of which put_head wants the length */
    return begin_parts(r, status, &sized, BY_LENGTH);
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
    struct reply_content what = {.type = "application/json; charset=utf-8",
                                 .cache = "no-store",
                                 .extra = extra,
                                 .body = body};

    send_answer(r, status, &what);
}

void
reply_json(struct request *r, int status, struct str body)
{
    send_json(r, status, body, (struct str){NULL, 0});
}

static void
put_retry_after(struct buf *out, uint64_t wait_ms)
{
    uint64_t seconds = (wait_ms + 999) / 1000;

    http1_write_header_u64(out, "Retry-After", seconds > 0 ? seconds : 1);
}

void
reply_json_after(struct request *r, int status, struct str body,
                 int64_t wait_ms)
{
    struct buf extra;

    buf_init(&extra, 64);
    if (wait_ms >= 0) {
        put_retry_after(&extra, (uint64_t)wait_ms);
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

struct error_body {
    enum err err;
    const char *field;
    const char *message;
    int64_t wait_ms; /* -1: none */
};

static void
put_error(const struct request *r, struct buf *out,
          const struct error_body *what)
{
    const struct err_info *info = err_info(what->err);

    if (r->openai) {
        openai_error_put(out, &(struct openai_error){what->err, 0, what->field,
                                                     what->message});
        return;
    }
    buf_putc(out, '{');
    json_put_member(out, "error", str_from(info->slug));
    json_put_member(out, "code", str_from(err_http_code(what->err)));
    json_put_member(
        out, "message",
        str_from(what->message != NULL ? what->message : info->sentence));
    json_put_member(out, "request_id", str_from(r->id));
    if (what->field != NULL) {
        json_put_member(out, "field", str_from(what->field));
    }
    if (what->wait_ms >= 0) {
        json_put_member_i64(out, "retry_after_ms", what->wait_ms);
    }
    buf_putc(out, '}');
}

static void
send_error(struct request *r, const struct error_body *what, struct str extra)
{
    int status = err_info(what->err)->http;
    struct buf body;

    buf_init(&body, HEAD_BYTES);
    put_error(r, &body, what);
    CHECK(!body.failed);
    send_json(r, status, buf_str(&body), extra);
    buf_fini(&body);
}

void
reply_error_text(struct request *r, enum err e, const char *field,
                 const char *message)
{
    struct error_body what = {
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
    struct error_body what = {.err = e, .wait_ms = (int64_t)wait_ms};
    struct buf extra;

    buf_init(&extra, 64);
    put_retry_after(&extra, wait_ms);
    send_error(r, &what, buf_str(&extra));
    buf_fini(&extra);
}

void
reply_not_allowed(struct request *r, struct str allow)
{
    struct error_body what = {.err = ERR_METHOD_NOT_ALLOWED, .wait_ms = -1};
    struct buf extra;

    buf_init(&extra, 256);
    http1_write_header(&extra, "Allow", allow);
    send_error(r, &what, buf_str(&extra));
    buf_fini(&extra);
}
