/* SPDX-License-Identifier: MIT */
/* What a conversation becomes on the way to the Messages API;
 * test_anthropic_wishes.c has tools and the form of the answer. */
#include "provider/request.h"

#include "base/xalloc.h"

#include <stdio.h>

static const struct provider_ops *ops;

static int
setup(void **state)
{
    (void)state;
    ops = registry_find(STR("anthropic"));
    return ops == NULL;
}

static void
finds_messages_below_the_version(void **state)
{
    static const char *const urls[][2] = {
        {"https://api.anthropic.com", "https://api.anthropic.com/v1/messages"},
        {"https://h/", "https://h/v1/messages"},
        {"https://h/v1", "https://h/v1/messages"},
        {"https://h/v1/", "https://h/v1/messages"},
        {"https://h/v1/messages", "https://h/v1/messages"},
        {"https://h/messages/", "https://h/messages"},
        {"https://h/anthropic", "https://h/anthropic/v1/messages"},
        {"https://h/anthropic/v2", "https://h/anthropic/v2/messages"},
        {"https://h/v", "https://h/v/v1/messages"},
        {"https://h?a=/v1", "https://h/v1/messages?a=/v1"},
        {"https://h/v1/messages?a=b", "https://h/v1/messages?a=b"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        struct provider_config config = request_config(ops, urls[i][0], "");

        request_url_is(&config, urls[i][1]);
    }
}

static const struct provider_message question = {.role = PROVIDER_USER,
                                                 .content = STR("q")};

static void
sends_the_version_and_the_key_if_there_is_one(void **state)
{
    struct provider_config config = request_config(ops, "https://h", "sk-1");
    struct provider_turn turn = {.messages = &question, .count = 1};
    struct provider_request r;

    (void)state;
    provider_request_init(&r, 10000);
    assert_int_equal(ops->build(&config, &turn, &r), ERR_OK);
    assert_int_equal(request_headers(&r), 4);
    assert_true(request_has(&r, "Content-Type: application/json"));
    assert_true(request_has(&r, "Accept: text/event-stream"));
    assert_true(request_has(&r, "anthropic-version: 2026-10-21"));
    assert_true(request_has(&r, "x-api-key: sk-1"));
    provider_request_fini(&r);
    config.api_key = "";
    provider_request_init(&r, 10000);
    assert_int_equal(ops->build(&config, &turn, &r), ERR_OK);
    assert_int_equal(request_headers(&r), 3);
    provider_request_fini(&r);
}

/* The version that refuses temperature, top_p and top_k is not asked with
 * them. */
static void
sampling_is_asked_of_the_version_that_has_it(void **state)
{
    static const struct {
        const char *temperature;
        const char *extra_body;
        const char *version;
    } cases[] = {
        {"", "", "anthropic-version: 2026-10-21"},
        {"", "{\"thinking\":{\"top_k\":1}}", "anthropic-version: 2026-10-21"},
        {"1", "", "anthropic-version: 2023-06-01"},
        {"", "{\"a\":1,\"top_p\":0.5}", "anthropic-version: 2023-06-01"},
        {"", "{\"top_k\":5}", "anthropic-version: 2023-06-01"},
    };
    struct provider_turn turn = {.messages = &question, .count = 1};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct provider_config config = request_config(ops, "https://h", "k");
        struct provider_request r;

        config.temperature = cases[i].temperature;
        config.extra_body = cases[i].extra_body;
        provider_request_init(&r, 10000);
        assert_int_equal(ops->build(&config, &turn, &r), ERR_OK);
        assert_true(request_has(&r, cases[i].version));
        provider_request_fini(&r);
    }
}

static void
settings_become_members_of_the_request(void **state)
{
    struct provider_config config = request_config(ops, "https://h", "k");
    struct provider_turn turn = {
        .system_prompt = STR("Be brief."), .messages = &question, .count = 1};

    (void)state;
    request_body_is(&config, &turn,
                    "{'model': 'm-\\'4', 'max_tokens': 4096, 'stream': true,"
                    " 'system': 'Be brief.',"
                    " 'messages': [{'role': 'user', 'content': 'q'}]}");
    config.temperature = "0.5";
    config.max_tokens = 77;
    config.extra_body = "{\"top_k\": 5, \"metadata\": null}";
    turn.system_prompt = STR(" \n");
    request_body_is(&config, &turn,
                    "{'model': 'm-\\'4', 'max_tokens': 77, 'stream': true,"
                    " 'temperature': 0.5, 'top_k': 5,"
                    " 'messages': [{'role': 'user', 'content': 'q'}]}");
}

/* The last one is the user's: a newer model answers 400 to one that has to go
 * on with its own. */
