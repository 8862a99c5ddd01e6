/* SPDX-License-Identifier: MIT */
/* HTTP/1.1 without TLS and proxy, spoken by ourselves on a connection that
 * libcurl opened: per piece of an answer one recv and our own codec
 * (docs/decisions/0016). Requests that need more are fetch_easy.c's. */
#include "base/xalloc.h"
#include "codec/http1_body.h"
#include "codec/http1_response.h"
#include "codec/url.h"
#include "net/fetch_internal.h"
#include "net/sys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Interim responses before the real one. */
#define INTERIM_MAX 32

struct fetch_plain {
    struct fetch_wire *wire; /* NULL: connecting, by f->easy */
    char *origin;            /* "http://host:port/" */
    struct buf out;          /* the request, kept until the answer begins */
    size_t sent;
    struct buf in; /* an unfinished head, or what came while paused */
    size_t seen;   /* of http1_response_parse */
    struct http1_body body;
    unsigned interims;
    bool to_head;
    bool until_close;
    bool keep_alive;
    bool reused;
    bool broken; /* nothing more can be sent */
};

/* --- the request -------------------------------------------------------- */

/* An empty variable is none, as for libcurl. */
static bool
proxy_configured(void)
{
    static const char *const names[] = {"http_proxy", "all_proxy", "ALL_PROXY"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *value = getenv(names[i]);

        if (value != NULL && value[0] != '\0') {
            return true;
        }
    }
    return false;
}

static bool
has_header(const struct fetch_request *r, const char *wanted)
{
    for (size_t i = 0; r->headers != NULL && r->headers[i] != NULL; i++) {
        struct str line = str_from(r->headers[i]);
        struct str name;

        if (str_split(&line, ':', &name) && str_is_nocase(name, wanted)) {
            return true;
        }
    }
    return false;
}

/* What stands between "://" and the path. */
static struct str
authority_of(const char *url)
{
    const char *from = strstr(url, "://") + 3;

    return (struct str){from, strcspn(from, "/?")};
}

static void
put_target(struct buf *out, const struct url *url)
{
    if (url->path.n == 0) {
        buf_putc(out, '/');
    }
    buf_put_str(out, url->path);
    if (url->query.p != NULL) {
        buf_putc(out, '?');
        buf_put_str(out, url->query);
    }
}

static void
write_request(struct buf *out, const struct fetch_request *r,
              const struct url *url, struct str authority)
{
    buf_puts(out, r->method);
    buf_putc(out, ' ');
    put_target(out, url);
    buf_puts(out, " HTTP/1.1\r\n");
    if (!has_header(r, "Host")) {
        buf_puts(out, "Host: ");
        buf_put_str(out, authority);
        buf_puts(out, "\r\n");
    }
    if (!has_header(r, "Accept")) {
        buf_puts(out, "Accept: */*\r\n");
    }
    for (size_t i = 0; r->headers != NULL && r->headers[i] != NULL; i++) {
        buf_puts(out, r->headers[i]);
        buf_puts(out, "\r\n");
    }
    if (r->body.n > 0 || strcmp(r->method, "POST") == 0) {
        buf_printf(out, "Content-Length: %zu\r\n", r->body.n);
    }
    buf_puts(out, "\r\n");
    buf_put_str(out, r->body);
}

struct fetch_plain *
fetch_plain_new(const struct fetch_request *r)
{
    struct fetch_plain *p;
    struct str authority;
    struct url url;
    struct buf origin;

    if (!url_parse(str_from(r->url), &url) || url.tls || proxy_configured()) {
        return NULL;
    }
    authority = authority_of(r->url);
    p = xcalloc(1, sizeof(*p));
    buf_init(&origin, SIZE_MAX / 2);
    buf_puts(&origin, "http://");
    buf_put_str(&origin, authority);
    buf_putc(&origin, '/');
    p->origin = buf_give(&origin);
    buf_init(&p->out, SIZE_MAX / 2);
    buf_init(&p->in, HTTP1_RESPONSE_HEAD_MAX + FETCH_SCRATCH_BYTES);
    write_request(&p->out, r, &url, authority);
    p->to_head = strcmp(r->method, "HEAD") == 0;
    return p;
}

