/* SPDX-License-Identifier: MIT */
/* The life of a request to the outside: what its user may do at any moment,
 * also inside a callback, and the time limits. What goes over the wire is
 * fetch_plain.c's or, by libcurl, fetch_easy.c's. libcurl must not be entered
 * from its own callbacks, so starting, resuming and ending by cancelling wait
 * for the end of the turn. The clock is not asked per chunk of an answer: the
 * timer looks, when it fires, whether something has come meanwhile. */
#include "net/fetch.h"

#include "base/xalloc.h"
#include "net/fetch_internal.h"

/* How often libcurl is reminded of a connection that it is opening. */
#define NUDGE_MS 200

void
fetch_add(struct fetch *f)
{
    f->added = !f->lacking &&
               curl_multi_add_handle(f->pool->multi, f->easy) == CURLM_OK;
    if (!f->added) {
        fetch_end(f, FETCH_FAILED);
    }
}

void
fetch_remove(struct fetch *f)
{
    if (f->added) {
        CHECK(curl_multi_remove_handle(f->pool->multi, f->easy) == CURLM_OK);
        f->added = false;
    }
}

void
fetch_free(struct fetch *f)
{
    struct fetch_pool *pool = f->pool;

    timer_cancel(&pool->shard->timers, &f->timer);
    shard_undefer(&f->deferred);
    list_remove(&f->link);
    pool->active--;
    if (f->mail != NULL) {
        fetch_mail_free(f->mail);
    }
    fetch_remove(f);
    fetch_easy_fini(f);
    if (f->plain != NULL) {
        fetch_plain_free(f->plain);
    }
    xfree(f);
}

static void
settle_later(struct fetch *f)
{
    if (list_empty(&f->deferred.link)) {
        shard_defer(f->pool->shard, &f->deferred);
    }
}

void
fetch_end(struct fetch *f, enum fetch_end why)
{
    const struct fetch_events *events = f->events;
    void *cookie = f->cookie;

    fetch_free(f);
    events->on_end(cookie, why);
}

/* A kept connection may be closed by its server in the moment in which it is
 * used again: nobody has read the request, so it is sent once more, on a new
 * connection. (libcurl does so itself when it notices by reading.) */
static bool
try_again(struct fetch *f, CURLcode result)
{
    bool hung_up = result == CURLE_SEND_ERROR || result == CURLE_RECV_ERROR ||
                   result == CURLE_GOT_NOTHING;

    if (!hung_up || f->again || f->state != FETCH_WAITING ||
        !fetch_easy_reused(f)) {
        return false;
    }
    f->again = true;
    fetch_remove(f);
    f->started = false;
    fetch_easy_use_fresh(f);
    fetch_enter(f, FETCH_CONNECTING);
    settle_later(f);
    return true;
}

void
fetch_complete(struct fetch *f, CURLcode result)
{
    if (f->cancelled) {
        return; /* freed at the end of this turn */
    }
    if (f->plain != NULL && result == CURLE_OK) {
        fetch_plain_connected(f);
    } else if (f->mail != NULL && result == CURLE_OK) {
        fetch_mail_connected(f);
    } else if (f->mail != NULL) {
        fetch_mail_refused(f, result);
    } else if (!try_again(f, result)) {
        fetch_end(f, fetch_easy_end(f, result));
    }
}

struct limit {
    uint64_t at_ms;
    enum fetch_end why;
};

static void
tighten(struct limit *l, uint64_t since_ms, uint64_t timeout_ms,
        enum fetch_end why)
{
    uint64_t at_ms = since_ms + timeout_ms;

    if (timeout_ms != 0 && at_ms >= since_ms && at_ms < l->at_ms) {
        *l = (struct limit){at_ms, why};
    }
}

/* The time limit that comes first as things are. */
static struct limit
next_limit(const struct fetch *f)
{
    struct limit l = {UINT64_MAX, FETCH_FAILED};

    tighten(&l, f->start_ms, f->limits.total_timeout_ms, FETCH_TOTAL_TIMEOUT);
    switch (f->state) {
    case FETCH_CONNECTING:
        tighten(&l, f->last_ms, f->limits.connect_timeout_ms,
                FETCH_CONNECT_TIMEOUT);
        break;
    case FETCH_WAITING:
        tighten(&l, f->last_ms, f->limits.first_byte_timeout_ms,
                FETCH_FIRST_BYTE_TIMEOUT);
        break;
    case FETCH_STREAMING:
        if (!f->paused) {
            tighten(&l, f->last_ms, f->limits.idle_timeout_ms,
                    FETCH_IDLE_TIMEOUT);
        }
        break;
    }
    return l;
}

/* The timer may fire too early, never too late. */
static void
arm(struct fetch *f)
{
    struct timers *timers = &f->pool->shard->timers;
    uint64_t now_ms = shard_now_ms(f->pool->shard);
    uint64_t at_ms = next_limit(f).at_ms;

    if (f->state == FETCH_CONNECTING && at_ms > now_ms + NUDGE_MS) {
        at_ms = now_ms + NUDGE_MS;
    }
    if (at_ms == UINT64_MAX ||
        (timer_armed(&f->timer) && f->timer.at_ms <= at_ms)) {
        return;
    }
    timer_start(timers, &f->timer, at_ms > now_ms ? at_ms - now_ms : 0);
}

static void
on_time(struct timer *t)
{
    struct fetch *f = CONTAINER_OF(t, struct fetch, timer);
    struct limit l = next_limit(f);

    if (shard_now_ms(f->pool->shard) >= l.at_ms) {
        fetch_end(f, l.why == FETCH_CONNECT_TIMEOUT && f->added
                         ? fetch_easy_late(f)
                         : l.why);
    } else {
        if (f->state == FETCH_CONNECTING && f->added) {
            fetch_easy_nudge(f);
        }
        arm(f);
    }
}

