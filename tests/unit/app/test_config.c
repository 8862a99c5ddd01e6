/* SPDX-License-Identifier: MIT */
/* Sources and their order, and what config_load promises as a whole. */
#include "config_fixture.h"

#include "base/log.h"

#include <setjmp.h>

#include <cmocka.h>

static void
later_sources_win(void **state)
{
    static const struct {
        struct trial t;
        const char *ttl;
    } cases[] = {
        {{.yaml = NULL}, "15m"},
        {{.yaml = "session: {ttl: 1m}"}, "1m"},
        {{.yaml = "session: {ttl: 1m}", .env = {"SESSION_TTL=2m"}}, "2m"},
        {{.yaml = "session: {ttl: 1m}",
          .env = {"SESSION_TTL=2m"},
          .sets = {"session.ttl=3m"}},
         "3m"},
        {{.sets = {"session.ttl=3m", "session.ttl=4m"}}, "4m"},
        {{.yaml = "session: {ttl: 1m}", .env = {"SESSION_TTL="}}, "1m"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct trial t = cases[i].t;

        trial_run(&t);
        assert_string_equal(trial_value(&t, "session.ttl"), cases[i].ttl);
        trial_fini(&t);
    }
}

static void
numbers_arrive_in_their_unit(void **state)
{
    struct trial t = {.env = {"SESSION_TTL=90", "UPLOAD_MAX_SIZE=2GiB",
                              "LOG_LEVEL=Warn", "WS_TOKEN_IN_QUERY=No"}};

    (void)state;
    trial_run(&t);
    assert_non_null(t.config);
    assert_int_equal(t.config->session_ttl_ms, 90000);
    assert_int_equal(t.config->upload_max_size_bytes, UINT64_C(2147483648));
    assert_int_equal(t.config->log_level, LOG_WARN);
    assert_false(t.config->ws_token_in_query);
    trial_fini(&t);
}

static void
all_violations_are_found_in_one_go(void **state)
{
    struct trial t = {.bare = true,
                      .yaml = "server:\n  port: 0\n  prot: 1\n",
                      .env = {"RATE_LIMIT=x", "JWT_SECRET=short"},
                      .sets = {"no.such=1", "log.level=loud"}};

    (void)state;
    trial_run(&t);
    assert_null(t.config);
    assert_true(trial_says(&t, CONFIG_ERROR, "server.port", "SERVER_PORT",
                           "\"0\"", "1..65535", "line 2", NULL));
    assert_true(trial_says(&t, CONFIG_ERROR, "server.prot", "line 3",
                           "server.port", NULL));
    assert_true(trial_says(&t, CONFIG_ERROR, "limit.messages", "RATE_LIMIT",
                           "\"x\"", NULL));
    assert_true(trial_says(&t, CONFIG_ERROR, "auth.jwt_secret", "<secret>",
                           "openssl rand -base64 32", NULL));
    assert_true(trial_says(&t, CONFIG_ERROR, "--set", "no.such", NULL));
    assert_true(trial_says(&t, CONFIG_ERROR, "log.level", "loud",
                           "error warn info debug", NULL));
    assert_true(trial_says(&t, CONFIG_ERROR, "llm.providers", NULL));
    assert_int_equal(t.report.errors, 7);
    trial_fini(&t);
}

static void
the_default_of_the_store_follows_the_mongo_uri(void **state)
{
    struct trial plain = {.bare = false};
    struct trial uri = {.env = {"MONGO_URI=mongodb://h"}};
    struct trial both = {.env = {"MONGO_URI=mongodb://h", "STORE=sqlite"}};
    struct trial none = {.env = {"STORE=mongo"}};

    (void)state;
    trial_run(&plain);
    trial_run(&uri);
    trial_run(&both);
    trial_run(&none);
    assert_string_equal(trial_value(&plain, "store.kind"), "sqlite");
    assert_string_equal(trial_value(&uri, "store.kind"), "mongo");
    assert_string_equal(trial_value(&both, "store.kind"), "sqlite");
    assert_null(none.config);
    assert_true(trial_says(&none, CONFIG_ERROR, "store.mongo.uri", "MONGO_URI",
                           "required", NULL));
    trial_fini(&plain);
    trial_fini(&uri);
    trial_fini(&both);
    trial_fini(&none);
}

static const struct config_dev dev = {
    .data_dir = "./here", .secret = {GOOD_SECRET, 32}, .port = -1};

static void
dev_needs_no_settings(void **state)
{
    struct trial t = {.bare = true, .dev = &dev};

    (void)state;
    trial_run(&t);
    assert_non_null(t.config);
    assert_string_equal(t.config->server_host.p, "127.0.0.1");
    assert_string_equal(t.config->store_data_dir.p, "./here");
    assert_string_equal(t.config->auth_jwt_secret.p, GOOD_SECRET);
    assert_int_equal(t.config->log_format, LOG_TEXT);
    assert_true(t.config->provider_count > 1);
    assert_int_equal(t.config->providers[0].type, CONFIG_PROVIDER_DEMO);
    trial_fini(&t);
}

static void
dev_gives_way_to_what_is_configured(void **state)
{
    struct trial t = {
        .dev = &dev,
        .env = {"SERVER_HOST=::1", "LOG_FORMAT=json", "DATA_DIR=elsewhere"}};

    (void)state;
    trial_run(&t);
    assert_non_null(t.config);
    assert_string_equal(t.config->server_host.p, "::1");
    assert_string_equal(t.config->store_data_dir.p, "elsewhere");
    assert_int_equal(t.config->log_format, LOG_JSON);
    assert_int_equal(t.config->provider_count, 1);
    assert_string_equal(t.config->providers[0].id.p, "first");
    trial_fini(&t);
}

static void
dev_makes_no_secret_beside_a_key(void **state)
{
    struct trial t = {
        .bare = true, .dev = &dev, .env = {"JWT_PUBLIC_KEY_FILE=pem"}};

    (void)state;
    trial_run(&t);
    assert_non_null(t.config);
    assert_int_equal(t.config->auth_jwt_secret.n, 0);
    trial_fini(&t);
}

static void
only_devs_port_may_be_0(void **state)
{
    struct config_dev zero = dev;
    struct trial t = {.dev = &zero, .env = {"SERVER_PORT=99999"}};
    struct trial set = {.dev = &dev, .sets = {"server.port=0"}};

    (void)state;
    zero.port = 0;
    trial_run(&t);
    trial_run(&set);
    assert_non_null(t.config);
    assert_int_equal(t.config->server_port, 0);
    assert_null(set.config);
    trial_fini(&t);
    trial_fini(&set);
}

static void
the_storage_alone_needs_no_secret_and_no_provider(void **state)
{
    struct trial good = {
        .bare = true,
        .store_only = true,
        .env = {"DATA_DIR=/data", "SERVER_PORT=0", "SESSION_RESPONSE_TIMES=7"}};
    struct trial mongo = {
        .bare = true, .store_only = true, .env = {"STORE=mongo"}};
    struct trial bad = {.bare = true,
                        .store_only = true,
                        .env = {"MONGO_RETRY_DELAY=3s",
                                "MONGO_RETRY_MAX_DELAY=1s",
                                "ENCRYPTION_KEY=short"}};

    (void)state;
    trial_run(&good);
    trial_run(&mongo);
    trial_run(&bad);
    assert_non_null(good.config);
    assert_true(str_is(good.config->store_data_dir, "/data"));
    assert_int_equal(good.config->session_response_times, 7);
    assert_null(mongo.config);
    assert_int_equal(mongo.report.errors, 1);
    assert_null(bad.config);
    assert_int_equal(bad.report.errors, 2);
    trial_fini(&good);
    trial_fini(&mongo);
    trial_fini(&bad);
}

static void
a_probe_needs_only_the_listener(void **state)
{
    struct trial good = {.bare = true,
                         .listener_only = true,
                         .env = {"SERVER_PORT=8081", "JWT_SECRET_FILE=missing",
                                 "TLS_CERT_FILE=missing", "STORE=mongo",
                                 "RATE_LIMIT=0"}};
    struct trial bad = {
        .bare = true, .listener_only = true, .env = {"SERVER_PORT=0"}};

    (void)state;
    trial_run(&good);
    trial_run(&bad);
    assert_non_null(good.config);
    assert_int_equal(good.config->server_port, 8081);
    assert_true(str_is(good.config->server_tls_cert, "missing"));
    assert_null(bad.config);
    assert_int_equal(bad.report.errors, 1);
    trial_fini(&good);
    trial_fini(&bad);
}

static void
a_token_needs_only_a_good_secret(void **state)
{
    struct trial good = {.bare = true,
                         .secret_only = true,
                         .env = {"JWT_SECRET=" GOOD_SECRET, "SERVER_PORT=0"}};
    struct trial none = {.bare = true, .secret_only = true};
    struct trial weak = {
        .bare = true, .secret_only = true, .env = {"JWT_SECRET=weak"}};

    (void)state;
    trial_run(&good);
    trial_run(&none);
    trial_run(&weak);
    assert_non_null(good.config);
    assert_null(none.config);
    assert_int_equal(none.report.errors, 1);
    assert_null(weak.config);
    assert_int_equal(weak.report.errors, 1);
    trial_fini(&good);
    trial_fini(&none);
    trial_fini(&weak);
}

static void
no_secret_is_ever_told(void **state)
{
    static const char *const secrets[] = {
        "auth.jwt_secret",         "store.encryption_key",
        "store.encryption_keys",   "llm.transcription.api_key",
        "notify.smtp.pass",        "notify.sms.auth_token",
        "notify.webhook.secret",   "upload.s3.secret_access_key",
        "llm.providers[2].api_key"};

    (void)state;
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        char set[256];
        struct trial t = {.sets = {set}};

        snprintf(set, sizeof(set), "%s=hunter2\n<PLACEHOLDER>", secrets[i]);
        trial_run(&t);
        assert_null(t.config);
        assert_true(trial_says(&t, CONFIG_ERROR, secrets[i], "<secret>", NULL));
        assert_false(trial_says(&t, CONFIG_ERROR, "hunter2", NULL));
        trial_fini(&t);
    }
}

