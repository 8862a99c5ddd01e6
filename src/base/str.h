/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_BASE_STR_H
#define CHATBOX_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A borrowed run of bytes, not necessarily text, not NUL-terminated. p may be
 * NULL only when n is 0. Who owns the bytes is said where one is handed out. */
struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})

/* For printf-like calls: "%.*s", STR_ARG(s). */
#define STR_ARG(s) ((int)(s).n), ((s).p != NULL ? (s).p : "")

/* All borrow. */
struct str str_from(const char *c_string); /* NULL gives the empty one */
bool str_eq(struct str a, struct str b);
bool str_is(struct str a, const char *c_string);
bool str_eq_nocase(struct str a, struct str b); /* ASCII letters only */
bool str_is_nocase(struct str a, const char *c_string);
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
bool str_contains_nocase(struct str s, struct str needle);

/* Without space, tab, CR, LF at its end. */
struct str str_trim_end(struct str s);

/* Byte-wise order, shorter first when one begins the other. */
int str_cmp(struct str a, struct str b);

/* Without leading and trailing space, tab, CR, LF. */
struct str str_trim(struct str s);

/* Part before the first c, moving *rest behind it; when there is no c, all
 * of *rest, and *rest becomes {NULL, 0}. An empty *rest with p != NULL still
 * gives one empty part; returns false once *rest is {NULL, 0}. */
bool str_split(struct str *rest, char c, struct str *part_out);

/* Bytes from at (clamped) to the end. */
struct str str_from_at(struct str s, size_t at);

/* A whole decimal number without sign, at most max; nothing else around it. */
bool str_to_u64(struct str s, uint64_t max, uint64_t *out);

/* Equal in a time that depends on the lengths only. */
bool str_eq_secret(struct str a, struct str b);

/* A NUL-terminated copy. Gives. */
char *str_dup(struct str s);

#endif
