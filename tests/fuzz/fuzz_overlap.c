/* SPDX-License-Identifier: MIT */
/* codec/overlap: the input is a text that was shown, a line end, and what goes
 * on with it. What comes out is the same however that is cut, and is a tail of
 * it that begins with a character; what is missing stood there already. */
#include "codec/overlap.h"

#include "base/xalloc.h"
#include "codec/utf8.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A piece is gone after its call: what is borrowed from it must not be. */
static void
feed(struct overlap *o, struct str piece, struct buf *out)
{
    char *copy = xmemdup(piece.p, piece.n);

    buf_put_str(out, overlap_feed(o, (struct str){copy, piece.n}));
    xfree(copy);
}

static void
run(struct str shown, struct str in, size_t step, struct buf *out)
{
    struct overlap o;

    overlap_init(&o, shown);
    buf_init(out, in.n);
    for (size_t at = 0; at < in.n;) {
        size_t n = step > 0 ? step : (unsigned char)in.p[at] % 8u;

        n = n < in.n - at ? n : in.n - at;
        feed(&o, (struct str){in.p + at, n}, out);
        at += n > 0 ? n : 1;
        if (n == 0) {
            feed(&o, (struct str){in.p + at - 1, 1}, out);
        }
    }
    buf_put_str(out, overlap_end(&o));
    CHECK(!out->failed);
    overlap_fini(&o);
}

static void
put_words(struct buf *out, struct str text)
{
    text = str_trim(text);
    buf_init(out, text.n);
    for (size_t i = 0; i < text.n; i++) {
        bool white = strchr(" \t\r\n", text.p[i]) != NULL && text.p[i] != '\0';

        if (!white || out->p[out->n - 1] != ' ') {
            buf_putc(out, white ? ' ' : text.p[i]);
        }
    }
}

static void
check_missing(struct str shown, struct str missing)
{
    struct buf first, second;

    put_words(&first, shown);
    put_words(&second, missing);
    CHECK(str_ends(buf_str(&first), buf_str(&second)) ||
          str_starts(buf_str(&first), buf_str(&second)));
    buf_fini(&first);
    buf_fini(&second);
}

static void
check(struct str shown, struct str in, struct str out)
{
    size_t missing = in.n - out.n;

    CHECK(str_ends(in, out));
    check_missing(shown, (struct str){in.p, missing});
    if (utf8_valid(shown) && utf8_valid(in)) {
        CHECK(utf8_valid(out));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size}, shown;
    struct buf whole, bytewise, pieces;

    if (size == 0 || !str_split(&in, '\n', &shown) || in.p == NULL) {
        return 0;
    }
    run(shown, in, in.n, &whole);
    run(shown, in, 1, &bytewise);
    run(shown, in, 0, &pieces);
    CHECK(str_eq(buf_str(&whole), buf_str(&bytewise)));
    CHECK(str_eq(buf_str(&whole), buf_str(&pieces)));
    check(shown, in, buf_str(&whole));
    buf_fini(&whole);
    buf_fini(&bytewise);
    buf_fini(&pieces);
    return 0;
}
