/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_ROUTES_H
#define CHATBOX_GATE_ROUTES_H

#include "base/buf.h"
#include "base/err.h"
#include "codec/http1_head.h"

#include <stddef.h>
#include <stdint.h>

/* The table of routes (routes.def), and which of them a path means. */
struct request;

enum route_class { NONE, USER, ADMIN, NETWORK, LINK, SOCKET };

enum route_bucket {
    NO_BUCKET,
    PUBLIC_BUCKET,
    PROBE_BUCKET,
    USER_BUCKET,
    ADMIN_BUCKET
};

#define JSON_BODY (1024 * 1024)

/* As configured, for the OpenAI door. */
#define DOOR_BODY UINT64_MAX

/* One file of the configured size; taken while it comes (file_in.h). */
#define FILE_BODY (UINT64_MAX - 1)

struct route {
    enum http1_method method;
    const char *pattern;
    enum route_class class;
    enum route_bucket bucket;
    uint64_t body_limit;
    void (*handle)(struct request *r);
};

/* The route of method (HEAD counts as GET) and path, a decoded path behind
 * the prefix. *param_out is what {…} stands for (borrowed from path).
 * ERR_NOT_FOUND, or ERR_METHOD_NOT_ALLOWED when only other methods are. */
enum err routes_find(enum http1_method method, struct str path,
                     const struct route **route_out,
                     struct str *param_out) MUST_CHECK;

/* "GET, HEAD, OPTIONS": what the path allows, or for "*" any path; empty when
 * it is unknown. */
void routes_allow(struct str path, struct buf *out);

/* What remains of path behind prefix; false when it does not begin so. The
 * prefix alone gives "". */
bool routes_strip(struct str path, const char *prefix, struct str *rest_out);

/* Slot of the duration metric, by route and method. */
unsigned routes_slot(const struct route *route);

#endif
