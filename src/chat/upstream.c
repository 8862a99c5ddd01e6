/* SPDX-License-Identifier: MIT */
/* One request to a provider. Bytes of a fetch go through the provider's
 * digester, a local provider is asked again and again by a timer; either way
 * events come out, and exactly one end. A complete answer ends as soon as the
 * provider says so: what the connection still has to say is read and thrown
 * away, so that it can be used again. */
#include "chat/upstream.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "chat/alert.h"
#include "chat/upstream_stop.h"
#include "guard/pseudonym.h"
#include "loop/shard.h"
#include "net/fetch.h"
#include "provider/breaker.h"

#include <stdio.h>

/* Of the body of a refusal: enough for an error object. */
#define FAULT_BYTES 4096

/* Of a request: a context window of text, escaped. */
#define BODY_BYTES (64u << 20)

/* What may still come behind a complete answer. */
#define TAIL_BYTES 65536

struct upstream {
    struct list link; /* chat->upstreams, until it is freed */
    struct chat *chat;
    struct terms *terms; /* config is theirs */
    const struct provider_config *config;
    const struct provider_ops *ops; /* config's, or its embeddings' */
    const struct upstream_events *events;
    void *cookie;
    void *state;                 /* of the digester or the local provider */
    struct fetch *fetch;         /* NULL: local, or not any more */
    struct timer timer;          /* local */
    struct deferred gone;        /* frees at the end of the turn of the loop */
    struct buf refusal;          /* first bytes of the body of a bad status */
    struct provider_event local; /* waits for the timer */
    struct provider_fault fault;
    char task[PROVIDER_ID_MAX + 1]; /* "" while unknown, or nobody cares */
    char user[PSEUDONYM_CHARS + 1]; /* who the provider was asked for */
    size_t tail;
    const struct provider_slots *slots;
    uint16_t provider; /* config's index */
    int status;
    int64_t retry_after_ms;
    bool finished; /* FINISH or DONE was seen */
    bool done;     /* DONE: nothing more can come */
    bool failed;   /* ERROR: fault is valid */
    bool told;     /* on_end was called, or nobody listens */
    bool paused;
    bool speaks; /* some text has come */
    bool unsent; /* the request could not be made */
};

/* --- its breaker -------------------------------------------------------- */

static uint64_t
now_ms(const struct upstream *u)
{
    return shard_now_ms(u->chat->shard);
}

static void
praise(struct upstream *u)
{
    struct breaker *b = u->config->breaker;

    if (b != NULL && breaker_succeed(b)) {
        alert_breaker_closed(u->chat->shard, u->config->id, u->slots->breaker);
    }
}

/* The first text closes a breaker that is open: an answer may take minutes. It
 * forgives no failures otherwise, for an answer may break off. */
static void
greet(struct upstream *u)
{
    struct breaker *b = u->config->breaker;

    if (u->speaks) {
        return;
    }
    u->speaks = true;
    if (b != NULL && breaker_state(b, now_ms(u)) != BREAKER_CLOSED) {
        praise(u);
    }
}

static void
blame(struct upstream *u, const struct upstream_failure *why)
{
    struct breaker *b = u->config->breaker;

    if (b != NULL && breaker_fail(b, now_ms(u), why->retry_after_ms)) {
        alert_breaker_opened(u->chat->shard, u->config->id, u->slots->breaker,
                             why->word);
    }
}

/* A status that asking again does not change (a key that is wrong, a request
 * that is too long) comes from a provider in good order. Of a request that was
 * never sent there is nothing to say. */
static void
judge(struct upstream *u, const struct upstream_failure *why)
{
    bool refused = why->end == UPSTREAM_REFUSED && why->status > 0;

    if (why->end == UPSTREAM_COMPLETE || (refused && !why->retryable)) {
        praise(u);
    } else if (!u->unsent) {
        blame(u, why);
    }
}

/* --- ends --------------------------------------------------------------- */

static void
upstream_free(struct upstream *u)
{
    list_remove(&u->link);
    shard_undefer(&u->gone);
    u->ops->close(u->state);
    terms_release(u->terms);
    buf_fini(&u->refusal);
    xfree(u);
}

