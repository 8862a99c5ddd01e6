/* SPDX-License-Identifier: MIT */
#include "gate/admission.h"

#include "fixture.h"

static void
ask_with(struct house *h, const char *line, const char *token, struct answer *a)
{
    char headers[2048];

    snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n", token);
    ask(h, line, headers, NULL, a);
}

static void
test_refusals_come_in_the_written_order(void **state)
{
    static const char *const bad = "Authorization: Bearer x\r\n";
    struct house h;

    (void)state;
    house_open(&h);
    assert_refused(&h, "PUT /chatbox/nothing", bad, 404, "NOT_FOUND", NULL);
    assert_refused(&h, "PUT /chatbox/sessions", bad, 405, "METHOD_NOT_ALLOWED",
                   NULL);
    assert_refused(&h, "GET /chatbox/sessions?limit=x", bad, 401,
                   "INVALID_TOKEN", NULL);
    assert_refused(&h, "GET /chatbox/sessions", "", 401, "UNAUTHORIZED", NULL);
    house_close(&h);
}

static const struct {
    const char *header; /* %s is a good token */
    int status;
    const char *code;
} bearers[] = {
    {"Authorization: Bearer %s\r\n", 200, NULL},
    {"Authorization: bearer %s\r\n", 200, NULL},
    {"AUTHORIZATION: BEARER   %s  \r\n", 200, NULL},
    {"X-Token: %s\r\n", 401, "UNAUTHORIZED"},
    {"Authorization: %s\r\n", 401, "UNAUTHORIZED"},
    {"Authorization: Basic %s\r\n", 401, "UNAUTHORIZED"},
    {"Authorization: Bearer\r\nX: %s\r\n", 401, "UNAUTHORIZED"},
    {"Authorization: Bearer%s\r\n", 401, "UNAUTHORIZED"},
    {"Authorization: Bearer %s x\r\n", 401, "INVALID_TOKEN"},
    {"Authorization: Bearer x%s\r\n", 401, "INVALID_TOKEN"},
    {"Authorization: Bearer a\r\nAuthorization: Bearer %s\r\n", 400,
     "BAD_REQUEST"},
};

static void
test_a_token_stands_behind_bearer_and_nowhere_else(void **state)
{
    struct house h;
    char *token = token_of("ann");

    (void)state;
    house_open(&h);
    for (size_t i = 0; i < COUNT_OF(bearers); i++) {
        const char *at = strstr(bearers[i].header, "%s");
        char headers[2048];
        struct answer a;

        snprintf(headers, sizeof(headers), "%.*s%s%s",
                 (int)(at - bearers[i].header), bearers[i].header, token,
                 at + 2);
        ask(&h, "GET /chatbox/models", headers, NULL, &a);
        if (a.status != bearers[i].status) {
            fail_msg("%s: %d", bearers[i].header, a.status);
        }
        if (bearers[i].code != NULL) {
            assert_error(&a, a.status, bearers[i].code, NULL);
        }
        answer_fini(&a);
    }
    xfree(token);
    house_close(&h);
}

static void
test_an_expired_token_is_called_so(void **state)
{
    struct house h;
    struct answer a;
    char *token = make_token("ann", NULL, (int64_t)time(NULL) - 60);

    (void)state;
    house_open(&h);
    ask_with(&h, "GET /chatbox/models", token, &a);
    assert_error(&a, 401, "EXPIRED_TOKEN", NULL);
    answer_fini(&a);
    xfree(token);
    house_close(&h);
}

/* After so many refused tokens an address is not even asked any more; others
 * are. */
static void
test_refused_tokens_are_counted_by_address(void **state)
{
    struct house h;
    struct client c;
    struct answer a;
    char *token = token_of("ann");

    (void)state;
    house_prepare(&h);
    h.limit = (struct gate_limit){3, 60000};
    house_start(&h);
    ask_with(&h, "GET /chatbox/models", token, &a);
    assert_int_equal(a.status, 200); /* good ones do not count */
    answer_fini(&a);
    for (int i = 0; i < 3; i++) {
        assert_refused(&h, "GET /chatbox/ws", HANDSHAKE, 401, "UNAUTHORIZED",
                       NULL);
    }
    ask_with(&h, "GET /chatbox/models", token, &a);
    assert_error(&a, 429, "TOO_MANY_REQUESTS", NULL);
    answer_fini(&a);
    assert_refused(&h, "GET /chatbox/ws", HANDSHAKE, 429, "TOO_MANY_REQUESTS",
                   NULL);
    assert_refused(&h, "GET /chatbox/nothing", "", 404, "NOT_FOUND", NULL);
    client_open_from(&h, &c, "192.0.2.1");
    client_ask(&c, "GET /chatbox/models", "Authorization: Bearer x\r\n", NULL);
    client_answer(&c, &a);
    assert_error(&a, 401, "INVALID_TOKEN", NULL);
    answer_fini(&a);
    client_close(&c);
    xfree(token);
    house_close(&h);
}

