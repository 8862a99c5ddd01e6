/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GUARD_ORIGIN_H
#define CHATBOX_GUARD_ORIGIN_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* Which web pages may talk to us (protocol.md 2.1; RFC 6454). A list is
 * immutable and replaced as a whole; any thread may ask it. */
struct origin_list;

/* "*", "null", or scheme://host[:port] and nothing behind it: what a browser
 * can send. No wildcards inside, no path, not even "/". */
bool origin_valid(struct str text);

/* Every item must be origin_valid (CHECKed: configuration has said so). "*"
 * anywhere allows every origin. Borrows. Gives. */
struct origin_list *origin_list_new(const struct str *items, size_t count);
void origin_list_free(struct origin_list *l); /* NULL is fine */

bool origin_list_empty(const struct origin_list *l);
bool origin_list_any(const struct origin_list *l); /* contains "*" */

/* A WebSocket upgrade. origin: the header's value, p == NULL when there is
 * none (passes). own_scheme: "http" or "https", the connection's or the
 * trusted proxy's word. own_host: the Host header. Same origin passes, and
 * what is listed. */
bool origin_allowed(const struct origin_list *l, struct str origin,
                    struct str own_scheme, struct str own_host);

/* CORS: only what is listed. */
bool origin_listed(const struct origin_list *l, struct str origin);

#endif