static void
on_gone(struct deferred *d)
{
    upstream_free(CONTAINER_OF(d, struct upstream, gone));
}

/* No more work and no more callbacks. */
static void
halt(struct upstream *u)
{
    timer_cancel(&u->chat->shard->timers, &u->timer);
    if (u->fetch != NULL) {
        fetch_cancel(u->fetch);
        u->fetch = NULL;
    }
    u->told = true;
}

static void
bury(struct upstream *u)
{
    halt(u);
    shard_defer(u->chat->shard, &u->gone);
}

/* What nobody waits for costs all the same, unless its provider hears of it. */
static void
stop_task(struct upstream *u)
{
    if (u->task[0] != '\0') {
        upstream_stop_send(u->terms, u->provider, str_from(u->task),
                           str_from(u->user));
        u->task[0] = '\0';
    }
}

static void
tell(struct upstream *u, const struct upstream_failure *why)
{
    if (!u->told) {
        u->told = true;
        judge(u, why);
        u->events->on_end(u->cookie, why);
    }
}

static void
tell_complete(struct upstream *u)
{
    struct upstream_failure why = {.end = UPSTREAM_COMPLETE,
                                   .retry_after_ms = -1,
                                   .status = u->status,
                                   .word = "complete"};

    tell(u, &why);
}

static void
tell_fault(struct upstream *u, enum upstream_end end)
{
    struct upstream_failure why = {
        .end = u->fault.err == ERR_LLM_TIMEOUT ? UPSTREAM_TIMEOUT : end,
        .retryable = u->fault.retryable,
        .stranger = u->fault.stranger,
        .retry_after_ms = u->retry_after_ms,
        .status = u->status,
        .refusal = buf_str(&u->refusal),
        .word = provider_fault_word(&u->fault, str_from(u->config->api_key)),
    };

    tell(u, &why);
}

/* --- events of the digester --------------------------------------------- */

static void
on_delta(struct upstream *u, struct str text)
{
    if (text.n > 0) {
        greet(u);
        u->events->on_text(u->cookie, text);
    }
}

static void
on_call(struct upstream *u, const struct provider_event *e)
{
    if (u->events->on_call != NULL) {
        greet(u);
        u->events->on_call(u->cookie, e->at, &e->call);
    }
}

static void
on_raw(struct upstream *u, const struct provider_raw *raw)
{
    if (u->events->on_raw == NULL) {
        return;
    }
    if (raw->speaks) {
        greet(u);
    }
    u->events->on_raw(u->cookie, raw);
}

static void
on_provider_usage(struct upstream *u, const struct provider_usage *p)
{
    struct usage usage = {
        .prompt_tokens = p->prompt_tokens,
        .completion_tokens = p->completion_tokens,
        .total_tokens = p->total_tokens,
        .present = true,
        .cached_tokens = p->cached_tokens,
        .reasoning_tokens = p->reasoning_tokens,
    };

    u->events->on_usage(u->cookie, &usage);
}

static void
take_id(char out[static PROVIDER_ID_MAX + 1], struct str id)
{
    snprintf(out, PROVIDER_ID_MAX + 1, "%.*s", STR_ARG(id));
}

static void
on_event(void *cookie, const struct provider_event *e)
{
    struct upstream *u = cookie;

    if (u->told) {
        return;
    }
    switch (e->kind) {
    case PROVIDER_RAW:
        on_raw(u, &e->raw);
        break;
    case PROVIDER_DELTA:
        on_delta(u, e->text);
        break;
    case PROVIDER_CALL:
        on_call(u, e);
        break;
    case PROVIDER_USAGE:
        on_provider_usage(u, &e->usage);
        break;
    case PROVIDER_FINISH:
        u->finished = true;
        u->events->on_finish(u->cookie, e->finish);
        break;
    case PROVIDER_CONVERSATION:
        u->events->on_conversation(u->cookie, e->text);
        break;
    case PROVIDER_TASK:
        take_id(u->task, e->text);
        break;
    case PROVIDER_ERROR:
        u->failed = true;
        u->fault = *e->fault;
        break;
    case PROVIDER_DONE:
        u->finished = u->done = true;
        break;
    case PROVIDER_BAD_EVENT:
        metric_count_at(METRIC_LLM_BAD_EVENTS, u->slots->bad_events);
        break;
    }
}

