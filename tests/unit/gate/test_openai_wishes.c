/* SPDX-License-Identifier: MIT */
/* What a request wishes beside its messages, and who can give it. */
#include "gate/openai_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BODY(more)                                                             \
    STR("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"       \
        "\"hi\"}]" more "}")
#define SAYS(messages) STR("{\"model\":\"m\",\"messages\":[" messages "]}")
#define FUNCTION(members) "{\"type\":\"function\",\"function\":{" members "}}"
#define TOOLS(members) ",\"tools\":[" FUNCTION(members) "]"
#define F TOOLS("\"name\":\"f\"")
#define CALLS(call)                                                            \
    "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[" call "]}"

/* A member, or NULL: anybody. */
static const struct {
    struct str body;
    const char *relays; /* who relays */
    const char *calls;  /* who does, or takes tools */
    const char *beyond; /* no conversation of ours */
} needs[] = {
    {BODY(""), NULL, NULL, NULL},
    {BODY(",\"tools\":[]"), NULL, NULL, NULL},
    {BODY(",\"tools\":null,\"tool_choice\":null"), NULL, NULL, NULL},
    {BODY(F), NULL, "tools", "tools"},
    {BODY(TOOLS("\"name\":\"f\",\"description\":null,\"strict\":null,"
                "\"parameters\":null")),
     NULL, "tools", "tools"},
    /* tools of other kinds, and odd ones */
    {BODY(",\"tools\":[{}]"), "tools", "tools", "tools"},
    {BODY(",\"tools\":[7]"), "tools", "tools", "tools"},
    {BODY(",\"tools\":[{\"type\":\"custom\",\"custom\":{\"name\":\"f\"}}]"),
     "tools", "tools", "tools"},
    {BODY(TOOLS("")), "tools", "tools", "tools"},
    {BODY(TOOLS("\"name\":\"\"")), "tools", "tools", "tools"},
    {BODY(TOOLS("\"name\":7")), "tools", "tools", "tools"},
    {BODY(TOOLS("\"name\":\"f\",\"parameters\":7")), "tools", "tools", "tools"},
    {BODY(TOOLS("\"name\":\"f\",\"strict\":7")), "tools", "tools", "tools"},
    {BODY(TOOLS("\"name\":\"answer_in_j\\u0073on\"")), "tools", "tools",
     "tools"},
    /* how they are called */
    {BODY(F ",\"tool_choice\":\"required\""), NULL, "tools", "tools"},
    {BODY(F ",\"tool_choice\":" FUNCTION("\"name\":\"f\"")), NULL, "tools",
     "tools"},
    {BODY(F ",\"tool_choice\":\"sometimes\""), "tool_choice", "tools",
     "tool_choice"},
    {BODY(F ",\"tool_choice\":{\"type\":\"allowed_tools\"}"), "tool_choice",
     "tools", "tool_choice"},
    {BODY(",\"functions\":[{\"name\":\"f\"}]"), "functions", NULL, "functions"},
    {BODY(",\"function_call\":\"auto\""), "function_call", NULL,
     "function_call"},
    /* calls and results */
    {SAYS(CALLS("{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":"
                "\"f\",\"arguments\":\"{}\"}}")),
     NULL, "tools", "tools"},
    {SAYS(CALLS("")), NULL, NULL, NULL},
    {SAYS("{\"role\":\"assistant\",\"content\":\"x\",\"tool_calls\":null,"
          "\"function_call\":null,\"audio\":null}"),
     NULL, NULL, NULL},
    {SAYS(CALLS("{\"id\":\"a\",\"type\":\"custom\",\"custom\":{}}")), "tools",
     NULL, "tools"},
    {SAYS(CALLS("{\"function\":{\"name\":\"f\",\"arguments\":\"\"}}")), "tools",
     NULL, "tools"},
    {SAYS("{\"role\":\"user\",\"content\":\"x\",\"tool_calls\":[]}"), "tools",
     NULL, "tools"},
    {SAYS("{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"1\"}"), NULL,
     "tools", "tools"},
    {SAYS("{\"role\":\"tool\",\"content\":\"1\"}"), "tool_call_id", NULL,
     "tool_call_id"},
    {SAYS("{\"role\":\"tool\",\"content\":\"1\",\"tool_call_id\":\"\"}"),
     "tools", NULL, "tools"},
    {SAYS("{\"role\":\"function\",\"name\":\"f\",\"content\":\"1\"}"), "tools",
     NULL, "tools"},
    /* the answer */
    {BODY(",\"response_format\":{\"type\":\"text\"}"), NULL, NULL, NULL},
    {BODY(",\"response_format\":{\"type\":\"json_object\"}"), NULL,
     "response_format", "response_format"},
    {BODY(",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"
          "\"schema\":{}}}"),
     NULL, "response_format", "response_format"},
    {BODY(",\"response_format\":{\"type\":\"json_schema\"}"), "response_format",
     "response_format", "response_format"},
    {BODY(",\"response_format\":{\"type\":\"grammar\"}"), "response_format",
     "response_format", "response_format"},
    {BODY(",\"logprobs\":true"), "logprobs", NULL, "logprobs"},
    {BODY(",\"logprobs\":false,\"top_logprobs\":0"), NULL, NULL, NULL},
    {BODY(",\"n\":2"), "n", NULL, "n"},
    {BODY(",\"logit_bias\":{\"7\":-100}"), "logit_bias", NULL, NULL},
    {BODY(",\"logit_bias\":{}"), NULL, NULL, NULL},
    {BODY(",\"modalities\":[\"text\"]"), NULL, NULL, NULL},
    {BODY(",\"modalities\":[\"text\",\"audio\"]"), "modalities", NULL,
     "modalities"},
    {BODY(",\"web_search_options\":{}"), "web_search_options", NULL, NULL},
    {BODY(",\"store\":true"), "store", NULL, NULL},
    {BODY(",\"stop\":[\"a\",\"\\n\"]"), "stop", NULL, NULL},
    /* hints */
    {BODY(
         ",\"store\":false,\"seed\":1,\"user\":\"u\",\"service_tier\":\"flex\","
         "\"metadata\":{\"a\":\"b\"},\"presence_penalty\":1,"
         "\"reasoning_effort\":\"low\",\"parallel_tool_calls\":false,"
         "\"verbosity\":\"low\",\"prediction\":{},\"odd\":1"),
     NULL, NULL, NULL},
};

