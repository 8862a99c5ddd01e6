/* SPDX-License-Identifier: MIT */
#include "app/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define EVERYTHING                                                             \
    (OPTIONS_SETTINGS | OPTIONS_PORT | OPTIONS_TOKEN | OPTIONS_EXAMPLE |       \
     OPTIONS_WORD)

static void
options_are_read_in_both_forms(void **state)
{
    char *argv[] = {(char[]){"--config=a.yaml"},
                    (char[]){"--set"},
                    (char[]){"x=1"},
                    (char[]){"--set=y=2=3"},
                    (char[]){"--port"},
                    (char[]){"0"},
                    (char[]){"--user"},
                    (char[]){"u"},
                    (char[]){"--role=a"},
                    (char[]){"--role"},
                    (char[]){"b"},
                    (char[]){"--ttl=15m"},
                    (char[]){"word"},
                    NULL};
    struct options o;
    char why[128];

    (void)state;
    assert_true(options_parse(&o, EVERYTHING, argv, why, sizeof(why)));
    assert_string_equal(o.config_file, "a.yaml");
    assert_int_equal(o.set_count, 2);
    assert_string_equal(o.sets[0], "x=1");
    assert_string_equal(o.sets[1], "y=2=3");
    assert_int_equal(o.port, 0);
    assert_string_equal(o.user, "u");
    assert_int_equal(o.role_count, 2);
    assert_string_equal(o.roles[1], "b");
    assert_null(o.roles[2]);
    assert_int_equal(o.ttl_ms, 900000);
    assert_string_equal(o.word, "word");
    assert_false(o.help);
    options_fini(&o);
}

static void
nothing_given_has_defaults(void **state)
{
    char *argv[] = {NULL};
    struct options o;
    char why[128];

    (void)state;
    assert_true(options_parse(&o, 0, argv, why, sizeof(why)));
    assert_int_equal(o.port, -1);
    assert_int_equal(o.ttl_ms, 3600000);
    assert_null(o.config_file);
    options_fini(&o);
}

static void
two_arguments_may_stand_anywhere_and_behind_two_dashes(void **state)
{
    char *mixed[] = {(char[]){"--force"},   (char[]){"ann"},
                     (char[]){"--dry-run"}, (char[]){"file"},
                     (char[]){"--yes"},     NULL};
    char *dashes[] = {(char[]){"--"}, (char[]){"--yes"}, (char[]){"--"}, NULL};
    char *three[] = {(char[]){"a"}, (char[]){"b"}, (char[]){"c"}, NULL};
    unsigned known =
        OPTIONS_WORDS | OPTIONS_FORCE | OPTIONS_YES | OPTIONS_DRY_RUN;
    struct options o;
    char why[128];

    (void)state;
    assert_true(options_parse(&o, known, mixed, why, sizeof(why)));
    assert_true(o.force && o.dry_run && o.yes);
    assert_string_equal(o.word, "ann");
    assert_string_equal(o.second, "file");
    options_fini(&o);
    assert_true(options_parse(&o, known, dashes, why, sizeof(why)));
    assert_false(o.yes);
    assert_string_equal(o.word, "--yes");
    assert_string_equal(o.second, "--");
    options_fini(&o);
    assert_false(options_parse(&o, known, three, why, sizeof(why)));
    assert_string_equal(why, "c is not expected here");
    options_fini(&o);
}

static void
what_is_not_known_is_refused_with_its_name(void **state)
{
    static const struct {
        unsigned known;
        const char *first;
        const char *second;
        const char *name;
    } cases[] = {
        {EVERYTHING, "--confi", "x", "--confi"},
        {EVERYTHING, "-c", "x", "-c"},
        {EVERYTHING, "--config", NULL, "--config"},
        {EVERYTHING, "--set", "x", "--set"},
        {EVERYTHING, "--set=x", NULL, "--set"},
        {EVERYTHING, "--port", "65536", "--port"},
        {EVERYTHING, "--port", "-1", "--port"},
        {EVERYTHING, "--port=", NULL, "--port"},
        {EVERYTHING, "--ttl", "0", "--ttl"},
        {EVERYTHING, "--ttl", "1x", "--ttl"},
        {EVERYTHING, "--example=1", NULL, "--example"},
        {EVERYTHING, "a", "b", "b"},
        {OPTIONS_SETTINGS, "--port", "1", "--port"},
        {OPTIONS_SETTINGS, "--user", "u", "--user"},
        {OPTIONS_PORT, "--config", "x", "--config"},
        {OPTIONS_PORT, "word", NULL, "word"},
        {0, "--", NULL, "--"},
        {OPTIONS_WORD, "--force", NULL, "--force"},
        {OPTIONS_FORCE, "--yes", NULL, "--yes"},
        {OPTIONS_YES, "--yes=1", NULL, "--yes"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *argv[] = {(char *)(uintptr_t)cases[i].first,
                        (char *)(uintptr_t)cases[i].second, NULL};
        struct options o;
        char why[128];

        assert_false(options_parse(&o, cases[i].known, argv, why, sizeof(why)));
        assert_memory_equal(why, cases[i].name, strlen(cases[i].name));
        options_fini(&o);
    }
}

static void
every_command_has_help(void **state)
{
    char *argv[] = {(char[]){"--help"}, NULL};
    struct options o;
    char why[128];

    (void)state;
    assert_true(options_parse(&o, 0, argv, why, sizeof(why)));
    assert_true(o.help);
    options_fini(&o);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_read_in_both_forms),
        cmocka_unit_test(nothing_given_has_defaults),
        cmocka_unit_test(
            two_arguments_may_stand_anywhere_and_behind_two_dashes),
        cmocka_unit_test(what_is_not_known_is_refused_with_its_name),
        cmocka_unit_test(every_command_has_help),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