/* --- remote ------------------------------------------------------------- */

static void
on_head(void *cookie, const struct fetch_head *head)
{
    struct upstream *u = cookie;

    u->status = head->status;
    u->retry_after_ms = head->retry_after_ms;
    if (head->status >= 200 && head->status < 300) {
        u->state = u->ops->open(head->content_type,
                                u->terms->settings->max_answer_bytes);
    }
}

/* What follows a complete answer is bounded, too. */
static void
on_tail(struct upstream *u, size_t n)
{
    u->tail += n;
    if (u->tail > TAIL_BYTES) {
        bury(u);
    }
}

static void
keep_refusal(struct upstream *u, struct str bytes)
{
    size_t room = u->refusal.max - u->refusal.n;

    buf_put(&u->refusal, bytes.p, bytes.n < room ? bytes.n : room);
}

static void
on_data(void *cookie, struct str bytes)
{
    struct upstream *u = cookie;
    struct provider_sink sink = {on_event, u};

    if (u->done || u->failed) {
        on_tail(u, bytes.n);
        return;
    }
    if (u->state == NULL) {
        keep_refusal(u, bytes);
        return;
    }
    u->ops->digest(u->state, bytes, &sink);
    if (u->done) {
        tell_complete(u);
    } else if (u->failed && !u->told) {
        tell_fault(u, UPSTREAM_ERROR);
        bury(u);
    }
}

/* Whatever breaks a stream that has begun has cut it. */
static enum upstream_end
meaning(const struct upstream *u, enum fetch_end end)
{
    if (fetch_end_is_late(end)) {
        return UPSTREAM_TIMEOUT;
    }
    return u->state != NULL || end == FETCH_DONE || end == FETCH_CUT
               ? UPSTREAM_CUT
               : UPSTREAM_REFUSED;
}

static void
tell_fetch_end(struct upstream *u, enum fetch_end end)
{
    struct upstream_failure why = {
        .end = meaning(u, end),
        .retryable = fetch_end_may_pass(end),
        .retry_after_ms = -1,
        .status = u->status,
        .word = end == FETCH_DONE ? "no_finish_reason" : fetch_end_word(end),
    };

    tell(u, &why);
}

static void
on_fetch_end(void *cookie, enum fetch_end end)
{
    struct upstream *u = cookie;
    struct provider_sink sink = {on_event, u};

    u->fetch = NULL;
    if (u->state != NULL && end == FETCH_DONE && !u->done && !u->failed) {
        u->ops->end(u->state, &sink);
    }
    if (u->finished) {
        tell_complete(u);
    } else if (u->failed) {
        tell_fault(u, UPSTREAM_ERROR);
    } else if (u->status >= 300 || (u->status > 0 && u->status < 200)) {
        u->ops->fault(u->status, buf_str(&u->refusal), &u->fault);
        tell_fault(u, UPSTREAM_REFUSED);
    } else {
        tell_fetch_end(u, end);
    }
    if (meaning(u, end) == UPSTREAM_TIMEOUT) {
        stop_task(u);
    }
    bury(u);
}

static const struct fetch_events fetch_events = {on_head, on_data,
                                                 on_fetch_end};

/* A request that cannot be built is told later, like every end. */
static void
on_unbuilt(struct timer *timer)
{
    struct upstream *u = CONTAINER_OF(timer, struct upstream, timer);
    struct upstream_failure why = {.end = UPSTREAM_REFUSED,
                                   .retry_after_ms = -1,
                                   .word = "request_too_large"};

    tell(u, &why);
    bury(u);
}

