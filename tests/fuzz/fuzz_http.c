/* SPDX-License-Identifier: MIT */
/* A connection's bytes as HTTP/1.1 requests: heads, targets, bodies, one
 * after another. What is read must not depend on how the bytes are cut, and
 * what is accepted must hold what the headers promise. */
#include "codec/http1_body.h"
#include "codec/utf8.h"
#include "codec/ws_handshake.h"

#include "base/xalloc.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_LIMIT = 512 };

/* Everything that was understood, as one text. */
static void
note_head(struct buf *notes, const struct http1_head *head)
{
    const struct str texts[] = {head->method_text, head->target.path,
                                head->target.query, head->host};

    buf_printf(notes, "%d %d %d %d %ju %d", (int)head->method, head->minor,
               head->keep_alive, (int)head->framing,
               (uintmax_t)head->content_length, head->expect_continue);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        buf_putc(notes, '\n');
        buf_put_str(notes, texts[i]);
    }
    buf_putc(notes, '\n');
    for (size_t i = 0; i < head->header_count; i++) {
        buf_put_str(notes, head->headers[i].name);
        buf_putc(notes, ':');
        buf_put_str(notes, head->headers[i].value);
        buf_putc(notes, '\n');
    }
}

static void
check_target(struct buf *notes, const struct http1_target *target)
{
    struct str query = target->query;
    struct http1_pair pair;
    struct buf b, name;

    buf_init(&b, HTTP1_LINE_MAX);
    buf_init(&name, HTTP1_LINE_MAX);
    if (http1_target_decode_path(target->path, &b) == ERR_OK) {
        CHECK(utf8_valid(buf_str(&b)) && b.n <= target->path.n);
        CHECK(b.n == 0 || memchr(b.p, '\0', b.n) == NULL);
        CHECK(http1_target_decode_segment(buf_str(&b), &name) == ERR_OK);
        CHECK(utf8_valid(buf_str(&name)) && name.n <= b.n);
        buf_put_str(notes, buf_str(&b));
    }
    buf_fini(&name);
    buf_reset(&b, HTTP1_LINE_MAX);
    while (http1_target_next_pair(&query, &b, &pair) == ERR_OK) {
        buf_put_str(notes, pair.key);
        buf_put_str(notes, pair.value);
    }
    CHECK(!b.failed);
    buf_fini(&b);
}

static void
check_head(struct buf *notes, const struct http1_head *head)
{
    struct ws_handshake hs;

    CHECK(head->header_count <= HTTP1_HEADERS_MAX);
    CHECK(head->minor == 0 || head->host.n > 0);
    for (size_t i = 0; i < head->header_count; i++) {
        struct str value = head->headers[i].value;

        CHECK(value.n == 0 || (memchr(value.p, '\r', value.n) == NULL &&
                               memchr(value.p, '\n', value.n) == NULL &&
                               memchr(value.p, '\0', value.n) == NULL));
    }
    check_target(notes, &head->target);
    if (ws_handshake_parse(head, &hs) == ERR_OK) {
        CHECK(ws_handshake_write(notes, hs.key, (struct str){NULL, 0}) ==
              ERR_OK);
    }
}

struct reader {
    struct http1_scan scan;
    struct http1_body body;
    bool in_body;
    enum err e;
};

/* One head or one piece of a body; returns how many bytes it took. */
static size_t
read_some(struct reader *r, struct buf *notes, struct str in)
{
    struct http1_head head;
    struct str rest = in;
    struct str run;
    size_t taken = 0;

    if (r->in_body) {
        r->e = http1_body_feed(&r->body, &rest, &run);
        buf_put_str(notes, run);
        r->in_body = r->e != ERR_OK;
        return in.n - rest.n;
    }
    r->e = http1_head_parse(&head, &r->scan, in, &taken);
    if (r->e == ERR_OK) {
        CHECK(taken <= HTTP1_HEAD_MAX);
        note_head(notes, &head);
        check_head(notes, &head);
        r->e = http1_body_init(&r->body, &head, BODY_LIMIT);
        r->in_body = true;
    }
    return taken;
}

/* Feeds as a connection does: what was not taken is presented again. */
static void
read_all(struct str in, size_t step, struct buf *notes)
{
    struct reader r = {.e = ERR_OK};
    size_t seen = 0;

    while (seen < in.n && (r.e == ERR_OK || r.e == ERR_AGAIN)) {
        struct str now;
        char *block;
        size_t at = 0;

        seen = in.n - seen > step ? seen + step : in.n;
        block = xmemdup(in.p, seen);
        now = (struct str){block, seen};
        do {
            at = read_some(&r, notes, now);
            now = str_from_at(now, at);
            in = str_from_at(in, at);
            seen -= at;
        } while ((at > 0 || r.e == ERR_OK) && now.n > 0 &&
                 (r.e == ERR_OK || r.e == ERR_AGAIN));
        xfree(block);
    }
    buf_printf(notes, "\n=%d", (int)r.e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    struct buf whole;
    struct buf pieces;

    buf_init(&whole, 1 << 22);
    buf_init(&pieces, 1 << 22);
    read_all(in, size + 1, &whole);
    read_all(in, 1 + size % 7, &pieces);
    CHECK(str_eq(buf_str(&whole), buf_str(&pieces)));
    buf_fini(&whole);
    buf_fini(&pieces);
    return 0;
}
