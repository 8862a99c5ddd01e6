/* SPDX-License-Identifier: MIT */
#include "app/config_yaml.h"

#include "config_fixture.h"

#include "base/xalloc.h"

#include <setjmp.h>

#include <cmocka.h>

static const struct yaml_case {
    const char *yaml;
    const char *says[3]; /* NULL: it is good */
} cases[] = {
    {"", {0}},
    {"# nothing\n", {0}},
    {"---\n...\n", {0}},
    {"server:\n", {0}},
    {"server: ~\nlog: null\n", {0}},
    {"server: {port: 81}\n", {0}},
    {"server:\n  \"port\": '81'\n", {0}},
    {"{\"server\": {\"port\": 81}}", {0}},
    {"llm: {system_prompt: ~}", {0}},
    {"ws: {allowed_origins: []}", {0}},
    {"ws: {allowed_origins: [null, 'https://a']}", {0}},
    {"llm: {providers: [{id: a, type: demo, fallback: []}]}", {0}},

    {"prot: 1", {"line 1", "prot"}},
    {"server:\n  port: 1\n  prot: 2\n", {"line 3", "server.prot"}},
    {"server.port: 1", {"line 1", "unknown key \"server.port\"; levels"}},
    {"server: {\"port.x\": 1}", {"line 1", "unknown key"}},
    {"\"\": 1", {"line 1", "unknown key"}},
    {"server: 1", {"line 1", "server", "must have keys"}},
    {"server: [1]", {"line 1", "server", "must have keys"}},
    {"server: {port: [1]}", {"line 1", "server.port", "one value"}},
    {"server: {port: {a: 1}}", {"line 1", "server.port", "one value"}},
    {"server:\n  port:\n", {"line 2", "server.port"}},
    {"ws: {allowed_origins: https://a}", {"ws.allowed_origins", "sequence"}},
    {"ws: {allowed_origins: [[a]]}", {"ws.allowed_origins", "plain value"}},
    {"ws: {allowed_origins: ['']}", {"ws.allowed_origins", "empty entry"}},
    {"server: {port: 1, port: 2}", {"line 1", "port", "twice"}},
    {"log: {}\nserver: {}\nlog: {}\n", {"line 3", "log", "twice"}},
    {"? [a]\n: 1\n", {"line 1", "a key is not a plain value"}},
    {"- a\n", {"line 1", "keys and values"}},
    {"text", {"line 1", "keys and values"}},
    {"log: {}\n---\nserver: {}\n", {"line 3", "second document"}},
    {"server: {port: 1\n", {"test.yaml", "not valid YAML"}},
    {"server:\n\tport: 1\n", {"line 2", "not valid YAML"}},
    {"a: *b", {"line 1", "unknown key"}},
    {"server: {port: *b}", {"line 1", "server.port"}},
    {"server: {port: \"8\\0\"}", {"line 1", "server.port"}},
    {"server: \"\xff\"", {"not valid YAML"}},
    {"llm: {providers: {id: a}}", {"llm.providers", "sequence"}},
    {"llm: {providers: [a]}", {"entry of llm.providers", "keys"}},
    {"llm:\n  providers:\n  - id: a\n    typ: demo\n",
     {"line 4", "llm.providers[].typ"}},
    {"llm: {providers: [{id: a, type: demo, id: b}]}", {"id", "twice"}},
    {"llm: {providers: [{id: [a], type: demo}]}", {"id", "one value"}},
    {"llm: {providers: [{id: a, type: demo, fallback: b}]}",
     {"fallback", "sequence"}},
    {"llm: {providers: [{id: a, type: demo, extra_body: {}}]}", {0}},
    {"llm: {providers: [{id: a, type: demo, extra_body: '{}'}]}", {0}},
    {"llm: {providers: [{id: a, type: demo, extra_body: ~}]}", {0}},
    {"llm: {providers: [{id: a, type: demo, extra_body: [1]}]}",
     {"extra_body", "one value", "JSON object"}},
    {"llm: {providers: [{id: a, type: demo, extra_body: 1}]}",
     {"extra_body", "is not a JSON object"}},
    {"llm: {providers: [{id: a, type: demo, extra_body: {b: 1, b: 2}}]}",
     {"extra_body", "is not a JSON object"}},
    {"llm: {providers: [{id: a, type: demo, extra_body: {[b]: 1}}]}",
     {"extra_body", "a key that is not a plain value"}},
    {"llm: {providers: [{id: a, type: demo, extra_body: {b: &c 1, d: *c}}]}",
     {"extra_body", "has an alias"}},
    {"llm: {providers: [{id: a, type: demo, extra_body: {b: [}}]}",
     {"not valid YAML"}},
};

