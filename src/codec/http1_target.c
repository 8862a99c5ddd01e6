/* SPDX-License-Identifier: MIT */
/* Request targets: cut into pieces for http1_head.c, decoded for gate/. One
 * target must have one meaning: what a reader would walk along (dot segments)
 * or stop at (controls) is refused, and an escaped slash parts no segments. An
 * escaped dot is a dot of a name: somebody may be called "..". */
#include "codec/http1_target.h"

#include "codec/http1_chars.h"
#include "codec/utf8.h"

#include <string.h>

/* Only characters of the class, every "%" with two digits behind it. */
static bool
well_formed(struct str s, unsigned char_class)
{
    if (http1_chars_run(s, char_class) < s.n) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '%' &&
            (s.n - i < 3 || !http1_chars_is(s.p[i + 1], HTTP1_CHARS_HEX) ||
             !http1_chars_is(s.p[i + 2], HTTP1_CHARS_HEX))) {
            return false;
        }
    }
    return true;
}

/* "[" IPv6address "]" at the beginning; the characters are checked, not the
 * address: nothing here connects to it. Returns its size, 0 if bad. */
static size_t
ip_literal(struct str s)
{
    size_t i = 1;

    while (i < s.n && (http1_chars_is(s.p[i], HTTP1_CHARS_HEX) ||
                       s.p[i] == ':' || s.p[i] == '.')) {
        i++;
    }
    return i > 2 && i < s.n && s.p[i] == ']' ? i + 1 : 0;
}

static bool
split_authority(struct str authority, struct str *port_out)
{
    size_t host = 0;
    struct str rest;

    if (authority.n > 0 && authority.p[0] == '[') {
        host = ip_literal(authority);
    } else {
        host = http1_chars_run(authority, HTTP1_CHARS_HOST);
        if (!well_formed((struct str){authority.p, host}, HTTP1_CHARS_HOST)) {
            return false;
        }
    }
    rest = str_from_at(authority, host);
    *port_out = str_from_at(rest, 1);
    return host > 0 && (rest.n == 0 || rest.p[0] == ':');
}

static bool
port_valid(struct str port)
{
    uint64_t number;

    return str_to_u64(port, UINT16_MAX, &number);
}

bool
http1_target_authority_valid(struct str authority)
{
    struct str port;

    return split_authority(authority, &port) &&
           (port.n == 0 || port_valid(port));
}

/* absolute-path [ "?" query ] */
static enum err
parse_path_query(struct str s, struct http1_target *out)
{
    const char *mark = s.n > 0 ? memchr(s.p, '?', s.n) : NULL;

    out->path = s;
    if (mark != NULL) {
        out->path.n = (size_t)(mark - s.p);
        out->query = str_from_at(s, out->path.n + 1);
    }
    if (!well_formed(out->path, HTTP1_CHARS_PATH) ||
        !well_formed(out->query, HTTP1_CHARS_QUERY)) {
        return ERR_BAD_REQUEST;
    }
    return ERR_OK;
}

static enum err
parse_absolute(struct str raw, struct http1_target *out)
{
    static const struct str schemes[] = {{"http://", 7}, {"https://", 8}};
    size_t at = 0;
    size_t end;
    enum err e;

    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        struct str begin = {raw.p, schemes[i].n};

        if (raw.n >= begin.n && str_eq_nocase(begin, schemes[i])) {
            at = begin.n;
        }
    }
    for (end = at; end < raw.n && raw.p[end] != '/' && raw.p[end] != '?';) {
        end++;
    }
    out->authority = (struct str){raw.p + at, end - at};
    if (at == 0 || !http1_target_authority_valid(out->authority)) {
        return ERR_BAD_REQUEST;
    }
    e = parse_path_query(str_from_at(raw, end), out);
    if (out->path.n == 0) {
        out->path = STR("/");
    }
    return e;
}

/* authority-form; the port must be there (RFC 9110 section 9.3.6). */
static enum err
parse_authority(struct str raw, struct http1_target *out)
{
    struct str port;

    if (!split_authority(raw, &port) || !port_valid(port)) {
        return ERR_BAD_REQUEST;
    }
    out->authority = raw;
    return ERR_OK;
}

enum err
http1_target_parse(struct str raw, bool connect, bool options,
                   struct http1_target *out)
{
    *out = (struct http1_target){.raw = raw};
    if (connect) {
        return parse_authority(raw, out);
    }
    if (options && str_is(raw, "*")) {
        out->path = raw;
        return ERR_OK;
    }
    if (raw.n > 0 && raw.p[0] == '/') {
        return parse_path_query(raw, out);
    }
    return parse_absolute(raw, out);
}

