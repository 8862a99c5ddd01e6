/* SPDX-License-Identifier: MIT */
/* Claims: see budget.h. A claim has a share of every account that its user is
 * under: of his own, and of each role's that is shared. All shares have the
 * same amount in them, the claim's; what differs is which period it was added
 * to last: an answer that runs over midnight counts as a whole in the day in
 * which it ends, as its usage entry does. */
#include "chat/budget.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "chat/budget_keep.h"
#include "chat/state.h"
#include "loop/shard.h"
#include "provider/provider.h"

#include <string.h>

/* How long until it is worth trying again whether the storage can be read. */
#define READ_AGAIN_MS 1000

struct budgets {
    struct chat *chat;
    struct budget_keep *keep;
    struct list waiting; /* claims that are not decided */
    struct list decided; /* those that will be told now */
};

struct share {
    struct budget_entry *entry;
    struct budget_limits limits;     /* the strictest of all rows */
    uint32_t number[BUDGET_PERIODS]; /* what the amount was added to */
};

struct budget_claim {
    struct list link; /* budgets->waiting or decided */
    struct budgets *budgets;
    void (*done)(void *cookie);
    void *cookie;
    char *user_id;
    struct budget_amount amount; /* in each share's account */
    int64_t retry_after_ms;
    enum err verdict;
    bool held;    /* the amount is in the accounts */
    bool spent;   /* some of it is of the answer */
    bool settled; /* it is what the provider says */
    size_t count;
    struct share shares[];
};

/* --- shares ------------------------------------------------------------- */

static bool
has_role(struct str roles, const char *role)
{
    struct str rest = roles, name;

    if (role[0] == '\0') {
        return true;
    }
    while (rest.n > 0 && str_split(&rest, '\0', &name)) {
        if (str_is(name, role)) {
            return true;
        }
    }
    return false;
}

static int64_t
stricter(int64_t a, int64_t b)
{
    return a == 0 ? b : b == 0 ? a : a < b ? a : b;
}

static void
narrow(struct budget_limits *l, const struct budget_limits *by)
{
    for (int p = 0; p < BUDGET_PERIODS; p++) {
        l->of[p].tokens = stricter(l->of[p].tokens, by->of[p].tokens);
        l->of[p].nanos = stricter(l->of[p].nanos, by->of[p].nanos);
    }
}

static struct budget_entry *
entry_of(struct budget_claim *claim, const struct budget_row *row)
{
    struct budget_keep *keep = claim->budgets->keep;

    return row->shared
               ? budget_keep_role(keep, str_from(row->role), row->account)
               : budget_keep_user(keep, str_from(claim->user_id));
}

static void
add_share(struct budget_claim *claim, const struct budget_row *row)
{
    struct budget_entry *e = entry_of(claim, row);

    for (size_t i = 0; i < claim->count; i++) {
        if (claim->shares[i].entry == e) {
            narrow(&claim->shares[i].limits, &row->limits);
            budget_keep_release(e);
            return;
        }
    }
    claim->shares[claim->count++] =
        (struct share){.entry = e, .limits = row->limits};
}

static struct budget_claim *
claim_new(struct budgets *b, const struct budget_ask *ask)
{
    const struct chat_settings *set = ask->settings;
    struct budget_claim *claim = NULL;

    for (size_t i = 0; i < set->budget_count; i++) {
        if (!has_role(ask->roles, set->budgets[i].role)) {
            continue;
        }
        if (claim == NULL) {
            claim = xcalloc(1, sizeof(*claim) + set->budget_count *
                                                    sizeof(claim->shares[0]));
            claim->budgets = b;
            claim->user_id = str_dup(ask->user_id);
        }
        add_share(claim, &set->budgets[i]);
    }
    return claim;
}

/* --- amounts ------------------------------------------------------------ */

static struct budget_amount
minus(struct budget_amount a, struct budget_amount b)
{
    return (struct budget_amount){a.tokens - b.tokens, a.nanos - b.nanos};
}

static bool
over(int64_t used, int64_t limit)
{
    return limit > 0 && used > limit;
}

/* more has been added to the claim's amount. */
static void
add_more(struct budget_claim *claim, struct share *s, enum budget_period p,
         struct budget_amount more, int64_t now_ms)
{
    uint32_t number = budget_period_number(p, now_ms);
    bool same = s->number[p] == number;

    s->number[p] = number;
    budget_account_add(s->entry->account, p, number,
                       same ? more : claim->amount);
}

static const char *
period_word(enum budget_period p)
{
    return p == BUDGET_DAY ? "day" : "month";
}

/* The account is used up in this period: the claim is refused, or has to
 * stop. Told once. */
