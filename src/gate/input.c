/* SPDX-License-Identifier: MIT */
/* Reading queries and bodies of the REST interface, strictly. */
#include "gate/input.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "codec/json.h"
#include "codec/utf8.h"
#include "gate/reply.h"

#include <stdio.h>

/* Nesting of a JSON body; none of ours needs more than two. */
#define DEPTH_MAX 32

/* Of "2026-11-21". */
#define DATE_CHARS 10

static bool
refuse(struct request *r, const char *name)
{
    reply_error(r, ERR_BAD_REQUEST, name);
    return false;
}

/* OK, NOT_FOUND, or the request has been answered (BAD_REQUEST). */
static enum err
query(struct request *r, const char *name, struct buf *room, struct str *out)
{
    enum err e;

    buf_init(room, HTTP1_LINE_MAX);
    e = http1_target_query(r->head.target.query, name, room, out);
    if (e != ERR_OK && e != ERR_NOT_FOUND) {
        (void)refuse(r, name);
        return ERR_BAD_REQUEST;
    }
    return e;
}

bool
input_number(struct request *r, const char *name, uint64_t min, uint64_t max,
             uint64_t *out)
{
    struct buf room;
    struct str text;
    uint64_t value;
    enum err e = query(r, name, &room, &text);
    bool ok = e == ERR_NOT_FOUND;

    if (e == ERR_OK) {
        ok = str_to_u64(text, max, &value) && value >= min;
        if (ok) {
            *out = value;
        } else {
            (void)refuse(r, name);
        }
    }
    buf_fini(&room);
    return ok;
}

bool
input_text(struct request *r, const char *name, size_t max_bytes, char **out)
{
    struct buf room;
    struct str text;
    enum err e = query(r, name, &room, &text);
    bool ok = e == ERR_NOT_FOUND;

    *out = NULL;
    if (e == ERR_OK) {
        ok = text.n <= max_bytes && utf8_valid(text) &&
             (text.n == 0 || memchr(text.p, '\0', text.n) == NULL);
        if (!ok) {
            (void)refuse(r, name);
        } else if (text.n > 0) {
            *out = str_dup(text);
        }
    }
    buf_fini(&room);
    return ok;
}

/* Not empty, UTF-8 without control characters. */
static bool
is_line(struct str text, size_t max_bytes)
{
    for (size_t i = 0; i < text.n; i++) {
        if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f) {
            return false;
        }
    }
    return text.n > 0 && text.n <= max_bytes && utf8_valid(text);
}

bool
input_line(struct request *r, const char *name, size_t max_bytes, char **out)
{
    struct buf room;
    struct str text;
    enum err e = query(r, name, &room, &text);
    bool ok = e == ERR_NOT_FOUND;

    *out = NULL;
    if (e == ERR_OK) {
        ok = is_line(text, max_bytes) || refuse(r, name);
        *out = ok ? str_dup(text) : NULL;
    }
    buf_fini(&room);
    return ok;
}

static bool
is_id(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!((s.p[i] >= '0' && s.p[i] <= '9') ||
              (s.p[i] >= 'a' && s.p[i] <= 'f'))) {
            return false;
        }
    }
    return s.n == RAND_ID_CHARS;
}

bool
input_id(struct request *r, const char *name,
         char out[static RAND_ID_CHARS + 1])
{
    char *text;
    bool ok = input_line(r, name, RAND_ID_CHARS, &text);

    if (text != NULL) {
        ok = is_id(str_from(text)) || refuse(r, name);
        if (ok) {
            memcpy(out, text, RAND_ID_CHARS + 1);
        }
    }
    xfree(text);
    return ok;
}

static bool
parse_time(struct str text, bool whole_day, int64_t *out)
{
    char date[32];

    if (text.n != DATE_CHARS) {
        return clock_parse(text, out);
    }
    snprintf(date, sizeof(date), "%.*s%s", STR_ARG(text),
             whole_day ? "T23:59:59.999Z" : "T00:00:00Z");
    return clock_parse(str_from(date), out);
}

bool
input_time(struct request *r, const char *name, bool whole_day, int64_t *out)
{
    struct buf room;
    struct str text;
    enum err e = query(r, name, &room, &text);
    bool ok = e == ERR_NOT_FOUND;

    if (e == ERR_OK) {
        ok = parse_time(text, whole_day, out) || refuse(r, name);
    }
    buf_fini(&room);
    return ok;
}

bool
input_word(struct request *r, const char *name, const char *const *words,
           size_t *out)
{
    struct buf room;
    struct str text;
    enum err e = query(r, name, &room, &text);
    bool ok = e == ERR_NOT_FOUND;

    for (size_t i = 0; e == ERR_OK && words[i] != NULL; i++) {
        if (str_is(text, words[i])) {
            *out = i;
            ok = true;
        }
    }
    if (e == ERR_OK && !ok) {
        (void)refuse(r, name);
    }
    buf_fini(&room);
    return ok;
}

bool
input_object(struct request *r, json_t **out)
{
    struct str body = str_trim(buf_str(&r->body));

    if (body.n == 0) {
        *out = json_object();
        return true;
    }
    *out = NULL;
    if (json_valid(body, DEPTH_MAX)) {
        *out = json_loadb(body.p, body.n,
                          JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL |
                              JSON_DECODE_INT_AS_REAL,
                          NULL);
    }
    if (json_is_object(*out)) {
        return true;
    }
    json_decref(*out);
    *out = NULL;
    return refuse(r, NULL);
}

bool
input_string(struct request *r, const json_t *object, const char *name,
             struct str *out)
{
    const json_t *value = json_object_get(object, name);

    if (value == NULL) {
        return true;
    }
    if (!json_is_string(value)) {
        return refuse(r, name);
    }
    *out = (struct str){json_string_value(value), json_string_length(value)};
    return true;
}

bool
input_bool(struct request *r, const json_t *object, const char *name,
           bool *given_out, bool *out)
{
    const json_t *value = json_object_get(object, name);

    if (value == NULL) {
        return true;
    }
    if (!json_is_boolean(value)) {
        return refuse(r, name);
    }
    *given_out = true;
    *out = json_is_true(value);
    return true;
}