static void
a_partial_answer_is_gone_on_with(void **state)
{
    struct provider_config config = request_config(ops, "https://h", "k");
    struct provider_turn turn = {
        .messages = &question, .count = 1, .partial = STR("so far")};

    (void)state;
    request_body_is(&config, &turn,
                    "{'model': 'm-\\'4', 'max_tokens': 4096, 'stream': true,"
                    " 'messages': [{'role': 'user', 'content': 'q'},"
                    " {'role': 'assistant', 'content': 'so far'},"
                    " {'role': 'user', 'content': '" GO_ON "'}]}");
}

#define SEEN                                                                   \
    "{'type': 'image', 'source': {'type': 'base64',"                           \
    " 'media_type': 'image/png', 'data': 'QUI='}},"                            \
    "{'type': 'image', 'source': {'type': 'url',"                              \
    " 'url': 'https://h.example.com/a.png'}},"

/* Of messages that become one, all pictures stand in front of all words. */
static void
pictures_go_to_models_that_see(void **state)
{
    struct provider_config config = request_config(ops, "https://h", "k");
    struct provider_message two[] = {request_seen, request_seen};
    struct provider_turn turn = {.messages = two, .count = 2};

    (void)state;
    request_body_is(&config, &turn,
                    "{'model': 'm-\\'4', 'max_tokens': 4096, 'stream': true,"
                    " 'messages': [{'role': 'user', 'content':"
                    " 'What is it?\\n\\nWhat is it?'}]}");
    config.vision = true;
    request_body_is(&config, &turn,
                    "{'model': 'm-\\'4', 'max_tokens': 4096, 'stream': true,"
                    " 'messages': [{'role': 'user', 'content': [" SEEN SEEN
                    "{'type': 'text',"
                    " 'text': 'What is it?\\n\\nWhat is it?'}]}]}");
    two[0].content = STR(" "); /* nothing but pictures */
    turn.count = 1;
    request_body_is(&config, &turn,
                    "{'model': 'm-\\'4', 'max_tokens': 4096, 'stream': true,"
                    " 'messages': [{'role': 'user', 'content': [" SEEN
                    "{'type': 'text', 'text': '...'}]}]}");
}

/* A conversation as letters: u and a with their text, and what is sent. */
static const struct {
    const char *said;
    const char *sent;
} conversations[] = {
    {"uq", "uq"},
    {"u1 a2 u3", "u1 a2 u3"},
    {"u1 u2 a3 a4 u5", "u1\n\n2 a3\n\n4 u5"},
    {"a1 u2", "u... a1 u2"},
    {"a1 a2 u3", "u... a1\n\n2 u3"},
    {"u1 a u2", "u1\n\n2"},
    {"u1 a\t u2 a u3", "u1\n\n2\n\n3"},
    {"u a1 u2", "u... a1 u2"},
    {"a u1", "u1"},
    {"u", "u..."},
    {"u1 a2 u", "u1 a2 u..."},
    {"a1", "u... a1"},
};

static size_t
parse(const char *said, struct provider_message *out)
{
    struct str rest = str_from(said), word;
    size_t n = 0;

    while (str_split(&rest, ' ', &word)) {
        out[n++] = (struct provider_message){
            .role = word.p[0] == 'u' ? PROVIDER_USER : PROVIDER_ASSISTANT,
            .content = str_from_at(word, 1)};
    }
    return n;
}

static char *
print(const struct provider_request *r)
{
    json_t *body = json_loadb(r->body.p, r->body.n, 0, NULL), *message;
    struct buf out;
    size_t i;

    buf_init(&out, 10000);
    json_array_foreach(json_object_get(body, "messages"), i, message)
    {
        buf_puts(&out, i > 0 ? " " : "");
        buf_putc(&out, json_string_value(json_object_get(message, "role"))[0]);
        buf_puts(&out, json_string_value(json_object_get(message, "content")));
    }
    json_decref(body);
    return buf_give(&out);
}

static void
user_and_assistant_take_turns_beginning_with_the_user(void **state)
{
    struct provider_config config = request_config(ops, "https://h", "k");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(conversations); i++) {
        struct provider_message messages[8];
        struct provider_turn turn = {.messages = messages};
        struct provider_request r;
        char *sent;

        turn.count = parse(conversations[i].said, messages);
        provider_request_init(&r, 10000);
        assert_int_equal(ops->build(&config, &turn, &r), ERR_OK);
        sent = print(&r);
        assert_string_equal(sent, conversations[i].sent);
        xfree(sent);
        provider_request_fini(&r);
    }
}

static void
refuses_what_does_not_fit(void **state)
{
    struct provider_config config =
        request_config(ops, "https://h", "k\r\nX:y");
    struct provider_turn turn = {.messages = &question, .count = 1};
    struct provider_request r;

    (void)state;
    provider_request_init(&r, 10000);
    assert_int_equal(ops->build(&config, &turn, &r), ERR_INVALID_FORMAT);
    provider_request_fini(&r);
    config.api_key = "k";
    for (size_t n = 0; n < 70; n++) {
        provider_request_init(&r, n);
        assert_int_equal(ops->build(&config, &turn, &r), ERR_TOO_BIG);
        provider_request_fini(&r);
    }
}

