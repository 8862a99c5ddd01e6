/* SPDX-License-Identifier: MIT */
/* Every row of config.def with values that are taken and values that are
 * not. */
#include "config_fixture.h"

#include "app/config_table.h"
#include "app/config_value.h"

#include <setjmp.h>

#include <cmocka.h>

#define LONG_32 "abcdefghijklmnopqrstuvwxyzABCDEF"
#define KEY_B64 "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

#define BAD_COUNTS                                                             \
    "", "-1", "+1", "1.5", "010", "abc", "1 ", " 1", "0x10", "1e3",            \
        "99999999999999999999"
#define BAD_DURATIONS                                                          \
    "", "abc", "-1s", "1 s", "s", "1x", "1m30s", "1S", "1.0001s", "1.s",       \
        "1e3s", "99999999999d"
#define BAD_SIZES "", "abc", "-1", "1MB", "1 MiB", "1mib", "1KiBs", "KiB", "0.3"

static const struct row_case {
    const char *path;
    const char *good[6];
    const char *bad[20];
    const char *with[6]; /* other settings that good ones need */
} cases[] = {
    {"server.host",
     {"127.0.0.1", "::1", "::"},
     {"", "localhost", "1.2.3", "256.1.1.1", "[::1]", "1.2.3.4:80"},
     {0}},
    {"server.port", {"1", "8080", "65535"}, {"0", "65536", BAD_COUNTS}, {0}},
    {"server.path_prefix",
     {"/", "/a", "/a/b-c", "/chat.v1"},
     {"", "a", "/a/", "//", "/a//b", "/a b", "/../b", "/a?b", "/%41"},
     {0}},
    {"server.threads", {"0", "1", "256"}, {"257", BAD_COUNTS}, {0}},
    {"server.max_connections",
     {"1", "10000000"},
     {"0", "10000001", BAD_COUNTS},
     {0}},
    {"server.shutdown_timeout",
     {"1s", "1h", "90", "1000ms", "1.5m"},
     {"999ms", "0", "61m", "2h", BAD_DURATIONS},
     {0}},
    {"server.drain_delay", {"0", "0s", "10m"}, {"601s", BAD_DURATIONS}, {0}},
    {"server.trusted_proxies",
     {"", "10.0.0.1", "10.0.0.0/8,::1", "fd00::/8 , 192.168.1.1/32"},
     {"10.0.0.0/33", "::/129", "10.0.0", "a", "10.0.0.1,", "10.0.0.0/",
      "10.0.0.0/-1", "10.0.0.0/8/8"},
     {0}},
    {"server.tls_cert", {"pem"}, {"absent", "text"}, {"server.tls_key=pem"}},
    {"server.tls_key", {"pem"}, {"absent", "text"}, {"server.tls_cert=pem"}},
    {"server.cors_origins",
     {"", "https://a.example", "https://a.example,http://localhost:3000"},
     {"*", "null", "a.example", "https://a.example/", "https://a.example/x",
      "https://your-site.example", "https://<host>"},
     {0}},
    {"log.level",
     {"error", "warn", "INFO", "Debug"},
     {"", "warning", "trace", "1"},
     {0}},
    {"log.format", {"json", "TEXT"}, {"", "xml"}, {0}},
    {"metrics.allowed_networks",
     {"", "none", "127.0.0.1", "10.0.0.0/8"},
     {"none,127.0.0.1", "all", "10.0.0.0/99"},
     {0}},
    {"ws.allowed_origins",
     {"", "*", "null", "https://a.example:8443,null", "HTTPS://A.example"},
     {"*,https://a.example", "https://*.example.com", "a.example",
      "https://a.example/", "https://CHANGE-ME.org", "https://a b"},
     {0}},
    {"ws.max_message_size",
     {"1KiB", "1024", "64MiB", "1.5MiB"},
     {"1023", "65MiB", "1GiB", BAD_SIZES},
     {0}},
    {"ws.max_content_length",
     {"1", "1000000"},
     {"0", "1000001", BAD_COUNTS},
     {0}},
    {"ws.ping_period",
     {"1s", "59s"},
     {"60s", "61s", "0s", "11m", BAD_DURATIONS},
     {0}},
    {"ws.pong_wait", {"55s", "10m"}, {"0s", "11m", BAD_DURATIONS}, {0}},
    {"ws.output_limit", {"64KiB", "64MiB"}, {"63KiB", "65MiB", BAD_SIZES}, {0}},
    {"ws.connections_per_user",
     {"1", "10000"},
     {"0", "10001", BAD_COUNTS},
     {0}},
    {"ws.token_in_query",
     {"true", "FALSE", "0", "1", "Yes", "no"},
     {"", "2", "on", "off", "y", "t"},
     {0}},
    {"auth.jwt_secret",
     {LONG_32},
     {"", "abcdefghijklmnopqrstuvwxyzABCDE", LONG_32 "Secret", LONG_32 "teST",
      LONG_32 "test123", LONG_32 "PASSWORD", LONG_32 "admin", LONG_32 "default",
      LONG_32 "example", LONG_32 "demo", LONG_32 "12345", LONG_32 "placeholder",
      LONG_32 "changeme", LONG_32 "REPLACE_WITH", LONG_32 "Change-Me",
      LONG_32 "change_me", LONG_32 "your-key", LONG_32 "YOUR_KEY",
      LONG_32 "<key>"},
     {0}},
    {"auth.public_key", {"pem"}, {"absent", "text"}, {"auth.jwt_secret="}},
    {"auth.jwks_url",
     {"https://a.example/jwks?x=1"},
     {"http://a.example/jwks", "a.example", "https://", "ftp://a.example"},
     {"auth.jwt_secret="}},
    {"auth.jwks_ca", {"", "pem"}, {"absent", "text"}, {0}},
    {"auth.issuer", {"", "https://issuer"}, {"a\nb"}, {0}},
    {"auth.audience", {"", "chat"}, {"a\tb", "\xff"}, {0}},
    {"auth.user_claim", {"sub"}, {"", "a\nb"}, {0}},
    {"auth.require_exp", {"true", "no"}, {"", "maybe"}, {0}},
    {"auth.leeway", {"0", "10m", "500ms"}, {"11m", BAD_DURATIONS}, {0}},
    {"auth.admin_roles", {"admin", "a, b"}, {"", "a,,b", ",", "a,"}, {0}},
    {"session.reconnect_timeout",
     {"1ms", "1d"},
     {"0", "0s", BAD_DURATIONS},
     {0}},
    {"session.ttl", {"1s", "30d"}, {"0", "999ms", BAD_DURATIONS}, {0}},
    {"session.cleanup_interval",
     {"100ms", "1h"},
     {"99ms", "0", BAD_DURATIONS},
     {0}},
    {"session.warn_count", {"1", "1000000"}, {"0", BAD_COUNTS}, {0}},
    {"session.connections", {"many", "ONE"}, {"", "two"}, {0}},
    {"session.response_times", {"1", "10000"}, {"0", "10001", BAD_COUNTS}, {0}},
    {"session.resume_max_events",
     {"1", "100000"},
     {"0", "100001", BAD_COUNTS},
     {0}},
    {"session.operator_grace", {"1s", "1h"}, {"0", "61m", BAD_DURATIONS}, {0}},
    {"limit.messages", {"1", "1000000"}, {"0", BAD_COUNTS}, {0}},
    {"limit.window", {"1ms", "1h"}, {"0", "0s", BAD_DURATIONS}, {0}},
    {"limit.admin", {"1", "299"}, {"0", "300", "301", BAD_COUNTS}, {0}},
    {"limit.admin_window", {"5s", "1h"}, {"0", "4s", "1s", BAD_DURATIONS}, {0}},
    {"limit.public", {"1", "1000000"}, {"0", BAD_COUNTS}, {0}},
    {"limit.public_window", {"1ms", "1h"}, {"0", BAD_DURATIONS}, {0}},
    {"limit.user_http", {"21", "1000000"}, {"0", BAD_COUNTS}, {0}},
    {"limit.user_http_window", {"1ms", "1m"}, {"0", BAD_DURATIONS}, {0}},
    {"limit.failures", {"1", "1000000"}, {"0", BAD_COUNTS}, {0}},
    {"limit.failures_window", {"1ms", "1h"}, {"0", BAD_DURATIONS}, {0}},
    {"limit.cleanup_interval", {"100ms", "1h"}, {"99ms", BAD_DURATIONS}, {0}},
    {"limit.max_keys", {"1000", "1000000"}, {"999", "0", BAD_COUNTS}, {0}},
    {"store.kind", {"sqlite", "SQLite"}, {"", "postgres"}, {0}},
    {"store.data_dir", {"./data", "/var/lib/chatbox"}, {"", "a\nb"}, {0}},
    {"store.encryption_key",
     {"", LONG_32},
     {LONG_32 "x", "short", "placeholderPLACEHOLDERplaceholde"},
     {0}},
    {"store.encryption_keys",
     {"", "k1:" KEY_B64, "k1:" KEY_B64 ",k2:" KEY_B64},
     {KEY_B64, ":" KEY_B64, "k1:", "k1:AAAA", "k.1:" KEY_B64,
      "k1:" KEY_B64 ",k1:" KEY_B64, "k1:" KEY_B64 ","},
     {0}},
    {"store.mongo.uri",
     {"mongodb://h", "mongodb://u:p@h:27017,h2:27018/db?w=majority",
      "mongodb+srv://h.example"},
     {"http://h", "mongodb://", "h:27017", "mongodb://u:p@h:x",
      "mongodb://<user>:<pass>@h"},
     {0}},
    {"cluster.address",
     {"10.0.0.3:8081", "127.0.0.1:65535", "[fd00::3]:1"},
     {"10.0.0.3", "10.0.0.3:", "10.0.0.3:0", "10.0.0.3:65536", "host:8081",
      "0.0.0.0:8081", "[::]:8081", "fd00::3:8081", "[10.0.0.3]:80", "[fd00::3]",
      "[fd00::3]8081", "[fd00::3", ":8081", "10.0.0.3:8081 "},
     {"store.kind=mongo", "store.mongo.uri=mongodb://h",
      "server.trusted_proxies=10.0.0.0/8,127.0.0.1,fd00::/8"}},
    {"store.mongo.database", {"chat"}, {"", "a\nb"}, {0}},
    {"store.mongo.collection", {"sessions"}, {"", "a\nb"}, {0}},
    {"store.mongo.connect_timeout", {"1ms", "1m"}, {"0", BAD_DURATIONS}, {0}},
    {"store.mongo.pool_size", {"1", "1000"}, {"0", "1001", BAD_COUNTS}, {0}},
    {"store.mongo.retry_attempts", {"1", "20"}, {"0", "21", BAD_COUNTS}, {0}},
    {"store.mongo.retry_delay", {"1ms", "2s"}, {"0", BAD_DURATIONS}, {0}},
    {"store.mongo.retry_max_delay",
     {"100ms", "1h"},
     {"99ms", "0", BAD_DURATIONS},
     {0}},
    {"llm.default_model", {"", "first"}, {"second", "a b"}, {0}},
    {"llm.system_prompt", {"", "Be brief.\nAnswer \xc3\xa4."}, {"\xff"}, {0}},
    {"llm.context_tokens",
     {"256", "10000000"},
     {"255", "10000001", BAD_COUNTS},
     {0}},
    {"llm.stream_timeout", {"1ms", "1h"}, {"0", BAD_DURATIONS}, {0}},
    {"llm.connect_timeout", {"1ms", "1h"}, {"0", BAD_DURATIONS}, {0}},
    {"llm.first_byte_timeout", {"1ms", "1h"}, {"0", BAD_DURATIONS}, {0}},
    {"llm.idle_timeout", {"1ms", "1h"}, {"0", BAD_DURATIONS}, {0}},
    {"llm.retry_attempts", {"1", "10"}, {"0", "11", BAD_COUNTS}, {0}},
    {"llm.max_request_size",
     {"1KiB", "64MiB"},
     {"1023", "65MiB", BAD_SIZES},
     {0}},
    {"llm.retry_delay", {"1ms", "30s"}, {"0", BAD_DURATIONS}, {0}},
    {"llm.hedge_after", {"0", "1ms", "30s"}, {BAD_DURATIONS}, {0}},
    {"llm.retry_max_delay", {"1s", "1h"}, {"999ms", "0", BAD_DURATIONS}, {0}},
    {"llm.max_answer_size",
     {"1KiB", "64MiB"},
     {"1023", "65MiB", BAD_SIZES},
     {0}},
    {"llm.transcription.endpoint",
     {"", "http://127.0.0.1/v1", "http://10.1.2.3:8000", "http://whisper"},
     {"https://api.openai.com/v1", "http://a.example", "whisper",
      "http://169.254.1.1", "http://134744072/"},
     {0}},
    {"llm.transcription.api_key", {"", "key"}, {"CHANGEME", "a\nb"}, {0}},
    {"llm.transcription.model", {"", "whisper-1"}, {"a\nb"}, {0}},
    {"notify.emails",
     {"a@b.example", "a@b.example,c+d@e.example"},
     {"a", "a@", "@b.example", "a b@c.example", "a@b.example,", "a@b@c"},
     {"notify.email_from=x@b.example", "notify.smtp.host=mail"}},
    {"notify.email_from",
     {"a@b.example"},
     {"a", "a@b..c"},
     {"notify.emails=x@b.example", "notify.smtp.host=mail"}},
    {"notify.panel_url",
     {"", "https://a.example/desk", "http://panel"},
     {"a.example", "ftp://a.example", "javascript:1"},
     {0}},
    {"notify.phones",
     {"", "+15551234567,+4930123456"},
     {"5551234567", "+0123456789", "+1", "+1555123456789012", "+1-555"},
     {0}},
    {"notify.smtp.host",
     {"mail.example", "10.0.0.1"},
     {"a b", "http://mail"},
     {"notify.emails=x@b.example", "notify.email_from=x@b.example"}},
    {"notify.smtp.port", {"1", "65535"}, {"0", "65536", BAD_COUNTS}, {0}},
    {"notify.smtp.user", {"me"}, {"a\nb"}, {"notify.smtp.pass=hunter2"}},
    {"notify.smtp.pass",
     {"hunter2"},
     {"YOUR_PASS", "a\nb"},
     {"notify.smtp.user=me"}},
    {"notify.smtp.tls", {"starttls", "TLS", "none"}, {"", "ssl"}, {0}},
    {"notify.sms.provider",
     {"twilio"},
     {"other", "generic"},
     {"notify.sms.account_sid=s", "notify.sms.auth_token=t",
      "notify.sms.from=+15551234567"}},
    {"notify.sms.account_sid",
     {"AC1"},
     {"", "a\nb"},
     {"notify.sms.provider=twilio", "notify.sms.auth_token=t",
      "notify.sms.from=+15551234567"}},
    {"notify.sms.auth_token",
     {"t"},
     {"", "PLACEHOLDER"},
     {"notify.sms.provider=generic", "notify.sms.from=+15551234567",
      "notify.sms.api_url=https://sms.example"}},
    {"notify.sms.from",
     {"+15551234567"},
     {"", "a\nb"},
     {"notify.sms.provider=generic", "notify.sms.auth_token=t",
      "notify.sms.api_url=https://sms.example"}},
    {"notify.sms.api_url",
     {"https://sms.example/x", "http://localhost:9"},
     {"", "http://sms.example", "sms"},
     {"notify.sms.provider=generic", "notify.sms.auth_token=t",
      "notify.sms.from=+15551234567"}},
    {"notify.webhook.url",
     {"https://a.example/hook", "http://hook:9"},
     {"http://a.example", "https://169.254.169.254/", "x"},
     {"notify.webhook.secret=" LONG_32}},
    {"notify.webhook.secret",
     {LONG_32},
     {"short", LONG_32 "CHANGE_ME"},
     {"notify.webhook.url=https://a.example"}},
    {"upload.max_size", {"1KiB", "5GiB"}, {"1023", "6GiB", BAD_SIZES}, {0}},
    {"upload.types",
     {"image/png", "image/*, application/vnd.ms-excel"},
     {"", "image", "image/", "/png", "*/*", "image/png;q=1", "a/b/c"},
     {0}},
    {"upload.url_ttl",
     {"1m", "30d", "24h"},
     {"59s", "31d", "0", BAD_DURATIONS},
     {0}},
    {"upload.store", {"local"}, {"", "s3", "disk"}, {0}},
    {"upload.s3.endpoint",
     {"", "http://minio:9000"},
     {"http://a.example", "minio"},
     {"upload.store=s3", "upload.s3.bucket=b", "upload.s3.access_key_id=i",
      "upload.s3.secret_access_key=k"}},
    {"upload.s3.region",
     {"eu-central-1"},
     {"", "a\nb"},
     {"upload.store=s3", "upload.s3.bucket=b", "upload.s3.access_key_id=i",
      "upload.s3.secret_access_key=k"}},
    {"upload.s3.bucket",
     {"b"},
     {"", "a\nb"},
     {"upload.store=s3", "upload.s3.access_key_id=i",
      "upload.s3.secret_access_key=k"}},
    {"upload.s3.access_key_id",
     {"i"},
     {"", "a\nb"},
     {"upload.store=s3", "upload.s3.bucket=b",
      "upload.s3.secret_access_key=k"}},
    {"upload.s3.secret_access_key",
     {"k"},
     {"", "<secret>"},
     {"upload.store=s3", "upload.s3.bucket=b", "upload.s3.access_key_id=i"}},
};

