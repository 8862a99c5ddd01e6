/* SPDX-License-Identifier: MIT */
/* Paths to routes. A few dozen rows need no tree: they are compared one after
 * the other, and most differ early. */
#include "gate/routes.h"

#include "base/metrics.h"
#include "gate/admin.h"
#include "gate/api.h"
#include "gate/audit.h"
#include "gate/file_in.h"
#include "gate/file_out.h"
#include "gate/health.h"
#include "gate/openai_door.h"
#include "gate/openai_models.h"
#include "gate/pages.h"
#include "gate/transcript.h"
#include "gate/upgrade.h"

#include <stdio.h>
#include <string.h>

static const struct route routes[] = {
#define ROUTE(METHOD, pattern, class, bucket, body, handler, text)             \
    {HTTP1_##METHOD, pattern, class, bucket, body, handler},
#include "gate/routes.def"
#undef ROUTE
};

/* The pages' row is the last: it also stands for every asset. */
#define PAGES (&routes[COUNT_OF(routes) - 1])

/* What is in braces in a pattern stands for a segment that is not empty. */
static bool
matches(const char *pattern, struct str path, struct str *param)
{
    while (*pattern != '\0') {
        if (*pattern == '{') {
            struct str rest = path;

            if (!str_split(&rest, '/', param) || param->n == 0) {
                return false;
            }
            path = str_from_at(path, param->n);
            pattern = strchr(pattern, '}') + 1;
        } else if (path.n > 0 && path.p[0] == *pattern) {
            path = str_from_at(path, 1);
            pattern++;
        } else {
            return false;
        }
    }
    return path.n == 0;
}

static bool
path_is(const struct route *r, struct str path, struct str *param)
{
    return matches(r->pattern, path, param) || (r == PAGES && pages_has(path));
}

enum err
routes_find(enum http1_method method, struct str path,
            const struct route **route_out, struct str *param_out)
{
    enum err e = ERR_NOT_FOUND;

    method = method == HTTP1_HEAD ? HTTP1_GET : method;
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        struct str param = {NULL, 0};

        if (!path_is(&routes[i], path, &param)) {
            continue;
        }
        if (routes[i].method == method) {
            *route_out = &routes[i];
            *param_out = param;
            return ERR_OK;
        }
        e = ERR_METHOD_NOT_ALLOWED;
    }
    return e;
}

/* "*" is the whole server. */
static bool
is_allowed(struct str path, enum http1_method method)
{
    struct str param;

    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        if (routes[i].method == method &&
            (str_is(path, "*") || path_is(&routes[i], path, &param))) {
            return true;
        }
    }
    return false;
}

void
routes_allow(struct str path, struct buf *out)
{
    static const struct {
        enum http1_method method;
        const char *name;
    } methods[] = {
        {HTTP1_GET, "GET, HEAD, "}, {HTTP1_POST, "POST, "},
        {HTTP1_PUT, "PUT, "},       {HTTP1_PATCH, "PATCH, "},
        {HTTP1_DELETE, "DELETE, "},
    };

    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        if (is_allowed(path, methods[i].method)) {
            buf_puts(out, methods[i].name);
        }
    }
    if (out->n > 0) {
        buf_puts(out, "OPTIONS");
    }
}

bool
routes_strip(struct str path, const char *prefix, struct str *rest_out)
{
    struct str begin = str_from(prefix);

    if (!str_starts(path, begin)) {
        return false;
    }
    *rest_out = str_from_at(path, begin.n);
    return rest_out->n == 0 || rest_out->p[0] == '/';
}

unsigned
routes_slot(const struct route *route)
{
    static const char *const names[] = {
        [HTTP1_GET] = "GET",     [HTTP1_POST] = "POST",     [HTTP1_PUT] = "PUT",
        [HTTP1_PATCH] = "PATCH", [HTTP1_DELETE] = "DELETE",
    };
    char values[96];

    snprintf(values, sizeof(values), "%s,%s", route->pattern,
             names[route->method]);
    return metrics_slot(METRIC_HTTP_DURATION, values);
}