static void
exceed(struct budget_claim *claim, const struct share *s, enum budget_period p,
       int64_t now_ms)
{
    int64_t wait_ms = budget_period_end_ms(p, now_ms) - now_ms;
    bool role = s->entry->key[0] == 'r';

    if (claim->verdict == ERR_OK) {
        log_info(EVENT_BUDGET, "a budget is used up",
                 log_cstr("user_id", claim->user_id),
                 log_cstr("scope", role ? "role" : "user"),
                 log_str("role", (struct str){s->entry->key + 1,
                                              role ? s->entry->key_n - 1u : 0}),
                 log_cstr("period", period_word(p)),
                 log_cstr("when", claim->spent ? "streaming" : "asked"),
                 log_int("wait_ms", wait_ms));
        metric_count_at(claim->spent ? METRIC_BUDGET_STOPS
                                     : METRIC_BUDGET_REFUSALS,
                        metrics_slot(claim->spent ? METRIC_BUDGET_STOPS
                                                  : METRIC_BUDGET_REFUSALS,
                                     role ? "role" : "user"));
    }
    claim->verdict = ERR_BUDGET_EXCEEDED;
    if (wait_ms > claim->retry_after_ms) {
        claim->retry_after_ms = wait_ms;
    }
}

/* --- deciding ----------------------------------------------------------- */

/* Takes back what was taken of the first shares' periods, `upto` of them. */
static void
untake(struct budget_claim *claim, size_t upto)
{
    struct budget_amount back =
        minus((struct budget_amount){0, 0}, claim->amount);

    for (size_t i = 0; i < upto; i++) {
        struct share *s = &claim->shares[i / BUDGET_PERIODS];
        enum budget_period p = i % BUDGET_PERIODS;

        budget_account_add(s->entry->account, p, s->number[p], back);
    }
}

/* Of all limits that it does not fit in, the one that is over last counts. */
static void
refuse(struct budget_claim *claim, int64_t now_ms)
{
    for (size_t i = 0; i < claim->count * BUDGET_PERIODS; i++) {
        const struct share *s = &claim->shares[i / BUDGET_PERIODS];
        enum budget_period p = i % BUDGET_PERIODS;
        struct budget_amount limit = s->limits.of[p];
        struct budget_amount used = budget_account_used(
            s->entry->account, p, budget_period_number(p, now_ms));

        if ((limit.tokens > 0 &&
             used.tokens + claim->amount.tokens >= limit.tokens) ||
            (limit.nanos > 0 &&
             used.nanos + claim->amount.nanos >= limit.nanos)) {
            exceed(claim, s, p, now_ms);
        }
    }
}

static void
reserve(struct budget_claim *claim)
{
    int64_t now_ms = clock_wall_ms();
    size_t count = claim->count * BUDGET_PERIODS;

    for (size_t i = 0; i < count; i++) {
        struct share *s = &claim->shares[i / BUDGET_PERIODS];
        enum budget_period p = i % BUDGET_PERIODS;

        s->number[p] = budget_period_number(p, now_ms);
        if (!budget_account_take(s->entry->account, p, s->number[p],
                                 claim->amount, s->limits.of[p])) {
            untake(claim, i);
            refuse(claim, now_ms);
            if (claim->verdict == ERR_OK) { /* given back meanwhile */
                exceed(claim, s, p, now_ms);
            }
            return;
        }
    }
    claim->held = true;
}

/* True: it is. */
static bool
decide(struct budget_claim *claim)
{
    for (size_t i = 0; i < claim->count; i++) {
        const struct budget_entry *e = claim->shares[i].entry;

        if (budget_account_ready(e->account)) {
            continue;
        }
        if (!e->failed) {
            return false;
        }
        claim->verdict = ERR_DATABASE_ERROR;
        claim->retry_after_ms = READ_AGAIN_MS;
        return true;
    }
    reserve(claim);
    return true;
}

/* Whoever is told may free claims and begin others. */
static void
on_news(void *cookie)
{
    struct budgets *b = cookie;
    struct list *it;

    LIST_FOREACH (each, &b->waiting) {
        struct budget_claim *claim =
            CONTAINER_OF(each, struct budget_claim, link);

        if (decide(claim)) {
            list_remove(&claim->link);
            list_push_back(&b->decided, &claim->link);
        }
    }
    while ((it = list_pop_front(&b->decided)) != NULL) {
        struct budget_claim *claim =
            CONTAINER_OF(it, struct budget_claim, link);

        claim->done(claim->cookie);
    }
}

static bool
load_all(struct budget_claim *claim)
{
    bool all = true;

    for (size_t i = 0; i < claim->count; i++) {
        struct budget_entry *e = claim->shares[i].entry;

        budget_keep_load(e);
        all = all && budget_account_ready(e->account);
    }
    return all;
}

