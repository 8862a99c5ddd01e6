/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_MATCH_H
#define CHATBOX_STORE_MATCH_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether a text contains another, upper and lower case alike in every script
 * that has them: by Unicode's simple case folding, character by character (so
 * "ß" is "ẞ", but not "ss"). Accents count, and every character means itself.
 * Bytes that are not UTF-8 are compared as they are. */
struct match {
    uint32_t *folded; /* owned */
    size_t n;
};

/* What is looked for. */
void match_init(struct match *m, struct str wanted);
void match_fini(struct match *m);

/* An empty match is in every text. Borrows. */
bool match_in(const struct match *m, struct str text);

#endif
