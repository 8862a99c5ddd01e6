/* SPDX-License-Identifier: MIT */
/* The keys of a gate: keys.h. The first shard's gate owns the fetching and
 * tells all gates, itself included, of each end of a fetch: the set, or that
 * the old one stays, and when the next fetch is allowed. So each shard knows
 * by itself whether an unknown name is worth asking, and a flood of them costs
 * one letter of each shard in 30 s. */
#include "gate/keys.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "gate/gate_state.h"
#include "gate/keys_fetch.h"
#include "guard/jwks.h"
#include "guard/token_known.h"
#include "loop/shard.h"

/* protocol.md section 3. */
#define REFRESH_MS 30000

/* While there is no set at all: from one try to the next. */
#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 30000

/* Of one shard; whoever comes then is told to come again. */
#define WAITERS_MAX 1024

/* A set that all shards read; the last one frees it. */
struct shared_set {
    atomic_uint refs;
    struct jwks *jwks;
};

struct keys {
    struct gate *gate;
    struct shared_set *set; /* one reference; NULL: none yet */
    uint64_t next_ms;       /* clock_mono_ms: asking is worth it from then on */
    struct list waiters;
    size_t waiting;
    bool closed;
    /* Of the first shard only. */
    struct keys_fetch *fetch;
    struct timer retry;
    uint64_t delay_ms;   /* of the next retry */
    uint64_t begun_ms;   /* the last fetch */
    uint64_t allowed_ms; /* the next one; next_ms follows with the news */
};

/* --- sets --------------------------------------------------------------- */

static void
unref(struct shared_set *set)
{
    if (set != NULL && atomic_fetch_sub(&set->refs, 1) == 1) {
        jwks_free(set->jwks);
        xfree(set);
    }
}

static struct shared_set *
share(struct jwks *jwks, unsigned refs)
{
    struct shared_set *set = xcalloc(1, sizeof(*set));

    atomic_init(&set->refs, refs);
    set->jwks = jwks;
    return set;
}

bool
keys_ready(const struct gate_settings *settings)
{
    return settings->jwks_url == NULL ||
           atomic_load(settings->keyed_shards) == settings->shard_count;
}

/* --- those who wait ----------------------------------------------------- */

/* A waiter may wait anew, so the list is taken first. */
static void
wake_all(struct keys *k)
{
    struct list woken;
    struct list *link;

    list_init(&woken);
    list_splice_back(&woken, &k->waiters);
    while ((link = list_pop_front(&woken)) != NULL) {
        struct keys_waiter *w = CONTAINER_OF(link, struct keys_waiter, link);

        k->waiting--;
        w->wake(w);
    }
}

void
keys_unwait(struct gate *g, struct keys_waiter *w)
{
    list_remove(&w->link);
    g->keys->waiting--;
}

/* --- news for every gate ------------------------------------------------ */

struct news {
    struct letter letter;
    struct shared_set *set; /* a reference; NULL: the old one stays */
    uint64_t next_ms;
};

static void
destroy_news(struct letter *l)
{
    struct news *n = CONTAINER_OF(l, struct news, letter);

    unref(n->set);
    xfree(n);
}

static void
deliver_news(struct shard *here, struct letter *l)
{
    struct news *n = CONTAINER_OF(l, struct news, letter);
    struct keys *k = here->gate != NULL ? here->gate->keys : NULL;

    if (k != NULL) {
        k->next_ms = n->next_ms;
        if (n->set != NULL) {
            struct shared_set *old = k->set;

            k->set = n->set;
            n->set = old;
            token_known_clear(k->gate->known);
            if (old == NULL) {
                atomic_fetch_add(k->gate->settings->keyed_shards, 1);
            }
        }
        wake_all(k);
    }
    destroy_news(l);
}

static void
tell_all(struct keys *k, struct jwks *jwks, uint64_t next_ms)
{
    const struct gate_settings *settings = k->gate->settings;
    struct shared_set *set =
        jwks != NULL ? share(jwks, settings->shard_count) : NULL;

    for (unsigned i = 0; i < settings->shard_count; i++) {
        struct news *n = xcalloc(1, sizeof(*n));

        n->letter.deliver = deliver_news;
        n->letter.destroy = destroy_news;
        n->set = set;
        n->next_ms = next_ms;
        shard_post(&settings->shards[i], &n->letter);
    }
}

/* --- fetching, on the first shard --------------------------------------- */

