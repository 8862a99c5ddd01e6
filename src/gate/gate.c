/* SPDX-License-Identifier: MIT */
/* The door of the room: making a gate, new connections, new policy, and the
 * way down at shutdown. */
#include "gate/gate.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "gate/gate_state.h"
#include "gate/http.h"
#include "gate/openai_replay.h"
#include "gate/request.h"
#include "gate/socket.h"
#include "loop/shard.h"
#include "net/conn.h"
#include "net/net.h"

/* RFC 6455 sets no limit; protocol.md 2.2 does. */
#define FRAGMENTS_MAX 4096

/* limit_shared.h wants a purge a day, however long the interval is. */
#define PURGE_MAX_MS ((uint64_t)24 * 60 * 60 * 1000)

/* --- housekeeping ------------------------------------------------------- */

static void
log_purge(const char *limiter, size_t removed, size_t left)
{
    metric_set_at(METRIC_RATELIMIT_KEYS,
                  metrics_slot(METRIC_RATELIMIT_KEYS, limiter), (int64_t)left);
    if (removed > 0) {
        log_info(EVENT_LIMITER_CLEANUP, "keys left the limiter",
                 log_cstr("limiter", limiter),
                 log_int("removed", (int64_t)removed),
                 log_int("left", (int64_t)left));
    }
}

static void
purge_own(struct limit *l, const char *name, uint64_t now_us)
{
    size_t removed = limit_purge(l, now_us);

    log_purge(name, removed, limit_count(l));
}

static void
purge_shared(struct limit_shared *l, const char *name, uint64_t now_us)
{
    size_t removed = limit_shared_purge(l, now_us);

    log_purge(name, removed, limit_shared_count(l));
}

static void
plan_purge(struct gate *g)
{
    uint64_t interval_ms = g->policy->limit_cleanup_interval_ms;

    timer_start(&g->shard->timers, &g->purge,
                interval_ms < PURGE_MAX_MS ? interval_ms : PURGE_MAX_MS);
}

static void
on_purge(struct timer *timer)
{
    struct gate *g = CONTAINER_OF(timer, struct gate, purge);
    const struct gate_policy *p = g->policy;
    uint64_t now_us = clock_mono_us();

    purge_own(g->user_limit, "user_http", now_us);
    purge_own(g->admin_limit, "admin", now_us);
    if (g->shard->index == 0) {
        purge_shared(p->public_addresses, "public", now_us);
        purge_shared(p->probe_addresses, "probe", now_us);
        purge_shared(p->failure_addresses, "failures", now_us);
    }
    plan_purge(g);
}

/* --- life --------------------------------------------------------------- */

enum err
gate_init(struct shard *s, const struct gate_settings *settings,
          struct gate_policy *policy)
{
    struct gate *g = xcalloc(1, sizeof(*g));

    g->shard = s;
    g->settings = settings;
    g->policy = policy;
    list_init(&g->https);
    list_init(&g->sockets);
    list_init(&g->requests);
    g->user_limit =
        limit_new(policy->user_limit.count, policy->user_limit.window_ms,
                  policy->limit_max_keys);
    g->admin_limit =
        limit_new(policy->admin_limit.count, policy->admin_limit.window_ms,
                  policy->limit_max_keys);
    g->ws_rules = (struct ws_rules){
        .events = socket_events(),
        .max_message_bytes = settings->max_message_bytes,
        .max_fragments = FRAGMENTS_MAX,
        .refuse_binary = true,
    };
    timer_init(&g->purge, on_purge);
    plan_purge(g);
    g->replays = openai_replay_open(g);
    s->gate = g;
    keys_init(g);
    return ERR_OK;
}

void
gate_fini(struct shard *s)
{
    struct gate *g = s->gate;
    struct list *link;

    if (g == NULL) {
        return;
    }
    keys_close(g);
    CHECK(list_empty(&g->https) && list_empty(&g->sockets));
    openai_replay_close(g->replays);
    while ((link = list_pop_front(&g->requests)) != NULL) {
        CONTAINER_OF(link, struct request, link)->gate = NULL;
    }
    timer_cancel(&s->timers, &g->purge);
    limit_free(g->user_limit);
    limit_free(g->admin_limit);
    keys_fini(g);
    gate_policy_unref(g->policy);
    xfree(g);
    s->gate = NULL;
}

