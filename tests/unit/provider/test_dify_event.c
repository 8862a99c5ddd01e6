/* SPDX-License-Identifier: MIT */
#include "provider/dify_event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
reads_what_it_knows_and_passes_over_the_rest(void **state)
{
    struct dify_event e;

    (void)state;
    assert_true(dify_event_read(
        STR("{\"event\":\"message_end\",\"id\":\"i\",\"task_id\":\"t-1\","
            "\"conversation_id\":\"c-1\",\"metadata\":{\"usage\":{"
            "\"prompt_tokens\":1033,\"prompt_unit_price\":\"0.001\","
            "\"completion_tokens\":135,\"total_tokens\":1168,"
            "\"currency\":\"USD\",\"latency\":1.38},\"retriever_resources\":"
            "[{\"position\":1,\"content\":\"a \\\"b\\\"\\n\"}]}}"),
        &e));
    assert_true(json_text_is(&e.event, STR("message_end")));
    assert_true(json_text_is(&e.task, STR("t-1")));
    assert_true(json_text_is(&e.conversation, STR("c-1")));
    assert_true(e.has_usage && !e.has_answer);
    assert_int_equal(e.usage.prompt_tokens, 1033);
    assert_int_equal(e.usage.completion_tokens, 135);
    assert_int_equal(e.usage.total_tokens, 1168);
    assert_int_equal(e.status, 0);
}

static const struct {
    const char *what;
    struct str text;
    bool ok;
    bool has_usage;
    int64_t total;
} rows[] = {
    {"not JSON", STR("oops"), false, false, 0},
    {"nothing", STR(""), false, false, 0},
    {"a list", STR("[]"), false, false, 0},
    {"cut", STR("{\"event\":\"message\""), false, false, 0},
    {"an answer that is no text", STR("{\"answer\":1}"), false, false, 0},
    {"an empty object", STR("{}"), true, false, 0},
    {"others' members of another type",
     STR("{\"event\":1,\"task_id\":null,\"conversation_id\":[],\"code\":{},"
         "\"status\":\"succeeded\",\"metadata\":null,\"answer\":null}"),
     true, false, 0},
    {"metadata without usage", STR("{\"metadata\":{\"usage\":null}}"), true,
     false, 0},
    {"no sum",
     STR("{\"metadata\":{\"usage\":{\"completion_tokens\":2,"
         "\"prompt_tokens\":3}}}"),
     true, true, 5},
    {"one count is missing",
     STR("{\"metadata\":{\"usage\":{\"completion_tokens\":2,"
         "\"total_tokens\":3}}}"),
     true, false, 0},
    {"counts that are none",
     STR("{\"metadata\":{\"usage\":{\"completion_tokens\":2.5,"
         "\"prompt_tokens\":99999999999}}}"),
     true, false, 0},
};

static void
takes_odd_ones_as_they_are(void **state)
{
    struct dify_event e;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (dify_event_read(rows[i].text, &e) != rows[i].ok ||
            (rows[i].ok && (e.has_usage != rows[i].has_usage ||
                            e.usage.total_tokens != rows[i].total))) {
            fail_msg("%s", rows[i].what);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_knows_and_passes_over_the_rest),
        cmocka_unit_test(takes_odd_ones_as_they_are),
    };

    return cmocka_run_group_tests_name("provider/dify_event", tests, NULL,
                                       NULL);
}
