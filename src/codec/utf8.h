/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CODEC_UTF8_H
#define CHATBOX_CODEC_UTF8_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the check of one text stands; all zero is its beginning. Within a
 * character, need > 0 bytes are missing and the next one lies in low..high
 * (RFC 3629 section 4: this is what refuses overlong forms, surrogates and
 * what is above U+10FFFF at the earliest possible byte). */
struct utf8 {
    uint8_t need;
    uint8_t low;
    uint8_t high;
};

/* Checks the next n bytes; borrows them. False as soon as no valid text can
 * begin like this; the state is then void. */
bool utf8_feed(struct utf8 *u, const void *bytes, size_t n);

/* The text may end here: no character is half there. */
bool utf8_complete(const struct utf8 *u);

/* The whole text is valid UTF-8. */
bool utf8_valid(struct str text);

/* Unicode scalar values in a valid text (for another one: bytes that do not
 * continue a character). */
size_t utf8_count(struct str text);

/* The longest beginning of a valid text with at most max_bytes bytes that
 * does not cut a character. Borrows. */
struct str utf8_cut(struct str text, size_t max_bytes);

#endif
