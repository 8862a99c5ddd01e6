/* SPDX-License-Identifier: MIT */
/* What a mail server says. What it is told must not depend on how its bytes
 * are cut, and it is told the message at most once, whole. */
#include "codec/smtp.h"

#include "base/check.h"
#include "base/xalloc.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct smtp_mail mail = {
    {"a@b.example", 11}, {"x@y.example", 11}, {"Subject: x\r\n\r\n.\r\n", 17}};

static void
talk(struct str in, size_t step, struct buf *told)
{
    enum err e = ERR_AGAIN;
    struct smtp s;

    smtp_begin(&s, &mail, told);
    while (in.n > 0 && e == ERR_AGAIN) {
        size_t n = in.n < step ? in.n : step;
        char *block = xmemdup(in.p, n);

        e = smtp_feed(&s, (struct str){block, n}, told);
        in = str_from_at(in, n);
        xfree(block);
    }
    CHECK(e == ERR_OK || e == ERR_AGAIN || e == ERR_INVALID_FORMAT);
    CHECK(s.status == 0 || (s.status >= 200 && s.status <= 599));
    CHECK(e != ERR_OK || s.status / 100 != 3);
    if (e == ERR_OK && s.status / 100 == 2) { /* taken: it was told all */
        CHECK(told->n > 17 &&
              memmem(told->p, told->n, "\r\n.\r\nQUIT\r\n", 11));
    }
    buf_printf(told, "=%d %d", (int)e, s.status);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    struct buf whole, pieces;

    buf_init(&whole, 1 << 20);
    buf_init(&pieces, 1 << 20);
    talk(in, size + 1, &whole);
    talk(in, 1 + size % 5, &pieces);
    CHECK(str_eq(buf_str(&whole), buf_str(&pieces)));
    buf_fini(&whole);
    buf_fini(&pieces);
    return 0;
}
