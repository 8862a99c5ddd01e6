/* SPDX-License-Identifier: MIT */
/* One answer outside any conversation. Neighbours: gate/openai_door.c gives it
 * to a client, asking.c asks for it. */
#include "chat/exchange.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "chat/asking.h"
#include "chat/bill.h"
#include "chat/carry.h"
#include "guard/pseudonym.h"
#include "loop/shard.h"
#include "provider/estimate.h"
#include "store/secret.h"

#include <string.h>

/* As a turn's checkpoints. */
#define PUT_EVERY_MS 1000

struct exchange {
    struct list link; /* chat->exchanges */
    struct asking asking;
    const struct exchange_events *events;
    void *cookie;
    uint64_t prompt_tokens; /* by estimate */
    uint64_t quarters;      /* of tokens that have come, by estimate */
    struct usage usage;     /* as the provider says */
    struct buf text;        /* what was shown, if it may be gone on with */
    struct carry *carry;    /* NULL before the first break */
    uint16_t writer;        /* whose text of those before is shown last */
    struct budget_claim *claim;
    char entry_id[RAND_ID_CHARS + 1];
    int64_t put_at_ms;    /* the entry's time, wall clock; 0: none was put */
    uint64_t put_ms;      /* when it began, or was put; the shard's clock */
    struct timer refusal; /* tells that a budget does not allow it */
    enum provider_finish finish;
    char id[RAND_ID_CHARS + 1]; /* the request's */
    char pseudonym[PSEUDONYM_CHARS + 1];
    struct str user_id; /* of the allocation */
    char user[];
};

/* --- what it cost ------------------------------------------------------- */

/* Of an answer that is gone on with, its beginning is part of what is asked. */
static uint64_t
prompt_of(const struct exchange *x)
{
    struct str shown = str_trim_end(buf_str(&x->text));

    return x->prompt_tokens +
           (x->carry != NULL ? estimate_message_tokens(shown) : 0);
}

/* Of the provider that is asked now. */
static struct usage
usage_of_part(const struct exchange *x)
{
    struct usage u = x->usage;

    if (!u.present) {
        u = bill_estimate(prompt_of(x), (x->quarters + 3) / 4);
    }
    bill_settle(&u, &asking_provider(&x->asking)->price);
    return u;
}

/* Who only failed has used nothing that is known. */
static bool
has_part(const struct exchange *x)
{
    return x->asking.spoken || x->usage.present;
}

/* Of all. */
static struct usage
usage_of(const struct exchange *x)
{
    struct usage part = usage_of_part(x), sum;

    if (x->carry == NULL) {
        return part;
    }
    sum = x->carry->used;
    if (has_part(x)) {
        carry_add(&sum, &part);
    }
    return sum;
}

/* Whose entry it is: the last one's whose text was shown. */
static const struct provider_config *
writer_of(const struct exchange *x)
{
    bool new = x->carry == NULL || carry_has_share(x->carry, buf_str(&x->text));

    return new ? asking_provider(&x->asking)
               : &x->asking.terms->settings->providers[x->writer];
}

static void
on_kept(struct store_job *job)
{
    if (job->result != ERR_OK) {
        metric_count(METRIC_BUDGET_ERRORS);
        log_warn(EVENT_BUDGET, "it could not be stored what was used",
                 log_cstr("user_id", job->review->entry.user_id),
                 log_cstr("code", err_info(job->result)->code));
    }
    budget_free(job->cookie);
    store_job_free(job);
}

/* claim: taken; freed when the entry can be read. */
static void
put_entry(struct exchange *x, const struct usage *u, struct budget_claim *claim)
{
    struct chat *c = x->asking.terms->chat;
    struct store_job *job =
        store_job_new(STORE_USAGE_PUT, c->shard, on_kept, claim);
    struct usage_entry *e;

    job->review = review_new();
    e = &job->review->entry;
    memcpy(e->id, x->entry_id, sizeof(e->id));
    e->user_id = str_dup(x->user_id);
    e->model_id = xstrdup(writer_of(x)->id);
    e->was_ms = x->put_at_ms;
    e->at_ms = x->put_at_ms = clock_wall_ms();
    e->usage = *u;
    e->budget_roles = budget_roles(x->claim);
    store_submit(c->store, job);
}

