/* SPDX-License-Identifier: MIT */
/* The order of refusals (protocol.md section 1): unknown path, wrong method,
 * too many refused tokens from this address, no or bad token, not allowed,
 * too many requests. */
#include "gate/admission.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "gate/cors.h"
#include "gate/file_out.h"
#include "gate/gate_state.h"
#include "gate/http.h"
#include "gate/pages.h"
#include "gate/reply.h"
#include "gate/routes.h"
#include "loop/shard.h"

#include <string.h>

/* --- where it comes from ------------------------------------------------ */

static void
find_client(struct request *r)
{
    const struct gate_settings *set = r->gate->settings;
    struct str proto;

    if (!client_in(&r->client, set->trusted_proxies,
                   set->trusted_proxy_count)) {
        return;
    }
    if (http1_head_single(&r->head, "X-Forwarded-Proto", &proto) == ERR_OK) {
        r->scheme = str_is_nocase(proto, "https") ? STR("https") : STR("http");
    }
    client_follow(&r->client, &r->head, set->trusted_proxies,
                  set->trusted_proxy_count);
    client_format(&r->client, r->client_text);
}

/* --- which route -------------------------------------------------------- */

static void
refuse_method(struct request *r, struct str path)
{
    struct buf allow;

    buf_init(&allow, 256);
    routes_allow(path, &allow);
    reply_not_allowed(r, buf_str(&allow));
    buf_fini(&allow);
}

/* Where the earlier system took files, at the root. */
#define OLD_UPLOAD "/api/upload"

/* The path as the table has it; false: it is none of ours. */
static bool
strip_path(const struct request *r, struct str *out)
{
    struct str path = buf_str(&r->path);

    if (str_is(r->head.target.raw, "*")) { /* of OPTIONS alone */
        *out = path;
        return true;
    }
    if (str_is(path, OLD_UPLOAD)) {
        *out = str_from_at(path, sizeof(OLD_UPLOAD) - sizeof("/upload"));
        return true;
    }
    return routes_strip(path, r->gate->settings->path_prefix, out);
}

static bool
find_route(struct request *r)
{
    struct str path;
    enum err e = http1_target_decode_path(r->head.target.path, &r->path);

    r->last = r->last || r->head.method == HTTP1_CONNECT;
    if (e != ERR_OK) {
        r->last = true; /* who knows what else is read in two ways */
        reply_error(r, ERR_BAD_REQUEST, NULL);
        return false;
    }
    if (!strip_path(r, &path)) {
        reply_error(r, ERR_NOT_FOUND, NULL);
        return false;
    }
    r->openai = str_starts(path, STR("/v1/"));
    if (r->head.method == HTTP1_OPTIONS) {
        cors_options(r, path);
        return false;
    }
    if (path.n == 0 && r->head.method <= HTTP1_HEAD) {
        pages_redirect(r);
        return false;
    }
    e = routes_find(r->head.method, path, &r->route, &r->param);
    if (e == ERR_METHOD_NOT_ALLOWED) {
        refuse_method(r, path);
    } else if (e != ERR_OK) {
        reply_error(r, e, NULL);
    }
    return e == ERR_OK;
}

/* --- who ---------------------------------------------------------------- */

bool
admission_bearer(struct request *r, struct str *token_out)
{
    struct str value, scheme = {NULL, 0};
    enum err e = http1_head_single(&r->head, "Authorization", &value);

    *token_out = (struct str){NULL, 0};
    if (e == ERR_BAD_REQUEST) {
        reply_error(r, ERR_BAD_REQUEST, NULL);
        return false;
    }
    if (e == ERR_OK && str_split(&value, ' ', &scheme) &&
        str_is_nocase(scheme, "Bearer")) {
        value = str_trim(value);
        *token_out = value.n > 0 ? value : (struct str){NULL, 0};
    }
    return true;
}

static void
log_limited(struct request *r, const char *limiter, uint64_t wait_ms)
{
    struct str user = r->identity != NULL ? str_from(r->identity->user_id)
                                          : (struct str){"", 0};

    metric_count_at(METRIC_RATELIMIT_BLOCKED,
                    metrics_slot(METRIC_RATELIMIT_BLOCKED, limiter));
    log_warn(EVENT_RATE_LIMITED, "too many requests",
             log_cstr("limiter", limiter), log_cstr("request_id", r->id),
             log_cstr("client", r->client_text), log_str("user_id", user),
             log_cstr("endpoint", r->route->pattern),
             log_int("wait_ms", (int64_t)wait_ms));
}

static bool
refuse_limited(struct request *r, const char *limiter, uint64_t wait_ms)
{
    log_limited(r, limiter, wait_ms);
    reply_limited(r, ERR_TOO_MANY_REQUESTS, wait_ms);
    return false;
}

