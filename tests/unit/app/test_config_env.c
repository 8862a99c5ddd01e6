/* SPDX-License-Identifier: MIT */
#include "app/config_env.h"

#include "config_fixture.h"

#include <setjmp.h>

#include <cmocka.h>

static void
an_empty_variable_is_not_there(void **state)
{
    static const char *const env[] = {"A=", "B=1", "BB=2", NULL};

    (void)state;
    assert_null(config_env_get(env, "A"));
    assert_string_equal(config_env_get(env, "B"), "1");
    assert_string_equal(config_env_get(env, "BB"), "2");
    assert_null(config_env_get(env, "C"));
}

static void
a_secret_may_be_in_a_file(void **state)
{
    static const struct {
        const char *file;
        const char *value; /* NULL: an error */
    } cases[] = {
        {"JWT_SECRET_FILE=secret", GOOD_SECRET},
        {"JWT_SECRET_FILE=secret-line", GOOD_SECRET},
        {"JWT_SECRET_FILE=secret-lines", GOOD_SECRET "\n"},
        {"JWT_SECRET_FILE=absent", NULL},
        {"JWT_SECRET_FILE=empty", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct trial t = {.bare = true,
                          .env = {cases[i].file, "LLM_PROVIDER_3_ID=a",
                                  "LLM_PROVIDER_3_TYPE=demo"}};

        trial_run(&t);
        assert_int_equal(t.config != NULL, cases[i].value != NULL);
        if (t.config != NULL) {
            assert_string_equal(t.config->auth_jwt_secret.p, cases[i].value);
        } else {
            assert_true(trial_says(&t, CONFIG_ERROR, "auth.jwt_secret", NULL));
            assert_int_equal(t.report.errors, 1);
        }
        trial_fini(&t);
    }
}

static void
every_secret_has_a_file_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONFIG_IDS; i++) {
        const struct config_row *row = &config_table_rows[i];
        char variable[128];
        struct trial t = {.bare = true, .env = {variable}};
        bool secret = (row->flags & CONFIG_FLAG_SECRET) != 0;

        snprintf(variable, sizeof(variable), "%s_FILE=absent", row->env);
        if (strchr(row->env, ',') != NULL) {
            continue;
        }
        trial_run(&t);
        assert_int_equal(trial_says(&t, CONFIG_ERROR, row->path, "absent",
                                    "does not exist", NULL),
                         secret);
        trial_fini(&t);
    }
}

static void
a_secret_given_twice_is_an_error(void **state)
{
    struct trial t = {.env = {"JWT_SECRET_FILE=secret"}};
    struct trial p = {.env = {"LLM_PROVIDER_1_API_KEY_FILE=secret",
                              "LLM_PROVIDER_1_API_KEY=a"}};

    (void)state;
    trial_run(&t);
    trial_run(&p);
    assert_true(trial_says(&t, CONFIG_ERROR, "auth.jwt_secret",
                           "a value and as a file", NULL));
    assert_true(trial_says(&p, CONFIG_ERROR, "llm.providers[1].api_key",
                           "a value and as a file", NULL));
    trial_fini(&t);
    trial_fini(&p);
}

static void
two_names_must_agree(void **state)
{
    struct trial same = {.env = {"WS_ALLOWED_ORIGINS=https://a",
                                 "CHATBOX_ALLOWED_ORIGINS="
                                 "https://a"}};
    struct trial other = {.env = {"WS_ALLOWED_ORIGINS=https://a",
                                  "CHATBOX_ALLOWED_ORIGINS="
                                  "https://b"}};
    struct trial second = {.env = {"CHATBOX_ALLOWED_ORIGINS=https://b"}};

    (void)state;
    trial_run(&same);
    trial_run(&other);
    trial_run(&second);
    assert_non_null(same.config);
    assert_null(other.config);
    assert_true(trial_says(&other, CONFIG_ERROR, "WS_ALLOWED_ORIGINS",
                           "CHATBOX_ALLOWED_ORIGINS", NULL));
    assert_string_equal(trial_value(&second, "ws.allowed_origins"),
                        "[https://b]");
    trial_fini(&same);
    trial_fini(&other);
    trial_fini(&second);
}

