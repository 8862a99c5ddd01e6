/* SPDX-License-Identifier: MIT */
/* Comparing and cutting borrowed bytes. Everything that reads a peer's input
 * works on struct str, so nothing depends on a terminating NUL. */
#include "base/str.h"

#include "base/xalloc.h"

#include <string.h>

struct str
str_from(const char *c_string)
{
    return (struct str){c_string, c_string != NULL ? strlen(c_string) : 0};
}

bool
str_eq(struct str a, struct str b)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): n is 0 then */
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
str_is(struct str a, const char *c_string)
{
    return str_eq(a, str_from(c_string));
}

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool
str_eq_nocase(struct str a, struct str b)
{
    if (a.n != b.n) {
        return false;
    }
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower(b.p[i])) {
            return false;
        }
    }
    return true;
}

bool
str_is_nocase(struct str a, const char *c_string)
{
    return str_eq_nocase(a, str_from(c_string));
}

bool
str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && str_eq((struct str){s.p, prefix.n}, prefix);
}

bool
str_ends(struct str s, struct str suffix)
{
    return s.n >= suffix.n && str_eq(str_from_at(s, s.n - suffix.n), suffix);
}

bool
str_contains_nocase(struct str s, struct str needle)
{
    for (size_t i = 0; i + needle.n <= s.n; i++) {
        if (str_eq_nocase((struct str){s.p + i, needle.n}, needle)) {
            return true;
        }
    }
    return false;
}

int
str_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n > 0 ? memcmp(a.p, b.p, n) : 0;

    if (order != 0 || a.n == b.n) {
        return order;
    }
    return a.n < b.n ? -1 : 1;
}

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str
str_trim_end(struct str s)
{
    while (s.n > 0 && is_space(s.p[s.n - 1])) {
        s.n--;
    }
    return s;
}

struct str
str_trim(struct str s)
{
    while (s.n > 0 && is_space(s.p[0])) {
        s.p++;
        s.n--;
    }
    return str_trim_end(s);
}

bool
str_split(struct str *rest, char c, struct str *part_out)
{
    const char *hit;

    if (rest->p == NULL) {
        return false;
    }
    hit = rest->n > 0 ? memchr(rest->p, c, rest->n) : NULL;
    if (hit == NULL) {
        *part_out = *rest;
        *rest = (struct str){NULL, 0};
        return true;
    }
    *part_out = (struct str){rest->p, (size_t)(hit - rest->p)};
    *rest = str_from_at(*rest, part_out->n + 1);
    return true;
}

struct str
str_from_at(struct str s, size_t at)
{
    at = at < s.n ? at : s.n;
    return (struct str){s.p != NULL ? s.p + at : NULL, s.n - at};
}

bool
str_to_u64(struct str s, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;

    if (s.n == 0) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned)(unsigned char)s.p[i] - '0';

        if (digit > 9 || value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return value <= max;
}

bool
str_eq_secret(struct str a, struct str b)
{
    unsigned char difference = a.n != b.n;
    size_t n = a.n < b.n ? a.n : b.n;

    for (size_t i = 0; i < n; i++) {
        difference |= (unsigned char)(a.p[i] ^ b.p[i]);
    }
    return difference == 0;
}

char *
str_dup(struct str s)
{
    return xmemdup(s.p, s.n);
}
