/* SPDX-License-Identifier: MIT */
/* Who is asked for an answer, and who next: see asking.h. Neighbours:
 * upstream.c carries a request out and judges the breaker; turn_ask.c and the
 * door get what the provider says. */
#include "chat/asking.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "chat/asking_parts.h"
#include "loop/shard.h"
#include "provider/breaker.h"

#include <string.h>

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

static uint64_t
now_ms(const struct asking *a)
{
    return shard_now_ms(a->terms->chat->shard);
}

static const struct provider_slots *
slots_of(const struct asking *a)
{
    return &a->terms->slots[a->provider];
}

static struct log_field
provider_field(const struct asking *a)
{
    return log_cstr("provider", asking_provider(a)->id);
}

/* --- whom --------------------------------------------------------------- */

uint16_t
asking_nth(const struct asking *a, size_t n)
{
    const struct provider_config *chosen =
        &settings_of(a)->providers[a->chosen];

    return n == 0 ? a->chosen : (uint16_t)chosen->fallback[n - 1];
}

static bool
may_answer(const struct asking *a, size_t n)
{
    const struct provider_config *p =
        &settings_of(a)->providers[asking_nth(a, n)];

    return p->ops->relays || (!a->relays_only && (p->vision || !a->pictures) &&
                              (p->ops->calls || !a->calls));
}

size_t
asking_after(const struct asking *a, size_t n)
{
    size_t last =
        a->alone ? 0 : settings_of(a)->providers[a->chosen].fallback_count;

    for (n++; n <= last; n++) {
        if (may_answer(a, n)) {
            return n;
        }
    }
    return 0;
}

bool
asking_sees(const struct asking *a)
{
    for (size_t n = 0; n == 0 || (n = asking_after(a, n - 1)) > 0; n++) {
        const struct provider_config *p =
            &settings_of(a)->providers[asking_nth(a, n)];

        if (p->vision) {
            return true;
        }
    }
    return false;
}

/* Turns to the n-th, n > a->fallbacks. */
static void
turn_to(struct asking *a, size_t n)
{
    const struct provider_config *all = settings_of(a)->providers;
    uint16_t failed = a->provider;

    a->fallbacks = (uint16_t)n;
    a->provider = asking_nth(a, n);
    a->attempts = 0;
    a->afresh = false;
    log_warn(EVENT_LLM_FALLBACK, "asking another provider", a->who[0],
             a->who[1], log_cstr("provider", all[failed].id),
             log_cstr("fallback", all[a->provider].id));
    metric_count_at(METRIC_LLM_FALLBACKS, a->terms->slots[failed].fallbacks);
}

bool
asking_admits(const struct asking *a, size_t n)
{
    struct breaker *b = settings_of(a)->providers[asking_nth(a, n)].breaker;

    return b == NULL || breaker_admit(b, now_ms(a));
}

/* Passes over those that are known to fail, unless all that are left are. */
static void
choose(struct asking *a)
{
    size_t n = a->fallbacks;

    while (!asking_admits(a, n)) {
        n = asking_after(a, n);
        if (n == 0) {
            return;
        }
    }
    if (n > a->fallbacks) {
        turn_to(a, n);
    }
}

/* --- once more ---------------------------------------------------------- */

static void
note_retry(const struct asking *a, uint64_t delay_ms)
{
    log_warn(EVENT_LLM_RETRY, "asking the provider again", a->who[0], a->who[1],
             provider_field(a), log_int("attempt", a->attempts + 1),
             log_int("wait_ms", (int64_t)delay_ms));
    metric_count_at(METRIC_LLM_RETRIES, slots_of(a)->retries);
}

/* A wait fits before the deadline, and nobody waits for the end of all. */
static bool
has_time(const struct asking *a, int64_t wait_ms)
{
    uint64_t spent = now_ms(a) - a->begun_ms;
    uint64_t wait = wait_ms > 0 ? (uint64_t)wait_ms : 0;

    return !a->terms->chat->draining &&
           spent + wait < settings_of(a)->stream_timeout_ms;
}

bool
asking_may_ask(const struct asking *a, int64_t wait_ms)
{
    return !a->spoken && has_time(a, wait_ms);
}

size_t
asking_next(const struct asking *a)
{
    return asking_after(a, a->fallbacks > a->rivals ? a->fallbacks : a->rivals);
}

static bool
has_fallback(const struct asking *a)
{
    return asking_next(a) > 0;
}

