/* SPDX-License-Identifier: MIT */
/* codec/multipart: a body says the same whole, byte by byte, or in pieces that
 * the input itself chooses; no more data comes out than went in, and a part's
 * header lines stay within their limit. The first line is the Content-Type. */
#include "codec/multipart.h"

#include "base/check.h"
#include "base/xalloc.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
note(struct buf *out, enum multipart_result r, const struct multipart *m,
     struct str data)
{
    if (r == MULTIPART_DATA) {
        CHECK(data.n > 0);
        buf_put_str(out, data);
        return;
    }
    buf_putc(out, r == MULTIPART_PART ? '<' : '>');
    if (r == MULTIPART_PART) {
        CHECK(m->part.name.p != NULL);
        buf_put_str(out, m->part.name);
        buf_putc(out, '|');
        buf_put_str(out, m->part.filename);
        buf_putc(out, '|');
        buf_put_str(out, m->part.type);
    }
}

/* A piece is gone after its call. */
static bool
feed(struct multipart *m, const char *p, size_t n, struct buf *out)
{
    char *copy = xmemdup(p, n);
    struct str bytes = {copy, n}, data;
    enum multipart_result r;

    while ((r = multipart_feed(m, &bytes, &data)) > MULTIPART_MORE) {
        note(out, r, m, data);
    }
    CHECK(m->headers.cap <= MULTIPART_HEADERS_MAX);
    CHECK(r == MULTIPART_BAD || bytes.n == 0);
    xfree(copy);
    return r != MULTIPART_BAD;
}

/* step 0: as the input says. */
static void
run(struct str type, struct str body, size_t step, struct buf *out)
{
    struct multipart m;
    bool ok = multipart_init(&m, type) == ERR_OK;

    buf_init(out, 4 * body.n + 1024);
    while (ok && body.n > 0) {
        size_t n = step > 0 ? step : (unsigned char)body.p[0] % 32 + 1u;

        n = n < body.n ? n : body.n;
        ok = feed(&m, body.p, n, out);
        body = str_from_at(body, n);
    }
    buf_putc(out, !ok ? '!' : multipart_complete(&m) ? '$' : ' ');
    CHECK(!out->failed);
    multipart_fini(&m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct str body = {(const char *)bytes, size}, type;
    struct buf whole, other;

    if (!str_split(&body, '\n', &type)) {
        return 0;
    }
    run(type, body, body.n + 1, &whole);
    CHECK(whole.n <= body.n + 4 * MULTIPART_PARTS_MAX + 1);
    for (size_t step = 0; step < 2; step++) {
        run(type, body, step, &other);
        CHECK(str_eq(buf_str(&whole), buf_str(&other)));
        buf_fini(&other);
    }
    buf_fini(&whole);
    return 0;
}