void
fetch_enter(struct fetch *f, enum fetch_state state)
{
    f->last_ms = shard_now_ms(f->pool->shard);
    if (f->state != state) {
        f->state = state;
        arm(f);
    }
}

static void
start(struct fetch *f)
{
    f->started = true;
    if (f->plain != NULL) {
        fetch_plain_start(f);
    } else {
        fetch_add(f);
    }
}

static void
let_go(struct fetch *f)
{
    if (f->plain != NULL) {
        fetch_plain_resume(f);
        return;
    }
    f->held = false;
    if (curl_easy_pause(f->easy, CURLPAUSE_CONT) != CURLE_OK && !f->cancelled) {
        fetch_end(f, f->head_done ? FETCH_CUT : FETCH_FAILED);
    }
}

/* At the end of a turn: what could not be done inside a callback. */
static void
settle(struct deferred *d)
{
    struct fetch *f = CONTAINER_OF(d, struct fetch, deferred);

    if (f->cancelled) {
        fetch_free(f);
    } else if (!f->started) {
        start(f);
    } else if (f->held && !f->paused) {
        let_go(f);
    }
}

struct fetch *
fetch_new(struct shard *s, const struct fetch_limits *limits,
          const struct fetch_events *events, void *cookie)
{
    struct fetch *f = xcalloc(1, sizeof(*f));

    f->pool = s->fetch;
    f->events = events;
    f->cookie = cookie;
    f->deferred.run = settle;
    f->limits = *limits;
    /* Not the loop's time: this turn may have taken long already. */
    f->start_ms = f->last_ms = uv_hrtime() / 1000000;
    f->retry_after_ms = -1;
    timer_init(&f->timer, on_time);
    return f;
}

void
fetch_begin(struct fetch *f)
{
    list_push_back(&f->pool->fetches, &f->link);
    f->pool->active++;
    arm(f);
    settle_later(f);
}

struct fetch *
fetch_start(struct shard *s, const struct fetch_request *request,
            const struct fetch_events *events, void *cookie)
{
    const struct fetch_limits limits = {
        .connect_timeout_ms = request->connect_timeout_ms,
        .first_byte_timeout_ms = request->first_byte_timeout_ms,
        .idle_timeout_ms = request->idle_timeout_ms,
        .total_timeout_ms = request->total_timeout_ms,
    };
    struct fetch *f = fetch_new(s, &limits, events, cookie);

    f->plain = fetch_plain_new(request);
    if (f->plain == NULL) {
        fetch_easy_init(f, request);
    }
    fetch_begin(f);
    return f;
}

void
fetch_cancel(struct fetch *f)
{
    f->cancelled = true;
    timer_cancel(&f->pool->shard->timers, &f->timer);
    settle_later(f);
}

void
fetch_pause(struct fetch *f)
{
    f->paused = true;
}

void
fetch_resume(struct fetch *f)
{
    if (!f->paused) {
        return;
    }
    f->paused = false;
    f->last_ms = shard_now_ms(f->pool->shard);
    arm(f);
    if (f->held) {
        settle_later(f);
    }
}

bool
fetch_end_is_late(enum fetch_end why)
{
    return why == FETCH_RESOLVE_TIMEOUT || why == FETCH_CONNECT_TIMEOUT ||
           why == FETCH_FIRST_BYTE_TIMEOUT || why == FETCH_IDLE_TIMEOUT ||
           why == FETCH_TOTAL_TIMEOUT;
}

bool
fetch_end_may_pass(enum fetch_end why)
{
    static const bool never[FETCH_FAILED + 1] = {
        [FETCH_TLS_FAILED] = true,    [FETCH_TLS_EXPIRED] = true,
        [FETCH_TLS_NAME] = true,      [FETCH_TLS_UNTRUSTED] = true,
        [FETCH_PROXY_REFUSED] = true, [FETCH_FIRST_BYTE_TIMEOUT] = true,
        [FETCH_IDLE_TIMEOUT] = true,  [FETCH_TOTAL_TIMEOUT] = true,
    };

    return !never[why];
}

const char *
fetch_end_word(enum fetch_end why)
{
    static const char *const words[] = {
        [FETCH_DONE] = "done",
        [FETCH_RESOLVE_FAILED] = "resolve_failed",
        [FETCH_RESOLVE_TIMEOUT] = "resolve_timeout",
        [FETCH_CONNECT_FAILED] = "connect_failed",
        [FETCH_TLS_FAILED] = "tls_failed",
        [FETCH_TLS_EXPIRED] = "tls_certificate_expired",
        [FETCH_TLS_NAME] = "tls_certificate_of_another_host",
        [FETCH_TLS_UNTRUSTED] = "tls_certificate_untrusted",
        [FETCH_PROXY_UNRESOLVED] = "proxy_resolve_failed",
        [FETCH_PROXY_UNREACHABLE] = "proxy_connect_failed",
        [FETCH_PROXY_REFUSED] = "proxy_refused",
        [FETCH_PROXY_FAILED] = "proxy_failed",
        [FETCH_CONNECT_TIMEOUT] = "connect_timeout",
        [FETCH_FIRST_BYTE_TIMEOUT] = "first_byte_timeout",
        [FETCH_IDLE_TIMEOUT] = "idle_timeout",
        [FETCH_TOTAL_TIMEOUT] = "total_timeout",
        [FETCH_CUT] = "cut",
        [FETCH_FAILED] = "failed",
    };

    return words[why];
}