static bool
refuse_token(struct request *r, enum err e)
{
    uint64_t wait_ms;

    (void)limit_shared_check(r->gate->policy->failure_addresses,
                             client_key(&r->client), clock_mono_us(), &wait_ms);
    log_info(EVENT_HTTP_REFUSED, "not authenticated",
             log_cstr("request_id", r->id), log_cstr("client", r->client_text),
             log_cstr("code", err_info(e)->code));
    reply_error(r, e, NULL);
    return false;
}

/* A token that was good or may be: nothing to count against the address. */
static bool
put_off(struct request *r, enum err e, void (*again)(struct request *r))
{
    if (e == ERR_AGAIN) {
        http_wait_keys(r, again);
    } else {
        reply_error(r, e, NULL);
    }
    return false;
}

bool
admission_token(struct request *r, struct str token,
                void (*again)(struct request *r))
{
    uint64_t wait_ms;
    enum err e;

    if (!limit_shared_peek(r->gate->policy->failure_addresses,
                           client_key(&r->client), clock_mono_us(), &wait_ms)) {
        return refuse_limited(r, "failures", wait_ms);
    }
    if (token.p == NULL) {
        return refuse_token(r, ERR_UNAUTHORIZED);
    }
    r->identity = xcalloc(1, sizeof(*r->identity));
    e = keys_verify(r->gate, token, r->identity);
    if (e == ERR_OK) {
        return true;
    }
    xfree(r->identity);
    r->identity = NULL;
    return e == ERR_AGAIN || e == ERR_SERVICE_UNAVAILABLE ? put_off(r, e, again)
                                                          : refuse_token(r, e);
}

static bool
check_user(struct request *r)
{
    struct str token;

    if (!admission_bearer(r, &token) ||
        !admission_token(r, token, http_again)) {
        return false;
    }
    if (r->route->class == ADMIN && !r->identity->admin) {
        reply_error(r, ERR_FORBIDDEN, NULL);
        return false;
    }
    return true;
}

static bool
check_network(struct request *r)
{
    const struct gate_settings *set = r->gate->settings;

    if (client_in(&r->client, set->metrics_networks,
                  set->metrics_network_count)) {
        return true;
    }
    log_info(EVENT_HTTP_REFUSED, "outside metrics.allowed_networks",
             log_cstr("request_id", r->id), log_cstr("client", r->client_text));
    reply_error(r, ERR_FORBIDDEN, NULL);
    return false;
}

struct shard *
admission_owner(const struct gate_settings *settings, struct str user_id)
{
    return &settings->shards[map_hash(user_id) % settings->shard_count];
}

bool
admission_check(struct request *r, struct shard **owner_out)
{
    *owner_out = NULL;
    find_client(r);
    if (!find_route(r)) {
        return false;
    }
    if (r->route->class == NETWORK) {
        return check_network(r);
    }
    if (r->route->class == LINK && file_out_has_signature(r)) {
        return true;
    }
    return r->route->class == NONE || r->route->class == SOCKET ||
           admission_user(r, owner_out);
}

bool
admission_user(struct request *r, struct shard **owner_out)
{
    *owner_out = NULL;
    if (!check_user(r)) {
        return false;
    }
    *owner_out =
        admission_owner(r->gate->settings, str_from(r->identity->user_id));
    return true;
}

/* --- how often ---------------------------------------------------------- */

static bool
limit_address(struct request *r, struct limit_shared *limit, const char *name)
{
    uint64_t wait_ms;

    if (limit_shared_check(limit, client_key(&r->client), clock_mono_us(),
                           &wait_ms)) {
        return true;
    }
    return refuse_limited(r, name, wait_ms);
}

static bool
limit_key(struct request *r, struct limit *limit, const char *name,
          struct str key)
{
    uint64_t wait_ms;

    if (limit_check(limit, key, clock_mono_us(), &wait_ms)) {
        return true;
    }
    return refuse_limited(r, name, wait_ms);
}

static struct str
user_of(const struct request *r)
{
    return str_from(r->identity->user_id);
}

/* A page may show many pictures at once: each good link has what a user has.
 * Only forged ones count against their address. */
static bool
limit_link(struct request *r)
{
    if (file_out_link_good(r)) {
        return limit_key(r, r->gate->user_limit, "user_http", r->param);
    }
    return limit_address(r, r->gate->policy->public_addresses, "public");
}

bool
admission_limit(struct request *r)
{
    const struct gate_policy *set = r->gate->policy;

    switch (r->route->bucket) {
    case PUBLIC_BUCKET:
        return limit_address(r, set->public_addresses, "public");
    case PROBE_BUCKET:
        return limit_address(r, set->probe_addresses, "probe");
    case USER_BUCKET:
        return r->identity != NULL
                   ? limit_key(r, r->gate->user_limit, "user_http", user_of(r))
                   : limit_link(r);
    case ADMIN_BUCKET:
        return limit_key(r, r->gate->admin_limit, "admin", user_of(r));
    case NO_BUCKET:
        return true;
    }
    return true;
}
