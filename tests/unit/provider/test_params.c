/* SPDX-License-Identifier: MIT */
#include "provider/params.h"
#include "provider/registry.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
members_are_sent_as_they_were_written(void **state)
{
    static const struct {
        struct provider_config config;
        const char *body;
    } cases[] = {
        {{.temperature = "", .extra_body = ""}, "{"},
        {{.temperature = "", .extra_body = " {\n} "}, "{"},
        {{.temperature = "0.70", .extra_body = ""}, "{\"temperature\":0.70"},
        {{.temperature = "1", .max_tokens = 5, .extra_body = "{\"a\" : 1}"},
         "{\"temperature\":1,\"max_tokens\":5,\"a\":1"},
        {{.temperature = "",
          .extra_body =
              "{\"a\\\"b\":null,\"c\":[1,{\"d\":null}] ,\"e\":\"}\"}"},
         "{\"c\":[1,{\"d\":null}],\"e\":\"}\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf body;

        buf_init(&body, 1000);
        buf_putc(&body, '{');
        params_put(&cases[i].config, &body);
        buf_putc(&body, '\0');
        assert_string_equal(body.p, cases[i].body);
        buf_fini(&body);
    }
}

static void
a_member_is_named_by_its_name_alone(void **state)
{
    struct provider_config config = {
        .extra_body = "{\"a\":{\"b\":1},\"c\":null,\"\\u0064\":\"e\"}"};

    (void)state;
    assert_true(params_name(&config, STR("a")));
    assert_true(params_name(&config, STR("c")));
    assert_true(params_name(&config, STR("d")));
    assert_false(params_name(&config, STR("b")));
    assert_false(params_name(&config, STR("e")));
    config.extra_body = "";
    assert_false(params_name(&config, STR("a")));
}

static void
what_the_server_fills_in_is_refused(void **state)
{
    static const struct {
        const char *type;
        struct str extra_body;
        const char *member; /* "" when there is none */
    } cases[] = {
        {"openai", STR("{\"top_p\":1,\"system\":1,\"n\":2}"), ""},
        {"openai", STR("{\"x\":{\"model\":1},\"model\":1}"), "model"},
        {"openai", STR("{\"messages\":[]}"), "messages"},
        {"openai", STR("{\"str\\u0065am\":0}"), "str\\u0065am"},
        {"openai", STR("{\"temperature\":null}"), "temperature"},
        {"openai", STR("{\"max_tokens\":1}"), "max_tokens"},
        {"openai", STR("{\"stream_options\":null}"), ""},
        {"anthropic", STR("{\"system\":\"x\"}"), "system"},
        {"anthropic", STR("{\"thinking\":{},\"stream\":false}"), "stream"},
        {"anthropic", STR("{\"stream_options\":1,\"model_\":1}"), ""},
        {"demo", STR("{\"model\":1}"), ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct provider_ops *ops = registry_find(str_from(cases[i].type));
        struct str member;
        bool refused = params_refused(ops, cases[i].extra_body, &member);

        assert_int_equal(refused, cases[i].member[0] != '\0');
        assert_true(!refused || str_is(member, cases[i].member));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_sent_as_they_were_written),
        cmocka_unit_test(a_member_is_named_by_its_name_alone),
        cmocka_unit_test(what_the_server_fills_in_is_refused),
    };

    return cmocka_run_group_tests_name("provider/params", tests, NULL, NULL);
}
