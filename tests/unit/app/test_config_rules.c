/* SPDX-License-Identifier: MIT */
#include "app/config_rules.h"

#include "config_fixture.h"

#include <setjmp.h>

#include <cmocka.h>

#define LONG_32 "abcdefghijklmnopqrstuvwxyzABCDEF"

static const struct rule_case {
    const char *sets[8];
    const char *says[2]; /* NULL: it is good */
} cases[] = {
    /* both or none */
    {{"server.tls_cert=pem", "server.tls_key=pem"}, {0}},
    {{"server.tls_cert=pem"}, {"server.tls_key", "required"}},
    {{"server.tls_key=pem"}, {"server.tls_cert", "required"}},
    {{"notify.smtp.user=u"}, {"notify.smtp.pass", "required"}},
    {{"notify.smtp.pass=p"}, {"notify.smtp.user", "required"}},
    {{"notify.webhook.url=https://a"}, {"notify.webhook.secret", "required"}},
    {{"notify.webhook.secret=" LONG_32}, {"notify.webhook.url", "required"}},

    /* order */
    {{"ws.ping_period=1s", "ws.pong_wait=2s"}, {0}},
    {{"ws.ping_period=2s", "ws.pong_wait=2s"},
     {"ws.ping_period (WS_PING_PERIOD) = \"2s\"",
      "less than ws.pong_wait (WS_PONG_WAIT) = \"2s\""}},
    {{"llm.retry_delay=2s", "llm.retry_max_delay=2s"}, {0}},
    {{"llm.retry_delay=31s"}, {"llm.retry_max_delay", "LLM_RETRY_DELAY"}},
    {{"store.mongo.retry_delay=3s"},
     {"store.mongo.retry_max_delay", "MONGO_RETRY_DELAY"}},

    /* what a document can hold */
    {{"store.mongo.uri=mongodb://h", "llm.max_answer_size=11MiB"}, {0}},
    {{"store.mongo.uri=mongodb://h", "llm.max_answer_size=11534337"},
     {"llm.max_answer_size (LLM_MAX_ANSWER_SIZE)", "11MiB"}},
    {{"store.mongo.uri=mongodb://h", "store.kind=sqlite",
      "llm.max_answer_size=64MiB"},
     {0}},

    /* rates, not numbers */
    {{"limit.admin=1000", "limit.admin_window=1h"}, {0}},
    {{"limit.admin=5", "limit.admin_window=1s"}, {"limit.admin", "lower rate"}},
    {{"limit.user_http=20"}, {"limit.admin", "lower rate"}},
    {{"limit.user_http=20", "limit.user_http_window=59s"}, {0}},

    /* keys */
    {{"auth.public_key=pem"}, {"auth.public_key", "exclude"}},
    {{"auth.jwks_url=https://a/j"}, {"auth.jwt_secret", "exclude"}},
    {{"auth.jwt_secret="}, {"auth.jwt_secret", "openssl rand -base64 32"}},
    {{"auth.jwt_secret=", "auth.public_key=pem"}, {0}},
    {{"auth.jwt_secret=", "auth.public_key=pem", "auth.jwks_url=https://a/j"},
     {"auth.jwks_url", "exclude"}},

    /* mail: all or none */
    {{"notify.emails=a@b", "notify.email_from=a@b", "notify.smtp.host=h"}, {0}},
    {{"notify.emails=a@b"}, {"notify.smtp.host", "required"}},
    {{"notify.email_from=a@b"}, {"notify.emails", "required"}},
    {{"notify.smtp.host=h"}, {"notify.email_from", "required"}},
    {{"notify.smtp.port=25", "notify.panel_url=https://p"}, {0}},

    /* SMS */
    {{"notify.phones=+15551234567"}, {0}},
    {{"notify.sms.from=x"}, {"notify.sms.provider", "required"}},
    {{"notify.sms.provider=twilio"}, {"notify.sms.account_sid", "required"}},
    {{"notify.sms.provider=generic", "notify.sms.auth_token=t",
      "notify.sms.from=x"},
     {"notify.sms.api_url", "required"}},

    /* S3 */
    {{"upload.store=s3"}, {"upload.s3.bucket", "required"}},
    {{"upload.s3.bucket=b"}, {"upload.s3.bucket", "must not"}},
    {{"upload.s3.endpoint=https://a"}, {"upload.s3.endpoint", "must not"}},
    {{"upload.s3.region=eu"}, {"upload.s3.region", "must not"}},
    {{"upload.s3.region=us-east-1"}, {0}},

    /* transcription is like a provider */
    {{"llm.transcription.endpoint=https://a.example",
      "llm.transcription.api_key=k"},
     {0}},
    {{"llm.transcription.endpoint=https://a.example"},
     {"llm.transcription.api_key", "required"}},
    {{"llm.transcription.endpoint=http://10.0.0.1"}, {0}},
};