static void
try_value(const struct row_case *rc, const char *value, bool expected)
{
    struct trial t = {.bare = false};
    char set[512];
    size_t n = 0;
    bool named;

    for (; n < 6 && rc->with[n] != NULL; n++) {
        t.sets[n] = rc->with[n];
    }
    snprintf(set, sizeof(set), "%s=%s", rc->path, value);
    t.sets[n] = set;
    trial_run(&t);
    named = expected || trial_says(&t, CONFIG_ERROR, rc->path, NULL);
    if ((t.config != NULL) != expected || !named) {
        fprintf(stderr, "%s\n", set);
        trial_print(&t);
    }
    assert_int_equal(t.config != NULL, expected);
    assert_true(named);
    trial_fini(&t);
}

static void
every_row_takes_its_good_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t j = 0; j < 6 && cases[i].good[j] != NULL; j++) {
            try_value(&cases[i], cases[i].good[j], true);
        }
    }
}

static void
every_row_refuses_its_bad_values_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_non_null(cases[i].bad[0]);
        for (size_t j = 0; j < 20 && cases[i].bad[j] != NULL; j++) {
            try_value(&cases[i], cases[i].bad[j], false);
        }
    }
}

static void
this_table_has_every_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONFIG_IDS; i++) {
        bool found = false;

        for (size_t j = 0; j < sizeof(cases) / sizeof(cases[0]); j++) {
            found =
                found || strcmp(cases[j].path, config_table_rows[i].path) == 0;
        }
        if (!found) {
            fail_msg("%s has no case", config_table_rows[i].path);
        }
    }
}

