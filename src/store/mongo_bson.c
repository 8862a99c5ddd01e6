/* SPDX-License-Identifier: MIT */
/* Writing and reading single fields: see mongo_bson.h. Which fields a record
 * has is mongo_doc.c's matter. */
#include "store/mongo_bson.h"

#include "base/check.h"
#include "codec/utf8.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Integers up to here are exact as a double; nothing of ours is counted so
 * far, so that sums of what is read stay numbers. */
#define INT_MOST 9007199254740992

/* The end of the year 9999. */
#define TIME_MOST_MS 253402300799999

/* -- writing: it fails only beyond 2 GiB, and no record is that large -- */

void
mongo_bson_init(struct mongo_bson *d, const struct mongo_lib *lib)
{
    d->lib = lib;
    lib->bson_init(&d->b);
}

void
mongo_bson_fini(struct mongo_bson *d)
{
    d->lib->bson_destroy(&d->b);
}

void
mongo_bson_bytes(struct mongo_bson *d, const char *key, struct str text)
{
    CHECK(text.n <= INT32_MAX);
    CHECK(d->lib->bson_append_utf8(&d->b, key, -1, text.n > 0 ? text.p : "",
                                   (int)text.n));
}

void
mongo_bson_text(struct mongo_bson *d, const char *key, const char *text)
{
    if (text != NULL) {
        mongo_bson_bytes(d, key, str_from(text));
    }
}

void
mongo_bson_int(struct mongo_bson *d, const char *key, int64_t value)
{
    CHECK(d->lib->bson_append_int64(&d->b, key, -1, value));
}

void
mongo_bson_time(struct mongo_bson *d, const char *key, int64_t wall_ms)
{
    if (wall_ms != 0) {
        mongo_bson_moment(d, key, wall_ms);
    }
}

void
mongo_bson_moment(struct mongo_bson *d, const char *key, int64_t wall_ms)
{
    CHECK(d->lib->bson_append_date_time(&d->b, key, -1, wall_ms));
}

void
mongo_bson_between(struct mongo_bson *d, const char *key, int64_t from_ms,
                   int64_t to_ms)
{
    struct mongo_bson range;

    if (from_ms <= 0 && to_ms == INT64_MAX) {
        return;
    }
    mongo_bson_open(d, key, &range);
    if (from_ms > 0) {
        mongo_bson_moment(&range, "$gte", from_ms);
    }
    if (to_ms < INT64_MAX) {
        mongo_bson_moment(&range, "$lte", to_ms);
    }
    mongo_bson_close(d, &range);
}

void
mongo_bson_real(struct mongo_bson *d, const char *key, double value)
{
    CHECK(d->lib->bson_append_double(&d->b, key, -1, value));
}

void
mongo_bson_bool(struct mongo_bson *d, const char *key, bool value)
{
    CHECK(d->lib->bson_append_bool(&d->b, key, -1, value));
}

void
mongo_bson_null(struct mongo_bson *d, const char *key)
{
    CHECK(d->lib->bson_append_null(&d->b, key, -1));
}

void
mongo_bson_doc(struct mongo_bson *d, const char *key,
               const struct mongo_bson *value)
{
    CHECK(d->lib->bson_append_document(&d->b, key, -1, &value->b));
}

void
mongo_bson_open(struct mongo_bson *d, const char *key, struct mongo_bson *child)
{
    child->lib = d->lib;
    CHECK(d->lib->bson_append_document_begin(&d->b, key, -1, &child->b));
}

void
mongo_bson_close(struct mongo_bson *d, struct mongo_bson *child)
{
    CHECK(d->lib->bson_append_document_end(&d->b, &child->b));
}

void
mongo_bson_open_array(struct mongo_bson *d, const char *key,
                      struct mongo_bson *child)
{
    child->lib = d->lib;
    CHECK(d->lib->bson_append_array_begin(&d->b, key, -1, &child->b));
}

void
mongo_bson_close_array(struct mongo_bson *d, struct mongo_bson *child)
{
    CHECK(d->lib->bson_append_array_end(&d->b, &child->b));
}