void
fetch_plain_free(struct fetch_plain *p)
{
    if (p->wire != NULL) {
        fetch_wire_close(p->wire);
    }
    buf_fini(&p->out);
    buf_fini(&p->in);
    xfree(p->origin);
    xfree(p);
}

/* --- sending and ends --------------------------------------------------- */

/* A server that no longer listens may have answered before: what went wrong
 * is told by reading. */
static void
send_more(struct fetch_plain *p)
{
    while (p->sent < p->out.n && !p->broken) {
        ssize_t n =
            sys_send(p->wire->fd, p->out.p + p->sent, p->out.n - p->sent);

        if (n > 0) {
            p->sent += (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno != EINTR) {
            p->broken = true;
            return;
        }
    }
}

/* What we wait for. A paused one that has data waits to send at most: a broken
 * one, which would be ready all the time, for nothing. */
static void
watch(struct fetch *f)
{
    struct fetch_plain *p = f->plain;
    bool sends = p->sent < p->out.n && !p->broken;

    fetch_wire_watch(p->wire,
                     (f->held ? 0 : UV_READABLE) | (sends ? UV_WRITABLE : 0));
}

static void
finish(struct fetch *f, bool rest)
{
    struct fetch_plain *p = f->plain;

    if (p->keep_alive && !rest && !p->broken && p->sent == p->out.n) {
        fetch_wire_keep(p->wire);
        p->wire = NULL;
    }
    fetch_end(f, FETCH_DONE);
}

static void
hung_up(struct fetch *f, bool clean)
{
    struct fetch_plain *p = f->plain;

    if (f->head_done) {
        fetch_end(f, clean && p->until_close ? FETCH_DONE : FETCH_CUT);
        return;
    }
    if (f->state != FETCH_WAITING || !p->reused || f->again || p->in.n > 0) {
        fetch_end(f, FETCH_CONNECT_FAILED);
        return;
    }
    /* A kept connection may be closed by its server in the moment in which it
     * is used again: nobody has read the request. */
    f->again = true;
    fetch_wire_close(p->wire);
    p->wire = NULL;
    p->sent = 0;
    p->broken = false;
    fetch_enter(f, FETCH_CONNECTING);
    fetch_plain_start(f);
}

/* --- the answer --------------------------------------------------------- */

static enum err
tell_head(struct fetch *f, const struct http1_response *r)
{
    struct fetch_plain *p = f->plain;
    struct fetch_head head = {
        .status = r->status,
        .content_type = r->content_type,
        .retry_after_ms = fetch_easy_retry_after_ms(r->retry_after),
    };

    if (r->status < 200) {
        return ++p->interims <= INTERIM_MAX ? ERR_OK : ERR_HEADERS_TOO_LARGE;
    }
    p->keep_alive = r->keep_alive;
    p->until_close = r->until_close;
    f->head_done = true;
    if (p->sent == p->out.n) {
        buf_reset(&p->out, 0);
        p->sent = 0;
    }
    f->events->on_head(f->cookie, &head);
    return http1_body_begin(&p->body, r->framing, r->content_length,
                            UINT64_MAX);
}

static enum err
take_head(struct fetch *f, struct str *in)
{
    struct fetch_plain *p = f->plain;
    struct http1_response r;
    size_t consumed;
    enum err e;

    if (f->state == FETCH_WAITING && memchr(in->p, '\n', in->n) != NULL) {
        fetch_enter(f, FETCH_STREAMING);
    }
    e = http1_response_parse(&r, *in, p->to_head, &p->seen, &consumed);
    if (e == ERR_OK) {
        e = tell_head(f, &r);
        *in = str_from_at(*in, consumed);
    }
    return e;
}

/* ERR_OK at the end of the answer, ERR_AGAIN when all of *in is taken or the
 * user wants no more. */
static enum err
take(struct fetch *f, struct str *in)
{
    struct fetch_plain *p = f->plain;
    enum err e = ERR_AGAIN;
    struct str data;

    while (!f->head_done && in->n > 0) {
        e = take_head(f, in);
        if (e != ERR_OK) {
            return e;
        }
    }
    while (f->head_done && !f->cancelled && (!f->paused || in->n == 0)) {
        e = http1_body_feed(&p->body, in, &data);
        p->body.extensions = 0; /* bounded per chunk, for answers are long */
        if (data.n > 0) {
            f->events->on_data(f->cookie, data);
        }
        if (e != ERR_AGAIN || in->n == 0) {
            return e;
        }
    }
    return ERR_AGAIN;
}

/* Keeps what is left of in, which may lie in p->in. */
static void
keep_rest(struct fetch_plain *p, struct str in)
{
    if (p->in.n > 0) {
        buf_consume(&p->in, p->in.n - in.n);
    } else if (in.n > 0) {
        buf_put_str(&p->in, in);
    }
    if (p->in.n == 0) {
        buf_fini(&p->in);
        buf_init(&p->in, HTTP1_RESPONSE_HEAD_MAX + FETCH_SCRATCH_BYTES);
    }
}

/* Bytes that came, or that were kept; f may be gone afterwards. */
static void
digest(struct fetch *f, struct str in)
{
    struct fetch_plain *p = f->plain;
    enum err e = take(f, &in);

    if (f->cancelled) {
        return; /* freed at the end of this turn */
    }
    if (e == ERR_OK) {
        finish(f, in.n > 0);
    } else if (e != ERR_AGAIN) {
        fetch_end(f, FETCH_FAILED);
    } else {
        if (in.n > 0 || p->in.n > 0) {
            keep_rest(p, in);
        }
        f->held = f->head_done && p->in.n > 0;
        watch(f);
    }
}

static void
read_some(struct fetch *f)
{
    struct fetch_plain *p = f->plain;
    char *scratch = f->pool->scratch;
    ssize_t n = sys_recv(p->wire->fd, scratch, FETCH_SCRATCH_BYTES);

    if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == EWOULDBLOCK)) {
        watch(f);
    } else if (n <= 0) {
        /* The error itself may have been told to the sending before. */
        hung_up(f, n == 0 && !f->plain->broken);
    } else {
        f->last_ms = shard_now_ms(f->pool->shard);
        if (p->in.n > 0) {
            buf_put(&p->in, scratch, (size_t)n);
            digest(f, buf_str(&p->in));
        } else {
            digest(f, (struct str){scratch, (size_t)n});
        }
    }
}

