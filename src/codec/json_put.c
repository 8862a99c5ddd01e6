/* SPDX-License-Identifier: MIT */
/* The writing half of json.h: a delta goes to the client as one more JSON
 * text, so a string that needs no escaping must cost little more than a
 * copy. */
#include "codec/json.h"
#include "codec/json_plain.h"
#include "codec/utf8.h"

#include <stdio.h>

#define NANOS 1000000000

static void
put_escaped(struct buf *b, char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char bytes[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *at = c != '\0' ? strchr(bytes, c) : NULL;
    char text[6] = {'\\', 'u', '0', '0', '0', '0'};

    if (at != NULL) {
        text[1] = letters[at - bytes];
        buf_put(b, text, 2);
        return;
    }
    text[4] = hex[(unsigned char)c >> 4];
    text[5] = hex[c & 0xF];
    buf_put(b, text, 6);
}

/* Bytes of the character at the beginning of s, 0 if there is no valid one. */
static size_t
character(struct str s)
{
    for (size_t n = 1; n <= 4 && n <= s.n; n++) {
        if (utf8_valid((struct str){s.p, n})) {
            return n;
        }
    }
    return 0;
}

static void
put_repaired(struct buf *b, struct str text)
{
    while (text.n > 0) {
        size_t n = character(text);

        if (n == 0) {
            buf_puts(b, "\xEF\xBF\xBD");
            n = 1;
        } else if (n == 1 && json_is_special(text.p[0])) {
            put_escaped(b, text.p[0]);
        } else {
            buf_put(b, text.p, n);
        }
        text = str_from_at(text, n);
    }
}

static void
put_runs(struct buf *b, struct str text)
{
    const char *p = text.p, *end = p + text.n;
    bool high = false;

    while (p < end) {
        const char *stop = json_plain_end(p, end, &high);

        buf_put(b, p, (size_t)(stop - p));
        if (stop < end) {
            put_escaped(b, *stop++);
        }
        p = stop;
    }
}

void
json_put_string(struct buf *b, struct str text)
{
    bool high = false;

    buf_putc(b, '"');
    if (text.n > 0) {
        const char *end = text.p + text.n;
        const char *stop = json_plain_end(text.p, end, &high);

        if (stop == end && !high) {
            buf_put_str(b, text);
        } else if (utf8_valid(text)) {
            put_runs(b, text);
        } else {
            put_repaired(b, text);
        }
    }
    buf_putc(b, '"');
}

void
json_put_comma(struct buf *b)
{
    char last = b->n > 0 ? b->p[b->n - 1] : '{';

    if (last != '{' && last != '[' && last != ':' && last != ',') {
        buf_putc(b, ',');
    }
}

void
json_put_key(struct buf *b, const char *name)
{
    json_put_comma(b);
    buf_putc(b, '"');
    buf_puts(b, name);
    buf_put(b, "\":", 2);
}

void
json_put_member(struct buf *b, const char *name, struct str text)
{
    json_put_key(b, name);
    json_put_string(b, text);
}

void
json_put_member_i64(struct buf *b, const char *name, int64_t value)
{
    json_put_key(b, name);
    buf_put_i64(b, value);
}

void
json_put_member_bool(struct buf *b, const char *name, bool value)
{
    json_put_key(b, name);
    buf_puts(b, value ? "true" : "false");
}

void
json_put_member_nanos(struct buf *b, const char *name, int64_t nanos)
{
    char places[sizeof(".000000000")];
    size_t n = sizeof(places) - 1;

    json_put_member_i64(b, name, nanos / NANOS);
    snprintf(places, sizeof(places), ".%09u", (unsigned)(nanos % NANOS));
    while (n > 1 && places[n - 1] == '0') {
        n--;
    }
    if (n > 1) {
        buf_put(b, places, n);
    }
}