/* Whoever has a fallback is not asked again: that one answers sooner. */
static bool
may_retry(const struct asking *a, const struct upstream_failure *why)
{
    return why->retryable && !has_fallback(a) &&
           a->attempts < settings_of(a)->retry_attempts &&
           asking_may_ask(a, why->retry_after_ms);
}

/* Once an answer, the same provider is asked without the conversation that it
 * does not know (any more), at once; that is no attempt that failed. */
static bool
begin_afresh(struct asking *a, const struct upstream_failure *why)
{
    if (!why->stranger || !a->resumed || !asking_may_ask(a, 0)) {
        return false;
    }
    a->afresh = true;
    a->attempts--;
    log_warn(EVENT_LLM_STRANGER, "the provider does not know the conversation",
             a->who[0], a->who[1], provider_field(a));
    return true;
}

/* --- to go on ----------------------------------------------------------- */

bool
asking_may_break(const struct asking *a)
{
    return settings_of(a)->providers[a->chosen].continue_on_failure &&
           a->events->on_break != NULL && has_fallback(a);
}

/* Another one would be held to the same: what its filter keeps back it would
 * say. */
static bool
is_filter(const char *word)
{
    return strcmp(word, "content_filter") == 0 ||
           strcmp(word, "content_policy_violation") == 0;
}

/* Before turning to who goes on. True: it is taken. */
static bool
break_off(struct asking *a, const struct upstream_failure *why)
{
    if (!a->spoken || !asking_may_break(a) || !has_time(a, 0) ||
        is_filter(why->word)) {
        return false;
    }
    a->spoken = false;
    log_warn(EVENT_LLM_CONTINUE, "another provider goes on with the answer",
             a->who[0], a->who[1], provider_field(a),
             log_cstr("reason", why->word),
             log_int("bytes", (int64_t)a->bytes));
    metric_count_at(METRIC_LLM_CONTINUED, slots_of(a)->continued);
    a->events->on_break(a->cookie, why);
    return true;
}

void
asking_log_failure(const struct asking *a, const struct upstream_failure *why)
{
    enum event event =
        why->end == UPSTREAM_TIMEOUT ? EVENT_LLM_TIMEOUT : EVENT_LLM_ERROR;

    log_warn(event, "the provider failed", a->who[0], a->who[1],
             provider_field(a), log_cstr("reason", why->word),
             log_int("status", why->status), log_int("attempt", a->attempts),
             log_int("bytes", (int64_t)a->bytes));
    metric_count_at(METRIC_LLM_ERRORS, slots_of(a)->errors);
}

/* True: somebody is asked in a while, perhaps at once. */
static bool
ask_on(struct asking *a, const struct upstream_failure *why)
{
    uint64_t delay = 0;

    if (begin_afresh(a, why)) {
        asking_send(a);
        return true;
    }
    asking_log_failure(a, why);
    if (may_retry(a, why)) {
        delay = terms_retry_ms(a->terms, a->attempts, why->retry_after_ms);
        note_retry(a, delay);
    } else if (break_off(a, why) || (has_fallback(a) && asking_may_ask(a, 0))) {
        turn_to(a, asking_next(a));
    } else {
        return false;
    }
    timer_start(timers_of(a), &a->again, delay);
    return true;
}

/* --- what the provider says --------------------------------------------- */

static void
on_text(void *cookie, struct str text)
{
    struct asking *a = cookie;

    asking_rival_lost(a);
    a->bytes += text.n;
    a->spoken = true;
    a->events->on_text(a->cookie, text);
}

static void
on_call(void *cookie, unsigned at, const struct provider_call *call)
{
    struct asking *a = cookie;

    if (a->events->on_call != NULL) {
        asking_rival_lost(a);
        a->spoken = true;
        a->events->on_call(a->cookie, at, call);
    }
}

static void
on_usage(void *cookie, const struct usage *usage)
{
    struct asking *a = cookie;

    if (a->rival == NULL) {
        a->events->on_usage(a->cookie, usage);
    }
}

static void
on_finish(void *cookie, enum provider_finish reason)
{
    struct asking *a = cookie;

    asking_rival_lost(a);
    a->events->on_finish(a->cookie, reason);
}

static void
on_conversation(void *cookie, struct str id)
{
    struct asking *a = cookie;

    a->events->on_conversation(a->cookie, id);
}

static void
on_raw(void *cookie, const struct provider_raw *raw)
{
    struct asking *a = cookie;

    if (a->events->on_raw == NULL ||
        (!a->spoken && asking_rival_keeps(a, raw))) {
        return;
    }
    if (!a->spoken) {
        asking_rival_lost(a);
        asking_rival_tell(a);
        a->spoken = raw->speaks;
    }
    a->events->on_raw(a->cookie, raw);
}

