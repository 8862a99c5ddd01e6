/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_FUZZ_ANSWERS_H
#define CHATBOX_FUZZ_ANSWERS_H

#include "store/mongo_bson.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a database says, out of a fuzzer's bytes: answers of some documents
 * each. The bytes are lines, so that inputs can be written by hand:
 *
 *   s NAME TEXT      a field: a text; x: one with \xHH for any byte
 *   i NAME NUMBER    an int64; n: an int32; r: a double; t: a date
 *   y NAME, f NAME   true, false
 *   z NAME           null
 *   o NAME, a NAME   a document, an array; c: it ends
 *   R BYTES          the document is these bytes (\xHH), with a length and a
 *                    last NUL that are right
 *   d                the document ends, and another one may follow
 *   . [DOMAIN CODE]  the answer ends: well, or with an error
 *
 * Any other line is passed over. Behind the last one there are empty answers
 * that went well. */
struct answers {
    const struct mongo_lib *lib;
    const char *at;
    size_t left;
    size_t given; /* documents */
};

struct answers_end {
    bool failed;
    uint32_t domain;
    uint32_t code;
};

/* Borrows all until the last call. */
void answers_begin(struct answers *a, const struct mongo_lib *lib,
                   const uint8_t *bytes, size_t n);

/* The next document of this answer; false: it has no other. Gives. */
bool answers_next(struct answers *a, struct mongo_bson *out);

/* The bytes of a document, d->b.len of them. Borrowed. */
const uint8_t *answers_bytes(const struct mongo_bson *d);

/* Passes over what is left of this answer. */
struct answers_end answers_finish(struct answers *a);

#endif
