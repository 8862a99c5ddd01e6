/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GUARD_PSEUDONYM_H
#define CHATBOX_GUARD_PSEUDONYM_H

#include "base/str.h"

/* What a user is called outside: always the same there, and nothing can be
 * learned from it, not even that two places have the same user (decision 40).
 */

#define PSEUDONYM_CHARS 32

/* Writes lower-case hexadecimal digits and a NUL: the first 128 bits of
 * HMAC-SHA-256 under secret (not empty) over a label, the place and the user.
 * Borrows; pure. */
void pseudonym_make(struct str secret, struct str place, struct str user_id,
                    char out[static PSEUDONYM_CHARS + 1]);

#endif
