/* SPDX-License-Identifier: MIT */
#include "app/config_yaml_json.h"

#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* From the first mapping of the document on. Gives; NULL when it is bad. */
static char *
convert(const char *yaml, size_t max_bytes, const char **bad_out)
{
    struct config_yaml_json j;
    yaml_parser_t parser;
    yaml_event_t event;
    char *text = NULL;
    bool begun = false, more = true;

    assert_true(yaml_parser_initialize(&parser));
    yaml_parser_set_input_string(&parser, (const unsigned char *)yaml,
                                 strlen(yaml));
    config_yaml_json_init(&j, max_bytes);
    while (more) {
        assert_true(yaml_parser_parse(&parser, &event));
        begun = begun || event.type == YAML_MAPPING_START_EVENT;
        more = !begun || config_yaml_json_feed(&j, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    *bad_out = j.bad;
    if (j.bad == NULL) {
        text = buf_give(&j.out);
    }
    config_yaml_json_fini(&j);
    return text;
}

static void
a_mapping_is_the_object_that_it_means(void **state)
{
    static const char *const cases[][2] = {
        {"{}", "{}"},
        {"a: 1\nb: -0.5e3\n", "{\"a\":1,\"b\":-0.5e3}"},
        {"a: [1, [], {}, [2]]\nb: {c: {d: x}}\n",
         "{\"a\":[1,[],{},[2]],\"b\":{\"c\":{\"d\":\"x\"}}}"},
        {"[true, True, TRUE]: 1", NULL},
        {"a: [true, True, FALSE, null, Null, ~, ]",
         "{\"a\":[true,true,false,null,null,null]}"},
        {"a:\nb: ''\n", "{\"a\":null,\"b\":\"\"}"},
        /* what JSON would not write so is a text, and so is what is quoted */
        {"a: [yes, .5, 1., 0x10, 010, +1, 1_000, .inf, 12:30]",
         "{\"a\":[\"yes\",\".5\",\"1.\",\"0x10\",\"010\",\"+1\",\"1_000\","
         "\".inf\",\"12:30\"]}"},
        {"a: ['1', \"true\", 'null']", "{\"a\":[\"1\",\"true\",\"null\"]}"},
        {"1: x\ntrue: y\n~: z\n", "{\"1\":\"x\",\"true\":\"y\",\"~\":\"z\"}"},
        {"a: \"q\\\"\\n\\u00e4\"", "{\"a\":\"q\\\"\\n\xC3\xA4\"}"},
        {"a: |\n  l1\n  l2\n", "{\"a\":\"l1\\nl2\\n\"}"},
        {"{\"a\": {\"b\": [1, \"2\", null]}}",
         "{\"a\":{\"b\":[1,\"2\",null]}}"},
        {"a: &x 1\nb: *x\n", NULL},
        {"{a: 1}: 2", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *bad;
        char *text = convert(cases[i][0], 1000, &bad);

        if (cases[i][1] == NULL) {
            assert_non_null(bad);
        } else {
            assert_null(bad);
            assert_string_equal(text, cases[i][1]);
        }
        xfree(text);
    }
}

static void
has_a_depth_and_a_length(void **state)
{
    char yaml[400];
    const char *bad;
    char *text;

    (void)state;
    for (size_t depth = 60; depth < 80; depth++) {
        size_t n = 0;

        memcpy(yaml, "a: ", 3);
        n = 3;
        memset(yaml + n, '[', depth - 1);
        n += depth - 1;
        memset(yaml + n, ']', depth - 1);
        yaml[n + depth - 1] = '\0';
        text = convert(yaml, 1000, &bad);
        assert_int_equal(bad == NULL, depth <= 64);
        xfree(text);
    }
    text = convert("a: 12345", 11, &bad);
    assert_string_equal(text, "{\"a\":12345}");
    xfree(text);
    assert_null(convert("a: 12345", 10, &bad));
    assert_string_equal(bad, "is too long");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mapping_is_the_object_that_it_means),
        cmocka_unit_test(has_a_depth_and_a_length),
    };

    return cmocka_run_group_tests_name("app/config_yaml_json", tests, NULL,
                                       NULL);
}
