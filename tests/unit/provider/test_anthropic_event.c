/* SPDX-License-Identifier: MIT */
/* One event alone; test_anthropic.c has the streams. */
#include "provider/anthropic_event.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
reads_everything_that_one_text_can_say(void **state)
{
    struct anthropic_event e;

    (void)state;
    assert_true(anthropic_event_read(
        STR("{\"type\":\"t\",\"delta\":{\"text\":\"a\\n\",\"type\":"
            "\"text_delta\",\"stop_reason\":\"s\"},\"usage\":{\"input_tokens\":"
            "1,\"cache_creation_input_tokens\":2,\"cache_read_input_tokens\":3,"
            "\"output_tokens\":4},\"error\":{\"type\":\"e\",\"message\":\"m\"},"
            "\"content\":[ 1, {\"x\":[]} ] }"),
        &e));
    assert_true(json_text_is(&e.type, STR("t")));
    assert_true(json_text_is(&e.text, STR("a\n")));
    assert_true(json_text_is(&e.finish, STR("s")));
    assert_true(e.has_error && json_text_is(&e.code, STR("e")));
    assert_int_equal(e.usage.input, 1);
    assert_int_equal(e.usage.cache_written, 2);
    assert_int_equal(e.usage.cache_read, 3);
    assert_int_equal(e.usage.output, 4);
    assert_true(str_is(e.content, "[ 1, {\"x\":[]} ]"));
}

static void
nothing_said_is_nothing_read(void **state)
{
    static const struct str texts[] = {
        STR("{}"),
        STR("{\"type\":null,\"delta\":null,\"message\":null,\"usage\":null,"
            "\"error\":null,\"content\":null,\"content_block\":null}"),
        STR("{\"delta\":{\"type\":\"thinking_delta\",\"text\":\"x\"},"
            "\"message\":{\"text\":\"x\",\"stop_reason\":\"x\"}}"),
    };
    struct anthropic_event e;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_true(anthropic_event_read(texts[i], &e));
        assert_false(e.has_error);
        assert_null(e.content.p);
        assert_int_equal(e.text.raw.n + e.finish.raw.n + e.code.raw.n, 0);
        assert_int_equal(e.usage.input, -1);
        assert_int_equal(e.usage.output, -1);
    }
}

static void
gives_the_text_and_tool_blocks_of_a_message(void **state)
{
    struct json_scan blocks;
    struct anthropic_event e;

    (void)state;
    json_scan_init(&blocks, STR("[{\"type\":\"x\",\"text\":\"no\"},null,"
                                "{\"text\":\"1\",\"type\":\"text\"},{},"
                                "{\"input\":{\"a\":[]},\"type\":\"tool_use\","
                                "\"name\":\"f\",\"id\":\"i\"},"
                                "{\"type\":\"server_tool_use\",\"id\":\"j\"},"
                                "{\"type\":\"text\",\"text\":\"2\"}]"));
    assert_true(json_scan_enter(&blocks, '['));
    assert_true(anthropic_event_block(&blocks, &e));
    assert_true(json_text_is(&e.text, STR("1")) && !e.call.begins);
    assert_true(anthropic_event_block(&blocks, &e));
    assert_true(e.call.begins && e.text.raw.n == 0);
    assert_true(json_text_is(&e.call.id, STR("i")));
    assert_true(json_text_is(&e.call.name, STR("f")));
    assert_true(str_is(e.call.input, "{\"a\":[]}"));
    assert_true(anthropic_event_block(&blocks, &e));
    assert_true(json_text_is(&e.text, STR("2")) && !e.call.begins);
    assert_false(anthropic_event_block(&blocks, &e));
    assert_true(json_scan_end(&blocks));
}

static void
pieces_of_an_input_have_the_index_of_their_block(void **state)
{
    struct anthropic_event e;

    (void)state;
    assert_true(anthropic_event_read(
        STR("{\"type\":\"content_block_delta\",\"index\":7,\"delta\":{\"type\":"
            "\"input_json_delta\",\"partial_json\":\"{\\\"a\"}}"),
        &e));
    assert_true(e.call.goes_on && !e.call.begins && e.index == 7);
    assert_true(json_text_is(&e.call.json, STR("{\"a")));
    assert_true(anthropic_event_read(
        STR("{\"content_block\":{\"type\":\"other\",\"id\":7,\"name\":[],"
            "\"input\":\"x\",\"partial_json\":null}}"),
        &e));
    assert_false(e.call.goes_on || e.call.begins);
    assert_int_equal(e.index, -1);
}

static void
the_later_count_is_the_whole(void **state)
{
    struct anthropic_usage sum = {-1, 5, -1, 1};
    struct anthropic_usage next = {7, -1, 0, 9};

    (void)state;
    anthropic_event_count(&sum, &next);
    assert_int_equal(sum.input, 7);
    assert_int_equal(sum.cache_written, 5);
    assert_int_equal(sum.cache_read, 0);
    assert_int_equal(sum.output, 9);
}

/* Every beginning of a good text is malformed. */
static void
a_cut_text_is_malformed(void **state)
{
    struct str text =
        STR("{\"type\":\"x\",\"message\":{\"usage\":{\"input_tokens\":12}},"
            "\"delta\":{\"type\":\"text_delta\",\"text\":\"ab\"},\"content\":"
            "[{\"type\":\"text\"}],\"error\":null}");
    struct anthropic_event e;

    (void)state;
    assert_true(anthropic_event_read(text, &e));
    for (size_t n = 0; n < text.n; n++) {
        assert_false(anthropic_event_read((struct str){text.p, n}, &e));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_everything_that_one_text_can_say),
        cmocka_unit_test(nothing_said_is_nothing_read),
        cmocka_unit_test(gives_the_text_and_tool_blocks_of_a_message),
        cmocka_unit_test(pieces_of_an_input_have_the_index_of_their_block),
        cmocka_unit_test(the_later_count_is_the_whole),
        cmocka_unit_test(a_cut_text_is_malformed),
    };

    return cmocka_run_group_tests_name("provider/anthropic_event", tests, NULL,
                                       NULL);
}
