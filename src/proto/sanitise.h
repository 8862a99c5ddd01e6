/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROTO_SANITISE_H
#define CHATBOX_PROTO_SANITISE_H

#include "base/str.h"

/* s without leading and trailing white space (Unicode's White_Space property).
 * s is valid UTF-8; the result borrows from it. */
struct str sanitise_trim(struct str s);

/* Copies raw without its NUL bytes to at, which has room for raw.n bytes, and
 * returns what is left of it after trimming ({NULL, 0} when nothing is);
 * *used_out is how much of the room was written. */
struct str sanitise_text(struct str raw, char *at, size_t *used_out);

#endif
