/* SPDX-License-Identifier: MIT */
/* Settings that outlive their replacement for as long as somebody still works
 * by them: see terms.h. */
#include "chat/terms.h"

#include "base/check.h"
#include "base/metrics.h"
#include "base/rand.h"
#include "base/xalloc.h"

#include <stdio.h>

static unsigned
kind_slot(const char *id, enum bill_kind k)
{
    char values[256];

    snprintf(values, sizeof(values), "%s,%s", bill_kind_word(k), id);
    return metrics_slot(METRIC_LLM_TOKENS, values);
}

static struct provider_slots
slots_of(const char *id)
{
    struct provider_slots slots = {
        .requests = metrics_slot(METRIC_LLM_REQUESTS, id),
        .latency = metrics_slot(METRIC_LLM_LATENCY, id),
        .errors = metrics_slot(METRIC_LLM_ERRORS, id),
        .retries = metrics_slot(METRIC_LLM_RETRIES, id),
        .fallbacks = metrics_slot(METRIC_LLM_FALLBACKS, id),
        .hedges = metrics_slot(METRIC_LLM_HEDGES, id),
        .continued = metrics_slot(METRIC_LLM_CONTINUED, id),
        .breaker = metrics_slot(METRIC_LLM_BREAKERS_OPEN, id),
        .bad_events = metrics_slot(METRIC_LLM_BAD_EVENTS, id),
        .stops = metrics_slot(METRIC_LLM_STOPS, id),
        .stop_failures = metrics_slot(METRIC_LLM_STOP_FAILURES, id),
        .tokens = metrics_slot(METRIC_TOKENS_USED, id),
        .estimated = metrics_slot(METRIC_LLM_TOKENS_ESTIMATED, id),
        .cost = metrics_slot(METRIC_LLM_COST, id),
    };

    for (int k = 0; k < BILL_KINDS; k++) {
        slots.kinds[k] = kind_slot(id, (enum bill_kind)k);
    }
    return slots;
}

struct terms *
terms_new(struct chat *c, struct chat_settings *settings)
{
    size_t count = settings->provider_count;
    struct terms *t;

    CHECK(count > 0 && count <= UINT16_MAX);
    t = xcalloc(1, sizeof(*t) + count * sizeof(t->slots[0]));
    t->chat = c;
    t->settings = settings;
    t->refs = 1;
    for (size_t i = 0; i < count; i++) {
        t->slots[i] = slots_of(settings->providers[i].id);
    }
    return t;
}

struct terms *
terms_hold(struct terms *t)
{
    t->refs++;
    return t;
}

void
terms_release(struct terms *t)
{
    if (t != NULL && --t->refs == 0) {
        chat_settings_unref(t->settings);
        xfree(t);
    }
}

uint64_t
terms_retry_ms(const struct terms *t, unsigned attempts, int64_t retry_after_ms)
{
    uint64_t delay = t->settings->retry_delay_ms;
    uint64_t most = t->settings->retry_max_delay_ms;

    for (unsigned i = 1; i < attempts && delay < most; i++) {
        delay *= 2;
    }
    delay = delay < most ? delay : most;
    delay -= rand_below(delay / 2 + 1);
    return retry_after_ms > (int64_t)delay ? (uint64_t)retry_after_ms : delay;
}
