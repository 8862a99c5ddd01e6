/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_MONGO_FIELDS_H
#define CHATBOX_STORE_MONGO_FIELDS_H

#include "store/mongo_bson.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The members of a record as the fields of a document, by one table for both
 * directions. */

/* What a member is, and when it has no field. */
enum mongo_kind {
    MONGO_FIELD_ID,     /* char[size], never empty */
    MONGO_FIELD_TEXT,   /* char *, or absent */
    MONGO_FIELD_WORD,   /* char *; absent reads as "" */
    MONGO_FIELD_INT,    /* int64_t */
    MONGO_FIELD_SOME,   /* int64_t; 0 is absent */
    MONGO_FIELD_SPAN,   /* int64_t; -1 is absent */
    MONGO_FIELD_TIME,   /* int64_t, milliseconds; 0 is absent */
    MONGO_FIELD_REAL,   /* double */
    MONGO_FIELD_BOOL,   /* bool */
    MONGO_FIELD_FLAG,   /* bool; false is absent */
    MONGO_FIELD_CONTENT /* char *content and size_t content_n of a message */
};

struct mongo_field {
    const char *name;
    enum mongo_kind kind;
    size_t at;
    size_t size; /* MONGO_FIELD_ID */
};

/* What is read from, and how much of it was odd. */
struct mongo_reading {
    const struct mongo_lib *lib;
    uint64_t odd;
};

/* The fields of a kind of document. */
struct mongo_form {
    const struct mongo_field *fields;
    size_t count;

    /* What there is beside the table, or NULL. False: it is odd. */
    bool (*special)(const struct mongo_reading *in, const bson_iter_t *it,
                    const char *name, void *record);
};

/* Append the field, or all of them, with what the record has. Borrow. */
void mongo_fields_put_one(struct mongo_bson *out, const struct mongo_field *f,
                          const void *record);
void mongo_fields_put(struct mongo_bson *out, const struct mongo_field *fields,
                      size_t count, const void *record);

/* Whether the record has something that is written. */
bool mongo_fields_has(const struct mongo_field *f, const void *record);

/* All fields that the iterator has before it, into the record, whose texts are
 * replaced. A null counts as absent. False when the bytes are no document. */
bool mongo_fields_get(struct mongo_reading *in, const struct mongo_form *form,
                      bson_iter_t *it, void *record);

#endif
