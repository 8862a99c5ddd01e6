/* SPDX-License-Identifier: MIT */
/* What a provider sends: interim heads, a head and its body. The first byte
 * says whether it answers a HEAD request. What is read must not depend on how
 * the bytes are cut. */
#include "codec/http1_body.h"
#include "codec/http1_response.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/xalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reader {
    struct http1_body body;
    size_t seen;
    bool to_head;
    bool in_body;
    enum err e;
};

/* One head or one piece of a body; returns how many bytes it took. */
static size_t
read_some(struct reader *r, struct buf *notes, struct str in)
{
    struct http1_response head;
    struct str rest = in;
    struct str run;
    size_t taken;

    if (r->in_body) {
        r->e = http1_body_feed(&r->body, &rest, &run);
        buf_put_str(notes, run);
        return in.n - rest.n;
    }
    r->e = http1_response_parse(&head, in, r->to_head, &r->seen, &taken);
    if (r->e != ERR_OK) {
        CHECK(taken == 0);
        return 0;
    }
    CHECK(taken > 0 && taken <= HTTP1_RESPONSE_HEAD_MAX && r->seen == 0);
    CHECK(head.status >= 100 && head.status <= 999);
    CHECK(!(head.until_close && head.keep_alive));
    buf_printf(notes, "%d %d %d %ju %.*s %.*s\n", head.status, head.keep_alive,
               (int)head.framing, (uintmax_t)head.content_length,
               STR_ARG(head.content_type), STR_ARG(head.retry_after));
    r->e = ERR_AGAIN;
    r->in_body = head.status >= 200;
    if (r->in_body) {
        CHECK(http1_body_begin(&r->body, head.framing, head.content_length,
                               UINT64_MAX) == ERR_OK);
    }
    return taken;
}

/* Feeds as a connection does: what was not taken is presented again. */
static void
read_all(struct str in, bool to_head, size_t step, struct buf *notes)
{
    struct reader r = {.e = ERR_AGAIN, .to_head = to_head};
    size_t have = 0;

    while (have < in.n && r.e == ERR_AGAIN) {
        struct str now;
        char *block;
        size_t at;

        have = in.n - have > step ? have + step : in.n;
        block = xmemdup(in.p, have);
        now = (struct str){block, have};
        do {
            at = read_some(&r, notes, now);
            now = str_from_at(now, at);
            in = str_from_at(in, at);
            have -= at;
        } while (at > 0 && now.n > 0 && r.e == ERR_AGAIN);
        xfree(block);
    }
    buf_printf(notes, "\n=%d", (int)r.e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_from_at((struct str){(const char *)data, size}, 1);
    bool to_head = size > 0 && data[0] == 'H';
    struct buf whole;
    struct buf pieces;

    buf_init(&whole, 1 << 22);
    buf_init(&pieces, 1 << 22);
    read_all(in, to_head, size + 1, &whole);
    read_all(in, to_head, 1 + size % 7, &pieces);
    CHECK(str_eq(buf_str(&whole), buf_str(&pieces)));
    buf_fini(&whole);
    buf_fini(&pieces);
    return 0;
}
