/* SPDX-License-Identifier: MIT */
/* A turn asks its model: READ the earlier turns, ASK, RETRY while nothing has
 * been shown, STREAM. What the provider says arrives here and becomes text or
 * an end. */
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "chat/frames.h"
#include "chat/history.h"
#include "chat/session.h"
#include "chat/turn_parts.h"
#include "codec/utf8.h"
#include "guard/pseudonym.h"
#include "loop/shard.h"
#include "provider/breaker.h"
#include "store/secret.h"

static struct chat *
chat_of(const struct turn *t)
{
    return t->session->user->chat;
}

static const struct chat_settings *
settings_of(const struct turn *t)
{
    return t->terms->settings;
}

static uint64_t
now_ms(const struct turn *t)
{
    return shard_now_ms(chat_of(t)->shard);
}

/* --- READ --------------------------------------------------------------- */

static void
on_history(void *cookie, enum err e)
{
    struct turn *t = cookie;

    if (e != ERR_OK) {
        turn_end(t, TURN_END_STORAGE);
        return;
    }
    turn_enter(t, TURN_ASK);
}

static void
on_deadline(struct timer *timer)
{
    struct turn *t = CONTAINER_OF(timer, struct turn, deadline);

    log_warn(EVENT_LLM_TIMEOUT, "the whole answer took too long",
             log_str("session_id", session_id(t->session)),
             log_cstr("message_id", t->answer.id),
             log_cstr("provider", settings_of(t)->providers[t->provider].id),
             log_int("wait_ms", (int64_t)settings_of(t)->stream_timeout_ms));
    turn_end(t, TURN_END_TIMEOUT);
}

/* Settings may have been replaced while the turn waited. A model that is not
 * among the new ones is asked as it was. */
static void
renew_terms(struct turn *t)
{
    struct terms *now = chat_of(t)->terms;
    const char *id = settings_of(t)->providers[t->chosen].id;
    int model = chat_model_find(now->settings, str_from(id));

    if (model >= 0) {
        (void)terms_hold(now);
        terms_release(t->terms);
        t->terms = now;
        t->chosen = t->provider = (uint16_t)model;
    }
}

void
turn_ask_read(struct turn *t)
{
    struct session *s = t->session;
    struct chat *c = chat_of(t);
    bool ready;

    renew_terms(t);
    LIST_FOREACH (it, &s->outlets) {
        struct outlet *o = CONTAINER_OF(it, struct outlet, link);

        o->sent = o->chunk = 0;
    }
    t->begun_ms = now_ms(t);
    session_broadcast(s, NULL, frame_loading(s, t->answer.id, t->question.id));
    timer_init(&t->deadline, on_deadline);
    timer_start(&c->shard->timers, &t->deadline,
                settings_of(t)->stream_timeout_ms);
    t->history = history_start(s, &t->question, on_history, t, &ready);
    if (ready) {
        turn_enter(t, TURN_ASK);
    }
}

/* --- ASK ---------------------------------------------------------------- */

static void on_text(void *cookie, struct str text);
static void on_usage(void *cookie, const struct usage *usage);
static void on_finish(void *cookie, enum provider_finish reason);
static void on_conversation(void *cookie, struct str id);
static void on_end(void *cookie, const struct upstream_failure *why);

static const struct upstream_events events = {on_text, on_usage, on_finish,
                                              on_conversation, on_end};

/* A provider that keeps the log itself is told who asks, and only what it does
 * not know; it has its own idea of what a conversation is called. */
static void
send_prompt(struct turn *t)
{
    const struct provider_config *p = &settings_of(t)->providers[t->provider];
    struct provider_turn prompt = *history_prompt(t->history);
    char user[PSEUDONYM_CHARS + 1];

    if (p->ops->keeps_log) {
        pseudonym_make(store_secret(chat_of(t)->store), str_from(p->id),
                       user_id(t->session->user), user);
        prompt.user = str_from(user);
        if (!t->afresh) {
            history_resume(t->history, str_from(p->id), &prompt);
        }
    }
    t->resumed = prompt.conversation.n > 0;
    t->upstream = upstream_start(t->terms, t->provider, &prompt, &events, t);
}

/* The n-th of those that may be asked: the chosen one, then its fallbacks. */
static uint16_t
nth_provider(const struct turn *t, size_t n)
{
    const struct provider_config *chosen =
        &settings_of(t)->providers[t->chosen];

    return n == 0 ? t->chosen : (uint16_t)chosen->fallback[n - 1];
}

