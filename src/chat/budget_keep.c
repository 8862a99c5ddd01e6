/* SPDX-License-Identifier: MIT */
/* Accounts at hand: see budget_keep.h. Entries that no claim holds wait in the
 * order in which they were let go; the one that waits longest goes first when
 * there are too many. Of a role each shard reads the entries itself, and
 * whoever comes first tells the account: nobody adds to it before it is
 * ready. */
#include "chat/budget_keep.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "chat/budget.h"
#include "chat/state.h"

#include <string.h>

struct budget_keep {
    struct chat *chat;
    void (*on_news)(void *cookie);
    void *cookie;
    struct map entries;
    struct list unused; /* longest first */
};

static struct str
key_of(const struct map_node *node)
{
    const struct budget_entry *e =
        CONTAINER_OF(node, const struct budget_entry, node);

    return (struct str){e->key, e->key_n};
}

struct budget_keep *
budget_keep_new(struct chat *c, void (*on_news)(void *cookie), void *cookie)
{
    struct budget_keep *k = xcalloc(1, sizeof(*k));

    k->chat = c;
    k->on_news = on_news;
    k->cookie = cookie;
    map_init(&k->entries, key_of);
    list_init(&k->unused);
    return k;
}

static void
drop(struct budget_entry *e)
{
    list_remove(&e->link);
    map_remove(&e->keep->entries, &e->node);
    metric_set_at(METRIC_BUDGET_ACCOUNTS, 0, (int64_t)e->keep->entries.count);
    xfree(e);
}

static void
free_entry(struct map_node *node, void *arg)
{
    (void)arg;
    drop(CONTAINER_OF(node, struct budget_entry, node));
}

void
budget_keep_free(struct budget_keep *k)
{
    if (k != NULL) {
        map_each(&k->entries, free_entry, NULL);
        map_fini(&k->entries);
        xfree(k);
    }
}

/* --- entries ------------------------------------------------------------ */

static void
make_room(struct budget_keep *k)
{
    if (k->entries.count >= BUDGET_USERS_MAX && !list_empty(&k->unused)) {
        drop(CONTAINER_OF(k->unused.next, struct budget_entry, link));
    }
}

static struct budget_entry *
entry_new(struct budget_keep *k, struct str key)
{
    struct budget_entry *e = xcalloc(1, sizeof(*e) + key.n);

    make_room(k);
    e->keep = k;
    e->account = &e->own;
    e->key_n = (uint16_t)key.n;
    memcpy(e->key, key.p, key.n);
    map_add(&k->entries, &e->node);
    metric_set_at(METRIC_BUDGET_ACCOUNTS, 0, (int64_t)k->entries.count);
    return e;
}

/* Also of a kind, so that a user cannot be a role. */
static struct budget_entry *
get(struct budget_keep *k, char kind, struct str name)
{
    struct map_node *found;
    struct budget_entry *e;
    struct buf key;

    buf_init(&key, UINT16_MAX);
    buf_putc(&key, kind);
    buf_put_str(&key, name);
    CHECK(!key.failed);
    found = map_find(&k->entries, buf_str(&key));
    e = found != NULL ? CONTAINER_OF(found, struct budget_entry, node)
                      : entry_new(k, buf_str(&key));
    buf_fini(&key);
    list_remove(&e->link);
    e->refs++;
    return e;
}

struct budget_entry *
budget_keep_user(struct budget_keep *k, struct str id)
{
    return get(k, 'u', id);
}

struct budget_entry *
budget_keep_role(struct budget_keep *k, struct str role,
                 struct budget_account *account)
{
    struct budget_entry *e = get(k, 'r', role);

    e->account = account;
    return e;
}

/* One that is being read stays: the answer comes to it. */
static void
settle(struct budget_entry *e)
{
    if (e->refs == 0 && !e->loading) {
        list_push_back(&e->keep->unused, &e->link);
    }
}

void
budget_keep_release(struct budget_entry *e)
{
    CHECK(e->refs > 0);
    e->refs--;
    settle(e);
}

/* --- reading ------------------------------------------------------------ */

/* What the sums say of the period at this moment. */
static void
load_period(struct budget_entry *e, enum budget_period p, int64_t now_ms,
            const struct usage_list *l)
{
    int64_t begin_ms = budget_period_begin_ms(p, now_ms);
    struct budget_amount used = {0, 0};

    for (size_t i = 0; i < l->count; i++) {
        if (l->sums[i].day_ms >= begin_ms) {
            used.tokens += l->sums[i].total_tokens;
            used.nanos += l->sums[i].cost_nanos;
        }
    }
    budget_account_load(e->account, p, budget_period_number(p, now_ms), used);
}

static void
on_read(struct store_job *job)
{
    struct budget_entry *e = job->cookie;
    int64_t now_ms = clock_wall_ms();

    e->loading = false;
    e->failed = job->result != ERR_OK;
    if (e->failed) {
        metric_count(METRIC_BUDGET_ERRORS);
        log_warn(EVENT_BUDGET, "it cannot be read what was used",
                 log_cstr("code", err_info(job->result)->code));
    } else {
        for (int p = 0; p < BUDGET_PERIODS; p++) {
            load_period(e, (enum budget_period)p, now_ms, &job->review->usage);
        }
    }
    store_job_free(job);
    settle(e);
    e->keep->on_news(e->keep->cookie);
}

void
budget_keep_load(struct budget_entry *e)
{
    struct chat *c = e->keep->chat;
    struct str name = {e->key + 1, (size_t)e->key_n - 1};
    struct store_job *job;

    if (e->loading || budget_account_ready(e->account)) {
        return;
    }
    e->loading = true;
    e->failed = false;
    job = store_job_new(STORE_USAGE_LIST, c->shard, on_read, e);
    job->review = review_new();
    job->review->from_ms =
        budget_period_begin_ms(BUDGET_MONTH, clock_wall_ms());
    job->review->to_ms = INT64_MAX;
    if (e->key[0] == 'u') {
        job->user_id = str_dup(name);
    } else if (name.n > 0) { /* not everybody's */
        job->review->role = str_dup(name);
    }
    store_submit(c->store, job);
}
