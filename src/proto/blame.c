/* SPDX-License-Identifier: MIT */
/* The parser says that a frame is wrong, not where; a client wants the
 * member's name. Only for frames that were refused, so it may cost a copy. */
#include "proto/blame.h"

#include "base/buf.h"
#include "base/xalloc.h"
#include "codec/json.h"

#include <stdio.h>

#define NOWHERE SIZE_MAX

/* What is looked for, in a frame and in a copy of it without lone surrogates:
 * offsets are the same in both. */
struct blame {
    const char *frame;
    const char *readable;
    size_t at; /* this byte; NOWHERE: what is not valid */
};

static bool
is_it(const struct blame *b, const char *name, const struct json_scan *value,
      const char *end, unsigned levels)
{
    size_t begin = (size_t)(value->p - b->readable);
    struct str text = {b->frame + begin, (size_t)(end - value->p)};

    if (b->at != NOWHERE) {
        return b->at >= (size_t)(name - b->readable) &&
               b->at < (size_t)(end - b->readable);
    }
    return !json_valid(text, levels);
}

/* Moves s to the value of the member in question of the object that comes;
 * levels: how deep its values may be. */
static bool
find(const struct blame *b, struct json_scan *s, unsigned levels,
     struct json_text *key)
{
    if (json_scan_peek(s) != '{' || !json_scan_enter(s, '{')) {
        return false;
    }
    while (json_scan_member(s, key)) {
        struct json_scan value = *s;

        if (!json_scan_skip(s)) {
            return false;
        }
        if (is_it(b, key->raw.p, &value, s->p, levels)) {
            *s = value;
            return true;
        }
    }
    return false;
}

static void
name_it(const struct blame *b, size_t n,
        char field[static PROTO_FIELD_NAME_MAX])
{
    struct json_scan s;
    struct json_text key;
    struct buf name;

    field[0] = '\0';
    buf_init(&name, 6 * n + sizeof("metadata."));
    json_scan_init(&s, (struct str){b->readable, n});
    if (find(b, &s, PROTO_DEPTH_MAX - 1, &key)) {
        json_unescape(&key, &name);
        if (json_text_is(&key, STR("metadata")) &&
            (b->at == NOWHERE || b->at >= (size_t)(s.p - b->readable)) &&
            find(b, &s, PROTO_DEPTH_MAX - 2, &key)) {
            buf_putc(&name, '.');
            json_unescape(&key, &name);
        }
    }
    if (name.n < PROTO_FIELD_NAME_MAX) {
        snprintf(field, PROTO_FIELD_NAME_MAX, "%.*s", (int)name.n,
                 name.n > 0 ? name.p : "");
    }
    buf_fini(&name);
}

void
blame_at(struct str frame, size_t at, char field[static PROTO_FIELD_NAME_MAX])
{
    struct blame b = {frame.p, frame.p, at};

    name_it(&b, frame.n, field);
}

enum half { NO_HALF, HIGH_HALF, LOW_HALF };

/* Which half of a pair the escape at p is. */
static enum half
half_at(const char *p, const char *end)
{
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u' || (p[2] | 0x20) != 'd') {
        return NO_HALF;
    }
    if (p[3] >= '8' && p[3] <= '9') {
        return HIGH_HALF;
    }
    if ((p[3] | 0x20) < 'a' || (p[3] | 0x20) > 'f') {
        return NO_HALF;
    }
    return (p[3] | 0x20) < 'c' ? HIGH_HALF : LOW_HALF;
}

/* A half without its other half becomes a letter. */
static void
without_halves(char *p, const char *end)
{
    while (p < end) {
        enum half half = half_at(p, end);

        if (half == HIGH_HALF && half_at(p + 6, end) == LOW_HALF) {
            p += 12;
            continue;
        }
        if (half != NO_HALF) {
            p[2] = '0';
        }
        p += p[0] == '\\' && end - p > 1 ? 2 : 1;
    }
}

void
blame_invalid(struct str frame, char field[static PROTO_FIELD_NAME_MAX])
{
    char *copy = xmemdup(frame.p, frame.n);
    struct blame b = {frame.p, copy, NOWHERE};

    without_halves(copy, copy + frame.n);
    field[0] = '\0';
    if (json_valid((struct str){copy, frame.n}, JSON_DEPTH_MAX)) {
        name_it(&b, frame.n, field);
    }
    xfree(copy);
}
