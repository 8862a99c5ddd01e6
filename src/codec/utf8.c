/* SPDX-License-Identifier: MIT */
/* UTF-8 as RFC 3629 has it, incrementally: ws.c checks the pieces of a
 * message as they arrive, proto/ and guard/ whole strings. Text is mostly
 * ASCII, so runs of that are passed over sixteen bytes at a time. */
#include "codec/utf8.h"

#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

/* Bytes of ASCII at the beginning, possibly a few less than there are. */
static size_t
ascii_run(const unsigned char *p, size_t n)
{
    size_t i = 0;

    while (n - i >= 16) {
        uint64_t a;
        uint64_t b;

        memcpy(&a, p + i, 8);
        memcpy(&b, p + i + 8, 8);
        if (((a | b) & HIGH_BITS) != 0) {
            return i;
        }
        i += 16;
    }
    return i;
}

/* What the first byte of a character of two to four bytes demands (RFC 3629
 * section 4, the ABNF). False when no character begins with it. */
static bool
begin(struct utf8 *u, unsigned char c)
{
    if (c < 0xC2 || c > 0xF4) {
        return false;
    }
    u->need = c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
    u->low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    u->high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    return true;
}

static bool
go_on(struct utf8 *u, unsigned char c)
{
    if (c < u->low || c > u->high) {
        return false;
    }
    u->need--;
    u->low = 0x80;
    u->high = 0xBF;
    return true;
}

bool
utf8_feed(struct utf8 *u, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    struct utf8 at = *u;

    for (size_t i = 0; i < n; i++) {
        if (at.need > 0) {
            if (!go_on(&at, p[i])) {
                return false;
            }
        } else if (p[i] >= 0x80) {
            if (!begin(&at, p[i])) {
                return false;
            }
        } else {
            i += ascii_run(p + i + 1, n - i - 1);
        }
    }
    *u = at;
    return true;
}

bool
utf8_complete(const struct utf8 *u)
{
    return u->need == 0;
}

bool
utf8_valid(struct str text)
{
    struct utf8 u = {0};

    return utf8_feed(&u, text.p, text.n) && utf8_complete(&u);
}

static bool
continues(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

size_t
utf8_count(struct str text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.n; i++) {
        count += continues(text.p[i]) ? 0 : 1;
    }
    return count;
}

struct str
utf8_cut(struct str text, size_t max_bytes)
{
    size_t n = max_bytes;

    if (text.n <= max_bytes) {
        return text;
    }
    while (n > 0 && continues(text.p[n])) {
        n--;
    }
    return (struct str){text.p, n};
}