static void
start_remote(struct upstream *u, const struct provider_turn *prompt)
{
    const struct chat_settings *set = u->terms->settings;
    bool whole = prompt->relay != NULL && !prompt->relay->stream;
    struct provider_request request;

    provider_request_init(&request, BODY_BYTES);
    if (u->ops->build(u->config, prompt, &request) != ERR_OK) {
        u->unsent = true;
        timer_init(&u->timer, on_unbuilt);
        timer_start(&u->chat->shard->timers, &u->timer, 0);
    } else {
        struct fetch_request fetch = {
            .method = "POST",
            .url = request.url,
            .headers = request.headers,
            .body = buf_str(&request.body),
            .connect_timeout_ms = set->connect_timeout_ms,
            /* an answer in one piece is silent until it is there */
            .first_byte_timeout_ms =
                whole ? set->stream_timeout_ms : set->first_byte_timeout_ms,
            .idle_timeout_ms = set->idle_timeout_ms,
            .total_timeout_ms = set->stream_timeout_ms,
        };

        u->fetch = fetch_start(u->chat->shard, &fetch, &fetch_events, u);
    }
    provider_request_fini(&request);
}

/* --- local -------------------------------------------------------------- */

static void
next_local(struct upstream *u)
{
    uint64_t delay_ms = 0;

    u->ops->next(u->state, &u->local, &delay_ms);
    timer_start(&u->chat->shard->timers, &u->timer, delay_ms);
}

static void
on_local_due(struct timer *timer)
{
    struct upstream *u = CONTAINER_OF(timer, struct upstream, timer);

    if (u->paused) {
        return; /* resume looks again */
    }
    on_event(u, &u->local);
    if (u->told) {
        return; /* cancelled from inside */
    }
    if (u->done) {
        tell_complete(u);
        bury(u);
    } else if (u->failed) {
        tell_fault(u, UPSTREAM_ERROR);
        bury(u);
    } else {
        next_local(u);
    }
}

static void
start_local(struct upstream *u, const struct provider_turn *prompt)
{
    timer_init(&u->timer, on_local_due);
    u->state = u->ops->begin(u->config, prompt);
    next_local(u);
}

/* --- the door ----------------------------------------------------------- */

struct upstream *
upstream_start(struct terms *terms, unsigned provider,
               const struct provider_turn *prompt,
               const struct upstream_events *events, void *cookie)
{
    struct upstream *u = xcalloc(1, sizeof(*u));

    u->chat = terms->chat;
    u->terms = terms_hold(terms);
    u->provider = (uint16_t)provider;
    u->config = &terms->settings->providers[provider];
    u->ops = prompt->embeds ? u->config->ops->embeddings : u->config->ops;
    snprintf(u->user, sizeof(u->user), "%.*s", STR_ARG(prompt->user));
    u->events = events;
    u->cookie = cookie;
    u->slots = &terms->slots[provider];
    list_push_back(&u->chat->upstreams, &u->link);
    u->retry_after_ms = -1;
    u->gone.run = on_gone;
    buf_init(&u->refusal, FAULT_BYTES);
    timer_init(&u->timer, NULL);
    if (provider_is_local(u->config)) {
        start_local(u, prompt);
    } else {
        start_remote(u, prompt);
    }
    return u;
}

void
upstream_cancel(struct upstream *u)
{
    if (u == NULL || u->told) {
        return;
    }
    if (!u->speaks && u->config->breaker != NULL) {
        breaker_give_up(u->config->breaker, now_ms(u));
    }
    stop_task(u);
    bury(u);
}

void
upstream_pause(struct upstream *u)
{
    u->paused = true;
    if (u->fetch != NULL) {
        fetch_pause(u->fetch);
    }
}

void
upstream_resume(struct upstream *u)
{
    u->paused = false;
    if (u->fetch != NULL) {
        fetch_resume(u->fetch);
    } else if (u->state != NULL && !timer_armed(&u->timer)) {
        timer_start(&u->chat->shard->timers, &u->timer, 0);
    }
}

void
upstream_fini_all(struct chat *c)
{
    while (!list_empty(&c->upstreams)) {
        struct upstream *u =
            CONTAINER_OF(c->upstreams.next, struct upstream, link);

        halt(u);
        upstream_free(u);
    }
}
