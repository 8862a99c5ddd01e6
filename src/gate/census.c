/* SPDX-License-Identifier: MIT */
/* The letter carries a copy of what it needs and is the only thing that other
 * threads touch. What waits for it stays at home; it answers when the letter
 * is back or when it has waited long enough, and lives until both are done
 * with it. */
#include "gate/census.h"

#include "base/map.h"
#include "base/xalloc.h"
#include "chat/chat.h"
#include "gate/admission.h"
#include "gate/gate_state.h"
#include "loop/shard.h"
#include "store/store.h"

#include <string.h>

/* Of the home shard alone. */
struct census {
    struct timer timer;
    struct timers *timers;
    struct store_job *job; /* NULL: answered */
    void (*done)(struct store_job *job, const uint32_t *counts);
};

struct entry {
    char sid[RAND_ID_CHARS + 1];
    unsigned owner; /* index of a shard */
};

struct tour {
    struct letter letter;
    struct shard *shards;
    struct shard *home;
    struct census *census; /* home's; nobody else looks into it */
    uint32_t *counts;
    size_t count;
    struct entry entries[];
};

static void
free_tour(struct tour *t)
{
    xfree(t->counts);
    xfree(t);
}

/* The next shard behind the index `after` that has one of the sessions, or
 * home. */
static struct shard *
next_stop(const struct tour *t, int64_t after)
{
    int64_t best = INT64_MAX;

    for (size_t i = 0; i < t->count; i++) {
        int64_t owner = t->entries[i].owner;

        best = owner > after && owner < best ? owner : best;
    }
    return best < INT64_MAX ? &t->shards[best] : NULL;
}

static void
count_here(struct tour *t, const struct shard *here)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->entries[i].owner == here->index && here->chat != NULL) {
            t->counts[i] = chat_session_connections(
                here->chat, str_from(t->entries[i].sid));
        }
    }
}

static void
answer(struct census *c, const uint32_t *counts)
{
    struct store_job *job = c->job;

    c->job = NULL;
    if (job != NULL) {
        timer_cancel(c->timers, &c->timer);
        c->done(job, counts);
    }
}

static void
on_home(struct shard *home, struct letter *l)
{
    struct tour *t = CONTAINER_OF(l, struct tour, letter);

    atomic_fetch_sub(&home->awaited, 1);
    answer(t->census, t->counts);
    xfree(t->census);
    free_tour(t);
}

static void
on_stop(struct shard *here, struct letter *l)
{
    struct tour *t = CONTAINER_OF(l, struct tour, letter);
    struct shard *next = next_stop(t, here->index);

    count_here(t, here);
    if (next == NULL) {
        t->letter.deliver = on_home;
        next = t->home;
    }
    shard_post(next, &t->letter);
}

/* A shard on the way has stopped, and so has home. */
static void
destroy(struct letter *l)
{
    struct tour *t = CONTAINER_OF(l, struct tour, letter);

    store_job_free(t->census->job);
    xfree(t->census);
    free_tour(t);
}

static void
on_late(struct timer *timer)
{
    answer(CONTAINER_OF(timer, struct census, timer), NULL);
}

static void
fill(struct tour *t, const struct gate_settings *set,
     const struct session_record *sessions)
{
    for (size_t i = 0; i < t->count; i++) {
        struct str user = str_from(sessions[i].user_id);

        memcpy(t->entries[i].sid, sessions[i].sid, sizeof(sessions[i].sid));
        t->entries[i].owner = admission_owner(set, user)->index;
    }
}

static struct tour *
new_tour(struct gate *g, const struct store_job *job)
{
    bool many = job->sessions != NULL;
    size_t count = many ? job->count : 1;
    struct tour *t = xcalloc(1, sizeof(*t) + count * sizeof(t->entries[0]));

    t->letter.deliver = on_stop;
    t->letter.destroy = destroy;
    t->shards = g->settings->shards;
    t->home = g->shard;
    t->counts = xcalloc(count + 1, sizeof(*t->counts));
    t->count = count;
    fill(t, g->settings, many ? job->sessions : &job->session);
    return t;
}

void
census_start(struct gate *g, struct store_job *job,
             void (*done)(struct store_job *job, const uint32_t *counts))
{
    struct tour *t = new_tour(g, job);
    struct shard *first = next_stop(t, -1);
    struct census *c = xcalloc(1, sizeof(*c));

    c->timers = &g->shard->timers;
    c->job = job;
    c->done = done;
    t->census = c;
    timer_init(&c->timer, on_late);
    timer_start(c->timers, &c->timer, CENSUS_MS);
    atomic_fetch_add(&g->shard->awaited, 1);
    if (first == NULL) {
        t->letter.deliver = on_home;
        first = g->shard;
    }
    shard_post(first, &t->letter);
}
