/* SPDX-License-Identifier: MIT */
/* codec/sse: the events of a stream are the same whether it comes whole, byte
 * by byte, or in pieces that the input itself chooses; no event is larger
 * than the cap, and nothing beyond the cap is kept. */
#include "codec/sse.h"

#include "base/xalloc.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CAP = 64 };

static void
note(struct buf *out, enum sse_result r, const struct sse_event *e)
{
    buf_putc(out, r == SSE_DROPPED ? '!' : '=');
    if (r == SSE_DROPPED) {
        return;
    }
    CHECK(e->data.n <= CAP && e->name.n <= CAP && e->id.n <= CAP);
    buf_put_u64(out, e->name.n);
    buf_put_str(out, e->name);
    buf_put_u64(out, e->id.n);
    buf_put_str(out, e->id);
    buf_put_u64(out, e->data.n);
    buf_put_str(out, e->data);
}

/* A piece is gone after its call: what is borrowed from it must not be. */
static void
feed(struct sse *s, const uint8_t *p, size_t n, struct buf *out)
{
    char *copy = xmalloc(n + (n == 0));
    struct str bytes = {copy, n};
    struct sse_event event;
    enum sse_result r;

    memcpy(copy, p, n);
    while ((r = sse_feed(s, &bytes, &event)) != SSE_MORE) {
        note(out, r, &event);
    }
    CHECK(bytes.n == 0 && s->line.cap <= CAP && s->data.cap <= CAP);
    xfree(copy);
}

static void
run(const uint8_t *data, size_t size, size_t step, struct buf *out)
{
    struct sse s;
    struct sse_event event;
    enum sse_result r;

    sse_init(&s, CAP);
    buf_init(out, 64 * size + 1024);
    for (size_t at = 0; at < size;) {
        size_t n = step > 0 ? step : (size_t)data[at] % 32;

        n = n < size - at ? n : size - at;
        feed(&s, data + at, n, out);
        at += n > 0 ? n : 1;
        if (n == 0) {
            feed(&s, data + at - 1, 1, out);
        }
    }
    r = sse_end(&s, &event);
    if (r != SSE_MORE) {
        note(out, r, &event);
    }
    CHECK(!out->failed);
    sse_fini(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole, bytewise, pieces;

    run(data, size, size + 1, &whole);
    run(data, size, 1, &bytewise);
    run(data, size, 0, &pieces);
    CHECK(str_eq(buf_str(&whole), buf_str(&bytewise)));
    CHECK(str_eq(buf_str(&whole), buf_str(&pieces)));
    buf_fini(&whole);
    buf_fini(&bytewise);
    buf_fini(&pieces);
    return 0;
}
