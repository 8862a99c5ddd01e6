/* SPDX-License-Identifier: MIT */
/* gate/openai_request: what a client asks at the OpenAI door. What is accepted
 * can be passed on as JSON, and put in words that are UTF-8; what is refused
 * has a fault that can be told. */
#include "codec/json.h"
#include "codec/utf8.h"
#include "gate/openai_words.h"
#include "provider/registry.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_built(const char *type, const struct provider_turn *turn)
{
    struct provider_config config = {.ops = registry_find(str_from(type)),
                                     .id = "p",
                                     .name = "",
                                     .endpoint = "https://models.example/v1",
                                     .api_key = "",
                                     .model = "x",
                                     .temperature = "0.5",
                                     .max_tokens = 3,
                                     .extra_body = "{\"seed\":1}"};
    struct provider_request r;

    provider_request_init(&r, (size_t)16 << 20);
    CHECK(config.ops->build(&config, turn, &r) == ERR_OK);
    CHECK(json_valid(buf_str(&r.body), JSON_DEPTH_MAX));
    provider_request_fini(&r);
}

static void
check_calls(const struct provider_message *m)
{
    CHECK(m->call_count == 0 || m->role == PROVIDER_ASSISTANT);
    CHECK(utf8_valid(m->result_of));
    for (size_t i = 0; i < m->call_count; i++) {
        CHECK(m->calls[i].id.n > 0 && utf8_valid(m->calls[i].id));
        CHECK(m->calls[i].name.n > 0 && utf8_valid(m->calls[i].name));
        CHECK(utf8_valid(m->calls[i].arguments));
    }
}

static bool
is_json(struct str text)
{
    return text.n == 0 || json_valid(text, JSON_DEPTH_MAX);
}

static void
check_wishes(const struct provider_wishes *w)
{
    for (size_t i = 0; i < w->tool_count; i++) {
        CHECK(w->tools[i].name.n > 0 && is_json(w->tools[i].name));
        CHECK(is_json(w->tools[i].description));
        CHECK(is_json(w->tools[i].parameters));
        CHECK(is_json(w->tools[i].strict));
    }
    CHECK(is_json(w->choice_name) && is_json(w->schema) && is_json(w->effort));
    CHECK((w->choice == PROVIDER_CHOICE_ONE) == (w->choice_name.n > 0));
}

static void
check_words(const struct provider_turn *turn)
{
    CHECK(turn->count > 0 && utf8_valid(turn->system_prompt));
    for (size_t i = 0; i < turn->count; i++) {
        CHECK(utf8_valid(turn->messages[i].content));
        check_calls(&turn->messages[i]);
    }
    check_wishes(turn->wishes);
    CHECK(turn->temperature.n == 0 ||
          json_valid(turn->temperature, JSON_DEPTH_MAX));
    CHECK(turn->stop.n == 0 || json_valid(turn->stop, JSON_DEPTH_MAX));
}

static void
check_accepted(struct openai_request *q)
{
    struct provider_turn relayed = {.relay = &q->relay}, words;

    check_built("openai", &relayed);
    openai_words_turn(q, &words);
    check_words(&words);
    check_built("anthropic", &words);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str body = {(const char *)data, size};
    struct openai_request q;
    struct openai_fault f;

    if (openai_request_completion(&q, body, &f)) {
        check_accepted(&q);
    } else {
        CHECK(f.error.err == ERR_BAD_REQUEST);
        CHECK(utf8_valid(str_from(f.error.message)));
    }
    openai_request_fini(&q);
    (void)openai_request_embeddings(&q, body, &f);
    openai_request_fini(&q);
    return 0;
}
