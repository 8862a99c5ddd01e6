/* SPDX-License-Identifier: MIT */
/* Fields by table: see mongo_fields.h. Which records and which tables there are
 * is mongo_doc.c's matter. */
#include "store/mongo_fields.h"

#include "base/xalloc.h"
#include "store/record.h"

#include <string.h>

/* -- writing -- */

static const void *
member(const void *record, const struct mongo_field *f)
{
    return (const char *)record + f->at;
}

static int64_t
int_of(const void *record, const struct mongo_field *f)
{
    return *(const int64_t *)member(record, f);
}

static const char *
text_of(const void *record, const struct mongo_field *f)
{
    return *(char *const *)member(record, f);
}

static void
put_text_kind(struct mongo_bson *out, const struct mongo_field *f,
              const void *record)
{
    const char *text =
        f->kind == MONGO_FIELD_ID ? member(record, f) : text_of(record, f);

    if (f->kind == MONGO_FIELD_WORD && text == NULL) {
        text = "";
    }
    mongo_bson_text(out, f->name, text);
}

static void
put_int_kind(struct mongo_bson *out, const struct mongo_field *f,
             const void *record)
{
    int64_t value = int_of(record, f);

    if (f->kind == MONGO_FIELD_TIME) {
        mongo_bson_time(out, f->name, value);
    } else if (f->kind == MONGO_FIELD_INT ||
               (f->kind == MONGO_FIELD_SOME && value != 0) ||
               (f->kind == MONGO_FIELD_SPAN && value >= 0)) {
        mongo_bson_int(out, f->name, value);
    }
}

static void
put_bool_kind(struct mongo_bson *out, const struct mongo_field *f,
              const void *record)
{
    bool value = *(const bool *)member(record, f);

    if (f->kind == MONGO_FIELD_BOOL || value) {
        mongo_bson_bool(out, f->name, value);
    }
}

static void
put_content(struct mongo_bson *out, const struct mongo_field *f,
            const void *record)
{
    const struct message_record *m = record;

    mongo_bson_bytes(out, f->name, (struct str){m->content, m->content_n});
}

void
mongo_fields_put_one(struct mongo_bson *out, const struct mongo_field *f,
                     const void *record)
{
    switch (f->kind) {
    case MONGO_FIELD_ID:
    case MONGO_FIELD_TEXT:
    case MONGO_FIELD_WORD:
        put_text_kind(out, f, record);
        break;
    case MONGO_FIELD_INT:
    case MONGO_FIELD_SOME:
    case MONGO_FIELD_SPAN:
    case MONGO_FIELD_TIME:
        put_int_kind(out, f, record);
        break;
    case MONGO_FIELD_REAL:
        mongo_bson_real(out, f->name, *(const double *)member(record, f));
        break;
    case MONGO_FIELD_BOOL:
    case MONGO_FIELD_FLAG:
        put_bool_kind(out, f, record);
        break;
    case MONGO_FIELD_CONTENT:
        put_content(out, f, record);
        break;
    }
}

void
mongo_fields_put(struct mongo_bson *out, const struct mongo_field *fields,
                 size_t count, const void *record)
{
    for (size_t i = 0; i < count; i++) {
        mongo_fields_put_one(out, &fields[i], record);
    }
}

bool
mongo_fields_has(const struct mongo_field *f, const void *record)
{
    switch (f->kind) {
    case MONGO_FIELD_TEXT:
        return text_of(record, f) != NULL;
    case MONGO_FIELD_TIME:
    case MONGO_FIELD_SOME:
        return int_of(record, f) != 0;
    default:
        return true;
    }
}

/* -- reading -- */

/* The record being read is a plain object of ours, so its members may be
 * written through this. */
static void *
place(void *record, const struct mongo_field *f)
{
    return (char *)record + f->at;
}

/* False, and nothing is kept, when it does not fit or is empty. */
static bool
get_id(const struct mongo_reading *in, const bson_iter_t *it,
       const struct mongo_field *f, void *record)
{
    struct str text;
    bool fits = mongo_bson_get_text(in->lib, it, &text) && text.n > 0 &&
                text.n < f->size;

    if (fits) {
        memset(place(record, f), 0, f->size);
        memcpy(place(record, f), text.p, text.n);
    }
    return fits;
}

static bool
get_text_kind(const struct mongo_reading *in, const bson_iter_t *it,
              const struct mongo_field *f, void *record)
{
    char **to = place(record, f);
    struct str text;

    if (f->kind == MONGO_FIELD_ID) {
        return get_id(in, it, f, record);
    }
    if (!mongo_bson_get_text(in->lib, it, &text)) {
        return false;
    }
    xfree(*to);
    *to = str_dup(text);
    return true;
}

static bool
get_content(const struct mongo_reading *in, const bson_iter_t *it, void *record)
{
    struct message_record *m = record;
    struct str text;

    if (!mongo_bson_get_bytes(in->lib, it, &text)) {
        return false;
    }
    xfree(m->content);
    m->content = xmemdup(text.p, text.n);
    m->content_n = text.n;
    return true;
}

static bool
get_field(const struct mongo_reading *in, const bson_iter_t *it,
          const struct mongo_field *f, void *record)
{
    switch (f->kind) {
    case MONGO_FIELD_ID:
    case MONGO_FIELD_TEXT:
    case MONGO_FIELD_WORD:
        return get_text_kind(in, it, f, record);
    case MONGO_FIELD_INT:
    case MONGO_FIELD_SOME:
    case MONGO_FIELD_SPAN:
        return mongo_bson_get_int(in->lib, it, place(record, f));
    case MONGO_FIELD_TIME:
        return mongo_bson_get_time(in->lib, it, place(record, f));
    case MONGO_FIELD_REAL:
        return mongo_bson_get_real(in->lib, it, place(record, f));
    case MONGO_FIELD_BOOL:
    case MONGO_FIELD_FLAG:
        return mongo_bson_get_bool(in->lib, it, place(record, f));
    case MONGO_FIELD_CONTENT:
        return get_content(in, it, record);
    }
    return false;
}

static const struct mongo_field *
find_field(const struct mongo_field *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

/* A field that is there without a value, as some drivers write what is
 * absent. */
static bool
is_null(const struct mongo_reading *in, const bson_iter_t *it)
{
    return in->lib->bson_iter_type(it) == BSON_TYPE_NULL;
}

static void
get_one(struct mongo_reading *in, const struct mongo_form *form,
        const bson_iter_t *it, void *record)
{
    const char *name = in->lib->bson_iter_key(it);
    const struct mongo_field *f = find_field(form->fields, form->count, name);
    bool ok = true;

    if (is_null(in, it)) {
        return;
    }
    if (f != NULL) {
        ok = get_field(in, it, f, record);
    } else if (form->special != NULL) {
        ok = form->special(in, it, name, record);
    }
    in->odd += !ok;
}

bool
mongo_fields_get(struct mongo_reading *in, const struct mongo_form *form,
                 bson_iter_t *it, void *record)
{
    while (in->lib->bson_iter_next(it)) {
        get_one(in, form, it, record);
    }
    return it->err_off == 0;
}
