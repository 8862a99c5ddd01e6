/* SPDX-License-Identifier: MIT */
/* Two providers asked at once (llm.hedge_after): whoever gives the first text
 * is heard, the other one is stopped. The one that was asked later is the
 * rival of the first; while both run, nobody hears of either. */
#include "chat/asking_parts.h"

#include "base/metrics.h"
#include "loop/shard.h"

static const struct chat_settings *
settings_of(const struct asking *a)
{
    return a->terms->settings;
}

static struct timers *
timers_of(const struct asking *a)
{
    return &a->terms->chat->shard->timers;
}

/* --- events before the first word ---------------------------------------- */

/* Whoever opens an answer with more than this has something to say. */
#define OPENING_BYTES 65536

/* Each with its kind in front, and a NUL behind, which no JSON has. */
#define COUNTS '1'
#define OTHER '0'

static bool
keep(struct buf *opening, const struct provider_raw *raw)
{
    buf_putc(opening, raw->counts_only ? COUNTS : OTHER);
    buf_put_str(opening, raw->json);
    buf_putc(opening, '\0');
    return !opening->failed;
}

bool
asking_rival_keeps(struct asking *a, const struct provider_raw *raw)
{
    bool race = a->rival != NULL || timer_armed(&a->hedge);

    return race && !raw->speaks && keep(&a->opening, raw);
}

void
asking_rival_tell(struct asking *a)
{
    struct str rest = buf_str(&a->opening), one;

    while (rest.n > 1 && str_split(&rest, '\0', &one)) {
        struct provider_raw raw = {.json = str_from_at(one, 1),
                                   .counts_only = one.p[0] == COUNTS};

        a->events->on_raw(a->cookie, &raw);
    }
    buf_reset(&a->opening, 0);
}

void
asking_rival_fini(struct asking *a)
{
    buf_fini(&a->opening);
    buf_fini(&a->rivals_opening);
}

/* --- the race ------------------------------------------------------------ */

/* What comes from here on is the first one's. */
static void
listen_alone(struct asking *a)
{
    struct provider_turn unused = {.count = 0};

    a->rival = NULL;
    a->events->on_ask(a->cookie, &unused);
}

/* It has spoken, or is done, before its rival has. */
void
asking_rival_lost(struct asking *a)
{
    timer_cancel(timers_of(a), &a->hedge);
    if (a->rival != NULL) {
        upstream_cancel(a->rival);
        listen_alone(a);
    }
}

/* The rival takes the first one's place, which is no more. */
void
asking_rival_won(struct asking *a)
{
    struct buf lost = a->opening;

    a->opening = a->rivals_opening;
    a->rivals_opening = lost;
    a->upstream = a->rival;
    a->rival = NULL;
    a->fallbacks = a->rivals;
    a->provider = asking_nth(a, a->rivals);
    a->attempts = 1;
}

static void
win(struct asking *a)
{
    if (a->rival != NULL) {
        upstream_cancel(a->upstream);
        asking_rival_won(a);
    }
}

static void
on_rival_text(void *cookie, struct str text)
{
    win(cookie);
    asking_heard.on_text(cookie, text);
}

static void
on_rival_call(void *cookie, unsigned at, const struct provider_call *call)
{
    win(cookie);
    asking_heard.on_call(cookie, at, call);
}

/* Before it has won there is nothing to be told. */
static void
on_rival_usage(void *cookie, const struct usage *usage)
{
    struct asking *a = cookie;

    if (a->rival == NULL) {
        asking_heard.on_usage(a, usage);
    }
}

static void
on_rival_finish(void *cookie, enum provider_finish reason)
{
    struct asking *a = cookie;

    if (a->rival == NULL) {
        asking_heard.on_finish(a, reason);
    }
}

static void
on_rival_conversation(void *cookie, struct str id)
{
    (void)cookie;
    (void)id; /* who keeps conversations is nobody's rival */
}

static void
on_rival_raw(void *cookie, const struct provider_raw *raw)
{
    struct asking *a = cookie;

    if (a->events->on_raw == NULL ||
        (a->rival != NULL && !raw->speaks && keep(&a->rivals_opening, raw))) {
        return;
    }
    win(a);
    asking_heard.on_raw(a, raw);
}

static void
on_rival_end(void *cookie, const struct upstream_failure *why)
{
    struct asking *a = cookie;
    uint16_t first = a->provider;

    if (a->rival == NULL) {
        asking_heard.on_end(a, why);
        return;
    }
    a->provider = asking_nth(a, a->rivals);
    asking_log_failure(a, why);
    a->provider = first;
    listen_alone(a);
}

static const struct upstream_events rival_events = {
    on_rival_text,         on_rival_call, on_rival_usage, on_rival_finish,
    on_rival_conversation, on_rival_raw,  on_rival_end};

static bool
may_race(const struct asking *a, size_t n)
{
    const struct provider_config *p =
        &settings_of(a)->providers[asking_nth(a, n)];

    return !p->ops->keeps_log && asking_admits(a, n);
}

static void
start_rival(struct asking *a, size_t n)
{
    struct provider_turn prompt = {.count = 0};
    uint16_t first = a->provider;

    a->rivals = (uint16_t)n;
    a->provider = asking_nth(a, n);
    buf_reset(&a->rivals_opening, 0);
    log_warn(EVENT_LLM_HEDGE, "asking another provider beside it", a->who[0],
             a->who[1],
             log_cstr("provider", settings_of(a)->providers[first].id),
             log_cstr("fallback", asking_provider(a)->id));
    metric_count_at(METRIC_LLM_HEDGES, a->terms->slots[first].hedges);
    metric_count_at(METRIC_LLM_REQUESTS, a->terms->slots[a->provider].requests);
    a->events->on_ask(a->cookie, &prompt);
    a->rival = upstream_start(a->terms, a->provider, &prompt, &rival_events, a);
    a->provider = first;
}

static void
on_hedge(struct timer *timer)
{
    struct asking *a = CONTAINER_OF(timer, struct asking, hedge);
    size_t n = asking_next(a);

    while (n > 0 && !may_race(a, n)) {
        n = asking_after(a, n);
    }
    if (n > 0 && asking_may_ask(a, 0)) {
        start_rival(a, n);
    }
}

void
asking_rival_init(struct asking *a)
{
    buf_init(&a->opening, OPENING_BYTES);
    buf_init(&a->rivals_opening, OPENING_BYTES);
    timer_init(&a->hedge, on_hedge);
}

/* Only where nothing that comes before the first text matters (a conversation
 * at the provider), and not to go on with an answer, which costs the whole of
 * it once more. */
void
asking_rival_plan(struct asking *a)
{
    uint64_t wait = settings_of(a)->hedge_after_ms;

    timer_cancel(timers_of(a), &a->hedge);
    if (wait > 0 && a->bytes == 0 && !asking_provider(a)->ops->keeps_log &&
        asking_next(a) > 0) {
        timer_start(timers_of(a), &a->hedge, wait);
    }
}
