/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CODEC_JSON_H
#define CHATBOX_CODEC_JSON_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* JSON (RFC 8259) without a document: a scanner that is pulled through a text
 * once and never allocates, and helpers that write. For the token path;
 * everything else parses with jansson.
 *
 *     json_scan_init(&s, text);
 *     if (json_scan_enter(&s, '{')) {
 *         while (json_scan_member(&s, &key)) {
 *             if (json_text_is(&key, STR("id"))) {
 *                 json_scan_string(&s, &id);
 *             } else {
 *                 json_scan_skip(&s);
 *             }
 *         }
 *     }
 *     ok = json_scan_end(&s);
 *
 * Strict: the grammar of the RFC, UTF-8 (no BOM), no lone surrogates, nesting
 * at most JSON_DEPTH_MAX. A failure sticks and makes every later call return
 * false, so json_scan_end alone tells whether the text was JSON and was read
 * as expected. Against jansson: duplicate members are seen one after the
 * other, \u0000 is let through in keys too, numbers of any size are let
 * through as text, a scalar is a text. */
#define JSON_DEPTH_MAX 64

struct json_scan {
    const char *p;
    const char *end;
    unsigned depth;
    bool fresh; /* nothing read yet in the container just entered */
    bool failed;
};

/* A string as it stands between its quotes, checked. */
struct json_text {
    struct str raw;
    bool escaped; /* raw contains a backslash */
};

/* Borrows text until the scan is over. */
void json_scan_init(struct json_scan *s, struct str text);

/* The first byte of the next value: one of { [ " t f n - 0..9, or 0 when
 * there is none. Moves over white space only. */
char json_scan_peek(struct json_scan *s);

/* Enters an object or an array; open is '{' or '['. Then ask for members or
 * elements until there are no more; every value asked for must be read. */
bool json_scan_enter(struct json_scan *s, char open);
bool json_scan_member(struct json_scan *s, struct json_text *key);
bool json_scan_element(struct json_scan *s);

bool json_scan_string(struct json_scan *s, struct json_text *out);
bool json_scan_number(struct json_scan *s, struct str *out); /* its text */
bool json_scan_bool(struct json_scan *s, bool *out);
bool json_scan_null(struct json_scan *s);

/* Any value with all that is in it, checked as strictly. */
bool json_scan_skip(struct json_scan *s);

/* The same, and its text as it was written. */
bool json_scan_value(struct json_scan *s, struct str *out);

/* The value was refused by the caller: the scan fails. */
void json_scan_fail(struct json_scan *s);

/* Nothing but white space is left, every container was left, and nothing
 * failed. */
bool json_scan_end(struct json_scan *s);

/* Whole text: one value, nesting at most max_depth (<= JSON_DEPTH_MAX; the
 * outermost container is level 1). */
bool json_valid(struct str text, unsigned max_depth);

/* Appends the unescaped text (UTF-8). */
void json_unescape(const struct json_text *t, struct buf *out);

/* Compares the unescaped text. */
bool json_text_is_escaped(const struct json_text *t, struct str plain);

static inline bool
json_text_is(const struct json_text *t, struct str plain)
{
    if (__builtin_expect(t->escaped, 0)) {
        return json_text_is_escaped(t, plain);
    }
    return t->raw.n == plain.n && memcmp(t->raw.p, plain.p, plain.n) == 0;
}

/* A number's text as an integer; false with fraction or exponent or beyond
 * int64_t. */
bool json_to_i64(struct str number, int64_t *out);

/* --- writing; all borrow and append --- */

/* With quotes, escaped as RFC 8259 asks and no more. Bytes that are not UTF-8
 * become U+FFFD (one for each that cannot begin or go on a character). */
void json_put_string(struct buf *b, struct str text);

/* A comma, unless the last byte is one of { [ : , or there is none: a value
 * never ends in one of these. */
void json_put_comma(struct buf *b);

/* Comma if needed, then "name": ; name needs no escaping. */
void json_put_key(struct buf *b, const char *name);

/* json_put_key and a value. */
void json_put_member(struct buf *b, const char *name, struct str text);
void json_put_member_i64(struct buf *b, const char *name, int64_t value);
void json_put_member_bool(struct buf *b, const char *name, bool value);

/* Billionths (not negative) as a decimal number of at most nine places. */
void json_put_member_nanos(struct buf *b, const char *name, int64_t nanos);

#endif