static void
each_combination_gets_its_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct trial t = {.bare = false};
        bool good = cases[i].says[0] == NULL;
        bool said;

        memcpy(t.sets, cases[i].sets, sizeof(cases[i].sets));
        trial_run(&t);
        said = good || trial_says(&t, CONFIG_ERROR, cases[i].says[0],
                                  cases[i].says[1], NULL);
        if ((t.config != NULL) != good || !said) {
            fprintf(stderr, "%s\n", cases[i].sets[0]);
            trial_print(&t);
        }
        assert_int_equal(t.config != NULL, good);
        assert_true(said);
        trial_fini(&t);
    }
}

#define P "llm.providers[2]."
#define FULL P "id=b", P "name=B", P "type=openai"
#define NEAR FULL, P "endpoint=http://10.1.2.3"

static const struct rule_case provider_cases[] = {
    {{P "id=b", P "type=demo"}, {0}},
    {{P "id=b"}, {P "type", "required"}},
    {{P "type=demo"}, {P "id", "required"}},
    {{P "id=b", P "type=ollama"}, {P "type", "openai anthropic dify demo"}},
    {{P "name=B"}, {P "endpoint", "required"}},
    {{P "id=b", P "type=openai"}, {P "name", "required"}},
    {{P "id=b", P "type=dify"}, {P "api_key", "LLM_PROVIDER_2_API_KEY"}},
    {{P "id=first", P "type=demo"}, {P "id", "earlier provider"}},
    {{P "id=a b", P "type=demo"}, {P "id", "is not an id"}},
    {{P "id=a,b", P "type=demo"}, {P "id", "is not an id"}},
    {{P "id=b", P "type=demo", P "fallback=first"}, {0}},
    {{P "id=b", P "type=demo", P "fallback=b"}, {P "fallback", "itself"}},
    {{P "id=b", P "type=demo", P "fallback=first,c"}, {P "fallback", "\"c\""}},
    {{P "id=b", P "type=demo", "llm.default_model=b"}, {0}},
    {{"llm.default_model=b"}, {"llm.default_model", "configured"}},

    /* what is added to requests */
    {{NEAR, P "temperature=0", P "max_tokens=1", P "extra_body={}"}, {0}},
    {{NEAR, P "temperature=2.00", P "max_tokens=10000000",
      P "extra_body= {\"stream_options\": null, \"top_p\": [1, {}]}\n"},
     {0}},
    {{NEAR, P "temperature=", P "max_tokens=", P "extra_body="}, {0}},
    {{NEAR, P "temperature=2.01"}, {P "temperature", "0..2"}},
    {{NEAR, P "temperature=3"}, {P "temperature", "out of range"}},
    {{NEAR, P "temperature=-1"}, {P "temperature", "decimal number"}},
    {{NEAR, P "temperature=.5"}, {P "temperature", "decimal number"}},
    {{NEAR, P "temperature=1."}, {P "temperature", "decimal number"}},
    {{NEAR, P "temperature=1e0"}, {P "temperature", "decimal number"}},
    {{NEAR, P "temperature=00.5"}, {P "temperature", "decimal number"}},
    {{NEAR, P "temperature=0,5"}, {P "temperature", "decimal number"}},
    {{NEAR, P "temperature=0.00000000000000001"}, {P "temperature", "long"}},
    {{NEAR, P "price_input=2.5", P "price_cached_input=0.000000001",
      P "price_output=100000", P "price_reasoning=0"},
     {0}},
    {{NEAR, P "price_input=", P "price_cached_input=", P "price_output=",
      P "price_reasoning="},
     {0}},
    {{NEAR, P "price_input=-1"}, {P "price_input", "decimal number"}},
    {{NEAR, P "price_cached_input=1,5"},
     {P "price_cached_input", "decimal number"}},
    {{NEAR, P "price_output=100000.01"}, {P "price_output", "0..100000"}},
    {{NEAR, P "price_reasoning=$3"}, {P "price_reasoning", "decimal number"}},
    {{NEAR, P "max_tokens=0"}, {P "max_tokens", "out of range"}},
    {{NEAR, P "max_tokens=10000001"}, {P "max_tokens", "out of range"}},
    {{NEAR, P "extra_body=[]"}, {P "extra_body", "is not a JSON object"}},
    {{NEAR, P "extra_body=null"}, {P "extra_body", "is not a JSON object"}},
    {{NEAR, P "extra_body={\"a\":1"}, {P "extra_body", "is not a JSON object"}},
    {{NEAR, P "extra_body={\"a\":1} x"}, {P "extra_body", "JSON object"}},
    {{NEAR, P "extra_body={\"a\":1,\"\\u0061\":2}"}, {P "extra_body", "JSON"}},
    {{NEAR, P "extra_body={\"model\":\"x\"}"},
     {P "extra_body", "= \"model\" from --set: is a member"}},
    {{NEAR, P "extra_body={\"x\":1,\"max_tokens\":1}"},
     {P "extra_body", "= \"max_tokens\" from --set: is a member"}},
    {{NEAR, P "extra_body={\"system\":\"x\"}"}, {0}},
    {{P "id=b", P "name=B", P "type=anthropic", P "endpoint=http://10.1.2.3",
      P "extra_body={\"system\":\"x\"}"},
     {P "extra_body", "= \"system\" from --set: is a member"}},

    /* endpoints and keys */
    {{FULL, P "endpoint=https://api.openai.com/v1", P "api_key=k"}, {0}},
    {{FULL, P "endpoint=https://203.0.113.7/v1", P "api_key=k"}, {0}},
    {{FULL, P "endpoint=https://api.openai.com/v1"}, {P "api_key", "required"}},
    {{FULL, P "endpoint=http://127.0.0.1:11434/v1"}, {0}},
    {{FULL, P "endpoint=http://[::1]:11434/v1"}, {0}},
    {{FULL, P "endpoint=http://localhost/v1"}, {0}},
    {{FULL, P "endpoint=http://10.1.2.3/v1"}, {0}},
    {{FULL, P "endpoint=http://172.16.0.1/v1"}, {0}},
    {{FULL, P "endpoint=http://192.168.0.1/v1"}, {0}},
    {{FULL, P "endpoint=http://[fd00::1]/v1"}, {0}},
    {{FULL, P "endpoint=http://ollama:11434/v1"}, {0}},
    {{FULL, P "endpoint=http://a.local/v1"}, {0}},
    {{FULL, P "endpoint=http://a.internal/v1"}, {0}},
    {{FULL, P "endpoint=http://llm.ns.svc/v1"}, {0}},
    {{FULL, P "endpoint=http://llm.ns.svc.cluster.local/v1"}, {0}},
    {{FULL, P "endpoint=http://api.openai.com/v1", P "api_key=k"},
     {P "endpoint", "https"}},
    {{FULL, P "endpoint=http://8.8.8.8/v1", P "api_key=k"},
     {P "endpoint", "https"}},
    {{FULL, P "endpoint=http://172.32.0.1/v1", P "api_key=k"},
     {P "endpoint", "https"}},
    {{FULL, P "endpoint=http://169.254.169.254/v1"},
     {P "endpoint", "link-local"}},
    {{FULL, P "endpoint=https://169.254.169.254/v1", P "api_key=k"},
     {P "endpoint", "link-local"}},
    {{FULL, P "endpoint=https://[fe80::1]/v1", P "api_key=k"},
     {P "endpoint", "link-local"}},
    {{FULL, P "endpoint=https://[::ffff:169.254.1.1]/", P "api_key=k"},
     {P "endpoint", "link-local"}},
    {{FULL, P "endpoint=http://134744072/v1"}, {P "endpoint", "canonical"}},
    {{FULL, P "endpoint=http://0x7f000001/v1"}, {P "endpoint", "canonical"}},
    {{FULL, P "endpoint=http://127.1/v1"}, {P "endpoint", "canonical"}},
    {{FULL, P "endpoint=http://010.0.0.1/v1"}, {P "endpoint", "canonical"}},
    {{FULL, P "endpoint=api.openai.com/v1", P "api_key=k"},
     {P "endpoint", "URL"}},
    {{FULL, P "endpoint=ftp://a.example", P "api_key=k"},
     {P "endpoint", "URL"}},
    {{FULL, P "endpoint=https://user:hunter2@a.example/", P "api_key=k"},
     {P "endpoint", "URL"}},
    {{FULL, P "endpoint=https://a.example/v1", P "api_key=YOUR_API_KEY"},
     {P "api_key", "placeholder"}},
    {{FULL, P "endpoint=https://a.example/v1", P "api_key=<key>"},
     {P "api_key", "placeholder"}},
};

