/* SPDX-License-Identifier: MIT */
/* The door of a server that waits for the database: who the holder is, whether
 * this one is ready, and the way down. What becomes of one connection is in
 * caller.c. */
#include "gate/standby.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "gate/caller.h"
#include "gate/standby_state.h"
#include "loop/shard.h"

#include <netinet/in.h>
#include <string.h>

#define LOG_PAUSE_MS 1000

enum err
standby_init(struct shard *s, const struct gate_settings *settings,
             struct standby **standby_out)
{
    struct standby *standby = xcalloc(1, sizeof(*standby));

    standby->shard = s;
    standby->settings = settings;
    list_init(&standby->callers);
    *standby_out = standby;
    return ERR_OK;
}

void
standby_fini(struct standby *standby)
{
    CHECK(standby == NULL || list_empty(&standby->callers));
    xfree(standby);
}

void
standby_on_accept(struct shard *s, struct conn *c, void *cookie)
{
    (void)s;
    caller_start(cookie, c);
}

void
standby_failed(struct standby *standby, const char *reason, const char *why)
{
    uint64_t now_ms = shard_now_ms(standby->shard);

    metric_count_at(METRIC_STANDBY_FAILED,
                    metrics_slot(METRIC_STANDBY_FAILED, reason));
    standby->untold++;
    if (now_ms >= standby->silent_until_ms) {
        standby->silent_until_ms = now_ms + LOG_PAUSE_MS;
        log_warn(EVENT_FORWARD, "a connection could not be passed on",
                 log_cstr("reason", reason), log_cstr("why", why),
                 log_int("count", (int64_t)standby->untold));
        standby->untold = 0;
    }
}

/* --- the holder --------------------------------------------------------- */

static bool
same_v6(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    const struct sockaddr_in6 *x = (const struct sockaddr_in6 *)a;
    const struct sockaddr_in6 *y = (const struct sockaddr_in6 *)b;

    return x->sin6_port == y->sin6_port &&
           x->sin6_scope_id == y->sin6_scope_id &&
           memcmp(&x->sin6_addr, &y->sin6_addr, sizeof(x->sin6_addr)) == 0;
}

static bool
same_v4(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    const struct sockaddr_in *x = (const struct sockaddr_in *)a;
    const struct sockaddr_in *y = (const struct sockaddr_in *)b;

    return x->sin_port == y->sin_port &&
           x->sin_addr.s_addr == y->sin_addr.s_addr;
}

static bool
same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family) {
        return false;
    }
    switch (a->ss_family) {
    case AF_INET:
        return same_v4(a, b);
    case AF_INET6:
        return same_v6(a, b);
    default:
        return true;
    }
}

void
standby_set_holder(struct standby *standby,
                   const struct sockaddr_storage *holder)
{
    static const struct sockaddr_storage nobody = {.ss_family = AF_UNSPEC};

    holder = holder != NULL ? holder : &nobody;
    if (same_address(&standby->holder, holder)) {
        return;
    }
    standby->holder = *holder;
    LIST_FOREACH (it, &standby->callers) {
        caller_change(CONTAINER_OF(it, struct caller, link));
    }
}

void
standby_set_ready(struct standby *standby, bool ready)
{
    standby->ready = ready;
}

/* --- the way down ------------------------------------------------------- */

void
standby_check_empty(struct standby *standby)
{
    if (standby->emptying && list_empty(&standby->callers)) {
        standby->emptying = false;
        standby->on_empty(standby->on_empty_cookie);
    }
}

void
standby_retire(struct standby *standby, void (*on_empty)(void *cookie),
               void *cookie)
{
    standby->emptying = true;
    standby->on_empty = on_empty;
    standby->on_empty_cookie = cookie;
    standby_check_empty(standby);
}

void
standby_drain(struct standby *standby, void (*on_empty)(void *cookie),
              void *cookie)
{
    standby->draining = standby->emptying = true;
    standby->ready = false;
    standby->on_empty = on_empty;
    standby->on_empty_cookie = cookie;
    LIST_FOREACH (it, &standby->callers) {
        caller_drain(CONTAINER_OF(it, struct caller, link));
    }
    standby_check_empty(standby);
}

size_t
standby_abort_all(struct standby *standby)
{
    size_t unsent = 0;

    LIST_FOREACH (it, &standby->callers) {
        unsent += caller_abort(CONTAINER_OF(it, struct caller, link));
    }
    return unsent;
}