static void
begin_fetch(struct keys *k)
{
    k->begun_ms = clock_mono_ms();
    keys_fetch_start(k->fetch);
}

static void
on_retry(struct timer *timer)
{
    begin_fetch(CONTAINER_OF(timer, struct keys, retry));
}

/* The fetches of the start do not count among those that unknown names ask
 * for: a rotation just after it is seen at once. */
static void
on_fetched(void *cookie, struct jwks *jwks)
{
    struct keys *k = cookie;
    bool first = k->set == NULL;

    if (jwks == NULL && first) {
        timer_start(&k->gate->shard->timers, &k->retry, k->delay_ms);
        k->delay_ms =
            2 * k->delay_ms < RETRY_MAX_MS ? 2 * k->delay_ms : RETRY_MAX_MS;
        return;
    }
    k->allowed_ms = first ? 0 : k->begun_ms + REFRESH_MS;
    tell_all(k, jwks, k->allowed_ms);
}

/* A shard that asks too early has not read the last news yet; they will wake
 * its waiters. */
static void
deliver_question(struct shard *here, struct letter *l)
{
    struct keys *k = here->gate != NULL ? here->gate->keys : NULL;

    if (k != NULL && !k->closed && !keys_fetch_busy(k->fetch) &&
        clock_mono_ms() >= k->allowed_ms) {
        begin_fetch(k);
    }
    xfree(l);
}

static void
destroy_question(struct letter *l)
{
    xfree(l);
}

static void
ask(struct keys *k)
{
    struct letter *l = xcalloc(1, sizeof(*l));

    l->deliver = deliver_question;
    l->destroy = destroy_question;
    shard_post(&k->gate->settings->shards[0], l);
}

/* --- verifying ---------------------------------------------------------- */

static enum err
unknown_name(const struct keys *k)
{
    if (clock_mono_ms() < k->next_ms) {
        return ERR_INVALID_TOKEN;
    }
    return k->closed || k->waiting >= WAITERS_MAX ? ERR_SERVICE_UNAVAILABLE
                                                  : ERR_AGAIN;
}

static enum err
verify(const struct gate *g, struct str token, int64_t now_ms,
       struct identity *out)
{
    const struct gate_settings *set = g->settings;
    enum err e;

    if (g->keys == NULL) {
        return token_verify(set->keys, set->token_rules, token, now_ms, out);
    }
    if (g->keys->set == NULL) {
        return ERR_SERVICE_UNAVAILABLE;
    }
    e = token_verify_by_set(g->keys->set->jwks, set->token_rules, token, now_ms,
                            out);
    return e == ERR_NOT_FOUND ? unknown_name(g->keys) : e;
}

enum err
keys_verify(struct gate *g, struct str token, struct identity *out)
{
    int64_t now_ms = clock_wall_ms();
    enum err e = ERR_OK;

    if (!token_known_get(g->known, token, now_ms,
                         g->settings->token_rules->leeway_ms, out)) {
        e = verify(g, token, now_ms, out);
        if (e == ERR_OK) {
            token_known_put(g->known, token, now_ms, out);
        }
    }
    return e;
}

void
keys_wait(struct gate *g, struct keys_waiter *w)
{
    struct keys *k = g->keys;

    list_push_back(&k->waiters, &w->link);
    k->waiting++;
    if (k->waiting == 1) {
        ask(k);
    }
}

/* --- life --------------------------------------------------------------- */

void
keys_init(struct gate *g)
{
    struct keys *k;

    g->known = token_known_new();
    if (g->settings->jwks_url == NULL) {
        return;
    }
    k = xcalloc(1, sizeof(*k));
    k->gate = g;
    list_init(&k->waiters);
    timer_init(&k->retry, on_retry);
    k->delay_ms = RETRY_MIN_MS;
    g->keys = k;
    if (g->shard->index == 0) {
        k->fetch = keys_fetch_new(g->shard, g->settings, on_fetched, k);
        begin_fetch(k);
    }
}

void
keys_close(struct gate *g)
{
    if (g->keys != NULL) {
        g->keys->closed = true;
        wake_all(g->keys);
    }
}

void
keys_fini(struct gate *g)
{
    struct keys *k = g->keys;

    token_known_free(g->known);
    g->known = NULL;
    if (k == NULL) {
        return;
    }
    timer_cancel(&g->shard->timers, &k->retry);
    keys_fetch_free(k->fetch);
    unref(k->set);
    xfree(k);
    g->keys = NULL;
}
