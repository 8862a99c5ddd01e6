/* SPDX-License-Identifier: MIT */
#include "gate/openai_answer.h"

#include "gate/openai_error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct openai_answer answer = {
    .id = "chatcmpl-1", .model = STR("m"), .created_s = 7};

#define HEAD(object)                                                           \
    "{\"id\":\"chatcmpl-1\",\"object\":\"" object                              \
    "\",\"created\":7,\"model\":\"m\",\"choices\":["

static void
assert_text(struct buf *b, const char *expected)
{
    assert_false(b->failed);
    if (!str_is(buf_str(b), expected)) {
        fail_msg("%.*s\nnot\n%s", STR_ARG(buf_str(b)), expected);
    }
    buf_reset(b, 1000);
}

static void
chunks_have_their_form(void **state)
{
    static const struct usage usage = {.prompt_tokens = 3,
                                       .completion_tokens = 4,
                                       .total_tokens = 7,
                                       .present = true,
                                       .estimated = true};
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    openai_answer_delta(&b, &answer, STR("a\"b"), true);
    assert_text(
        &b, HEAD("chat.completion.chunk") "{\"index\":0,\"delta\":{\"role\":"
                                          "\"assistant\",\"content\":"
                                          "\"a\\\"b\"},\"logprobs\":null,"
                                          "\"finish_reason\":null}]}");
    openai_answer_delta(&b, &answer, STR("c"), false);
    assert_text(
        &b, HEAD("chat.completion.chunk") "{\"index\":0,\"delta\":{\"content\":"
                                          "\"c\"},\"logprobs\":null,"
                                          "\"finish_reason\":null}]}");
    openai_answer_finish(&b, &answer, PROVIDER_CONTENT_FILTER);
    assert_text(
        &b,
        HEAD(
            "chat.completion.chunk") "{\"index\":0,\"delta\":{},\"logprobs\":"
                                     "null,"
                                     "\"finish_reason\":\"content_filter\"}]}");
    openai_answer_usage(&b, &answer, &usage);
    assert_text(
        &b,
        HEAD(
            "chat.completion.chunk") "],\"usage\":{\"prompt_tokens\":3,"
                                     "\"completion_tokens\":4,"
                                     "\"total_tokens\":7,\"estimated\":true}}");
    openai_answer_whole(
        &b, &answer,
        &(struct openai_said){.text = STR("ü"), .finish = PROVIDER_LENGTH},
        &(struct usage){
            .prompt_tokens = 1, .completion_tokens = 2, .total_tokens = 3});
    assert_text(
        &b,
        HEAD("chat.completion") "{\"index\":0,\"message\":{\"role\":"
                                "\"assistant\",\"content\":"
                                "\"ü\",\"refusal\":null},\"logprobs\":null,"
                                "\"finish_reason\":\"length\"}],\"usage\":{"
                                "\"prompt_tokens\":1,"
                                "\"completion_tokens\":2,\"total_tokens\":3}}");
    buf_fini(&b);
}

#define CALL_CHUNK(delta)                                                      \
    HEAD("chat.completion.chunk")                                              \
    "{\"index\":0,\"delta\":{" delta "},\"logprobs\":null,\"finish_reason\":"  \
    "null}]}"

/* The first piece of a call has its id, type and name; the others go on. */
static void
calls_have_their_form(void **state)
{
    static const struct provider_call begin = {STR("a"), STR("f"), STR("")};
    static const struct provider_call more = {.arguments = STR("{\"")};
    struct openai_said said = {.calls = STR("[7]"), .finish = PROVIDER_CALLS};
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    openai_answer_call(&b, &answer, 0, &begin, true);
    assert_text(&b, CALL_CHUNK("\"role\":\"assistant\",\"content\":null,"
                               "\"tool_calls\":[{\"index\":0,\"id\":\"a\","
                               "\"type\":\"function\",\"function\":{\"name\":"
                               "\"f\",\"arguments\":\"\"}}]"));
    openai_answer_call(&b, &answer, 3, &more, false);
    assert_text(&b, CALL_CHUNK("\"tool_calls\":[{\"index\":3,\"function\":{"
                               "\"arguments\":\"{\\\"\"}}]"));
    openai_answer_whole(&b, &answer, &said, &(struct usage){.present = true});
    assert_true(str_contains_nocase(
        buf_str(&b),
        STR("\"content\":null,\"refusal\":null,\"tool_calls\":[7]},"
            "\"logprobs\":null,\"finish_reason\":\"tool_calls\"")));
    buf_reset(&b, 0);
    said.text = STR("x");
    openai_answer_whole(&b, &answer, &said, &(struct usage){.present = true});
    assert_true(str_contains_nocase(buf_str(&b), STR("\"content\":\"x\",")));
    buf_fini(&b);
}

static void
events_are_framed_line_by_line(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    openai_answer_event(&b, 0, STR("{}"));
    assert_text(&b, "data: {}\n\n");
    openai_answer_event(&b, 12, STR("{\n\"a\":1\n}"));
    assert_text(&b, "id: 12\ndata: {\ndata: \"a\":1\ndata: }\n\n");
    openai_answer_done(&b, 0);
    assert_text(&b, "data: [DONE]\n\n");
    buf_fini(&b);
}

static void
errors_have_openais_words_and_our_codes(void **state)
{
    static const struct {
        struct openai_error error;
        int status;
        const char *text;
    } cases[] = {
        {{ERR_NOT_FOUND, 0, "model", "No \"x\"."},
         404,
         "{\"error\":{\"message\":\"No \\\"x\\\".\",\"type\":"
         "\"invalid_request_error\",\"param\":\"model\",\"code\":"
         "\"NOT_FOUND\"}}"},
        {{ERR_LLM_UNAVAILABLE, 502, NULL, NULL},
         502,
         "{\"error\":{\"message\":\"The model is not available now.\",\"type\":"
         "\"server_error\",\"param\":null,\"code\":\"LLM_UNAVAILABLE\"}}"},
        {{ERR_BUDGET_EXCEEDED, 0, NULL, NULL},
         429,
         "{\"error\":{\"message\":\"The budget is used up.\",\"type\":"
         "\"rate_limit_error\",\"param\":null,\"code\":\"BUDGET_EXCEEDED\"}}"},
        {{ERR_EXPIRED_TOKEN, 0, NULL, NULL},
         401,
         "{\"error\":{\"message\":\"The token has expired.\",\"type\":"
         "\"authentication_error\",\"param\":null,\"code\":"
         "\"EXPIRED_TOKEN\"}}"},
    };
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(openai_error_status(&cases[i].error), cases[i].status);
        openai_error_put(&b, &cases[i].error);
        assert_text(&b, cases[i].text);
    }
    buf_fini(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_have_their_form),
        cmocka_unit_test(calls_have_their_form),
        cmocka_unit_test(events_are_framed_line_by_line),
        cmocka_unit_test(errors_have_openais_words_and_our_codes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