const char *
mongo_bson_index(char out[static MONGO_BSON_INDEX_SIZE], uint32_t i)
{
    snprintf(out, MONGO_BSON_INDEX_SIZE, "%u", i);
    return out;
}

/* -- reading -- */

static bool
get_whole(double value, int64_t *out)
{
    bool whole = value >= 0 && value <= (double)INT_MOST &&
                 (double)(int64_t)value == value;

    if (whole) {
        *out = (int64_t)value;
    }
    return whole;
}

bool
mongo_bson_get_int(const struct mongo_lib *lib, const bson_iter_t *it,
                   int64_t *out)
{
    bson_type_t type = lib->bson_iter_type(it);
    int64_t value = -1;

    if (type == BSON_TYPE_DOUBLE) {
        return get_whole(lib->bson_iter_double(it), out);
    }
    if (type == BSON_TYPE_INT32) {
        value = lib->bson_iter_int32(it);
    } else if (type == BSON_TYPE_INT64) {
        value = lib->bson_iter_int64(it);
    }
    if (value < 0 || value > INT_MOST) {
        return false;
    }
    *out = value;
    return true;
}

bool
mongo_bson_get_real(const struct mongo_lib *lib, const bson_iter_t *it,
                    double *out)
{
    int64_t whole;
    double value;

    if (mongo_bson_get_int(lib, it, &whole)) {
        *out = (double)whole;
        return true;
    }
    if (lib->bson_iter_type(it) != BSON_TYPE_DOUBLE) {
        return false;
    }
    value = lib->bson_iter_double(it);
    if (isfinite(value)) {
        *out = value;
    }
    return isfinite(value);
}

bool
mongo_bson_get_bool(const struct mongo_lib *lib, const bson_iter_t *it,
                    bool *out)
{
    bool ours = lib->bson_iter_type(it) == BSON_TYPE_BOOL;

    if (ours) {
        *out = lib->bson_iter_bool(it);
    }
    return ours;
}

bool
mongo_bson_get_time(const struct mongo_lib *lib, const bson_iter_t *it,
                    int64_t *wall_ms_out)
{
    int64_t ms = -1;

    if (lib->bson_iter_type(it) == BSON_TYPE_DATE_TIME) {
        ms = lib->bson_iter_date_time(it);
    }
    if (ms < 0 || ms > TIME_MOST_MS) {
        return false;
    }
    *wall_ms_out = ms;
    return true;
}

bool
mongo_bson_get_bytes(const struct mongo_lib *lib, const bson_iter_t *it,
                     struct str *out)
{
    struct str text = {NULL, 0};
    uint32_t n;

    if (lib->bson_iter_type(it) != BSON_TYPE_UTF8) {
        return false;
    }
    text.p = lib->bson_iter_utf8(it, &n);
    text.n = n;
    if (!utf8_valid(text)) {
        return false;
    }
    *out = text;
    return true;
}

bool
mongo_bson_get_text(const struct mongo_lib *lib, const bson_iter_t *it,
                    struct str *out)
{
    struct str text;

    if (!mongo_bson_get_bytes(lib, it, &text) ||
        (text.n > 0 && memchr(text.p, '\0', text.n) != NULL)) {
        return false;
    }
    *out = text;
    return true;
}

bool
mongo_bson_enter(const struct mongo_lib *lib, const bson_iter_t *it, bool array,
                 bson_iter_t *inside_out)
{
    bson_type_t wanted = array ? BSON_TYPE_ARRAY : BSON_TYPE_DOCUMENT;

    return lib->bson_iter_type(it) == wanted &&
           lib->bson_iter_recurse(it, inside_out);
}

bool
mongo_bson_find(const struct mongo_lib *lib, const bson_t *doc,
                const char *name, bson_iter_t *out)
{
    return lib->bson_iter_init_find(out, doc, name);
}

int64_t
mongo_bson_find_int(const struct mongo_lib *lib, const bson_t *doc,
                    const char *name, int64_t when_absent)
{
    bson_iter_t it;
    int64_t value = when_absent;

    if (mongo_bson_find(lib, doc, name, &it)) {
        (void)mongo_bson_get_int(lib, &it, &value);
    }
    return value;
}