void
fetch_plain_ready(struct fetch *f, int events)
{
    if (f->cancelled) {
        fetch_wire_watch(f->plain->wire, 0);
        return;
    }
    if (events == 0) {
        f->plain->broken = true;
        events = UV_READABLE;
    }
    if ((events & UV_WRITABLE) != 0) {
        send_more(f->plain);
        watch(f);
    }
    if ((events & UV_READABLE) == 0) {
        return;
    }
    if (f->paused) {
        f->held = true;
        watch(f);
    } else {
        read_some(f);
    }
}

void
fetch_plain_resume(struct fetch *f)
{
    f->held = false;
    if (f->plain->in.n > 0) {
        digest(f, buf_str(&f->plain->in));
    } else {
        watch(f);
    }
}

/* --- the beginning ------------------------------------------------------ */

static void
begin(struct fetch *f, struct fetch_wire *w)
{
    f->plain->wire = w;
    fetch_enter(f, FETCH_WAITING);
    send_more(f->plain);
    watch(f);
}

void
fetch_plain_start(struct fetch *f)
{
    struct fetch_plain *p = f->plain;
    struct fetch_wire *kept = f->again ? NULL : fetch_wire_kept(f, p->origin);

    p->reused = kept != NULL;
    if (kept != NULL) {
        begin(f, kept);
    } else {
        fetch_easy_connect(f, p->origin);
        fetch_add(f);
    }
}

void
fetch_plain_connected(struct fetch *f)
{
    struct fetch_wire *w = fetch_wire_take_over(f, f->easy, f->plain->origin);

    fetch_remove(f);
    fetch_easy_fini(f);
    if (w == NULL) {
        fetch_end(f, FETCH_CONNECT_FAILED);
    } else {
        begin(f, w);
    }
}
