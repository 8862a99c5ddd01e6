/* SPDX-License-Identifier: MIT */
/* The chat's settings as things of their own: see boot_chat.h. The other rooms'
 * are boot_rooms.c's. */
#include "app/boot_chat.h"

#include "app/config_value.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "chat/budget.h"
#include "provider/registry.h"

#include <string.h>

/* What is freed together. */
struct own {
    struct chat_settings settings; /* first: settings are this */
    struct provider_config *providers;
    struct budget_row *budgets;
    char *system_prompt;
};

/* --- freeing ------------------------------------------------------------ */

/* Of a const pointer that this file has made. */
static void
drop(const void *p)
{
    xfree((void *)(uintptr_t)p);
}

static void
free_provider(const struct provider_config *p)
{
    xwipe((void *)(uintptr_t)p->api_key, strlen(p->api_key));
    drop(p->api_key);
    drop(p->id);
    drop(p->name);
    drop(p->endpoint);
    drop(p->model);
    drop(p->temperature);
    drop(p->extra_body);
    drop(p->fallback);
}

static void
free_transcriber(const struct transcriber *t)
{
    xwipe((void *)(uintptr_t)t->api_key, strlen(t->api_key));
    drop(t->api_key);
    drop(t->endpoint);
    drop(t->model);
}

static void
destroy(struct chat_settings *settings)
{
    struct own *own = CONTAINER_OF(settings, struct own, settings);

    for (size_t i = 0; i < settings->provider_count; i++) {
        free_provider(&own->providers[i]);
    }
    for (size_t i = 0; i < settings->budget_count; i++) {
        drop(own->budgets[i].role);
    }
    free_transcriber(&settings->transcriber);
    xfree(own->budgets);
    xfree(own->providers);
    xfree(own->system_prompt);
    xfree(own);
}

/* --- making ------------------------------------------------------------- */

static struct str
type_word(const struct config_provider *p)
{
    return config_value_word(&config_table_members[CONFIG_MEMBER_type],
                             p->type);
}

static size_t
provider_index(const struct config *c, struct str id)
{
    for (size_t i = 0; i < c->provider_count; i++) {
        if (str_eq(c->providers[i].id, id)) {
            return i;
        }
    }
    return c->provider_count;
}

static void
make_fallback(struct provider_config *p, const struct config *c,
              const struct config_list *ids)
{
    size_t *fallback = xcalloc(ids->count + 1, sizeof(*fallback));

    for (size_t i = 0; i < ids->count; i++) {
        fallback[i] = provider_index(c, ids->items[i]);
        CHECK(fallback[i] < c->provider_count); /* config_rules.c saw to it */
    }
    p->fallback = fallback;
    p->fallback_count = ids->count;
}

/* config_check.c saw to it that it is one. */
static int64_t
price_of(struct str text, int64_t when_empty)
{
    int64_t nanos = when_empty;

    CHECK(text.n == 0 || price_read(text, PRICE_MAX, &nanos));
    return nanos;
}

static struct price
prices_of(const struct config_provider *p)
{
    struct price price = {.input = price_of(p->price_input, 0),
                          .output = price_of(p->price_output, 0)};

    price.cached_input = price_of(p->price_cached_input, price.input);
    price.reasoning = price_of(p->price_reasoning, price.output);
    return price;
}

static struct provider_config *
make_providers(const struct config *c, struct breakers *breakers)
{
    struct provider_config *all = xcalloc(c->provider_count, sizeof(*all));

    for (size_t i = 0; i < c->provider_count; i++) {
        const struct config_provider *p = &c->providers[i];

        all[i] = (struct provider_config){
            .ops = registry_find(type_word(p)),
            .id = str_dup(p->id),
            .name = str_dup(p->name),
            .endpoint = str_dup(p->endpoint),
            .api_key = str_dup(p->api_key),
            .model = str_dup(p->model),
            .temperature = str_dup(p->temperature),
            .max_tokens = (int64_t)p->max_tokens,
            .extra_body = str_dup(p->extra_body),
            .price = prices_of(p),
            .vision = p->vision,
            .continue_on_failure = p->continue_on_failure,
        };
        all[i].breaker = breakers_of(breakers, all[i].id);
        make_fallback(&all[i], c, &p->fallback);
    }
    return all;
}