/* The claim is held until then: who asks meanwhile is not told an earlier
 * state. */
static void
keep_entry(struct exchange *x, const struct usage *u)
{
    put_entry(x, u, x->claim);
    x->claim = NULL;
}

/* Of a user under a budget: what a crash will find of a long answer. */
static void
keep_so_far(struct exchange *x)
{
    uint64_t now = shard_now_ms(x->asking.terms->chat->shard);
    struct usage u;

    if (x->claim != NULL && now >= x->put_ms + PUT_EVERY_MS) {
        u = usage_of(x);
        put_entry(x, &u, NULL);
        x->put_ms = now;
    }
}

static void
count(struct exchange *x)
{
    const struct asking *a = &x->asking;
    const struct provider_slots *slots = &a->terms->slots[a->provider];
    uint64_t now = shard_now_ms(a->terms->chat->shard);
    struct usage part = usage_of_part(x), u = usage_of(x);

    if (a->spoken) {
        bill_count(&part, slots);
    }
    if (a->spoken || x->carry != NULL) {
        budget_settle(x->claim, &u);
        keep_entry(x, &u);
        metric_observe_at(METRIC_LLM_LATENCY, slots->latency,
                          (double)(now - a->begun_ms) / 1000);
    }
}

static void
exchange_free(struct exchange *x)
{
    struct chat *c = x->asking.terms->chat;

    list_remove(&x->link);
    timer_cancel(&c->shard->timers, &x->refusal);
    budget_free(x->claim);
    buf_fini(&x->text);
    if (x->carry != NULL) {
        carry_fini(x->carry);
        xfree(x->carry);
    }
    asking_cancel(&x->asking);
    asking_fini(&x->asking);
    xfree(x);
    chat_turn_over(c);
}

/* --- events ------------------------------------------------------------- */

static const struct asking_events events, going_on;

/* What it is sent counts; whether a budget allows it is seen at its first
 * chunk. */
static void
go_on(struct exchange *x, struct provider_turn *prompt)
{
    const struct provider_usage sent = {.prompt_tokens = (int64_t)prompt_of(x)};

    prompt->partial = str_trim_end(buf_str(&x->text));
    (void)!budget_spend(x->claim, &sent, &asking_provider(&x->asking)->price);
}

static void
on_ask(void *cookie, struct provider_turn *prompt)
{
    struct exchange *x = cookie;
    const struct provider_config *p = asking_provider(&x->asking);
    const struct chat *c = x->asking.terms->chat;

    x->usage = (struct usage){.present = false};
    x->quarters = 0;
    x->finish = PROVIDER_STOP;
    x->events->on_ask(x->cookie, p, prompt);
    if (x->carry != NULL) {
        go_on(x, prompt);
    }
    if (p->ops->keeps_log ||
        (prompt->wishes != NULL && prompt->wishes->names_user)) {
        pseudonym_make(store_secret(c->store), str_from(p->id), x->user_id,
                       x->pseudonym);
        prompt->user = str_from(x->pseudonym);
    }
}

static bool
spend(struct exchange *x, uint64_t quarters)
{
    const struct provider_usage chunk = {.completion_tokens =
                                             (int64_t)((quarters + 3) / 4)};

    return budget_spend(x->claim, &chunk, &asking_provider(&x->asking)->price);
}

/* Nobody is told inside of another's call. */
static void
refuse_later(struct exchange *x)
{
    timer_start(&x->asking.terms->chat->shard->timers, &x->refusal, 0);
}