static void
durations_are_a_number_and_a_unit(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"0", 0},         {"90", 90000},  {"1ms", 1},
                {"1s", 1000},     {"2m", 120000}, {"1h", 3600000},
                {"1d", 86400000}, {"1.5s", 1500}, {"0.5h", 1800000},
                {"0.001s", 1},    {"0.25", 250}};
    uint64_t ms;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(config_value_duration(str_from(good[i].text), &ms));
        assert_int_equal(ms, good[i].ms);
    }
    assert_false(config_value_duration(STR("0.5ms"), &ms));
    assert_false(config_value_duration(STR("1h30m"), &ms));
    assert_false(config_value_duration(STR(".5s"), &ms));
    assert_false(config_value_duration(STR("1..5s"), &ms));
    assert_false(config_value_duration(STR(""), &ms));
}

static void
sizes_are_bytes_or_binary_units(void **state)
{
    const struct config_row *row = config_table_find(STR("upload.max_size"));
    uint64_t n;

    (void)state;
    assert_null(config_value_number(row, STR("1024"), &n));
    assert_int_equal(n, 1024);
    assert_null(config_value_number(row, STR("2KiB"), &n));
    assert_int_equal(n, 2048);
    assert_null(config_value_number(row, STR("1.5MiB"), &n));
    assert_int_equal(n, 1572864);
    assert_null(config_value_number(row, STR("5GiB"), &n));
    assert_int_equal(n, UINT64_C(5368709120));
}

static void
words_are_found_by_number(void **state)
{
    const struct config_row *row = config_table_find(STR("log.level"));

    (void)state;
    assert_true(str_is(config_value_word(row, 0), "error"));
    assert_true(str_is(config_value_word(row, 3), "debug"));
    assert_true(str_is(config_value_word(row, 4), ""));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_takes_its_good_values),
        cmocka_unit_test(every_row_refuses_its_bad_values_by_name),
        cmocka_unit_test(this_table_has_every_row),
        cmocka_unit_test(durations_are_a_number_and_a_unit),
        cmocka_unit_test(sizes_are_bytes_or_binary_units),
        cmocka_unit_test(words_are_found_by_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