static void
the_reports_form_is_the_configured_one(void **state)
{
    struct trial t = {.env = {"LOG_FORMAT=text", "SERVER_PORT=0"}};
    struct trial u = {.env = {"LOG_FORMAT=xml"}};

    (void)state;
    trial_run(&t);
    trial_run(&u);
    assert_true(t.report.text);
    assert_false(u.report.text);
    trial_fini(&t);
    trial_fini(&u);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(later_sources_win),
        cmocka_unit_test(numbers_arrive_in_their_unit),
        cmocka_unit_test(all_violations_are_found_in_one_go),
        cmocka_unit_test(the_default_of_the_store_follows_the_mongo_uri),
        cmocka_unit_test(dev_needs_no_settings),
        cmocka_unit_test(dev_gives_way_to_what_is_configured),
        cmocka_unit_test(dev_makes_no_secret_beside_a_key),
        cmocka_unit_test(only_devs_port_may_be_0),
        cmocka_unit_test(the_storage_alone_needs_no_secret_and_no_provider),
        cmocka_unit_test(a_probe_needs_only_the_listener),
        cmocka_unit_test(a_token_needs_only_a_good_secret),
        cmocka_unit_test(no_secret_is_ever_told),
        cmocka_unit_test(the_reports_form_is_the_configured_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
