/* SPDX-License-Identifier: MIT */
/* A request of its own, after the answer's connection has been closed: see
 * upstream_stop.h. Nothing waits for it, so it owns itself. */
#include "chat/upstream_stop.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "chat/state.h"
#include "loop/shard.h"
#include "net/fetch.h"

#define BODY_BYTES 4096

struct stop {
    struct list link; /* chat->stops, until it is freed */
    struct terms *terms;
    const struct provider_config *config;
    const struct provider_slots *slots;
    struct fetch *fetch;
    int status;
};

static void
stop_free(struct stop *s)
{
    list_remove(&s->link);
    terms_release(s->terms);
    xfree(s);
}

static void
note_failure(const struct stop *s, const char *reason)
{
    metric_count_at(METRIC_LLM_STOP_FAILURES, s->slots->stop_failures);
    log_warn(EVENT_LLM_STOP, "the provider may go on with an answer",
             log_cstr("provider", s->config->id), log_cstr("reason", reason),
             log_int("status", s->status));
}

static void
on_head(void *cookie, const struct fetch_head *head)
{
    ((struct stop *)cookie)->status = head->status;
}

static void
on_data(void *cookie, struct str bytes)
{
    (void)cookie;
    (void)bytes;
}

static void
on_end(void *cookie, enum fetch_end end)
{
    struct stop *s = cookie;

    if (end != FETCH_DONE) {
        note_failure(s, fetch_end_word(end));
    } else if (s->status < 200 || s->status > 299) {
        note_failure(s, "refused");
    } else {
        log_debug(EVENT_LLM_STOP, "the provider has stopped an answer",
                  log_cstr("provider", s->config->id));
    }
    stop_free(s);
}

static const struct fetch_events events = {on_head, on_data, on_end};

static void
send_it(struct stop *s, const struct provider_request *request)
{
    struct fetch_request fetch = {
        .method = "POST",
        .url = request->url,
        .headers = request->headers,
        .body = buf_str(&request->body),
        .connect_timeout_ms = UPSTREAM_STOP_MS,
        .first_byte_timeout_ms = UPSTREAM_STOP_MS,
        .idle_timeout_ms = UPSTREAM_STOP_MS,
        .total_timeout_ms = UPSTREAM_STOP_MS,
    };

    s->fetch = fetch_start(s->terms->chat->shard, &fetch, &events, s);
}

static struct stop *
stop_new(struct terms *terms, unsigned provider)
{
    struct stop *s = xcalloc(1, sizeof(*s));

    s->terms = terms_hold(terms);
    s->config = &terms->settings->providers[provider];
    s->slots = &terms->slots[provider];
    list_push_back(&terms->chat->stops, &s->link);
    return s;
}

void
upstream_stop_send(struct terms *terms, unsigned provider, struct str task,
                   struct str user)
{
    const struct provider_config *config =
        &terms->settings->providers[provider];
    struct provider_request request;
    struct stop *s;

    if (config->ops->stop == NULL || terms->chat->over) {
        return;
    }
    s = stop_new(terms, provider);
    metric_count_at(METRIC_LLM_STOPS, s->slots->stops);
    provider_request_init(&request, BODY_BYTES);
    if (config->ops->stop(config, task, user, &request) == ERR_OK) {
        send_it(s, &request);
    } else {
        note_failure(s, "request_too_large");
        stop_free(s);
    }
    provider_request_fini(&request);
}

void
upstream_stop_fini_all(struct chat *c)
{
    while (!list_empty(&c->stops)) {
        struct stop *s = CONTAINER_OF(c->stops.next, struct stop, link);

        fetch_cancel(s->fetch);
        stop_free(s);
    }
}