/* --- the door ----------------------------------------------------------- */

struct budget_claim *
budget_start(struct chat *c, const struct budget_ask *ask,
             void (*done)(void *cookie), void *cookie, bool *ready)
{
    const struct provider_usage prompt = {.prompt_tokens =
                                              (int64_t)ask->prompt_tokens};
    struct budget_claim *claim = claim_new(c->budgets, ask);

    *ready = true;
    if (claim == NULL) {
        return NULL;
    }
    claim->done = done;
    claim->cookie = cookie;
    claim->amount.tokens = prompt.prompt_tokens;
    claim->amount.nanos = price_cost(ask->price, &prompt);
    if (load_all(claim)) {
        reserve(claim);
    } else {
        list_push_back(&c->budgets->waiting, &claim->link);
        *ready = false;
    }
    return claim;
}

enum err
budget_verdict(const struct budget_claim *claim, int64_t *retry_after_ms)
{
    *retry_after_ms = -1;
    if (claim == NULL || claim->verdict == ERR_OK) {
        return ERR_OK;
    }
    *retry_after_ms = claim->retry_after_ms;
    return claim->verdict;
}

/* The amount becomes this, in every account; in the periods of now. */
static void
change(struct budget_claim *claim, struct budget_amount to, int64_t now_ms)
{
    struct budget_amount more = minus(to, claim->amount);

    claim->amount = to;
    for (size_t i = 0; i < claim->count * BUDGET_PERIODS; i++) {
        add_more(claim, &claim->shares[i / BUDGET_PERIODS],
                 (enum budget_period)(i % BUDGET_PERIODS), more, now_ms);
    }
}

bool
budget_spend(struct budget_claim *claim, const struct provider_usage *tokens,
             const struct price *price)
{
    int64_t now_ms;

    if (claim == NULL || !claim->held || claim->settled) {
        return claim == NULL || claim->verdict == ERR_OK;
    }
    now_ms = clock_wall_ms();
    claim->spent = true;
    change(
        claim,
        (struct budget_amount){claim->amount.tokens + tokens->prompt_tokens +
                                   tokens->completion_tokens,
                               claim->amount.nanos + price_cost(price, tokens)},
        now_ms);
    for (size_t i = 0; i < claim->count * BUDGET_PERIODS; i++) {
        const struct share *s = &claim->shares[i / BUDGET_PERIODS];
        enum budget_period p = i % BUDGET_PERIODS;
        struct budget_amount used =
            budget_account_used(s->entry->account, p, s->number[p]);

        if (over(used.tokens, s->limits.of[p].tokens) ||
            over(used.nanos, s->limits.of[p].nanos)) {
            exceed(claim, s, p, now_ms);
        }
    }
    return claim->verdict == ERR_OK;
}

void
budget_settle(struct budget_claim *claim, const struct usage *usage)
{
    if (claim != NULL && claim->held && !claim->settled) {
        claim->settled = true;
        change(claim,
               (struct budget_amount){usage->total_tokens, usage->cost_nanos},
               clock_wall_ms());
    }
}

char *
budget_roles(const struct budget_claim *claim)
{
    struct buf out;

    buf_init(&out, UINT16_MAX);
    for (size_t i = 0; claim != NULL && i < claim->count; i++) {
        const struct budget_entry *e = claim->shares[i].entry;

        if (e->key[0] == 'r' && e->key_n > 1) {
            buf_puts(&out, out.n == 0 ? "\n" : "");
            buf_put(&out, e->key + 1, e->key_n - 1u);
            buf_putc(&out, '\n');
        }
    }
    if (out.n == 0) {
        buf_fini(&out);
        return NULL;
    }
    return buf_give(&out);
}

void
budget_free(struct budget_claim *claim)
{
    if (claim == NULL) {
        return;
    }
    if (claim->held && !claim->settled && !claim->spent) {
        change(claim, (struct budget_amount){0, 0}, clock_wall_ms());
    }
    list_remove(&claim->link);
    for (size_t i = 0; i < claim->count; i++) {
        budget_keep_release(claim->shares[i].entry);
    }
    xfree(claim->user_id);
    xfree(claim);
}

struct budgets *
budget_open(struct chat *c)
{
    struct budgets *b = xcalloc(1, sizeof(*b));

    b->chat = c;
    b->keep = budget_keep_new(c, on_news, b);
    list_init(&b->waiting);
    list_init(&b->decided);
    return b;
}

void
budget_close(struct budgets *b)
{
    if (b != NULL) {
        budget_keep_free(b->keep);
        xfree(b);
    }
}