/* How a text is decoded. */
enum decoding {
    ALL,  /* every escape */
    FORM, /* every escape, and "+" is a space */
    PATH  /* all but what would look like a separator or like an escape */
};

static bool
stays(enum decoding how, char c)
{
    return how == PATH && (c == '/' || c == '\\' || c == '%');
}

/* Appends what s begins with, decoded; returns how much of s that was, 0 if
 * it is a "%" without two digits. */
static size_t
put_one(char **to, struct str s, enum decoding how)
{
    char c = s.p[0];

    if (c != '%') {
        *(*to)++ = c == '+' && how == FORM ? ' ' : c;
        return 1;
    }
    if (!well_formed((struct str){s.p, s.n < 3 ? s.n : 3}, HTTP1_CHARS_QUERY)) {
        return 0;
    }
    c = (char)(http1_chars_hex(s.p[1]) << 4 | http1_chars_hex(s.p[2]));
    if (stays(how, c)) {
        memcpy(*to, s.p, 3);
        *to += 3;
    } else {
        *(*to)++ = c;
    }
    return 3;
}

static enum err
put_decoded(struct buf *out, struct str s, enum decoding how)
{
    char *to = s.n > 0 ? buf_reserve(out, s.n) : NULL;
    char *begin = to;

    if (s.n > 0 && to == NULL) {
        return ERR_TOO_BIG;
    }
    while (s.n > 0) {
        size_t used = put_one(&to, s, how);

        if (used == 0) {
            return ERR_BAD_REQUEST;
        }
        s = str_from_at(s, used);
    }
    out->n += (size_t)(to - begin);
    return ERR_OK;
}

/* An escape of a byte that ends texts for some readers. */
static bool
hides_control(struct str path)
{
    for (size_t i = 0; i + 2 < path.n; i++) {
        if (path.p[i] == '%') {
            unsigned c = http1_chars_hex(path.p[i + 1]) << 4 |
                         http1_chars_hex(path.p[i + 2]);

            if (c < 0x20 || c == 0x7F) {
                return true;
            }
        }
    }
    return false;
}

static bool
has_dot_segment(struct str path)
{
    struct str segment;

    while (str_split(&path, '/', &segment)) {
        if (str_is(segment, ".") || str_is(segment, "..")) {
            return true;
        }
    }
    return false;
}

enum err
http1_target_decode_path(struct str path, struct buf *out)
{
    size_t before = out->n;
    struct str decoded;
    enum err e;

    if (!well_formed(path, HTTP1_CHARS_PATH) || hides_control(path) ||
        has_dot_segment(path)) {
        return ERR_BAD_REQUEST;
    }
    e = put_decoded(out, path, PATH);
    decoded = str_from_at(buf_str(out), before);
    return e == ERR_OK && !utf8_valid(decoded) ? ERR_BAD_REQUEST : e;
}

enum err
http1_target_decode_segment(struct str segment, struct buf *out)
{
    return put_decoded(out, segment, ALL);
}

enum err
http1_target_next_pair(struct str *query, struct buf *out,
                       struct http1_pair *pair_out)
{
    size_t begin = out->n;
    struct str pair = {NULL, 0};
    struct str name;
    size_t middle;
    enum err e;

    while (pair.n == 0) {
        if (!str_split(query, '&', &pair)) {
            return ERR_NOT_FOUND;
        }
    }
    (void)str_split(&pair, '=', &name);
    e = put_decoded(out, name, FORM);
    middle = out->n;
    if (e == ERR_OK) {
        e = put_decoded(out, pair, FORM);
    }
    if (e == ERR_OK) {
        *pair_out = (struct http1_pair){
            {out->p + begin, middle - begin},
            {out->p + middle, out->n - middle},
        };
    }
    return e;
}

enum err
http1_target_query(struct str query, const char *key, struct buf *out,
                   struct str *value_out)
{
    struct http1_pair pair;
    size_t at = 0;
    size_t n = 0;
    bool found = false;
    enum err e;

    buf_reset(out, out->cap);
    *value_out = (struct str){NULL, 0};
    while ((e = http1_target_next_pair(&query, out, &pair)) == ERR_OK) {
        if (!str_is(pair.key, key)) {
            out->n -= pair.key.n + pair.value.n;
            continue;
        }
        if (found) {
            return ERR_BAD_REQUEST;
        }
        found = true;
        at = out->n - pair.value.n;
        n = pair.value.n;
    }
    if (e == ERR_NOT_FOUND && found) {
        *value_out = (struct str){out->p + at, n};
        return ERR_OK;
    }
    return e;
}