/* Turns to the n-th, n > t->fallbacks. */
static void
turn_to(struct turn *t, size_t n)
{
    const struct provider_config *all = settings_of(t)->providers;
    uint16_t failed = t->provider;

    t->fallbacks = (uint16_t)n;
    t->provider = nth_provider(t, n);
    t->attempts = 0;
    t->afresh = false;
    log_warn(EVENT_LLM_FALLBACK, "asking another provider",
             log_str("session_id", session_id(t->session)),
             log_cstr("message_id", t->answer.id),
             log_cstr("provider", all[failed].id),
             log_cstr("fallback", all[t->provider].id));
    metric_count_at(METRIC_LLM_FALLBACKS, t->terms->slots[failed].fallbacks);
}

static bool
admits(const struct turn *t, size_t n)
{
    struct breaker *b = settings_of(t)->providers[nth_provider(t, n)].breaker;

    return b == NULL || breaker_admit(b, now_ms(t));
}

/* Passes over those that are known to fail, unless all that are left are. */
static void
choose(struct turn *t)
{
    size_t n = t->fallbacks;
    size_t last = settings_of(t)->providers[t->chosen].fallback_count;

    while (n <= last && !admits(t, n)) {
        n++;
    }
    if (n > t->fallbacks && n <= last) {
        turn_to(t, n);
    }
}

void
turn_ask_send(struct turn *t)
{
    choose(t);
    t->attempts++;
    xfree(t->answer.model_id);
    xfree(t->answer.conversation);
    t->answer.conversation = NULL;
    t->answer.model_id = xstrdup(settings_of(t)->providers[t->provider].id);
    t->answer.usage = (struct usage){.present = false};
    t->prompt_tokens = history_tokens(t->history);
    t->finish = TURN_END_STOP;
    metric_count_at(METRIC_LLM_REQUESTS, t->terms->slots[t->provider].requests);
    send_prompt(t);
}

/* --- RETRY -------------------------------------------------------------- */

/* Doubling from retry_delay to retry_max_delay, less up to half of it so that
 * many turns do not ask again at the same moment; what the provider itself
 * asks for is kept. */
static uint64_t
retry_delay_ms(const struct turn *t)
{
    const struct chat_settings *set = settings_of(t);
    uint64_t delay = set->retry_delay_ms;

    if (t->attempts == 0) {
        return 0; /* a fallback */
    }
    for (unsigned i = 1; i < t->attempts && delay < set->retry_max_delay_ms;
         i++) {
        delay *= 2;
    }
    delay = delay < set->retry_max_delay_ms ? delay : set->retry_max_delay_ms;
    delay -= rand_below(delay / 2 + 1);
    if (t->retry_after_ms > (int64_t)delay) {
        delay = (uint64_t)t->retry_after_ms;
    }
    return delay;
}

static void
note_retry(const struct turn *t, uint64_t delay_ms)
{
    log_warn(EVENT_LLM_RETRY, "asking the provider again",
             log_str("session_id", session_id(t->session)),
             log_cstr("message_id", t->answer.id),
             log_cstr("provider", settings_of(t)->providers[t->provider].id),
             log_int("attempt", t->attempts + 1),
             log_int("wait_ms", (int64_t)delay_ms));
    metric_count_at(METRIC_LLM_RETRIES, t->terms->slots[t->provider].retries);
}

static void
on_retry(struct timer *timer)
{
    turn_enter(CONTAINER_OF(timer, struct turn, timer), TURN_ASK);
}

void
turn_ask_retry(struct turn *t)
{
    uint64_t delay = retry_delay_ms(t);

    if (t->attempts > 0) {
        note_retry(t, delay);
    }
    timer_init(&t->timer, on_retry);
    timer_start(&chat_of(t)->shard->timers, &t->timer, delay);
}

/* Whether somebody may be asked once more, after a wait: nothing has been
 * shown, and it fits before the deadline. */
static bool
may_ask(const struct turn *t, int64_t wait_ms)
{
    uint64_t spent = now_ms(t) - t->begun_ms;
    uint64_t wait = wait_ms > 0 ? (uint64_t)wait_ms : 0;

    return t->text.n == 0 && !chat_of(t)->draining &&
           spent + wait < settings_of(t)->stream_timeout_ms;
}

static bool
has_fallback(const struct turn *t)
{
    return t->fallbacks < settings_of(t)->providers[t->chosen].fallback_count;
}

/* Whoever has a fallback is not asked again: that one answers sooner. */
static bool
may_retry(const struct turn *t, const struct upstream_failure *why)
{
    return why->retryable && !has_fallback(t) &&
           t->attempts < settings_of(t)->retry_attempts &&
           may_ask(t, why->retry_after_ms);
}

/* Once a turn, the same provider is asked without the conversation that it does
 * not know (any more), at once; that is no attempt that failed. */
