/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CODEC_URL_H
#define CHATBOX_CODEC_URL_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Absolute http and https URLs (RFC 3986, section 3), and what kind of place
 * a host is. No name is ever resolved here. */
struct url {
    struct str scheme; /* "http" or "https", as written */
    struct str host;   /* IPv6 without its brackets */
    uint16_t port;     /* explicit, or the scheme's default */
    struct str path;   /* from the first '/', without query; may be empty */
    struct str query;  /* behind '?', without it; may be empty */
    bool tls;
};

enum url_host {
    URL_HOST_BAD,        /* not a name, not a canonical address */
    URL_HOST_LOOPBACK,   /* 127/8, ::1, localhost */
    URL_HOST_PRIVATE,    /* RFC 1918, RFC 6598, fc00::/7 */
    URL_HOST_LINK_LOCAL, /* 169.254/16, fe80::/10 */
    URL_HOST_RESERVED,   /* 0/8, multicast, broadcast, documentation, … */
    URL_HOST_LOCAL_NAME, /* no dot, or .local .internal .svc .cluster.local */
    URL_HOST_PUBLIC
};

/* False for anything else than scheme://host[:port][/path][?query], for
 * userinfo, fragments, white space, control characters and a port out of
 * range. Parts borrow from text. */
bool url_parse(struct str text, struct url *out);

/* A host whose last label is a number must be a canonical dotted IPv4
 * address: 134744072 and 010.0.0.1 are URL_HOST_BAD, not names. */
enum url_host url_host_kind(struct str host);

/* https, to a host of kind URL_HOST_PUBLIC. */
bool url_is_public_https(struct str text);

#endif