static void
is_text(const char *seen, const char *expected, size_t row)
{
    if (!str_eq(str_from(seen), str_from(expected))) {
        fail_msg("row %zu: %s, not %s", row, seen != NULL ? seen : "nothing",
                 expected != NULL ? expected : "nothing");
    }
}

static void
what_not_everybody_can_give_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(needs); i++) {
        struct openai_request q;
        struct openai_fault f;

        assert_true(openai_request_completion(&q, needs[i].body, &f));
        is_text(q.relays_only, needs[i].relays, i);
        is_text(q.calls_only, needs[i].calls, i);
        is_text(q.beyond_text, needs[i].beyond, i);
        openai_request_fini(&q);
    }
}

static void
wishes_are_told_as_they_were_written(void **state)
{
    struct openai_request q;
    struct openai_fault f;
    struct provider_turn turn;
    const struct provider_wishes *w;

    (void)state;
    assert_true(openai_request_completion(
        &q,
        BODY(",\"tools\":[" FUNCTION("\"name\":\"\\u0066\",\"strict\":true,"
                                     "\"description\":\"d\",\"parameters\":{"
                                     " }") "," FUNCTION("\"name\":\"g\","
                                                        "\"description\":"
                                                        "null") "],"
                                                                "\"tool_"
                                                                "choice\":{"
                                                                "\"type\":"
                                                                "\"function"
                                                                "\","
                                                                "\"function"
                                                                "\":{"
                                                                "\"name\":"
                                                                "\"g\"}},"
                                                                "\"parallel_"
                                                                "tool_"
                                                                "calls\":"
                                                                "false,"
                                                                "\"user\":"
                                                                "\"me\","
                                                                "\"reasoning"
                                                                "_effort\":"
                                                                "\"high\","
                                                                "\"response_"
                                                                "format\":{"
                                                                "\"type\":"
                                                                "\"json_"
                                                                "schema\","
                                                                "\"json_"
                                                                "schema\":{"
                                                                "\"schema\":"
                                                                "{\"a\": "
                                                                "1}}}"),
        &f));
    for (int again = 0; again < 2; again++) { /* for the next provider */
        openai_words_turn(&q, &turn);
        w = turn.wishes;
        assert_int_equal(w->tool_count, 2);
        assert_true(str_is(w->tools[0].name, "\"\\u0066\""));
        assert_true(str_is(w->tools[0].description, "\"d\""));
        assert_true(str_is(w->tools[0].parameters, "{ }"));
        assert_true(str_is(w->tools[0].strict, "true"));
        assert_int_equal(w->tools[1].description.n, 0);
        assert_int_equal(w->choice, PROVIDER_CHOICE_ONE);
        assert_true(str_is(w->choice_name, "\"g\""));
        assert_true(w->one_call && w->names_user && !w->json);
        assert_true(str_is(w->effort, "\"high\""));
        assert_true(str_is(w->schema, "{\"a\": 1}"));
    }
    openai_request_fini(&q);
}

