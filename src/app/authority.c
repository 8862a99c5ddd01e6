/* SPDX-License-Identifier: MIT */
/* Host and port in the form of URLs (RFC 3986 3.2). */
#include "app/authority.h"

#include <string.h>

void
authority_put(const char *host, unsigned port, struct buf *out)
{
    bool v6 = strchr(host, ':') != NULL;

    buf_printf(out, "%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

const char *
authority_local(const char *host)
{
    if (strcmp(host, "0.0.0.0") == 0) {
        return "127.0.0.1";
    }
    return strcmp(host, "::") == 0 ? "::1" : host;
}