void
gate_on_accept(struct shard *s, struct conn *c, void *cookie)
{
    (void)cookie;
    http_start(s, c);
}

/* --- policy ------------------------------------------------------------- */

void
gate_policy_unref(struct gate_policy *policy)
{
    if (policy != NULL && atomic_fetch_sub(&policy->refs, 1) == 1) {
        origin_list_free(policy->ws_origins);
        origin_list_free(policy->cors_origins);
        limit_shared_free(policy->public_addresses);
        limit_shared_free(policy->probe_addresses);
        limit_shared_free(policy->failure_addresses);
        xfree(policy);
    }
}

static struct limit_shared *
make_table(const struct gate_policy *policy, struct gate_limit limit,
           const struct limit_shared *before)
{
    struct limit_shared *l =
        limit_shared_new(limit.count, limit.window_ms, policy->limit_max_keys);

    if (before != NULL) {
        limit_shared_inherit(l, before, clock_mono_us());
    }
    return l;
}

void
gate_policy_fill(struct gate_policy *policy, const struct gate_policy *before)
{
    static const struct gate_policy none;

    before = before != NULL ? before : &none;
    policy->public_addresses =
        make_table(policy, policy->public_limit, before->public_addresses);
    policy->probe_addresses =
        make_table(policy, policy->public_limit, before->probe_addresses);
    policy->failure_addresses =
        make_table(policy, policy->failure_limit, before->failure_addresses);
}

static void
set_limit(struct limit *l, struct gate_limit limit, size_t max_keys)
{
    limit_set(l, limit.count, limit.window_ms, max_keys, clock_mono_us());
}

/* The purge comes now: a reload within every interval would put it off for
 * ever. */
static void
apply_policy(struct gate *g)
{
    const struct gate_policy *p = g->policy;

    set_limit(g->user_limit, p->user_limit, p->limit_max_keys);
    set_limit(g->admin_limit, p->admin_limit, p->limit_max_keys);
    on_purge(&g->purge);
}

struct policy_letter {
    struct letter letter;
    struct gate_policy *policy;
};

static void
destroy_policy(struct letter *l)
{
    struct policy_letter *p = CONTAINER_OF(l, struct policy_letter, letter);

    gate_policy_unref(p->policy);
    xfree(p);
}

static void
deliver_policy(struct shard *here, struct letter *l)
{
    struct policy_letter *p = CONTAINER_OF(l, struct policy_letter, letter);

    if (here->gate != NULL) {
        struct gate_policy *old = here->gate->policy;

        here->gate->policy = p->policy;
        p->policy = old;
        apply_policy(here->gate);
    }
    destroy_policy(l);
}

void
gate_set_policy(struct shard *s, struct gate_policy *policy)
{
    struct policy_letter *p = xcalloc(1, sizeof(*p));

    p->letter.deliver = deliver_policy;
    p->letter.destroy = destroy_policy;
    p->policy = policy;
    shard_post(s, &p->letter);
}

/* --- shutdown ----------------------------------------------------------- */

void
gate_drain(struct shard *s)
{
    s->gate->draining = true;
    http_drain(s->gate);
}

void
gate_check_empty(struct gate *g)
{
    if (g->emptying && list_empty(&g->requests) && list_empty(&g->https) &&
        list_empty(&g->sockets)) {
        g->emptying = false;
        g->on_empty(g->on_empty_cookie);
    }
}

void
gate_close_all(struct shard *s, int code, const char *reason,
               void (*on_empty)(void *cookie), void *cookie)
{
    struct gate *g = s->gate;

    gate_drain(s);
    g->emptying = true;
    g->on_empty = on_empty;
    g->on_empty_cookie = cookie;
    keys_close(g);
    http_refuse_rest(g);
    socket_close_all(g, code, reason);
    gate_check_empty(g);
}

static void
abort_one(struct conn *c, void *arg)
{
    size_t *unsent = arg;

    *unsent += conn_queued(c) > 0;
    conn_abort(c);
}

size_t
gate_abort_all(struct shard *s)
{
    size_t unsent = 0;

    net_each_conn(s, abort_one, &unsent);
    return unsent;
}