static void
each_provider_gets_its_answer(void **state)
{
    size_t n = sizeof(provider_cases) / sizeof(provider_cases[0]);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        const struct rule_case *pc = &provider_cases[i];
        struct trial t = {.bare = false};
        bool good = pc->says[0] == NULL;
        bool said;

        memcpy(t.sets, pc->sets, sizeof(pc->sets));
        trial_run(&t);
        said = good ||
               trial_says(&t, CONFIG_ERROR, pc->says[0], pc->says[1], NULL);
        if ((t.config != NULL) != good || !said) {
            fprintf(stderr, "%s %s\n", pc->sets[0], pc->sets[3]);
            trial_print(&t);
        }
        assert_int_equal(t.config != NULL, good);
        assert_true(said);
        assert_false(trial_says(&t, CONFIG_ERROR, "hunter2", NULL));
        trial_fini(&t);
    }
}

static void
a_demo_provider_is_named_by_its_id(void **state)
{
    struct trial t = {.bare = false};

    (void)state;
    trial_run(&t);
    assert_string_equal(t.config->providers[0].name.p, "first");
    trial_fini(&t);
}

static void
open_doors_are_told(void **state)
{
    struct trial any = {.sets = {"ws.allowed_origins=*"}};
    struct trial more = {.sets = {"ws.allowed_origins=*,https://a"}};
    struct trial exp = {.sets = {"auth.require_exp=false"}};

    (void)state;
    trial_run(&any);
    trial_run(&more);
    trial_run(&exp);
    assert_non_null(any.config);
    assert_true(trial_says(&any, CONFIG_SECURITY, "ws.allowed_origins", NULL));
    assert_null(more.config);
    assert_true(
        trial_says(&more, CONFIG_ERROR, "ws.allowed_origins", "beside", NULL));
    assert_non_null(exp.config);
    assert_true(trial_says(&exp, CONFIG_SECURITY, "auth.require_exp", NULL));
    trial_fini(&any);
    trial_fini(&more);
    trial_fini(&exp);
}

static void
a_setting_that_is_wrong_itself_breaks_no_rule(void **state)
{
    struct trial t = {.sets = {"ws.ping_period=x", "limit.admin=x",
                               "notify.smtp.user=a\nb", "notify.smtp.pass=p",
                               "llm.retry_delay=x"}};

    (void)state;
    trial_run(&t);
    assert_int_equal(t.report.errors, 4);
    trial_fini(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_combination_gets_its_answer),
        cmocka_unit_test(each_provider_gets_its_answer),
        cmocka_unit_test(a_demo_provider_is_named_by_its_id),
        cmocka_unit_test(open_doors_are_told),
        cmocka_unit_test(a_setting_that_is_wrong_itself_breaks_no_rule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