/* What has come and been told counts: it may be the last there was. */
static void
take(struct exchange *x, uint64_t quarters)
{
    x->quarters += quarters;
    if (!spend(x, quarters)) {
        asking_cancel(&x->asking);
        refuse_later(x);
    } else {
        keep_so_far(x);
    }
}

/* What is not wholly known, or no mere text, cannot be gone on with. */
static void
stay(struct exchange *x, bool whole)
{
    if (!whole) {
        x->asking.events = &events;
    }
}

static void
show(struct exchange *x, struct str text)
{
    if (text.n > 0) {
        if (exchange_goes_on(x)) {
            buf_put_str(&x->text, text);
            stay(x, !x->text.failed);
        }
        x->events->on_text(x->cookie, text);
    }
}

static void
on_text(void *cookie, struct str text)
{
    struct exchange *x = cookie;

    show(x, x->carry != NULL ? carry_text(x->carry, text) : text);
    take(x, estimate_quarters(text));
}

static void
on_call(void *cookie, unsigned at, const struct provider_call *call)
{
    struct exchange *x = cookie;

    stay(x, false);
    x->events->on_call(x->cookie, at, call);
    take(x, estimate_quarters(call->name) + estimate_quarters(call->arguments));
}

static void
on_usage(void *cookie, const struct usage *usage)
{
    struct exchange *x = cookie;

    x->usage = *usage;
}

static void
on_finish(void *cookie, enum provider_finish reason)
{
    struct exchange *x = cookie;

    x->finish = reason;
}

static void
on_conversation(void *cookie, struct str id)
{
    (void)cookie;
    (void)id; /* nobody comes back to it */
}

static void
on_raw(void *cookie, const struct provider_raw *raw)
{
    struct exchange *x = cookie;

    if (x->carry == NULL) {
        x->events->on_raw(x->cookie, raw);
    }
    if (raw->aside_quarters > 0) {
        take(x, raw->aside_quarters);
    }
}

/* What a provider says about the request is the client's to know if the request
 * was given it as it is, or nearly so, and it is not about our key. */
static struct str
refusal_of(const struct exchange *x, const struct upstream_failure *why)
{
    const struct provider_config *p = asking_provider(&x->asking);
    struct str key = str_from(p->api_key);

    if ((!p->ops->relays && !p->ops->calls) ||
        (key.n > 0 && str_contains_nocase(why->refusal, key))) {
        return (struct str){NULL, 0};
    }
    return why->refusal;
}

static void
on_break(void *cookie, const struct upstream_failure *why)
{
    struct exchange *x = cookie;
    struct usage part = usage_of_part(x);

    (void)why;
    if (x->carry == NULL) {
        x->carry = xcalloc(1, sizeof(*x->carry));
        carry_init(x->carry, x->text.n);
        x->events->on_break(x->cookie);
    }
    bill_count(&part, &x->asking.terms->slots[x->asking.provider]);
    if (carry_has_share(x->carry, buf_str(&x->text))) {
        x->writer = x->asking.provider;
    }
    carry_break(x->carry, buf_str(&x->text), &part);
}

/* The last of the text first, if there is any. */
static void
show_rest(struct exchange *x)
{
    if (x->carry != NULL) {
        show(x, carry_rest(x->carry));
    }
}

static void
tell_end(struct exchange *x, const struct upstream_failure *why)
{
    struct exchange_end end = {
        .complete = why->end == UPSTREAM_COMPLETE,
        .timeout = why->end == UPSTREAM_TIMEOUT,
        .finish = x->finish,
        .usage = usage_of(x),
        .status = why->status,
        .refusal = refusal_of(x, why),
        .retry_after_ms = why->retry_after_ms,
    };

    count(x);
    x->events->on_end(x->cookie, &end);
    exchange_free(x);
}

static void
on_end(void *cookie, const struct upstream_failure *why)
{
    show_rest(cookie);
    tell_end(cookie, why);
}