static void
a_slip_of_the_pen_is_a_warning_with_the_right_name(void **state)
{
    static const struct {
        const char *variable;
        const char *meant; /* NULL: no warning */
    } cases[] = {
        {"JWT_SECERT=x", "JWT_SECRET"},
        {"JWT_SECRET_FIEL=x", "JWT_SECRET_FILE"},
        {"WS_PING_PERIODS=x", "WS_PING_PERIOD"},
        {"CHATBOX_CONFG=x", "CHATBOX_CONFIG"},
        {"LLM_PROVIDER_2_ENDPIONT=x", "LLM_PROVIDER_2_ENDPOINT"},
        {"LLM_PROVIDER_99_MODLE=x", "LLM_PROVIDER_99_MODEL"},
        {"LLM_PROVIDER_01_ID=x", "LLM_PROVIDER_1_ID"},
        {"S3_BUKET=x", "S3_BUCKET"},
        {"SHUTDOWN_TIMOUT=x", "SHUTDOWN_TIMEOUT"},
        {"JWT_SECERT=", NULL},       /* not there */
        {"SESSION_MANAGER=x", NULL}, /* far from everything */
        {"JTW_SECRET=x", NULL},      /* not one of our prefixes */
        {"CHATBOX_CONFIG=x", NULL},  /* known, and read elsewhere */
        {"LLM_PROVIDER_1_NAME=x", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct trial t = {.env = {cases[i].variable}};
        char name[64];

        snprintf(name, sizeof(name), "%.*s",
                 (int)strcspn(cases[i].variable, "="), cases[i].variable);
        trial_run(&t);
        assert_non_null(t.config);
        assert_int_equal(t.report.count, cases[i].meant != NULL);
        if (cases[i].meant != NULL) {
            assert_true(
                trial_says(&t, CONFIG_WARNING, name, cases[i].meant, NULL));
        }
        trial_fini(&t);
    }
}

static void
distance_counts_letters(void **state)
{
    static const struct {
        const char *a, *b;
        unsigned distance;
    } cases[] = {
        {"", "", 0},         {"abc", "abc", 0},
        {"abc", "abd", 1},   {"abc", "ab", 1},
        {"ab", "abc", 1},    {"abcd", "badc", 3},
        {"ab", "ba", 2},     {"abc", "xyz", 3},
        {"abcdef", "ab", 3}, {"kitten", "sitting", 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(
            config_env_distance(str_from(cases[i].a), str_from(cases[i].b), 2),
            cases[i].distance);
    }
}

static void
providers_may_have_gaps_and_keep_their_order(void **state)
{
    struct trial t = {.bare = true,
                      .env = {"JWT_SECRET=" GOOD_SECRET, "LLM_PROVIDER_99_ID=z",
                              "LLM_PROVIDER_99_TYPE=demo",
                              "LLM_PROVIDER_5_ID=m", "LLM_PROVIDER_5_TYPE=DEMO",
                              "LLM_PROVIDER_5_FALLBACK=z"}};

    (void)state;
    trial_run(&t);
    assert_non_null(t.config);
    assert_int_equal(t.config->provider_count, 2);
    assert_string_equal(t.config->providers[0].id.p, "m");
    assert_string_equal(t.config->providers[0].fallback.items[0].p, "z");
    assert_string_equal(t.config->providers[1].id.p, "z");
    assert_string_equal(trial_value(&t, "llm.providers[99].id"), "z");
    trial_fini(&t);
}

static void
the_environment_replaces_members_of_the_files_providers(void **state)
{
    struct trial t = {
        .bare = true,
        .yaml = "llm:\n"
                "  providers:\n"
                "    - {id: a, name: A, type: openai, api_key: k1,\n"
                "       endpoint: https://a.example/v1, model: m1}\n"
                "    - {id: b, type: demo}\n",
        .env = {"JWT_SECRET=" GOOD_SECRET, "LLM_PROVIDER_1_MODEL=m2",
                "LLM_PROVIDER_1_API_KEY_FILE=secret-line",
                "LLM_PROVIDER_3_ID=c", "LLM_PROVIDER_3_TYPE=demo"},
        .sets = {"llm.providers[2].id=bb"}};

    (void)state;
    trial_run(&t);
    assert_non_null(t.config);
    assert_int_equal(t.config->provider_count, 3);
    assert_string_equal(t.config->providers[0].id.p, "a");
    assert_string_equal(t.config->providers[0].model.p, "m2");
    assert_string_equal(t.config->providers[0].api_key.p, GOOD_SECRET);
    assert_string_equal(t.config->providers[1].id.p, "bb");
    assert_string_equal(t.config->providers[2].id.p, "c");
    assert_string_equal(trial_value(&t, "llm.providers[1].api_key"),
                        "<secret>");
    trial_fini(&t);
}

static void
unknown_paths_of_set_are_errors(void **state)
{
    static const char *const paths[] = {"x=1",
                                        "=1",
                                        "server=1",
                                        "server.portx=1",
                                        "llm.providers=1",
                                        "llm.providers[0].id=a",
                                        "llm.providers[100].id=a",
                                        "llm.providers[01].id=a",
                                        "llm.providers[1]id=a",
                                        "llm.providers[1].ids=a",
                                        "llm.providers[1=a"};

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct trial t = {.sets = {paths[i]}};

        trial_run(&t);
        assert_null(t.config);
        assert_true(trial_says(&t, CONFIG_ERROR, "--set", NULL));
        trial_fini(&t);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_variable_is_not_there),
        cmocka_unit_test(a_secret_may_be_in_a_file),
        cmocka_unit_test(every_secret_has_a_file_form),
        cmocka_unit_test(a_secret_given_twice_is_an_error),
        cmocka_unit_test(two_names_must_agree),
        cmocka_unit_test(a_slip_of_the_pen_is_a_warning_with_the_right_name),
        cmocka_unit_test(distance_counts_letters),
        cmocka_unit_test(providers_may_have_gaps_and_keep_their_order),
        cmocka_unit_test(
            the_environment_replaces_members_of_the_files_providers),
        cmocka_unit_test(unknown_paths_of_set_are_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
