/* SPDX-License-Identifier: MIT */
/* Liveness, readiness, metrics. Readiness looks at what the rooms already
 * know (the store's threads, the drain flag); it asks nobody. */
#include "gate/health.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "chat/chat.h"
#include "codec/json.h"
#include "gate/gate_state.h"
#include "gate/keys.h"
#include "gate/reply.h"
#include "loop/shard.h"
#include "provider/breaker.h"
#include "store/store.h"

static void
put_status(struct buf *out, const char *status)
{
    char now[CLOCK_TEXT_SIZE];

    clock_format(clock_wall_ms(), now);
    json_put_member(out, "status", str_from(status));
    json_put_member(out, "timestamp", str_from(now));
}

void
health_put_live(struct buf *out)
{
    buf_putc(out, '{');
    put_status(out, "healthy");
    buf_putc(out, '}');
}

void
health_put_status(struct buf *out, bool ready)
{
    put_status(out, ready ? "ready" : "not ready");
}

void
health_live(struct request *r)
{
    struct buf body;

    buf_init(&body, 256);
    health_put_live(&body);
    reply_json(r, 200, buf_str(&body));
    buf_fini(&body);
}

/* Of the providers that are out of order at the moment. */
static void
put_breakers(struct buf *out, const struct gate *g)
{
    static const char *const words[] = {[BREAKER_CLOSED] = "closed",
                                        [BREAKER_OPEN] = "open",
                                        [BREAKER_HALF_OPEN] = "half_open"};
    const struct chat_settings *set = chat_settings_of(g->shard);

    json_put_key(out, "breakers");
    buf_putc(out, '{');
    for (size_t i = 0; i < set->provider_count; i++) {
        const struct provider_config *p = &set->providers[i];
        enum breaker_state state = BREAKER_CLOSED;

        if (p->breaker != NULL) {
            state = breaker_state(p->breaker, shard_now_ms(g->shard));
        }
        if (state != BREAKER_CLOSED) {
            json_put_member(out, p->id, str_from(words[state]));
        }
    }
    buf_putc(out, '}');
}

static void
put_checks(struct buf *out, const struct gate *g, bool storage, bool keys)
{
    json_put_key(out, "checks");
    buf_putc(out, '{');
    json_put_key(out, "storage");
    buf_putc(out, '{');
    json_put_member(out, "status", storage ? STR("ready") : STR("not ready"));
    json_put_member(out, "kind", str_from(store_kind(g->settings->store)));
    buf_putc(out, '}');
    json_put_key(out, "llm");
    buf_putc(out, '{');
    json_put_member(out, "status", STR("ready"));
    json_put_member_i64(out, "providers_count",
                        (int64_t)chat_settings_of(g->shard)->provider_count);
    put_breakers(out, g);
    buf_putc(out, '}');
    if (g->settings->jwks_url != NULL) {
        json_put_key(out, "keys");
        buf_putc(out, '{');
        json_put_member(out, "status", keys ? STR("ready") : STR("not ready"));
        buf_putc(out, '}');
    }
    buf_putc(out, '}');
}

void
health_ready(struct request *r)
{
    const struct gate_settings *set = r->gate->settings;
    bool storage = store_healthy(set->store);
    bool draining = atomic_load(set->draining);
    bool keys = keys_ready(set);
    bool ready = storage && keys && !draining;
    struct buf body;

    buf_init(&body, 1024);
    buf_putc(&body, '{');
    health_put_status(&body, ready);
    put_checks(&body, r->gate, storage, keys);
    if (draining) {
        json_put_member_bool(&body, "draining", true);
    }
    buf_putc(&body, '}');
    reply_json(r, ready ? 200 : 503, buf_str(&body));
    buf_fini(&body);
}

void
health_metrics(struct request *r)
{
    struct reply_content what = {.type = HEALTH_PAGE_TYPE, .cache = "no-store"};
    struct buf body;

    buf_init(&body, HEALTH_PAGE_BYTES);
    metrics_render(&body);
    what.body = buf_str(&body);
    reply_content(r, 200, &what);
    buf_fini(&body);
}
