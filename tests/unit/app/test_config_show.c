/* SPDX-License-Identifier: MIT */
#include "app/config_show.h"

#include "config_fixture.h"

#include "base/xalloc.h"

#include <setjmp.h>

#include <cmocka.h>

static void
values_are_shown_as_they_were_written(void **state)
{
    static const struct {
        const char *set;
        const char *path;
        const char *shown;
    } cases[] = {
        {"llm.stream_timeout=120s", "llm.stream_timeout", "120s"},
        {"llm.stream_timeout=90", "llm.stream_timeout", "90s"},
        {"upload.max_size=1024", "upload.max_size", "1024"},
        {"ws.token_in_query=NO", "ws.token_in_query", "false"},
        {"log.level=WARN", "log.level", "warn"},
        {"auth.issuer=", "auth.issuer", "\"\""},
        {"auth.issuer=a: b", "auth.issuer", "\"a: b\""},
        {"auth.issuer=a\"b\\", "auth.issuer", "\"a\\\"b\\\\\""},
        {"llm.system_prompt=a\nb", "llm.system_prompt", "\"a\\nb\""},
        {"ws.allowed_origins=https://a, null", "ws.allowed_origins",
         "[https://a, null]"},
        {"metrics.allowed_networks=none", "metrics.allowed_networks", "[]"},
        {"notify.sms.provider=", "notify.sms.provider", "\"\""},
        {"auth.jwt_secret=" GOOD_SECRET, "auth.jwt_secret", "<secret>"},
        {"llm.transcription.api_key=", "llm.transcription.api_key", "\"\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct trial t = {.sets = {cases[i].set}};

        trial_run(&t);
        assert_string_equal(trial_value(&t, cases[i].path), cases[i].shown);
        trial_fini(&t);
    }
}

static void
a_uri_is_shown_without_its_password(void **state)
{
    static const struct {
        const char *uri;
        const char *shown;
    } cases[] = {
        {"mongodb://h:27017/db", "mongodb://h:27017/db"},
        {"mongodb://u@h/db", "mongodb://u@h/db"},
        {"mongodb://u:hunter2@h/db?w=1", "\"mongodb://u:<secret>@h/db?w=1\""},
        {"mongodb://u:hunter%402@h", "\"mongodb://u:<secret>@h\""},
        {"mongodb://h/?tlsCertificateKeyFilePassword=hunter2", "<secret>"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char set[256];
        struct trial t = {.sets = {set}};

        snprintf(set, sizeof(set), "store.mongo.uri=%s", cases[i].uri);
        trial_run(&t);
        assert_string_equal(trial_value(&t, "store.mongo.uri"), cases[i].shown);
        trial_fini(&t);
    }
}

static void
a_bad_uri_is_told_without_its_password(void **state)
{
    static const char *const uris[] = {
        "mongodb://u:hunter2",       "http://u:hunter2@h",   "u:hunter2@h",
        "mongodb://u:x/hunter2@h y", "mongodb://u:hunter2@", "hunter2"};

    (void)state;
    for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
        char set[256];
        struct trial t = {.sets = {set}};

        snprintf(set, sizeof(set), "store.mongo.uri=%s", uris[i]);
        trial_run(&t);
        assert_null(t.config);
        assert_true(trial_says(&t, CONFIG_ERROR, "store.mongo.uri", NULL));
        assert_false(trial_says(&t, CONFIG_ERROR, "hunter2", NULL));
        trial_fini(&t);
    }
}

static void
every_setting_has_a_line(void **state)
{
    struct trial t = {.bare = false};
    struct buf out;
    char *text;

    (void)state;
    trial_run(&t);
    buf_init(&out, 1 << 20);
    config_show_print(t.config, &out);
    text = buf_give(&out);
    for (size_t i = 0; i < CONFIG_IDS; i++) {
        char line[128];

        snprintf(line, sizeof(line), "%s: ", config_table_rows[i].path);
        assert_non_null(strstr(text, line));
    }
    assert_non_null(strstr(text, "llm.providers[1].type: demo\n"));
    assert_null(strstr(text, GOOD_SECRET));
    xfree(text);
    trial_fini(&t);
}

/* Writes "path before after applies|restart;" for each difference. */
static void
note(void *cookie, const char *path, const char *before, const char *after,
     enum config_change change)
{
    buf_printf(cookie, "%s %s %s %s;", path, before, after,
               change == CONFIG_CHANGE_APPLIES ? "applies" : "restart");
}

static void
differences_say_what_applies(void **state)
{
    struct trial a = {.sets = {"log.level=info", "session.ttl=60s",
                               "ws.allowed_origins=https://a"}};
    struct trial b = {.sets = {"log.level=debug", "session.ttl=1m",
                               "ws.allowed_origins=https://b", "server.port=81",
                               "auth.jwt_secret=" GOOD_SECRET "x",
                               "llm.providers[2].id=c",
                               "llm.providers[2].type=demo"}};
    struct buf out;
    char *text;

    (void)state;
    trial_run(&a);
    trial_run(&b);
    buf_init(&out, 4096);
    config_show_diff(a.config, b.config, note, &out);
    config_show_diff(a.config, a.config, note, &out);
    text = buf_give(&out);
    assert_string_equal(text,
                        "server.port 8080 81 restart;"
                        "log.level info debug applies;"
                        "ws.allowed_origins [https://a] [https://b] applies;"
                        "auth.jwt_secret <secret> <secret> restart;"
                        "llm.providers[2].id  c applies;"
                        "llm.providers[2].name  c applies;"
                        "llm.providers[2].type  demo applies;");
    xfree(text);
    trial_fini(&a);
    trial_fini(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_shown_as_they_were_written),
        cmocka_unit_test(a_uri_is_shown_without_its_password),
        cmocka_unit_test(a_bad_uri_is_told_without_its_password),
        cmocka_unit_test(every_setting_has_a_line),
        cmocka_unit_test(differences_say_what_applies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
