/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_MONGO_BSON_H
#define CHATBOX_STORE_MONGO_BSON_H

#include "base/str.h"
#include "store/mongo_lib.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Documents as the database speaks them: a thin layer over libbson that knows
 * which library was loaded and what this house takes for a number or a text. */

/* A document that is being written. It must not be copied or moved. */
struct mongo_bson {
    const struct mongo_lib *lib;
    bson_t b;
};

/* Borrows lib for the document's life. */
void mongo_bson_init(struct mongo_bson *d, const struct mongo_lib *lib);
void mongo_bson_fini(struct mongo_bson *d);

/* One more field; all borrow. A NULL text and the time 0 write none. */
void mongo_bson_text(struct mongo_bson *d, const char *key, const char *text);
void mongo_bson_bytes(struct mongo_bson *d, const char *key, struct str text);
void mongo_bson_int(struct mongo_bson *d, const char *key, int64_t value);
void mongo_bson_time(struct mongo_bson *d, const char *key, int64_t wall_ms);
void mongo_bson_moment(struct mongo_bson *d, const char *key,
                       int64_t wall_ms); /* 0 as well */

/* For a filter: a range of moments, both included. A bound that lets everything
 * pass is left out, as not every server takes a date so far away. */
void mongo_bson_between(struct mongo_bson *d, const char *key, int64_t from_ms,
                        int64_t to_ms);

void mongo_bson_real(struct mongo_bson *d, const char *key, double value);
void mongo_bson_bool(struct mongo_bson *d, const char *key, bool value);
void mongo_bson_null(struct mongo_bson *d, const char *key);
void mongo_bson_doc(struct mongo_bson *d, const char *key,
                    const struct mongo_bson *value);

/* A document or an array inside; until it is closed only the child is
 * written to. child comes without init and goes without fini. */
void mongo_bson_open(struct mongo_bson *d, const char *key,
                     struct mongo_bson *child);
void mongo_bson_close(struct mongo_bson *d, struct mongo_bson *child);
void mongo_bson_open_array(struct mongo_bson *d, const char *key,
                           struct mongo_bson *child);
void mongo_bson_close_array(struct mongo_bson *d, struct mongo_bson *child);

/* The key of an array's i-th element. */
#define MONGO_BSON_INDEX_SIZE 11
const char *mongo_bson_index(char out[static MONGO_BSON_INDEX_SIZE],
                             uint32_t i);

/* -- reading; the field is the one that the iterator stands on -- */

/* False for another type, or a value that is none of ours: then *out is
 * untouched. A number is an integer from 0 to 2^53 of any numeric type; a
 * real one is finite; a time lies in the years 1970 to 9999. A text is valid
 * UTF-8; it is borrowed from the document. */
bool mongo_bson_get_int(const struct mongo_lib *lib, const bson_iter_t *it,
                        int64_t *out);
bool mongo_bson_get_real(const struct mongo_lib *lib, const bson_iter_t *it,
                         double *out);
bool mongo_bson_get_bool(const struct mongo_lib *lib, const bson_iter_t *it,
                         bool *out);
bool mongo_bson_get_time(const struct mongo_lib *lib, const bson_iter_t *it,
                         int64_t *wall_ms_out);
bool mongo_bson_get_bytes(const struct mongo_lib *lib, const bson_iter_t *it,
                          struct str *out);

/* A get_bytes without a NUL inside. */
bool mongo_bson_get_text(const struct mongo_lib *lib, const bson_iter_t *it,
                         struct str *out);

/* Enters a document or an array. */
bool mongo_bson_enter(const struct mongo_lib *lib, const bson_iter_t *it,
                      bool array, bson_iter_t *inside_out);

/* The field by name, the first of its name. Borrows doc. */
bool mongo_bson_find(const struct mongo_lib *lib, const bson_t *doc,
                     const char *name, bson_iter_t *out);

/* The same as a number; otherwise when_absent. */
int64_t mongo_bson_find_int(const struct mongo_lib *lib, const bson_t *doc,
                            const char *name, int64_t when_absent);

#endif