static void
test_probes_have_a_bucket_of_their_own(void **state)
{
    struct house h;

    (void)state;
    house_prepare(&h);
    h.limit = (struct gate_limit){2, 60000};
    house_start(&h);
    for (int i = 0; i < 2; i++) {
        struct answer a;

        ask(&h, "GET /chatbox/", "", NULL, &a);
        assert_int_equal(a.status, 200);
        answer_fini(&a);
    }
    assert_refused(&h, "GET /chatbox/", "", 429, "TOO_MANY_REQUESTS", NULL);
    assert_refused(&h, "GET /chatbox/metrics/prometheus", "", 429,
                   "TOO_MANY_REQUESTS", NULL);
    for (int i = 0; i < 2; i++) {
        struct answer a;

        ask(&h, i == 0 ? "GET /chatbox/healthz" : "GET /chatbox/readyz", "",
            NULL, &a);
        assert_int_equal(a.status, 200);
        answer_fini(&a);
    }
    assert_refused(&h, "GET /chatbox/readyz", "", 429, "TOO_MANY_REQUESTS",
                   NULL);
    house_close(&h);
}

static void
test_users_are_counted_each_for_themselves(void **state)
{
    struct house h;
    struct answer a;

    (void)state;
    house_prepare(&h);
    h.limit = (struct gate_limit){2, 60000};
    house_start(&h);
    for (int i = 0; i < 3; i++) {
        ask_as(&h, "ann", "GET /chatbox/models", NULL, &a);
        assert_int_equal(a.status, i < 2 ? 200 : 429);
        answer_fini(&a);
    }
    ask_as(&h, "bob", "GET /chatbox/models", NULL, &a);
    assert_int_equal(a.status, 200);
    answer_fini(&a);
    house_close(&h);
}

static void
ask_metrics(struct house *h, const char *peer, const char *headers, int status)
{
    struct client c;
    struct answer a;

    client_open_from(h, &c, peer);
    client_ask(&c, "GET /chatbox/metrics/prometheus", headers, NULL);
    client_answer(&c, &a);
    if (a.status != status) {
        fail_msg("%s, %s: %d", peer, headers, a.status);
    }
    if (status == 403) {
        assert_error(&a, 403, "FORBIDDEN", NULL);
    }
    answer_fini(&a);
    client_close(&c);
}

/* Metrics are for 127.0.0.0/8; 10.0.0.0/8 are trusted proxies. */
static void
test_a_network_route_looks_at_the_real_client(void **state)
{
    struct house h;

    (void)state;
    house_prepare(&h);
    h.proxies[0] = make_network("10.0.0.0", 8);
    h.gate.trusted_proxy_count = 1;
    house_start(&h);
    ask_metrics(&h, "127.0.0.1", "", 200);
    ask_metrics(&h, "127.9.9.9", "", 200);
    ask_metrics(&h, "192.0.2.1", "", 403);
    ask_metrics(&h, "192.0.2.1", "X-Forwarded-For: 127.0.0.1\r\n", 403);
    ask_metrics(&h, "127.0.0.1", "X-Forwarded-For: 192.0.2.1\r\n", 200);
    ask_metrics(&h, "10.0.0.1", "", 403);
    ask_metrics(&h, "10.0.0.1", "X-Forwarded-For: 127.0.0.1\r\n", 200);
    ask_metrics(&h, "10.0.0.1", "X-Forwarded-For: 127.0.0.1, 192.0.2.1\r\n",
                403);
    ask_metrics(&h, "10.0.0.1",
                "X-Forwarded-For: 192.0.2.1\r\n"
                "X-Forwarded-For: 127.0.0.1, 10.0.0.2\r\n",
                200);
    ask_metrics(&h, "10.0.0.1", "X-Forwarded-For: rubbish\r\n", 403);
    house_close(&h);
}

static void
test_nobody_is_in_an_empty_list_of_networks(void **state)
{
    struct house h;

    (void)state;
    house_prepare(&h);
    h.gate.metrics_network_count = 0;
    house_start(&h);
    ask_metrics(&h, "127.0.0.1", "", 403);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals_come_in_the_written_order),
        cmocka_unit_test(test_a_token_stands_behind_bearer_and_nowhere_else),
        cmocka_unit_test(test_an_expired_token_is_called_so),
        cmocka_unit_test(test_refused_tokens_are_counted_by_address),
        cmocka_unit_test(test_probes_have_a_bucket_of_their_own),
        cmocka_unit_test(test_users_are_counted_each_for_themselves),
        cmocka_unit_test(test_a_network_route_looks_at_the_real_client),
        cmocka_unit_test(test_nobody_is_in_an_empty_list_of_networks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
