/* SPDX-License-Identifier: MIT */
/* What is done to every text of a client between validation and routing
 * (protocol.md 2.3): NUL bytes go, surrounding white space goes, nothing else
 * is touched. HTML is escaped where it is shown, not here. */
#include "proto/sanitise.h"

#include <string.h>

/* White_Space beyond ASCII, as UTF-8 (Unicode 15, PropList). */
static const struct str spaces[] = {
    {"\xc2\x85", 2},     {"\xc2\xa0", 2},     {"\xe1\x9a\x80", 3},
    {"\xe2\x80\x80", 3}, {"\xe2\x80\x81", 3}, {"\xe2\x80\x82", 3},
    {"\xe2\x80\x83", 3}, {"\xe2\x80\x84", 3}, {"\xe2\x80\x85", 3},
    {"\xe2\x80\x86", 3}, {"\xe2\x80\x87", 3}, {"\xe2\x80\x88", 3},
    {"\xe2\x80\x89", 3}, {"\xe2\x80\x8a", 3}, {"\xe2\x80\xa8", 3},
    {"\xe2\x80\xa9", 3}, {"\xe2\x80\xaf", 3}, {"\xe2\x81\x9f", 3},
    {"\xe3\x80\x80", 3},
};

static bool
is_ascii_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Bytes of the white space that s begins (or ends) with; 0 for none. */
static size_t
space_at(struct str s, bool at_end)
{
    if (s.n > 0 && is_ascii_space(s.p[at_end ? s.n - 1 : 0])) {
        return 1;
    }
    for (unsigned i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
        if (at_end ? str_ends(s, spaces[i]) : str_starts(s, spaces[i])) {
            return spaces[i].n;
        }
    }
    return 0;
}

struct str
sanitise_trim(struct str s)
{
    size_t n;

    while (s.n > 0 && (n = space_at(s, false)) > 0) {
        s = str_from_at(s, n);
    }
    while (s.n > 0 && (n = space_at(s, true)) > 0) {
        s.n -= n;
    }
    return s;
}

struct str
sanitise_text(struct str raw, char *at, size_t *used_out)
{
    struct str clean = {at, 0};

    for (size_t i = 0; i < raw.n; i++) {
        if (raw.p[i] != '\0') {
            at[clean.n++] = raw.p[i];
        }
    }
    *used_out = clean.n;
    clean = sanitise_trim(clean);
    return clean.n > 0 ? clean : (struct str){NULL, 0};
}

/* --- names -------------------------------------------------------------- */

static const struct str nul = {"\\u0000", 6};

bool
sanitise_has_nul(struct str json)
{
    return memmem(json.p, json.n, nul.p, nul.n) != NULL;
}

/* Behind the string that begins at from. */
static size_t
string_end(const char *json, size_t from)
{
    size_t at = from + 1;

    while (json[at] != '"') {
        at += json[at] == '\\' ? 2 : 1;
    }
    return at + 1;
}

/* Whether what ends at at is a name: a colon follows. */
static bool
is_name(const char *json, size_t at, size_t n)
{
    while (at < n && is_ascii_space(json[at])) {
        at++;
    }
    return at < n && json[at] == ':';
}

/* Moves the string of n bytes at from, without its NUL bytes; returns how many
 * are left. */
static size_t
move_name(char *to, const char *from, size_t n)
{
    size_t left = 0;

    for (size_t i = 0; i < n;) {
        struct str rest = {from + i, n - i};
        size_t step = from[i] == '\\' ? 2 : 1;

        if (str_starts(rest, nul)) {
            i += nul.n;
            continue;
        }
        memmove(to + left, from + i, step);
        left += step;
        i += step;
    }
    return left;
}

size_t
sanitise_names(char *json, size_t n)
{
    size_t left = 0;

    for (size_t at = 0; at < n;) {
        size_t end = json[at] == '"' ? string_end(json, at) : at + 1;

        if (json[at] == '"' && is_name(json, end, n)) {
            left += move_name(json + left, json + at, end - at);
        } else {
            memmove(json + left, json + at, end - at);
            left += end - at;
        }
        at = end;
    }
    return left;
}
