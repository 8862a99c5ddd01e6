/* SPDX-License-Identifier: MIT */
/* Origins: see origin.h. Both sides of every comparison are parsed by the same
 * function into scheme, host and port; an IPv6 host becomes its 16 bytes, any
 * other one its lower-case text. */
#include "guard/origin.h"

#include "base/check.h"
#include "base/xalloc.h"

#include <arpa/inet.h>
#include <string.h>

enum { HOST_MAX = 253, SCHEME_MAX = 32 };

struct origin {
    char scheme[SCHEME_MAX + 1]; /* lower case; "" for the origin `null` */
    char host[HOST_MAX + 1];     /* lower case; "" when ipv6 */
    bool is_ipv6;
    unsigned char ipv6[16];
    unsigned port; /* 0: the scheme has no default and none was given */
};

struct origin_list {
    size_t count;
    bool any;
    struct origin items[];
};

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool
is_letter_or_digit(char c)
{
    c = lower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Letters, digits and the characters of extra, lower-cased into out. */
static bool
take_word(struct str text, const char *extra, char *out, size_t max)
{
    if (text.n == 0 || text.n > max) {
        return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];

        if (c == '\0' || (!is_letter_or_digit(c) && strchr(extra, c) == NULL)) {
            return false;
        }
        out[i] = lower(c);
    }
    out[text.n] = '\0';
    return true;
}

static bool
take_ipv6(struct str text, struct origin *o)
{
    char address[INET6_ADDRSTRLEN];

    o->is_ipv6 = true;
    return take_word(text, ":.", address, sizeof(address) - 1) &&
           inet_pton(AF_INET6, address, o->ipv6) == 1;
}

static unsigned
default_port(const char *scheme)
{
    return strcmp(scheme, "https") == 0  ? 443
           : strcmp(scheme, "http") == 0 ? 80
                                         : 0;
}

/* ":443" or nothing. */
static bool
take_port(struct str text, struct origin *o)
{
    uint64_t port = default_port(o->scheme);

    if (text.n > 0) {
        struct str digits = str_from_at(text, 1);

        if (text.p[0] != ':' || digits.n == 0 || digits.p[0] == '0' ||
            !str_to_u64(digits, 65535, &port)) {
            return false;
        }
    }
    o->port = (unsigned)port;
    return true;
}

/* host[:port], as in a Host header; o->scheme is there already. */
static bool
take_authority(struct str text, struct origin *o)
{
    const char *end;
    struct str host;

    if (text.n > 0 && text.p[0] == '[') {
        end = memchr(text.p, ']', text.n);
        host = (struct str){text.p + 1,
                            end != NULL ? (size_t)(end - text.p) - 1 : 0};
        return end != NULL && take_ipv6(host, o) &&
               take_port(str_from_at(text, host.n + 2), o);
    }
    end = text.n > 0 ? memchr(text.p, ':', text.n) : NULL;
    host = (struct str){text.p, end != NULL ? (size_t)(end - text.p) : text.n};
    return take_word(host, "-._~", o->host, HOST_MAX) &&
           take_port(str_from_at(text, host.n), o);
}

static bool
parse(struct str text, struct origin *out)
{
    struct str rest = text, scheme;

    *out = (struct origin){0};
    if (str_is(text, "null")) {
        return true;
    }
    if (!str_split(&rest, ':', &scheme) || !str_starts(rest, STR("//"))) {
        return false;
    }
    return take_word(scheme, "+-.", out->scheme, SCHEME_MAX) &&
           take_authority(str_from_at(rest, 2), out);
}

static bool
same(const struct origin *a, const struct origin *b)
{
    return strcmp(a->scheme, b->scheme) == 0 && strcmp(a->host, b->host) == 0 &&
           a->is_ipv6 == b->is_ipv6 &&
           memcmp(a->ipv6, b->ipv6, sizeof(a->ipv6)) == 0 && a->port == b->port;
}

bool
origin_valid(struct str text)
{
    struct origin o;

    return str_is(text, "*") || parse(text, &o);
}

struct origin_list *
origin_list_new(const struct str *items, size_t count)
{
    struct origin_list *l =
        xcalloc(1, sizeof(*l) + count * sizeof(l->items[0]));

    for (size_t i = 0; i < count; i++) {
        if (str_is(items[i], "*")) {
            l->any = true;
        } else {
            CHECK(parse(items[i], &l->items[l->count]));
            l->count++;
        }
    }
    return l;
}

void
origin_list_free(struct origin_list *l)
{
    xfree(l);
}

bool
origin_list_empty(const struct origin_list *l)
{
    return l->count == 0 && !l->any;
}

bool
origin_list_any(const struct origin_list *l)
{
    return l->any;
}

static bool
listed(const struct origin_list *l, const struct origin *o)
{
    for (size_t i = 0; i < l->count; i++) {
        if (same(&l->items[i], o)) {
            return true;
        }
    }
    return false;
}

bool
origin_listed(const struct origin_list *l, struct str origin)
{
    struct origin o;

    return l->any || (parse(origin, &o) && listed(l, &o));
}

bool
origin_allowed(const struct origin_list *l, struct str origin,
               struct str own_scheme, struct str own_host)
{
    struct origin o, own = {0};

    if (origin.p == NULL || l->any) {
        return true;
    }
    if (!parse(origin, &o)) {
        return false;
    }
    if (take_word(own_scheme, "", own.scheme, SCHEME_MAX) &&
        take_authority(own_host, &own) && same(&o, &own)) {
        return true;
    }
    return listed(l, &o);
}