static void
calls_and_results_are_told_with_their_ids(void **state)
{
    struct openai_request q;
    struct openai_fault f;
    struct provider_turn turn;

    (void)state;
    assert_true(openai_request_completion(
        &q,
        SAYS(CALLS("{\"id\":\"a\","
                   "\"function\":{\"name\":"
                   "\"f\",\"arguments\":"
                   "\"{\\\"k\\\":1}\"}},{"
                   "\"id\":\"b\",\"type\":"
                   "\"function\","
                   "\"function\":{\"name\":"
                   "\"g\",\"arguments\":\"\"}"
                   "}") ","
                        "{\"role\":\"tool\","
                        "\"tool_call_id\":"
                        "\"b\",\"content\":[{"
                        "\"type\":"
                        "\"text\",\"text\":"
                        "\"r\"}]}," CALLS("{\"id\":\"c\","
                                          "\"function\":{"
                                          "\"name\":\"h\","
                                          "\"arguments\":"
                                          "\"x\"}}")),
        &f));
    openai_words_turn(&q, &turn);
    assert_int_equal(turn.count, 3);
    assert_int_equal(turn.messages[0].call_count, 2);
    assert_true(str_is(turn.messages[0].calls[0].id, "a"));
    assert_true(str_is(turn.messages[0].calls[0].arguments, "{\"k\":1}"));
    assert_true(str_is(turn.messages[0].calls[1].name, "g"));
    assert_int_equal(turn.messages[0].result_of.n, 0);
    assert_true(str_is(turn.messages[1].result_of, "b"));
    assert_true(str_is(turn.messages[1].content, "r"));
    assert_int_equal(turn.messages[1].role, PROVIDER_USER);
    assert_int_equal(turn.messages[1].call_count, 0);
    assert_true(str_is(turn.messages[2].calls[0].id, "c"));
    openai_request_fini(&q);
}

static void
tools_count_as_what_is_asked(void **state)
{
    struct openai_request plain, tools;
    struct openai_fault f;

    (void)state;
    assert_true(openai_request_completion(&plain, BODY(""), &f));
    assert_true(openai_request_completion(&tools, BODY(F), &f));
    assert_true(tools.prompt_tokens > plain.prompt_tokens + 10);
    openai_request_fini(&plain);
    openai_request_fini(&tools);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_not_everybody_can_give_is_named),
        cmocka_unit_test(wishes_are_told_as_they_were_written),
        cmocka_unit_test(calls_and_results_are_told_with_their_ids),
        cmocka_unit_test(tools_count_as_what_is_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
