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

/* gzip stands in Accept-Encoding and is not refused there with q=0. */
static bool
takes_gzip(const struct request *r)
{
    const struct http1_header *header;
    size_t at = 0;

    while ((header = http1_head_next(&r->head, "Accept-Encoding", &at)) !=
           NULL) {
        struct str rest = header->value, item, name;

        while (str_split(&rest, ',', &item)) {
            bool refused = str_contains_nocase(item, STR("q=0")) &&
                           !str_contains_nocase(item, STR("q=0."));

            (void)str_split(&item, ';', &name);
            if (str_is_nocase(str_trim(name), "gzip")) {
                return !refused;
            }
        }
    }
    return false;
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
    struct buf extra;

    buf_init(&extra, 512);
    http1_write_header(&extra, "ETag", str_from(a->etag));
    http1_write_header(&extra, "Vary", STR("Accept-Encoding"));
    if (gzip) {
        http1_write_header(&extra, "Content-Encoding", STR("gzip"));
    }
    what.extra = buf_str(&extra);
    if (has_it(r, str_from(a->etag))) {
        what.type = NULL;
        reply_content(r, 304, &what);
    } else {
        reply_content(r, 200, &what);
    }
    buf_fini(&extra);
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
