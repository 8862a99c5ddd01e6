/* SPDX-License-Identifier: MIT */
/* URLs that strangers or administrators give us: cut and classified without
 * touching the network. Ranges are those of the IANA special-purpose address
 * registries (RFC 6890). */
#include "codec/url.h"

#include <arpa/inet.h>
#include <string.h>

#define HOST_BYTES 254

static bool
clean(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c <= 0x20 || c >= 0x7f || c == '#' || c == '\\' || c == '"' ||
            c == '<' || c == '>') {
            return false;
        }
    }
    return true;
}

static bool
take_scheme(struct str *rest, struct url *out)
{
    static const struct str schemes[] = {{"http://", 7}, {"https://", 8}};

    for (unsigned i = 0; i < 2; i++) {
        struct str begin = {rest->p, schemes[i].n};

        if (rest->n > schemes[i].n && str_eq_nocase(begin, schemes[i])) {
            out->scheme = (struct str){rest->p, schemes[i].n - 3};
            out->tls = i == 1;
            out->port = i == 1 ? 443 : 80;
            *rest = str_from_at(*rest, schemes[i].n);
            return true;
        }
    }
    return false;
}

/* The length of what stands before the first of the characters in set. */
static size_t
span_until(struct str s, const char *set)
{
    size_t n = 0;

    while (n < s.n && strchr(set, s.p[n]) == NULL) {
        n++;
    }
    return n;
}

static bool
take_port(struct str text, struct url *out)
{
    uint64_t port;

    if (text.n == 0) {
        return true;
    }
    if (text.p[0] != ':' || text.n > 6 ||
        !str_to_u64(str_from_at(text, 1), 65535, &port) || port == 0) {
        return false;
    }
    out->port = (uint16_t)port;
    return true;
}

static bool
take_authority(struct str authority, struct url *out)
{
    size_t end;

    if (authority.n > 0 && authority.p[0] == '[') {
        end = span_until(authority, "]");
        if (end == authority.n) {
            return false;
        }
        out->host = (struct str){authority.p + 1, end - 1};
        return memchr(out->host.p, ':', out->host.n) != NULL &&
               take_port(str_from_at(authority, end + 1), out);
    }
    end = span_until(authority, ":");
    out->host = (struct str){authority.p, end};
    return end > 0 && span_until(authority, "@[]") == authority.n &&
           take_port(str_from_at(authority, end), out);
}

bool
url_parse(struct str text, struct url *out)
{
    struct str rest = text;
    size_t n;

    *out = (struct url){.port = 0};
    if (!clean(text) || !take_scheme(&rest, out)) {
        return false;
    }
    n = span_until(rest, "/?");
    if (!take_authority((struct str){rest.p, n}, out)) {
        return false;
    }
    rest = str_from_at(rest, n);
    n = span_until(rest, "?");
    out->path = (struct str){rest.p, n};
    out->query = n < rest.n ? str_from_at(rest, n + 1) : (struct str){NULL, 0};
    return true;
}

/* --- hosts -------------------------------------------------------------- */

static const struct {
    uint32_t network;
    unsigned bits;
    enum url_host kind;
} v4_ranges[] = {
    {0x00000000, 8, URL_HOST_RESERVED},    {0x0a000000, 8, URL_HOST_PRIVATE},
    {0x64400000, 10, URL_HOST_PRIVATE},    {0x7f000000, 8, URL_HOST_LOOPBACK},
    {0xa9fe0000, 16, URL_HOST_LINK_LOCAL}, {0xac100000, 12, URL_HOST_PRIVATE},
    {0xc0000000, 24, URL_HOST_RESERVED},   {0xc0000200, 24, URL_HOST_RESERVED},
    {0xc0a80000, 16, URL_HOST_PRIVATE},    {0xc6120000, 15, URL_HOST_RESERVED},
    {0xc6336400, 24, URL_HOST_RESERVED},   {0xcb007100, 24, URL_HOST_RESERVED},
    {0xe0000000, 3, URL_HOST_RESERVED},
};

