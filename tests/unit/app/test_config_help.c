/* SPDX-License-Identifier: MIT */
#include "app/config_help.h"

#include "app/config_table.h"
#include "config_fixture.h"

#include "base/xalloc.h"

#include <setjmp.h>

#include <cmocka.h>

#define OUT_BYTES (1 << 20)

static char *
make(void (*help)(struct buf *))
{
    struct buf out;

    buf_init(&out, OUT_BYTES);
    help(&out);
    assert_false(out.failed);
    return buf_give(&out);
}

static void
every_setting_is_in_every_view(void **state)
{
    char *views[] = {make(config_help_text), make(config_help_markdown),
                     make(config_help_example)};

    (void)state;
    for (size_t i = 0; i < CONFIG_IDS; i++) {
        const struct config_row *row = &config_table_rows[i];
        struct str env;

        assert_non_null(strstr(views[0], row->path));
        assert_non_null(strstr(views[1], row->path));
        for (size_t v = 0; v < 3; v++) {
            assert_non_null(strstr(views[v], row->text));
            for (unsigned n = 0; config_table_env(row, n, &env); n++) {
                char *name = str_dup(env);

                assert_non_null(strstr(views[v], name));
                xfree(name);
            }
        }
    }
    for (size_t v = 0; v < 3; v++) {
        assert_non_null(strstr(views[v], "LLM_PROVIDER_n_API_KEY_FILE"));
        xfree(views[v]);
    }
}

static void
the_example_as_it_stands_sets_nothing(void **state)
{
    char *text = make(config_help_example);
    struct trial t = {.yaml = text};
    struct trial plain = {.bare = false};

    (void)state;
    trial_run(&t);
    trial_run(&plain);
    assert_non_null(t.config);
    assert_int_equal(t.report.count, 0);
    for (size_t i = 0; i < plain.config->line_count; i++) {
        assert_string_equal(t.config->lines[i].value,
                            plain.config->lines[i].value);
    }
    trial_fini(&t);
    trial_fini(&plain);
    xfree(text);
}

/* Takes the first '#' of each line away. */
static void
uncomment(char *text)
{
    char *to = text;

    for (const char *at = text; *at != '\0'; at++) {
        if (!(*at == '#' && (at == text || at[-1] == '\n'))) {
            *to++ = *at;
        }
    }
    *to = '\0';
}

static void
the_example_without_its_comment_signs_says_the_defaults(void **state)
{
    char *text = make(config_help_example);
    char *copy = xstrdup(text);
    struct trial t = {
        .bare = true,
        .yaml = copy,
        .env = {"JWT_SECRET=" GOOD_SECRET, "LLM_PROVIDER_1_ID=first"}};
    struct trial plain = {.bare = false};

    (void)state;
    uncomment(copy);
    trial_run(&t);
    trial_run(&plain);
    trial_print(&t);
    assert_non_null(t.config);
    for (size_t i = 0; i < plain.config->line_count; i++) {
        assert_string_equal(t.config->lines[i].value,
                            plain.config->lines[i].value);
    }
    trial_fini(&t);
    trial_fini(&plain);
    xfree(copy);
    xfree(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_setting_is_in_every_view),
        cmocka_unit_test(the_example_as_it_stands_sets_nothing),
        cmocka_unit_test(
            the_example_without_its_comment_signs_says_the_defaults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
