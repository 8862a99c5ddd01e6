/* SPDX-License-Identifier: MIT */
/* One chunk alone; test_openai.c has the streams. */
#include "provider/openai_chunk.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
reads_everything_that_one_text_can_say(void **state)
{
    struct openai_chunk c;

    (void)state;
    assert_true(openai_chunk_read(
        STR("{\"choices\":[{\"delta\":{\"content\":\"a\\n\",\"refusal\":\"r\"},"
            "\"finish_reason\":\"stop\"},{\"delta\":7}],\"usage\":{"
            "\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":4},"
            "\"error\":{\"code\":418,\"type\":\"teapot\"}}"),
        &c));
    assert_true(c.has_choice && c.has_usage && c.has_error);
    assert_true(json_text_is(&c.content, STR("a\n")));
    assert_true(json_text_is(&c.refusal, STR("r")));
    assert_true(json_text_is(&c.finish, STR("stop")));
    assert_true(json_text_is(&c.code, STR("teapot")));
    assert_int_equal(c.status, 418);
    assert_int_equal(c.usage.prompt_tokens, 1);
    assert_int_equal(c.usage.completion_tokens, 2);
    assert_int_equal(c.usage.total_tokens, 4);
}

static void
nothing_said_is_nothing_read(void **state)
{
    static const struct str texts[] = {
        STR("{}"),
        STR("{\"choices\":[],\"usage\":null,\"error\":null}"),
        STR("{\"choices\":null,\"error\":\"\",\"object\":\"x\"}"),
        STR("{\"error\":false,\"object\":null,\"usage\":[1]}"),
    };
    struct openai_chunk c;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_true(openai_chunk_read(texts[i], &c));
        assert_false(c.has_choice || c.has_usage || c.has_error);
        assert_int_equal(c.content.raw.n + c.finish.raw.n + c.code.raw.n, 0);
    }
}

/* A server that gives more choices than were asked for. */
static void
only_choice_nought_is_read(void **state)
{
    static const struct {
        struct str text, content, finish;
        bool has_choice;
    } cases[] = {
        {STR("{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"}}]}"),
         STR(""), STR(""), false},
        {STR("{\"choices\":[{\"delta\":{\"content\":\"b\"},"
             "\"finish_reason\":\"stop\",\"index\":1}]}"),
         STR(""), STR(""), false},
        {STR("{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"}},"
             "{\"index\":0,\"delta\":{\"content\":\"a\"}}]}"),
         STR("a"), STR(""), true},
        {STR("{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}},"
             "{\"index\":1,\"finish_reason\":\"stop\"}]}"),
         STR("a"), STR(""), true},
        {STR("{\"choices\":[{\"index\":null,\"finish_reason\":\"stop\"}]}"),
         STR(""), STR("stop"), true},
    };
    struct openai_chunk c;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_true(openai_chunk_read(cases[i].text, &c));
        assert_int_equal(c.has_choice, cases[i].has_choice);
        assert_true(str_eq(c.content.raw, cases[i].content));
        assert_true(str_eq(c.finish.raw, cases[i].finish));
    }
}

/* Every beginning of a good text is malformed. */
/* A letter is a quarter of a token. */
static void
what_is_beside_the_answer_is_counted(void **state)
{
#define DELTA(members) "{\"choices\":[{\"delta\":{" members "}}]}"
#define OTHER(members)                                                         \
    "{\"choices\":[{\"delta\":{\"content\":\"a\"}},{\"index\":1," members "}]" \
    "}"
    static const struct {
        struct str text;
        uint64_t quarters;
    } cases[] = {
        {STR(DELTA("\"content\":\"abc\",\"refusal\":\"abc\"")), 0},
        {STR(DELTA("\"role\":\"abc\",\"tool_calls\":[{\"function\":{"
                   "\"name\":\"abc\"}}]")),
         0},
        {STR(DELTA("\"reasoning_content\":\"abc\"")), 3},
        {STR(DELTA("\"reasoning\":\"a\\n\\u00fc\"")), 4},
        {STR(DELTA("\"reasoning\":null,\"reasoning_content\":{\"a\":1}")), 0},
        {STR(DELTA(
             "\"function_call\":{\"name\":\"ab\",\"arguments\":\"cde\"}")),
         5},
        {STR(DELTA("\"function_call\":null")), 0},
        {STR(OTHER("\"delta\":{\"content\":\"abc\",\"refusal\":\"d\","
                   "\"reasoning\":\"ef\"}")),
         6},
        {STR(OTHER("\"message\":{\"tool_calls\":[{\"id\":\"x\",\"function\":{"
                   "\"name\":\"ab\",\"arguments\":\"{}\"}},7]}")),
         4},
        {STR(OTHER("\"delta\":[\"abc\"]")), 0},
        {STR("{\"choices\":[{\"index\":2,\"delta\":{\"content\":\"abc\"}},"
             "{\"index\":1,\"delta\":{\"content\":\"de\"}}]}"),
         5},
    };
    struct openai_chunk c;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_true(openai_chunk_read(cases[i].text, &c));
        assert_int_equal(c.aside_quarters, cases[i].quarters);
    }
}

static void
a_cut_text_is_malformed(void **state)
{
    struct str text = STR("{\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{"
                          "\"content\":\"ab\"},\"finish_reason\":null}],"
                          "\"usage\":{\"prompt_tokens\":12},\"error\":null}");
    struct openai_chunk c;

    (void)state;
    assert_true(openai_chunk_read(text, &c));
    for (size_t n = 0; n < text.n; n++) {
        assert_false(openai_chunk_read((struct str){text.p, n}, &c));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_everything_that_one_text_can_say),
        cmocka_unit_test(nothing_said_is_nothing_read),
        cmocka_unit_test(only_choice_nought_is_read),
        cmocka_unit_test(what_is_beside_the_answer_is_counted),
        cmocka_unit_test(a_cut_text_is_malformed),
    };

    return cmocka_run_group_tests_name("provider/openai_chunk", tests, NULL,
                                       NULL);
}
