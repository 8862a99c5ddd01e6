/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_PROVIDER_REQUEST_H
#define CHATBOX_PROVIDER_PROVIDER_REQUEST_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>

/* What a provider wants to have sent. */

#define PROVIDER_HEADERS_MAX 6

/* As net/fetch wants it; method POST. Everything is owned by the struct. */
struct provider_request {
    const char *url;
    const char *headers[PROVIDER_HEADERS_MAX + 1]; /* NULL at the end */
    struct buf body;
    struct buf text; /* private: the bytes of url and headers */
};

void provider_request_init(struct provider_request *r, size_t max_body_bytes);
void provider_request_fini(struct provider_request *r); /* wipes */

/* For providers: first the url (name NULL), then each header, then seal, which
 * sets url and headers: ERR_TOO_BIG when they or the body passed their
 * maximum, ERR_INVALID_FORMAT for a control character in a value. */
void provider_request_put(struct provider_request *r, const char *name,
                          struct str value);
enum err provider_request_seal(struct provider_request *r) MUST_CHECK;

/* The url: endpoint and path (begins with /), unless the endpoint's path ends
 * so already; the endpoint's query stays behind. */
void provider_request_put_url(struct provider_request *r, struct str endpoint,
                              struct str path);

/* The header Authorization. */
void provider_request_put_bearer(struct provider_request *r,
                                 struct str api_key);

#endif
