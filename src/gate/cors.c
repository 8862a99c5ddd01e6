/* SPDX-License-Identifier: MIT */
/* CORS: off until origins are configured, then for those alone. No cookies are
 * ever involved, so credentials are not allowed. */
#include "gate/cors.h"

#include "codec/http1_write.h"
#include "gate/gate_state.h"
#include "gate/reply.h"
#include "gate/routes.h"

static struct str
origin_of(const struct request *r)
{
    struct str origin;

    if (http1_head_single(&r->head, "Origin", &origin) != ERR_OK) {
        return (struct str){NULL, 0};
    }
    return origin;
}

static bool
enabled(const struct request *r)
{
    return !origin_list_empty(r->gate->policy->cors_origins);
}

static bool
listed(const struct request *r)
{
    struct str origin = origin_of(r);

    return origin.p != NULL &&
           origin_listed(r->gate->policy->cors_origins, origin);
}

void
cors_headers(const struct request *r, struct buf *out)
{
    if (!enabled(r)) {
        return;
    }
    http1_write_header(out, "Vary", STR("Origin"));
    if (listed(r)) {
        http1_write_header(out, "Access-Control-Allow-Origin", origin_of(r));
        http1_write_header(out, "Access-Control-Expose-Headers",
                           STR("X-Request-Id, Retry-After"));
    }
}

static void
put_preflight(struct buf *out, struct str allow)
{
    http1_write_header(out, "Access-Control-Allow-Methods", allow);
    http1_write_header(out, "Access-Control-Allow-Headers",
                       STR("Authorization, Content-Type, X-Request-Id"));
    http1_write_header(out, "Access-Control-Max-Age", STR("600"));
}

static bool
is_preflight(const struct request *r)
{
    size_t at = 0;

    return origin_of(r).p != NULL &&
           http1_head_next(&r->head, "Access-Control-Request-Method", &at) !=
               NULL;
}

void
cors_options(struct request *r, struct str path)
{
    bool preflight = enabled(r) && is_preflight(r);
    struct buf allow, extra;

    buf_init(&allow, 256);
    buf_init(&extra, 1024);
    routes_allow(path, &allow);
    http1_write_header(&extra, "Allow", buf_str(&allow));
    if (preflight) {
        put_preflight(&extra, buf_str(&allow));
    }
    if (allow.n == 0) {
        reply_error(r, ERR_NOT_FOUND, NULL);
    } else if (preflight && !listed(r)) {
        reply_error(r, ERR_FORBIDDEN, NULL);
    } else {
        reply_empty(r, 204, buf_str(&extra));
    }
    buf_fini(&allow);
    buf_fini(&extra);
}
