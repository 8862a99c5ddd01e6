/* SPDX-License-Identifier: MIT */
/* Serving what tools/embed.py compiled in: gzip when the client takes it, 304
 * when it has it already, forever when the name carries a hash. */
#include "gate/pages.h"

#include "codec/http1_write.h"
#include "gate/assets.h"
#include "gate/gate_state.h"
#include "gate/reply.h"
#include "gate/routes.h"

#define PAGE_CSP                                                               \
    "default-src 'none'; script-src 'self'; style-src 'self'; "                \
    "img-src 'self' data: blob:; font-src 'self'; "                            \
    "connect-src 'self' ws: wss:; manifest-src 'self'; base-uri 'none'; "      \
    "form-action 'none'; frame-ancestors 'none'"

static const struct asset *
find(struct str path)
{
    struct str name =
        str_eq(path, STR("/")) ? STR("index.html") : str_from_at(path, 1);

    for (size_t i = 0; i < asset_count; i++) {
        if (str_is(name, assets[i].path)) {
            return &assets[i];
        }
    }
    return NULL;
}

bool
pages_has(struct str path)
{
    return path.n > 1 && path.p[0] == '/' && find(path) != NULL;
}

/* "q=0", "q=0.0" and so on among the parameters (RFC 9110, 12.4.2). */
static bool
is_refused(struct str parameters)
{
    struct str one;

    while (str_split(&parameters, ';', &one)) {
        one = str_trim(one);
        if (one.n < 3 || (one.p[0] | 0x20) != 'q' || one.p[1] != '=') {
            continue;
        }
        for (size_t i = 2; i < one.n; i++) {
            if (one.p[i] != '0' && one.p[i] != '.') {
                return false;
            }
        }
        return true;
    }
    return false;
}

/* gzip stands in Accept-Encoding and is not refused there. */
static bool
takes_gzip(const struct request *r)
{
    const struct http1_header *header;
    size_t at = 0;

    while ((header = http1_head_next(&r->head, "Accept-Encoding", &at)) !=
           NULL) {
        struct str rest = header->value, item, name;

        while (str_split(&rest, ',', &item)) {
            (void)str_split(&item, ';', &name);
            if (str_is_nocase(str_trim(name), "gzip")) {
                return !is_refused(item);
            }
        }
    }
    return false;
}

/* The gzip form is another sequence of bytes and has a tag of its own (RFC
 * 9110, 8.8.3.3): the asset's with this before the closing quote. */
#define GZIP_MARK "-gz"

static void
put_etag(struct buf *out, const struct asset *a, bool gzip)
{
    struct str etag = str_from(a->etag);

    buf_put(out, etag.p, etag.n - 1);
    buf_puts(out, gzip ? GZIP_MARK "\"" : "\"");
}

/* If-None-Match lists this entity tag (weak comparison, RFC 9110, 13.1.2). */
static bool
has_it(const struct request *r, struct str etag)
{
    const struct http1_header *header;
    size_t at = 0;

    while ((header = http1_head_next(&r->head, "If-None-Match", &at)) != NULL) {
        struct str rest = header->value, item;

        while (str_split(&rest, ',', &item)) {
            item = str_trim(item);
            if (str_starts(item, STR("W/"))) {
                item = str_from_at(item, 2);
            }
            if (str_eq(item, etag) || str_eq(item, STR("*"))) {
                return true;
            }
        }
    }
    return false;
}

static void
no_page(struct request *r)
{
    static const char text[] =
        "<!doctype html><title>chatbox</title>"
        "<p>This build was made without its pages.</p>\n";
    struct reply_content what = {.type = "text/html; charset=utf-8",
                                 .cache = "no-cache",
                                 .body = {text, sizeof(text) - 1}};

    reply_content(r, 200, &what);
}

static void
serve(struct request *r, const struct asset *a)
{
    bool gzip = a->gzip != NULL && takes_gzip(r);
    struct reply_content what = {
        .type = a->type,
        .cache =
            a->immutable ? "public, max-age=31536000, immutable" : "no-cache",
        .body = gzip ? (struct str){(const char *)a->gzip, a->gzip_size}
                     : (struct str){(const char *)a->bytes, a->size},
    };
    struct buf extra, etag;
    int status = 200;

    buf_init(&extra, 512);
    buf_init(&etag, 128);
    put_etag(&etag, a, gzip);
    http1_write_header(&extra, "ETag", buf_str(&etag));
    http1_write_header(&extra, "Vary", STR("Accept-Encoding"));
    if (has_it(r, buf_str(&etag))) {
        status = 304;
        what.type = NULL;
    } else if (gzip) {
        http1_write_header(&extra, "Content-Encoding", STR("gzip"));
    }
    what.extra = buf_str(&extra);
    reply_content(r, status, &what);
    buf_fini(&extra);
    buf_fini(&etag);
}

void
pages_serve(struct request *r)
{
    struct str path;
    const struct asset *a = NULL;

    if (routes_strip(buf_str(&r->path), r->gate->settings->path_prefix,
                     &path)) {
        a = find(path);
    }
    r->own_csp = PAGE_CSP;
    if (a == NULL) {
        no_page(r);
    } else {
        serve(r, a);
    }
}

void
pages_redirect(struct request *r)
{
    struct buf extra;

    buf_init(&extra, 1024);
    buf_puts(&extra, "Location: ");
    buf_puts(&extra, r->gate->settings->path_prefix);
    buf_puts(&extra, "/\r\n");
    reply_empty(r, 308, buf_str(&extra));
    buf_fini(&extra);
}
