/* SPDX-License-Identifier: MIT */
#include "gate/reply.h"

#include "fixture.h"

/* Every kind of answer, and what it must be. */
static const struct {
    const char *line;
    const char *headers;
    int status;
} answers[] = {
    {"GET /chatbox/healthz", "", 200},
    {"HEAD /chatbox/healthz", "", 200},
    {"GET /chatbox/readyz", "", 200},
    {"GET /chatbox/metrics/prometheus", "", 200},
    {"GET /chatbox/", "", 200},
    {"GET /chatbox", "", 308},
    {"HEAD /chatbox", "", 308},
    {"OPTIONS /chatbox/sessions", "", 204},
    {"OPTIONS /chatbox/nothing", "", 404},
    {"OPTIONS /nothing", "", 404},
    {"GET /chatbox/sessions", "", 401},
    {"HEAD /chatbox/sessions", "", 401},
    {"GET /chatbox/ws", "", 400},
    {"GET /chatbox/ws", HANDSHAKE, 401},
    {"GET /chatbox/nothing", "", 404},
    {"HEAD /nothing", "", 404},
    {"PUT /chatbox/sessions", "", 405},
    {"BREW /chatbox/sessions", "", 405},
    {"GET /chatbox/%00", "", 400},
    {"GET /chatbox/sessions", "Expect: miracles\r\n", 417},
    {"POST /chatbox/sessions", "Content-Length: x\r\n", 400},
};

static void
test_every_answer_carries_the_common_headers(void **state)
{
    struct house h;

    (void)state;
    house_open(&h);
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct answer a;

        ask(&h, answers[i].line, answers[i].headers, NULL, &a);
        if (a.status != answers[i].status) {
            fail_msg("%s: %d", answers[i].line, a.status);
        }
        assert_common_headers(&a);
        assert_true(has_header(&a, "Date"));
        assert_true(has_header(&a, "Cache-Control"));
        assert_int_equal(has_header(&a, "Content-Length"), a.status != 204);
        answer_fini(&a);
    }
    house_close(&h);
}

static void
test_a_401_names_its_scheme(void **state)
{
    struct house h;
    struct answer a;

    (void)state;
    house_open(&h);
    ask(&h, "GET /chatbox/models", "", NULL, &a);
    assert_error(&a, 401, "UNAUTHORIZED", NULL);
    assert_string_equal(text_at(a.json, "error"), "unauthorized");
    assert_string_equal(header_of(&a, "WWW-Authenticate"), "Bearer");
    answer_fini(&a);
    house_close(&h);
}

static void
test_a_405_says_what_is_allowed(void **state)
{
    struct house h;
    struct answer a;

    (void)state;
    house_open(&h);
    ask(&h, "PUT /chatbox/sessions/x", "", NULL, &a);
    assert_error(&a, 405, "METHOD_NOT_ALLOWED", NULL);
    assert_string_equal(header_of(&a, "Allow"),
                        "GET, HEAD, PATCH, DELETE, OPTIONS");
    answer_fini(&a);
    house_close(&h);
}

/* The n+1st request within the window is told how long to wait; seconds are
 * rounded up and never 0. */
static void
check_limit(uint64_t count, uint64_t window_ms)
{
    struct house h;
    struct answer a;
    int64_t wait_ms;
    char seconds[32];

    house_prepare(&h);
    h.limit = (struct gate_limit){count, window_ms};
    house_start(&h);
    for (uint64_t i = 0; i < count; i++) {
        ask(&h, "GET /chatbox/", "", NULL, &a);
        assert_int_equal(a.status, 200);
        answer_fini(&a);
    }
    ask(&h, "GET /chatbox/", "", NULL, &a);
    assert_error(&a, 429, "TOO_MANY_REQUESTS", NULL);
    assert_string_equal(text_at(a.json, "error"), "rate_limit_exceeded");
    wait_ms = int_at(a.json, "retry_after_ms");
    assert_in_range(wait_ms, 1, window_ms / count);
    snprintf(seconds, sizeof(seconds), "%lld",
             (long long)(wait_ms + 999) / 1000);
    assert_string_equal(header_of(&a, "Retry-After"), seconds);
    answer_fini(&a);
    house_close(&h);
}

static void
test_a_429_says_when_to_come_back(void **state)
{
    (void)state;
    check_limit(1, 60000);
    check_limit(3, 3600000);
}

static void
test_head_has_the_length_of_get_and_no_body(void **state)
{
    static const char *const paths[] = {"/chatbox/healthz", "/chatbox/nothing",
                                        "/chatbox/sessions", "/chatbox/"};
    struct house h;

    (void)state;
    house_open(&h);
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct answer get, head;
        char line[64];

        snprintf(line, sizeof(line), "GET %s", paths[i]);
        ask(&h, line, "", NULL, &get);
        snprintf(line, sizeof(line), "HEAD %s", paths[i]);
        ask(&h, line, "", NULL, &head);
        assert_int_equal(head.status, get.status);
        assert_int_equal(strtol(header_of(&head, "Content-Length"), NULL, 10),
                         get.body_n);
        answer_fini(&get);
        answer_fini(&head);
    }
    house_close(&h);
}

static void
test_request_ids_are_never_the_same(void **state)
{
    struct house h;
    struct answer a;
    char *first;

    (void)state;
    house_open(&h);
    ask(&h, "GET /chatbox/healthz", "X-Request-Id: mine\r\n", NULL, &a);
    first = xstrdup(header_of(&a, "X-Request-Id"));
    answer_fini(&a);
    ask(&h, "GET /chatbox/healthz", "X-Request-Id: mine\r\n", NULL, &a);
    assert_string_not_equal(first, header_of(&a, "X-Request-Id"));
    xfree(first);
    answer_fini(&a);
    house_close(&h);
}

static void
test_the_connection_header_says_what_happens(void **state)
{
    static const struct {
        const char *request;
        const char *connection;
    } cases[] = {
        {"GET /chatbox/healthz HTTP/1.1\r\nHost: x\r\n\r\n", ""},
        {"GET /chatbox/healthz HTTP/1.1\r\nHost: x\r\n"
         "Connection: close\r\n\r\n",
         "close"},
        {"GET /chatbox/healthz HTTP/1.0\r\n\r\n", "close"},
        {"GET /chatbox/healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
         "keep-alive"},
        {"GET /chatbox/healthz\r\n\r\n", "close"},
        {"POST /chatbox/nothing HTTP/1.1\r\nHost: x\r\n"
         "Content-Length: 3\r\n\r\n",
         "close"},
    };
    struct house h;

    (void)state;
    house_open(&h);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct client c;
        struct answer a;

        client_open(&h, &c);
        client_send(&c, cases[i].request);
        client_answer(&c, &a);
        assert_string_equal(header_of(&a, "Connection"), cases[i].connection);
        if (strcmp(cases[i].connection, "close") == 0) {
            WAIT_FOR(&h, client_eof(&c));
        } else {
            client_send(&c, cases[i].request);
            answer_fini(&a);
            client_answer(&c, &a);
        }
        answer_fini(&a);
        client_close(&c);
    }
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_answer_carries_the_common_headers),
        cmocka_unit_test(test_a_401_names_its_scheme),
        cmocka_unit_test(test_a_405_says_what_is_allowed),
        cmocka_unit_test(test_a_429_says_when_to_come_back),
        cmocka_unit_test(test_head_has_the_length_of_get_and_no_body),
        cmocka_unit_test(test_request_ids_are_never_the_same),
        cmocka_unit_test(test_the_connection_header_says_what_happens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
