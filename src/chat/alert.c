/* SPDX-License-Identifier: MIT */
#include "chat/alert.h"

#include "base/log.h"
#include "base/metrics.h"
#include "notify/notify.h"

void
alert_breaker_opened(struct shard *s, const char *provider, unsigned slot,
                     const char *reason)
{
    const struct notify_event event = {
        .kind = NOTIFY_PROVIDER_DOWN,
        .details = {{"provider", str_from(provider)},
                    {"reason", str_from(reason)}},
    };

    log_warn(EVENT_LLM_BREAKER,
             "the provider is asked only when nobody else is left",
             log_cstr("provider", provider), log_cstr("reason", reason));
    metric_add_at(METRIC_LLM_BREAKERS_OPEN, slot, 1);
    notify_send(s, &event);
}

void
alert_breaker_closed(struct shard *s, const char *provider, unsigned slot)
{
    const struct notify_event event = {
        .kind = NOTIFY_PROVIDER_UP,
        .details = {{"provider", str_from(provider)}},
    };

    log_info(EVENT_LLM_BREAKER, "the provider answers again",
             log_cstr("provider", provider));
    metric_add_at(METRIC_LLM_BREAKERS_OPEN, slot, -1);
    notify_send(s, &event);
}