static bool
begin_afresh(struct turn *t, const struct upstream_failure *why)
{
    if (!why->stranger || !t->resumed || !may_ask(t, 0)) {
        return false;
    }
    t->afresh = true;
    t->attempts--;
    log_warn(EVENT_LLM_STRANGER, "the provider does not know the conversation",
             log_str("session_id", session_id(t->session)),
             log_cstr("message_id", t->answer.id),
             log_cstr("provider", settings_of(t)->providers[t->provider].id));
    return true;
}

/* Turns to the next fallback of the provider that was chosen; false when there
 * is none left. */
static bool
fall_back(struct turn *t)
{
    if (!has_fallback(t) || !may_ask(t, 0)) {
        return false;
    }
    turn_to(t, t->fallbacks + 1u);
    return true;
}

/* --- STREAM ------------------------------------------------------------- */

static void
on_draft_due(struct timer *timer)
{
    struct turn *t = CONTAINER_OF(timer, struct turn, timer);

    turn_draft_check(t);
    timer_start(&chat_of(t)->shard->timers, &t->timer, TURN_DRAFT_MS);
}

void
turn_ask_stream(struct turn *t)
{
    t->first_ms = t->drafted_ms = now_ms(t);
    history_cancel(t->history);
    t->history = NULL;
    timer_init(&t->timer, on_draft_due);
    timer_start(&chat_of(t)->shard->timers, &t->timer, TURN_DRAFT_MS);
}

static void
on_text(void *cookie, struct str text)
{
    struct turn *t = cookie;
    size_t room = t->text.max - t->text.n;
    bool too_long = text.n > room;

    if (t->step == TURN_ASK) {
        turn_enter(t, TURN_STREAM);
    }
    if (too_long) {
        text.n = utf8_cut(text, room).n;
    }
    buf_put_str(&t->text, text);
    turn_show_later(t->session);
    if (t->text.n - t->drafted >= TURN_DRAFT_BYTES) {
        turn_draft_check(t);
    }
    if (too_long) {
        turn_end(t, TURN_END_LENGTH);
    }
}

static void
on_usage(void *cookie, const struct usage *usage)
{
    struct turn *t = cookie;

    t->answer.usage = *usage;
    t->answer.usage.present = true;
}

static void
on_finish(void *cookie, enum provider_finish reason)
{
    static const enum turn_ending endings[] = {
        [PROVIDER_STOP] = TURN_END_STOP,
        [PROVIDER_LENGTH] = TURN_END_LENGTH,
        [PROVIDER_CONTENT_FILTER] = TURN_END_CONTENT_FILTER,
    };
    struct turn *t = cookie;

    t->finish = endings[reason];
}

static void
on_conversation(void *cookie, struct str id)
{
    struct turn *t = cookie;

    xfree(t->answer.conversation);
    t->answer.conversation = str_dup(id);
}

static void
log_failure(const struct turn *t, const struct upstream_failure *why)
{
    enum event event =
        why->end == UPSTREAM_TIMEOUT ? EVENT_LLM_TIMEOUT : EVENT_LLM_ERROR;

    log_warn(event, "the provider failed",
             log_str("session_id", session_id(t->session)),
             log_cstr("message_id", t->answer.id),
             log_cstr("provider", settings_of(t)->providers[t->provider].id),
             log_cstr("reason", why->word), log_int("status", why->status),
             log_int("attempt", t->attempts),
             log_int("bytes", (int64_t)t->text.n));
    metric_count_at(METRIC_LLM_ERRORS, t->terms->slots[t->provider].errors);
}

static enum turn_ending
ending_of(const struct turn *t, enum upstream_end end)
{
    switch (end) {
    case UPSTREAM_COMPLETE:
        return t->finish;
    case UPSTREAM_CUT:
        return TURN_END_INTERRUPTED;
    case UPSTREAM_TIMEOUT:
        return TURN_END_TIMEOUT;
    case UPSTREAM_REFUSED:
    case UPSTREAM_ERROR:
        return TURN_END_PROVIDER_ERROR;
    }
    return TURN_END_PROVIDER_ERROR;
}

static void
on_end(void *cookie, const struct upstream_failure *why)
{
    struct turn *t = cookie;

    t->upstream = NULL;
    t->retry_after_ms = why->retry_after_ms;
    if (why->end != UPSTREAM_COMPLETE) {
        if (begin_afresh(t, why)) {
            turn_enter(t, TURN_ASK);
            return;
        }
        log_failure(t, why);
        if (may_retry(t, why) || fall_back(t)) {
            turn_enter(t, TURN_RETRY);
            return;
        }
    }
    turn_end(t, ending_of(t, why->end));
}