static enum url_host
v4_kind(uint32_t address)
{
    for (unsigned i = 0; i < sizeof(v4_ranges) / sizeof(v4_ranges[0]); i++) {
        uint32_t mask = ~(uint32_t)0 << (32 - v4_ranges[i].bits);

        if ((address & mask) == v4_ranges[i].network) {
            return v4_ranges[i].kind;
        }
    }
    return URL_HOST_PUBLIC;
}

static enum url_host
v6_kind(const unsigned char a[16])
{
    static const unsigned char zero[15];
    uint32_t low;

    memcpy(&low, a + 12, 4);
    if (memcmp(a, zero, 15) == 0) {
        return a[15] == 1 ? URL_HOST_LOOPBACK : URL_HOST_RESERVED;
    }
    if (memcmp(a, zero, 10) == 0 && a[10] == 0xff && a[11] == 0xff) {
        return v4_kind(ntohl(low));
    }
    if (a[0] == 0xfe && (a[1] & 0xc0) == 0x80) {
        return URL_HOST_LINK_LOCAL;
    }
    if ((a[0] & 0xfe) == 0xfc) {
        return URL_HOST_PRIVATE;
    }
    return (a[0] & 0xe0) == 0x20 ? URL_HOST_PUBLIC : URL_HOST_RESERVED;
}

static bool
label_char_ok(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool
label_ok(struct str label)
{
    if (label.n == 0 || label.n > 63 || label.p[0] == '-' ||
        label.p[label.n - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < label.n; i++) {
        if (!label_char_ok(label.p[i])) {
            return false;
        }
    }
    return true;
}

/* Decimal, octal or hexadecimal: what address parsers elsewhere would take
 * for a number. */
static bool
looks_numeric(struct str label)
{
    uint64_t value;

    if (label.n > 1 && label.p[0] == '0' &&
        (label.p[1] == 'x' || label.p[1] == 'X')) {
        return true;
    }
    return str_to_u64(label, UINT64_MAX, &value);
}

static bool
is_local_name(struct str host)
{
    static const char *const ends[] = {".local", ".internal", ".svc",
                                       ".cluster.local", ".localdomain"};

    if (memchr(host.p, '.', host.n) == NULL) {
        return true;
    }
    for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct str end = str_from(ends[i]);

        if (host.n > end.n &&
            str_eq_nocase(str_from_at(host, host.n - end.n), end)) {
            return true;
        }
    }
    return false;
}

static enum url_host
name_kind(struct str host)
{
    struct str rest = host, label = {NULL, 0};

    if (host.p[host.n - 1] == '.') {
        rest.n = host.n = host.n - 1;
    }
    if (host.n == 0) {
        return URL_HOST_BAD;
    }
    while (str_split(&rest, '.', &label)) {
        if (!label_ok(label)) {
            return URL_HOST_BAD;
        }
    }
    if (looks_numeric(label)) {
        return URL_HOST_BAD;
    }
    if (str_is_nocase(label, "localhost")) {
        return URL_HOST_LOOPBACK;
    }
    return is_local_name(host) ? URL_HOST_LOCAL_NAME : URL_HOST_PUBLIC;
}

enum url_host
url_host_kind(struct str host)
{
    char text[HOST_BYTES];
    unsigned char address[16];

    if (host.n == 0 || host.n >= sizeof(text)) {
        return URL_HOST_BAD;
    }
    memcpy(text, host.p, host.n);
    text[host.n] = '\0';
    if (strlen(text) != host.n) {
        return URL_HOST_BAD;
    }
    if (inet_pton(AF_INET6, text, address) == 1) {
        return v6_kind(address);
    }
    if (inet_pton(AF_INET, text, address) == 1) {
        uint32_t v4;

        memcpy(&v4, address, 4);
        return v4_kind(ntohl(v4));
    }
    return name_kind(host);
}

bool
url_is_public_https(struct str text)
{
    struct url u;

    return url_parse(text, &u) && u.tls &&
           url_host_kind(u.host) == URL_HOST_PUBLIC;
}