#define BODY "'model': 'm-\\'4', 'max_tokens': 4096, 'stream': true,"

/* Several results are one message, in front of the words; ids have letters that
 * are allowed there; calls without any tool need their tools all the same. */
static void
calls_and_results_become_blocks(void **state)
{
    static const struct provider_call calls[] = {
        {STR("call:1"), STR("f"), STR(" {\"a\":1} ")},
        {STR("call_2"), STR("g"), STR("")},
        {STR("call_3"), STR("f"), STR("{\"a\":")},
        {STR("call_4"), STR("f"), STR("[1]")},
    };
    static const struct provider_message messages[] = {
        {.role = PROVIDER_USER, .content = STR("q")},
        {.role = PROVIDER_ASSISTANT,
         .content = STR("hm"),
         .calls = calls,
         .call_count = 2},
        {.role = PROVIDER_USER, .content = STR("and?")},
        {.role = PROVIDER_USER,
         .content = STR("r1"),
         .result_of = STR("call:1")},
        {.role = PROVIDER_USER,
         .content = STR(" "),
         .result_of = STR("call_2")},
        {.role = PROVIDER_ASSISTANT, .calls = calls + 2, .call_count = 2},
        {.role = PROVIDER_USER,
         .content = STR("r3"),
         .result_of = STR("call_3")},
    };
    struct provider_config config = request_config(ops, "https://h", "k");
    struct provider_turn turn = {.messages = messages,
                                 .count = COUNT_OF(messages)};

    (void)state;
    request_body_is(
        &config, &turn,
        "{" BODY " 'tools': [{'name': 'f', 'input_schema': {'type': 'object'}},"
        " {'name': 'g', 'input_schema': {'type': 'object'}}],"
        " 'tool_choice': {'type': 'none'}, 'messages': ["
        "{'role': 'user', 'content': 'q'},"
        "{'role': 'assistant', 'content': [{'type': 'text', 'text': 'hm'},"
        " {'type': 'tool_use', 'id': 'call_1', 'name': 'f', 'input': {'a': 1}},"
        " {'type': 'tool_use', 'id': 'call_2', 'name': 'g', 'input': {}}]},"
        "{'role': 'user', 'content': ["
        " {'type': 'tool_result', 'tool_use_id': 'call_1', 'content': 'r1'},"
        " {'type': 'tool_result', 'tool_use_id': 'call_2'},"
        " {'type': 'text', 'text': 'and?'}]},"
        "{'role': 'assistant', 'content': ["
        " {'type': 'tool_use', 'id': 'call_3', 'name': 'f',"
        "  'input': {'arguments': '{\\'a\\':'}},"
        " {'type': 'tool_use', 'id': 'call_4', 'name': 'f',"
        "  'input': {'arguments': '[1]'}}]},"
        "{'role': 'user', 'content': ["
        " {'type': 'tool_result', 'tool_use_id': 'call_3', 'content': 'r3'}]}"
        "]}");
}

/* OpenAI's range is twice as wide. */
static void
temperatures_above_the_range_are_its_end(void **state)
{
    static const struct {
        struct str asked;
        const char *sent;
    } cases[] = {
        {STR("0.30"), "0.30"}, {STR("1"), "1"},   {STR("1.0"), "1.0"},
        {STR("1.01"), "1"},    {STR("2e0"), "1"}, {STR("-1"), "-1"},
    };
    struct provider_config config = request_config(ops, "https://h", "k");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct provider_turn turn = {
            .messages = &question, .count = 1, .temperature = cases[i].asked};
        char expected[256];

        snprintf(expected, sizeof(expected),
                 "{" BODY " 'temperature': %s,"
                 " 'messages': [{'role': 'user', 'content': 'q'}]}",
                 cases[i].sent);
        request_body_is(&config, &turn, expected);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_messages_below_the_version),
        cmocka_unit_test(sends_the_version_and_the_key_if_there_is_one),
        cmocka_unit_test(sampling_is_asked_of_the_version_that_has_it),
        cmocka_unit_test(settings_become_members_of_the_request),
        cmocka_unit_test(pictures_go_to_models_that_see),
        cmocka_unit_test(a_partial_answer_is_gone_on_with),
        cmocka_unit_test(user_and_assistant_take_turns_beginning_with_the_user),
        cmocka_unit_test(calls_and_results_become_blocks),
        cmocka_unit_test(temperatures_above_the_range_are_its_end),
        cmocka_unit_test(refuses_what_does_not_fit),
    };

    return cmocka_run_group_tests_name("provider/anthropic_request", tests,
                                       setup, NULL);
}
