/* SPDX-License-Identifier: MIT */
/* Capped growable bytes: see buf.h. Growth doubles, so a put costs amortised
 * O(1); the cap is what keeps a stranger from choosing our memory. */
#include "base/buf.h"

#include "base/xalloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.max = max_bytes};
}

void
buf_fini(struct buf *b)
{
    xfree(b->p);
    *b = (struct buf){.max = b->max};
}

void
buf_reset(struct buf *b, size_t keep_bytes)
{
    b->n = 0;
    b->failed = false;
    if (b->cap > keep_bytes) {
        buf_fini(b);
    }
}

static size_t
grown(const struct buf *b, size_t need)
{
    size_t cap = b->cap < 64 ? 64 : b->cap * 2;

    cap = cap < need ? need : cap;
    return cap < b->max ? cap : b->max;
}

char *
buf_reserve(struct buf *b, size_t n)
{
    if (b->failed || n > b->max || b->n > b->max - n) {
        b->failed = true;
        return NULL;
    }
    if (b->n + n > b->cap) {
        b->cap = grown(b, b->n + n);
        b->p = xrealloc(b->p, b->cap);
    }
    return b->p != NULL ? b->p + b->n : NULL;
}

void
buf_put(struct buf *b, const void *bytes, size_t n)
{
    char *to = n > 0 ? buf_reserve(b, n) : NULL;

    if (to != NULL) {
        memcpy(to, bytes, n);
        b->n += n;
    }
}

void
buf_puts(struct buf *b, const char *c_string)
{
    buf_put(b, c_string, strlen(c_string));
}

void
buf_put_str(struct buf *b, struct str s)
{
    buf_put(b, s.p, s.n);
}

void
buf_putc(struct buf *b, char c)
{
    buf_put(b, &c, 1);
}

void
buf_put_u64(struct buf *b, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    buf_put(b, digits + at, sizeof(digits) - at);
}

void
buf_put_i64(struct buf *b, int64_t value)
{
    if (value < 0) {
        buf_putc(b, '-');
    }
    buf_put_u64(b, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void
buf_printf(struct buf *b, const char *format, ...)
{
    char text[512];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    CHECK(n >= 0 && (size_t)n < sizeof(text));
    buf_put(b, text, (size_t)n);
}

void
buf_consume(struct buf *b, size_t n)
{
    CHECK(n <= b->n);
    b->n -= n;
    if (b->n > 0 && n > 0) {
        memmove(b->p, b->p + n, b->n);
    }
}

struct str
buf_str(const struct buf *b)
{
    return (struct str){b->p, b->n};
}

char *
buf_give(struct buf *b)
{
    char *p = xrealloc(b->p, b->n + 1);

    p[b->n] = '\0';
    *b = (struct buf){.max = b->max};
    return p;
}

enum err
buf_err(const struct buf *b)
{
    return b->failed ? ERR_TOO_BIG : ERR_OK;
}
