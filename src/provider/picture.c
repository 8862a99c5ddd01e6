/* SPDX-License-Identifier: MIT */
/* Pictures by their URL: see picture.h. The base64 is checked and not decoded;
 * providers take it as it is. */
#include "provider/picture.h"

#include "codec/url.h"

/* What all providers take. */
static const struct {
    struct str type;
    struct str ending;
} types[] = {
    {{"image/png", 9}, {".png", 4}},    {{"image/jpeg", 10}, {".jpg", 4}},
    {{"image/jpeg", 10}, {".jpeg", 5}}, {{"image/gif", 9}, {".gif", 4}},
    {{"image/webp", 10}, {".webp", 5}},
};

enum { TYPES = sizeof(types) / sizeof(types[0]) };

static bool
is_base64(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c >= '0' && c <= '9') || c == '+' || c == '/';
}

/* At least one byte's. */
static bool
is_whole(struct str base64)
{
    size_t n = base64.n;

    if (n == 0 || n % 4 != 0) {
        return false;
    }
    n -= base64.p[n - 1] == '=';
    n -= n < base64.n && base64.p[n - 1] == '=';
    for (size_t i = 0; i < n; i++) {
        if (!is_base64(base64.p[i])) {
            return false;
        }
    }
    return true;
}

static bool
read_data(struct str rest, struct picture *out)
{
    struct str type, form;

    if (!str_split(&rest, ';', &type) || !str_split(&rest, ',', &form) ||
        !str_eq_nocase(form, STR("base64")) || !is_whole(rest)) {
        return false;
    }
    for (size_t i = 0; i < TYPES; i++) {
        if (str_eq_nocase(type, types[i].type)) {
            *out = (struct picture){.type = types[i].type, .base64 = rest};
            return true;
        }
    }
    return false;
}

bool
picture_read(struct str url, struct picture *out)
{
    static const struct str scheme = STR("data:");

    if (url.n > scheme.n &&
        str_eq_nocase((struct str){url.p, scheme.n}, scheme)) {
        return read_data(str_from_at(url, scheme.n), out);
    }
    if (!url_is_public_https(url)) {
        return false;
    }
    *out = (struct picture){.url = url};
    return true;
}

static bool
ends_nocase(struct str s, struct str ending)
{
    return s.n >= ending.n &&
           str_eq_nocase(str_from_at(s, s.n - ending.n), ending);
}

bool
picture_read_link(struct str url, struct picture *out)
{
    struct url parts;

    if (!url_is_public_https(url) || !url_parse(url, &parts)) {
        return false;
    }
    for (size_t i = 0; i < TYPES; i++) {
        if (ends_nocase(parts.path, types[i].ending)) {
            *out = (struct picture){.type = types[i].type, .url = url};
            return true;
        }
    }
    return false;
}