static void
on_end(void *cookie, const struct upstream_failure *why)
{
    struct asking *a = cookie;

    a->upstream = NULL;
    timer_cancel(timers_of(a), &a->hedge);
    if (why->end == UPSTREAM_COMPLETE) {
        asking_rival_lost(a);
        asking_rival_tell(a);
    } else if (a->rival != NULL) {
        asking_log_failure(a, why);
        asking_rival_won(a);
        return;
    } else if (ask_on(a, why)) {
        return;
    }
    timer_cancel(timers_of(a), &a->deadline);
    a->events->on_end(a->cookie, why);
}

const struct upstream_events asking_heard = {
    on_text, on_call, on_usage, on_finish, on_conversation, on_raw, on_end};

/* --- its life ----------------------------------------------------------- */

static void
on_again(struct timer *timer)
{
    asking_send(CONTAINER_OF(timer, struct asking, again));
}

static void
on_deadline(struct timer *timer)
{
    struct asking *a = CONTAINER_OF(timer, struct asking, deadline);
    struct upstream_failure why = {.end = UPSTREAM_TIMEOUT,
                                   .retry_after_ms = -1,
                                   .word = "stream_timeout"};

    log_warn(EVENT_LLM_TIMEOUT, "the whole answer took too long", a->who[0],
             a->who[1], provider_field(a),
             log_int("wait_ms", (int64_t)settings_of(a)->stream_timeout_ms));
    asking_cancel(a);
    a->events->on_end(a->cookie, &why);
}

void
asking_init(struct asking *a, struct terms *terms, uint16_t chosen,
            const struct asking_events *what, void *cookie)
{
    *a = (struct asking){.terms = terms_hold(terms),
                         .events = what,
                         .cookie = cookie,
                         .chosen = chosen,
                         .provider = chosen};
    timer_init(&a->again, on_again);
    asking_rival_init(a);
    timer_init(&a->deadline, on_deadline);
}

void
asking_fini(struct asking *a)
{
    CHECK(a->upstream == NULL && a->rival == NULL && a->handover == NULL);
    asking_rival_fini(a);
    terms_release(a->terms);
    a->terms = NULL;
}

void
asking_begin(struct asking *a)
{
    a->begun_ms = now_ms(a);
    timer_start(timers_of(a), &a->deadline, settings_of(a)->stream_timeout_ms);
}

static void
ask(struct asking *a, const struct provider_turn *prompt)
{
    a->resumed = prompt->conversation.n > 0;
    a->upstream =
        upstream_start(a->terms, a->provider, prompt, &asking_heard, a);
    asking_rival_plan(a);
}

static void
on_handed_over(void *cookie)
{
    struct asking *a = cookie;
    struct provider_turn prompt = {.count = 0};

    a->events->on_ask(a->cookie, &prompt);
    handover_names(a->handover, &prompt);
    ask(a, &prompt);
    handover_free(a->handover);
    a->handover = NULL;
}

static void
on_not_handed_over(void *cookie, const struct upstream_failure *why)
{
    struct asking *a = cookie;
    struct breaker *b = asking_provider(a)->breaker;

    handover_free(a->handover);
    a->handover = NULL;
    if (b != NULL) {
        breaker_give_up(b, now_ms(a));
    }
    on_end(a, why);
}

static const struct handover_events handed = {on_handed_over,
                                              on_not_handed_over};

void
asking_send(struct asking *a)
{
    struct provider_turn prompt = {.count = 0};

    choose(a);
    a->attempts++;
    buf_reset(&a->opening, 0);
    metric_count_at(METRIC_LLM_REQUESTS, slots_of(a)->requests);
    a->events->on_ask(a->cookie, &prompt);
    a->handover = handover_start(
        &(struct handover_ask){a->terms, a->provider, &prompt, a->who}, &handed,
        a);
    if (a->handover == NULL) {
        ask(a, &prompt);
    }
}

void
asking_cancel(struct asking *a)
{
    upstream_cancel(a->upstream);
    upstream_cancel(a->rival);
    a->upstream = a->rival = NULL;
    handover_free(a->handover);
    a->handover = NULL;
    timer_cancel(timers_of(a), &a->again);
    timer_cancel(timers_of(a), &a->hedge);
    timer_cancel(timers_of(a), &a->deadline);
}