static void
each_file_gets_its_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct trial t = {.yaml = cases[i].yaml};
        bool good = cases[i].says[0] == NULL;
        bool said;

        trial_run(&t);
        said = good || trial_says(&t, CONFIG_ERROR, cases[i].says[0],
                                  cases[i].says[1], cases[i].says[2], NULL);
        if ((t.config != NULL) != good || !said) {
            fprintf(stderr, "%s\n", cases[i].yaml);
            trial_print(&t);
        }
        assert_int_equal(t.config != NULL, good);
        assert_true(said);
        trial_fini(&t);
    }
}

/* A file that was written halfway: never a crash, and never a value that is
 * not in the file. */
static void
a_file_cut_anywhere_is_read_or_refused(void **state)
{
    static const char whole[] =
        "server: {port: 81, host: '::1'}\n"
        "ws:\n  allowed_origins:\n    - https://a.example\n"
        "llm:\n  providers:\n    - id: a\n      type: demo\n";

    (void)state;
    for (size_t n = 0; n < sizeof(whole); n++) {
        char *cut = xmemdup(whole, n);
        struct trial t = {.yaml = cut};

        trial_run(&t);
        if (t.config != NULL && n > 32) {
            assert_int_equal(t.config->server_port, 81);
        }
        trial_fini(&t);
        xfree(cut);
    }
}

static void
a_file_of_no_bytes_is_no_settings(void **state)
{
    const char *const env[] = {"JWT_SECRET=" GOOD_SECRET, "LLM_PROVIDER_1_ID=a",
                               "LLM_PROVIDER_1_TYPE=demo", NULL};
    struct config_sources sources = {
        .environment = env, .file_name = "empty.yaml", .yaml = {NULL, 0}};
    struct config_report report = {0};
    struct config *c = config_load(&sources, &report);

    (void)state;
    assert_non_null(c);
    config_free(c);
    config_report_fini(&report);
}

static void
more_than_99_providers_are_refused(void **state)
{
    struct buf yaml;
    struct trial t = {.bare = false};
    char *text;

    (void)state;
    buf_init(&yaml, 65536);
    buf_puts(&yaml, "llm:\n  providers:\n");
    for (unsigned i = 0; i < 100; i++) {
        buf_printf(&yaml, "  - {id: p%u, type: demo}\n", i);
    }
    t.yaml = text = buf_give(&yaml);
    trial_run(&t);
    assert_null(t.config);
    assert_true(trial_says(&t, CONFIG_ERROR, "line 102", "99", NULL));
    assert_int_equal(t.report.errors, 1);
    trial_fini(&t);
    xfree(text);
}

static void
a_mapping_with_too_many_keys_is_told_once(void **state)
{
    struct buf yaml;
    struct trial t = {.bare = false};
    char *text;

    (void)state;
    buf_init(&yaml, 65536);
    for (unsigned i = 0; i < 2000; i++) {
        buf_printf(&yaml, "k%u: 1\n", i);
    }
    t.yaml = text = buf_give(&yaml);
    trial_run(&t);
    assert_null(t.config);
    assert_true(trial_says(&t, CONFIG_ERROR, "line 201", "too many", NULL));
    assert_int_equal(t.report.errors, 201);
    trial_fini(&t);
    xfree(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_file_gets_its_answer),
        cmocka_unit_test(a_file_cut_anywhere_is_read_or_refused),
        cmocka_unit_test(a_file_of_no_bytes_is_no_settings),
        cmocka_unit_test(more_than_99_providers_are_refused),
        cmocka_unit_test(a_mapping_with_too_many_keys_is_told_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
