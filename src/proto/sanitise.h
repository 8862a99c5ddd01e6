/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROTO_SANITISE_H
#define CHATBOX_PROTO_SANITISE_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* s without leading and trailing white space (Unicode's White_Space property).
 * s is valid UTF-8; the result borrows from it. */
struct str sanitise_trim(struct str s);

/* Copies raw without its NUL bytes to at, which has room for raw.n bytes, and
 * returns what is left of it after trimming ({NULL, 0} when nothing is);
 * *used_out is how much of the room was written. */
struct str sanitise_text(struct str raw, char *at, size_t *used_out);

/* Whether a JSON text may have an escaped NUL byte somewhere. */
bool sanitise_has_nul(struct str json);

/* Takes the escaped NUL bytes out of the members' names, in place; values stay
 * as they are. json is n bytes of valid JSON; returns how many are left. */
size_t sanitise_names(char *json, size_t n);

#endif