static void
on_refusal(struct timer *timer)
{
    struct exchange *x = CONTAINER_OF(timer, struct exchange, refusal);
    struct exchange_end end = {.usage = usage_of(x)};

    end.refused = budget_verdict(x->claim, &end.retry_after_ms);
    count(x);
    x->events->on_end(x->cookie, &end);
    exchange_free(x);
}

static const struct asking_events events = {
    on_ask,          on_text, on_call, on_usage, on_finish,
    on_conversation, on_raw,  NULL,    on_end};

static const struct asking_events going_on = {
    on_ask,          on_text, on_call,  on_usage, on_finish,
    on_conversation, on_raw,  on_break, on_end};

bool
exchange_goes_on(const struct exchange *x)
{
    const struct asking *a = &x->asking;

    return a->events == &going_on &&
           a->terms->settings->providers[a->chosen].continue_on_failure;
}

/* --- its life ----------------------------------------------------------- */

static void
on_decided(void *cookie)
{
    struct exchange *x = cookie;
    int64_t retry_after_ms;

    if (budget_verdict(x->claim, &retry_after_ms) == ERR_OK) {
        asking_send(&x->asking);
    } else {
        refuse_later(x);
    }
}

static void
reserve(struct exchange *x, struct str roles)
{
    const struct budget_ask ask = {.settings = x->asking.terms->settings,
                                   .user_id = x->user_id,
                                   .roles = roles,
                                   .prompt_tokens = x->prompt_tokens,
                                   .price =
                                       &asking_provider(&x->asking)->price};
    bool ready;

    x->claim = budget_start(x->asking.terms->chat, &ask, on_decided, x, &ready);
    if (ready) {
        on_decided(x);
    }
}

struct exchange *
exchange_start(struct chat *c, const struct exchange_request *request,
               const struct exchange_events *what, void *cookie)
{
    struct exchange *x = xcalloc(1, sizeof(*x) + request->user_id.n);

    x->events = what;
    x->cookie = cookie;
    x->prompt_tokens = request->prompt_tokens;
    memcpy(x->user, request->user_id.p, request->user_id.n);
    x->user_id = (struct str){x->user, request->user_id.n};
    memcpy(x->id, request->id.p, RAND_ID_CHARS);
    rand_id(x->entry_id);
    x->put_ms = shard_now_ms(c->shard);
    list_push_back(&c->exchanges, &x->link);
    chat_turn_begun(c);
    buf_init(&x->text, c->terms->settings->max_answer_bytes);
    asking_init(&x->asking, c->terms, (uint16_t)request->model,
                request->goes_on ? &going_on : &events, x);
    x->asking.relays_only = request->relays_only;
    x->asking.pictures = request->pictures;
    x->asking.calls = request->calls;
    x->asking.alone = request->embeds;
    x->asking.who[0] = log_cstr("request_id", x->id);
    x->asking.who[1] = log_str("user_id", x->user_id);
    timer_init(&x->refusal, on_refusal);
    asking_begin(&x->asking);
    reserve(x, request->roles);
    return x;
}

void
exchange_cancel(struct exchange *x)
{
    count(x);
    exchange_free(x);
}

void
exchange_cut_all(struct chat *c)
{
    static const struct upstream_failure why = {
        .end = UPSTREAM_CUT, .retry_after_ms = -1, .word = "shutdown"};

    while (!list_empty(&c->exchanges)) {
        struct exchange *x =
            CONTAINER_OF(c->exchanges.next, struct exchange, link);

        asking_cancel(&x->asking);
        on_end(x, &why);
    }
}

void
exchange_pause(struct exchange *x)
{
    if (x->asking.upstream != NULL) {
        metric_count(METRIC_UPSTREAM_PAUSES);
        upstream_pause(x->asking.upstream);
    }
}

void
exchange_resume(struct exchange *x)
{
    if (x->asking.upstream != NULL) {
        upstream_resume(x->asking.upstream);
    }
}
