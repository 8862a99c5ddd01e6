/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_UPLOAD_FILE_ID_H
#define CHATBOX_UPLOAD_FILE_ID_H

#include "base/buf.h"
#include "base/rand.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* The id of a file says whose it is and of which type, to us alone (decision
 * 42): 128 random bits, the type's number, and 120 bits of a keyed hash over
 * both and the user; 64 lower-case hexadecimal digits. key is the storage's
 * secret (not empty). All borrow; pure but for the random bits. */
#define FILE_ID_CHARS 64

void file_id_make(struct str key, unsigned type, struct str user_id,
                  char out[static FILE_ID_CHARS + 1]);

/* Whether it is made like one; *type_out is its number then. */
bool file_id_read(struct str id, unsigned *type_out);

/* Whether it is one of this user's. */
bool file_id_is_of(struct str key, struct str id, struct str user_id);

/* Appends "exp=…&sig=…": who has it may read the file until then. */
void file_id_sign(struct str key, struct str id, int64_t until_s,
                  struct buf *out);

/* Whether we signed this, whenever that ends. */
bool file_id_signed(struct str key, struct str id, int64_t until_s,
                    struct str sig);

#endif
