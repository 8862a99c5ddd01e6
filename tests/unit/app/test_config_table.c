/* SPDX-License-Identifier: MIT */
#include "app/config_table.h"

#include "config_fixture.h"

#include "base/xalloc.h"

#include <setjmp.h>

#include <cmocka.h>

static void
every_path_and_every_name_is_unique(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONFIG_IDS; i++) {
        const struct config_row *a = &config_table_rows[i];

        assert_ptr_equal(config_table_find(str_from(a->path)), a);
        for (size_t j = 0; j < i; j++) {
            const struct config_row *b = &config_table_rows[j];

            assert_string_not_equal(a->path, b->path);
            assert_string_not_equal(a->env, b->env);
            assert_int_not_equal(a->offset, b->offset);
        }
    }
}

static void
every_text_is_a_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONFIG_IDS + CONFIG_MEMBERS; i++) {
        const struct config_row *row =
            i < CONFIG_IDS ? &config_table_rows[i]
                           : &config_table_members[i - CONFIG_IDS];
        size_t n = strlen(row->text);

        assert_true(n > 10);
        assert_int_equal(row->text[n - 1], '.');
        assert_true(row->text[0] < 'a' || row->text[0] > 'z');
    }
}

static void
every_row_stands_in_a_group(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONFIG_IDS; i++) {
        const char *path = config_table_rows[i].path;
        struct str group = {path, (size_t)(strrchr(path, '.') - path)};

        assert_true(config_table_is_group(group));
        assert_null(config_table_find(group));
    }
}

static void
every_default_is_taken(void **state)
{
    struct trial t = {.bare = false};

    (void)state;
    trial_run(&t);
    assert_int_equal(t.report.count, 0);
    assert_non_null(t.config);
    trial_fini(&t);
}

static void
a_row_may_have_two_names(void **state)
{
    const struct config_row *row = config_table_find(STR("ws.allowed_origins"));
    struct str name;

    (void)state;
    assert_true(config_table_env(row, 0, &name));
    assert_true(str_is(name, "WS_ALLOWED_ORIGINS"));
    assert_true(config_table_env(row, 1, &name));
    assert_true(str_is(name, "CHATBOX_ALLOWED_ORIGINS"));
    assert_false(config_table_env(row, 2, &name));
}

static void
what_is_allowed_comes_from_the_range(void **state)
{
    static const struct {
        const char *path;
        const char *allowed;
    } cases[] = {
        {"server.port", "1..65535"},
        {"server.shutdown_timeout", "1s..1h"},
        {"server.drain_delay", "0..10m"},
        {"ws.max_message_size", "1KiB..64MiB"},
        {"ws.token_in_query", "true false 1 0 yes no"},
        {"session.reconnect_timeout", "more than 0"},
        {"session.ttl", "1s or more"},
        {"session.cleanup_interval", "100ms or more"},
        {"limit.messages", "1 or more"},
        {"log.level", "error warn info debug"},
        {"upload.url_ttl", "1m..30d"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out;
        char *text;

        buf_init(&out, 512);
        config_table_allowed(config_table_find(str_from(cases[i].path)), &out);
        text = buf_give(&out);
        assert_string_equal(text, cases[i].allowed);
        xfree(text);
    }
}

static void
what_is_not_there_is_not_found(void **state)
{
    (void)state;
    assert_null(config_table_find(STR("server")));
    assert_null(config_table_find(STR("server.portx")));
    assert_null(config_table_find(STR("")));
    assert_null(config_table_find_member(&config_table_kinds[CONFIG_PROVIDERS],
                                         STR("ids")));
    assert_non_null(config_table_find_member(
        &config_table_kinds[CONFIG_PROVIDERS], STR("id")));
    assert_true(config_table_is_group(STR("store.mongo")));
    assert_false(config_table_is_group(STR("store.mong")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_and_every_name_is_unique),
        cmocka_unit_test(every_text_is_a_sentence),
        cmocka_unit_test(every_row_stands_in_a_group),
        cmocka_unit_test(every_default_is_taken),
        cmocka_unit_test(a_row_may_have_two_names),
        cmocka_unit_test(what_is_allowed_comes_from_the_range),
        cmocka_unit_test(what_is_not_there_is_not_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