/* config_check.c saw to it that it is one. */
static int64_t
money_of(struct str text)
{
    int64_t nanos = 0;

    CHECK(text.n == 0 || price_read(text, CONFIG_MONEY_MAX, &nanos));
    return nanos;
}

static struct budget_row *
make_budgets(const struct config *c, struct budget_books *books)
{
    struct budget_row *all = xcalloc(c->budget_count + 1, sizeof(*all));

    for (size_t i = 0; i < c->budget_count; i++) {
        const struct config_budget *b = &c->budgets[i];

        all[i] = (struct budget_row){
            .role = str_dup(b->budget_role),
            .shared = b->budget_scope == CONFIG_SCOPE_ROLE,
            .limits.of = {[BUDGET_DAY] = {(int64_t)b->tokens_per_day,
                                          money_of(b->cost_per_day)},
                          [BUDGET_MONTH] = {(int64_t)b->tokens_per_month,
                                            money_of(b->cost_per_month)}}};
        if (all[i].shared) {
            all[i].account = budget_books_of(books, all[i].role);
        }
    }
    return all;
}

static size_t
default_provider(const struct config *c)
{
    size_t i = provider_index(c, c->llm_default_model);

    return i < c->provider_count ? i : 0;
}

static void
fill(struct chat_settings *s, const struct config *c)
{
    s->max_content_chars = c->ws_max_content_length;
    s->reconnect_timeout_ms = c->session_reconnect_timeout_ms;
    s->session_ttl_ms = c->session_ttl_ms;
    s->cleanup_interval_ms = c->session_cleanup_interval_ms;
    s->warn_count = c->session_warn_count;
    s->one_connection = c->session_connections == CONFIG_CONNECTIONS_ONE;
    s->resume_max_events = c->session_resume_max_events;
    s->message_limit = c->limit_messages;
    s->message_window_ms = c->limit_window_ms;
    s->limit_max_keys = c->limit_max_keys;
    s->limit_cleanup_interval_ms = c->limit_cleanup_interval_ms;
    s->provider_count = c->provider_count;
    s->default_provider = default_provider(c);
    s->context_tokens = c->llm_context_tokens;
    s->stream_timeout_ms = c->llm_stream_timeout_ms;
    s->hedge_after_ms = c->llm_hedge_after_ms;
    s->connect_timeout_ms = c->llm_connect_timeout_ms;
    s->first_byte_timeout_ms = c->llm_first_byte_timeout_ms;
    s->idle_timeout_ms = c->llm_idle_timeout_ms;
    s->retry_attempts = (unsigned)c->llm_retry_attempts;
    s->retry_delay_ms = c->llm_retry_delay_ms;
    s->retry_max_delay_ms = c->llm_retry_max_delay_ms;
    s->max_answer_bytes = c->llm_max_answer_size_bytes;
}

/* Of a provider that is there no more. */
static void
on_closed(const char *id)
{
    metric_add_at(METRIC_LLM_BREAKERS_OPEN,
                  metrics_slot(METRIC_LLM_BREAKERS_OPEN, id), -1);
}

struct chat_settings *
boot_chat_new(const struct config *c, struct boot_rooms *rooms, unsigned refs)
{
    struct own *own = xcalloc(1, sizeof(*own));
    struct chat_settings *s = &own->settings;

    atomic_init(&s->refs, (int)refs);
    s->destroy = destroy;
    s->population = &rooms->population;
    fill(s, c);
    s->upload = &rooms->upload;
    s->transcriber = (struct transcriber){
        .endpoint = str_dup(c->llm_transcription_endpoint),
        .api_key = str_dup(c->llm_transcription_api_key),
        .model = str_dup(c->llm_transcription_model),
    };
    s->system_prompt = own->system_prompt = str_dup(c->llm_system_prompt);
    s->providers = own->providers = make_providers(c, rooms->breakers);
    breakers_sweep(rooms->breakers, on_closed);
    s->budgets = own->budgets = make_budgets(c, rooms->books);
    s->budget_count = c->budget_count;
    return s;
}
