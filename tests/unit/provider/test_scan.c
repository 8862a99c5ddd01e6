/* SPDX-License-Identifier: MIT */
#include "provider/scan.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
a_text_may_be_null_but_nothing_else(void **state)
{
    struct json_scan s;
    struct json_text t = {.raw = STR("before")};

    (void)state;
    json_scan_init(&s, STR("null"));
    scan_text(&s, &t);
    assert_true(json_scan_end(&s) && t.raw.n == 0);
    json_scan_init(&s, STR("\"x\""));
    scan_text(&s, &t);
    assert_true(json_scan_end(&s) && json_text_is(&t, STR("x")));
    json_scan_init(&s, STR("1"));
    scan_text(&s, &t);
    assert_false(json_scan_end(&s));
}

static void
a_count_is_one_or_none(void **state)
{
    static const struct {
        struct str text;
        int64_t count; /* from 7 */
    } cases[] = {
        {STR("0"), 0},           {STR("2147483647"), 2147483647},
        {STR("2147483648"), -1}, {STR("99999999999999999999"), -1},
        {STR("1.5"), -1},        {STR("-1"), 7},
        {STR("null"), 7},        {STR("\"1\""), 7},
        {STR("{\"a\":[1]}"), 7},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json_scan s;
        int64_t count = 7;

        json_scan_init(&s, cases[i].text);
        scan_count(&s, &count);
        assert_true(json_scan_end(&s));
        assert_int_equal(count, cases[i].count);
    }
}

static void
an_object_may_be_null_but_nothing_else(void **state)
{
    struct json_scan s;
    struct json_text key;

    (void)state;
    json_scan_init(&s, STR("null"));
    assert_false(scan_object(&s));
    assert_true(json_scan_end(&s));
    json_scan_init(&s, STR("{}"));
    assert_true(scan_object(&s));
    assert_false(json_scan_member(&s, &key));
    assert_true(json_scan_end(&s));
    json_scan_init(&s, STR("[]"));
    assert_false(scan_object(&s));
    assert_false(json_scan_end(&s));
}

/* Beside it whatever there is. */
static void
a_usage_may_have_details(void **state)
{
#define HEAD "{\"prompt_tokens\":9,\"completion_tokens\":5"
#define PROMPT ",\"prompt_tokens_details\":"
#define COMPLETION ",\"completion_tokens_details\":"
    static const struct {
        struct str text;
        int64_t cached, reasoning;
    } cases[] = {
        {STR(HEAD "}"), 0, 0},
        {STR(HEAD PROMPT "{\"cached_tokens\":4,\"audio_tokens\":1}" COMPLETION
                         "{\"audio_tokens\":0,\"reasoning_tokens\":3}}"),
         4, 3},
        {STR("{\"total_tokens\":14" PROMPT "{\"cached_tokens\":9}" COMPLETION
             "{\"reasoning_tokens\":5},\"completion_tokens\":5,"
             "\"prompt_tokens\":9}"),
         9, 5},
        {STR(HEAD PROMPT "{\"cached_tokens\":10}" COMPLETION
                         "{\"reasoning_tokens\":99}}"),
         9, 5},
        {STR(HEAD PROMPT "null" COMPLETION "[{}]}"), 0, 0},
        {STR(HEAD PROMPT "{\"cached_tokens\":null}" COMPLETION
                         "{\"reasoning_tokens\":1.5}}"),
         0, 0},
        {STR(HEAD PROMPT "{\"reasoning_tokens\":4}" COMPLETION
                         "{\"cached_tokens\":3}}"),
         0, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct provider_usage u;
        struct json_scan s;

        json_scan_init(&s, cases[i].text);
        assert_true(scan_usage(&s, &u));
        assert_true(json_scan_end(&s));
        assert_int_equal(u.prompt_tokens, 9);
        assert_int_equal(u.completion_tokens, 5);
        assert_int_equal(u.total_tokens, 14);
        assert_int_equal(u.cached_tokens, cases[i].cached);
        assert_int_equal(u.reasoning_tokens, cases[i].reasoning);
    }
}

static void
two_counts_of_a_usage_are_enough(void **state)
{
    static const struct {
        struct str text;
        bool usable;
        int64_t completion, total;
    } cases[] = {
        {STR("{\"prompt_tokens\":9,\"total_tokens\":9}"), true, 0, 9},
        {STR("{\"total_tokens\":14,\"prompt_tokens\":9}"), true, 5, 14},
        {STR("{\"prompt_tokens\":9,\"completion_tokens\":5}"), true, 5, 14},
        {STR("{\"prompt_tokens\":9,\"total_tokens\":8}"), false, 0, 0},
        {STR("{\"prompt_tokens\":9}"), false, 0, 0},
        {STR("{\"completion_tokens\":5,\"total_tokens\":14}"), false, 0, 0},
        {STR("{\"total_tokens\":14}"), false, 0, 0},
        {STR("{}"), false, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct provider_usage u = {.prompt_tokens = 0};
        struct json_scan s;

        json_scan_init(&s, cases[i].text);
        assert_int_equal(scan_usage(&s, &u), cases[i].usable);
        assert_true(json_scan_end(&s));
        assert_int_equal(u.prompt_tokens, cases[i].usable ? 9 : 0);
        assert_int_equal(u.completion_tokens, cases[i].completion);
        assert_int_equal(u.total_tokens, cases[i].total);
    }
}

static void
a_member_is_a_string_of_the_outermost_object(void **state)
{
    static const struct {
        struct str text;
        const char *id; /* NULL: none */
    } cases[] = {
        {STR("{\"id\":\"a\",\"b\":[{\"id\":\"x\"}]}"), "a"},
        {STR(" {\"b\":{\"id\":\"x\"},\"id\":\"\"} "), ""},
        {STR("{\"id\":7}"), NULL},
        {STR("{\"id\":\"a\"}}"), NULL},
        {STR("{\"id\":\"a\""), NULL},
        {STR("[\"id\",\"a\"]"), NULL},
        {STR("\"id\""), NULL},
        {STR(""), NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json_text id;
        bool found = scan_member_of(cases[i].text, STR("id"), &id);

        assert_int_equal(found, cases[i].id != NULL);
        assert_true(!found || str_is(id.raw, cases[i].id));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_may_be_null_but_nothing_else),
        cmocka_unit_test(a_count_is_one_or_none),
        cmocka_unit_test(an_object_may_be_null_but_nothing_else),
        cmocka_unit_test(a_usage_may_have_details),
        cmocka_unit_test(two_counts_of_a_usage_are_enough),
        cmocka_unit_test(a_member_is_a_string_of_the_outermost_object),
    };

    return cmocka_run_group_tests_name("provider/scan", tests, NULL, NULL);
}
