/* SPDX-License-Identifier: MIT */
#include "gate/caller.h"

#include "standby_fixture.h"

#define ASK                                                                    \
    "POST /chatbox/upload HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n"   \
    "Content-Length: 4\r\n\r\nbody"

#define ASKED                                                                  \
    "POST /chatbox/upload HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"        \
    "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: http\r\n"              \
    "Via: 1.1 chatbox\r\nConnection: close\r\n\r\nbody"

#define ANSWER "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok"

#define METRIC_LINE "\n# TYPE chatbox_standby_pipes gauge\n"

/* The holder answers and closes, and so is the client answered and closed. */
static void
finish_exchange(struct post *p, int listener, struct peer *client)
{
    struct peer holder;

    holder_accept(p, listener, &holder);
    peer_expect(&holder, ASKED);
    peer_send(&holder, ANSWER);
    peer_expect(client, ANSWER);
    peer_close(&holder);
    assert_int_equal(peer_end(client), 0);
    peer_close(client);
}

static void
a_request_is_passed_on_and_its_answer_back(void **state)
{
    struct peer client;
    struct post p;
    int listener;

    (void)state;
    post_open(&p);
    listener = holder_open(&p);
    client_open(&p, &client);
    peer_send(&client, ASK);
    finish_exchange(&p, listener, &client);
    PUMP_UNTIL(&p.f, metric_value(METRIC_STANDBY_PIPES, 0) == 0);
    assert_int_equal(metric_value(METRIC_STANDBY_FORWARDED, 0), 1);
    (void)close(listener);
    post_close(&p);
}

static void
it_does_not_matter_how_its_bytes_come(void **state)
{
    struct post p;
    int listener;

    (void)state;
    post_open(&p);
    listener = holder_open(&p);
    for (size_t cut = 0; cut < sizeof(ASK); cut++) { /* 0: byte by byte */
        struct peer client;

        client_open(&p, &client);
        for (size_t at = 0; at < sizeof(ASK) - 1;) {
            size_t n = cut == 0 ? 1 : at == 0 ? cut : sizeof(ASK) - 1 - at;

            fixture_send(&p.f, client.fd, ASK + at, n);
            pump_idle(&p.f);
            at += n;
        }
        finish_exchange(&p, listener, &client);
    }
    (void)close(listener);
    post_close(&p);
}

static void
a_trusted_proxys_word_is_passed_on(void **state)
{
    struct peer client, holder;
    struct post p;
    int listener;

    (void)state;
    post_open(&p);
    listener = holder_open(&p);
    client_open_from(&p, &client, "10.1.2.3");
    peer_send(&client, "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4"
                       "\r\nX-Forwarded-Proto: https\r\n\r\n");
    holder_accept(&p, listener, &holder);
    peer_expect(&holder,
                "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\n"
                "X-Forwarded-Proto: https\r\nX-Forwarded-For: 10.1.2.3\r\n"
                "Via: 1.1 chatbox\r\nConnection: close\r\n\r\n");
    peer_close(&holder);
    assert_int_equal(peer_end(&client), 0);
    peer_close(&client);
    (void)close(listener);
    post_close(&p);
}

/* --- what is answered here ---------------------------------------------- */

static void
liveness_is_its_own(void **state)
{
    struct peer one;
    struct post p;
    json_t *body;

    (void)state;
    post_open(&p);
    body =
        ask_from(&p, "203.0.113.7",
                 "GET /chatbox/healthz HTTP/1.1\r\nHost: a\r\n\r\n", 200, &one);
    assert_string_equal(text_of(body, "status"), "healthy");
    json_decref(body);
    peer_close(&one);
    body = ask_from(&p, "203.0.113.7",
                    "HEAD /chatbox/healthz HTTP/1.1\r\nHost: a\r\n\r\n", 200,
                    &one);
    assert_null(body);
    assert_false(says(&one, "Content-Length: 0"));
    peer_close(&one);
    post_close(&p);
}

static void
assert_readiness(struct post *p, int status, const char *holder)
{
    struct peer one;
    json_t *body = ask_from(p, "203.0.113.7",
                            "GET /chatbox/readyz HTTP/1.1\r\nHost: a\r\n\r\n",
                            status, &one);
    const json_t *checks = json_object_get(body, "checks");

    assert_string_equal(text_of(body, "status"),
                        status == 200 ? "ready" : "not ready");
    assert_true(json_is_true(json_object_get(body, "standby")));
    assert_string_equal(text_of(json_object_get(checks, "holder"), "status"),
                        holder);
    json_decref(body);
    peer_close(&one);
}

static void
it_is_ready_when_it_was_told_so_and_knows_a_holder(void **state)
{
    struct post p;
    int listener;

    (void)state;
    post_open(&p);
    assert_readiness(&p, 503, "not ready");
    listener = holder_open(&p);
    assert_readiness(&p, 503, "ready");
    standby_set_ready(p.standby, true);
    assert_readiness(&p, 200, "ready");
    standby_set_holder(p.standby, NULL);
    assert_readiness(&p, 503, "not ready");
    (void)close(listener);
    post_close(&p);
}

static void
the_metrics_page_is_for_its_networks(void **state)
{
    static const char page[] =
        "GET /chatbox/metrics/prometheus HTTP/1.1\r\nHost: a\r\n";
    static const struct {
        const char *from, *headers;
        int status;
    } rows[] = {
        {"127.0.0.1", "", 200},
        {"203.0.113.7", "", 403},
        {"203.0.113.7", "X-Forwarded-For: 127.0.0.1\r\n", 403},
        {"10.0.0.1", "X-Forwarded-For: 127.0.0.1\r\n", 200},
        {"10.0.0.1", "X-Forwarded-For: 127.0.0.1, 198.51.100.1\r\n", 403},
    };
    struct post p;

    (void)state;
    post_open(&p);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct peer one;
        char text[256];

        (void)snprintf(text, sizeof(text), "%s%s\r\n", page, rows[i].headers);
        json_decref(ask_from(&p, rows[i].from, text, rows[i].status, &one));
        assert_int_equal(memmem(one.got.p, one.got.n, METRIC_LINE,
                                strlen(METRIC_LINE)) != NULL,
                         rows[i].status == 200);
        peer_close(&one);
    }
    post_close(&p);
}

/* As gate/http.c answers them. */
static void
a_head_that_is_malformed_is_refused_here(void **state)
{
    static const struct {
        const char *head;
        int status;
        const char *code;
    } rows[] = {
        {"GET  / HTTP/1.1\r\n\r\n", 400, "BAD_REQUEST"},
        {"GET / HTTP/1.1\r\n\r\n", 400, "BAD_REQUEST"},
        {"GET / HTTP/2.0\r\n", 400, "BAD_REQUEST"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
         "Transfer-Encoding: chunked\r\n\r\n",
         400, "BAD_REQUEST"},
        {"GET / HTTP/1.1\r\nHost: a\r\nExpect: rain\r\n\r\n", 417,
         "BAD_REQUEST"},
    };
    struct post p;
    int listener;

    (void)state;
    post_open(&p);
    listener = holder_open(&p);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct peer one;
        json_t *body =
            ask_from(&p, "203.0.113.7", rows[i].head, rows[i].status, &one);

        assert_string_equal(text_of(body, "code"), rows[i].code);
        assert_string_not_equal(text_of(body, "request_id"), "");
        json_decref(body);
        peer_close(&one);
    }
    assert_int_equal(metric_value(METRIC_STANDBY_FORWARDED, 0), 0);
    (void)close(listener);
    post_close(&p);
}

/* The time is up at once, not after ten seconds. */
static void
who_sends_no_whole_head_is_not_waited_for(void **state)
{
    struct peer one;
    struct post p;

    (void)state;
    post_open(&p);
    client_open(&p, &one);
    timer_start(&p.f.shard.timers, &only_caller(&p)->timer, 0);
    assert_int_equal(peer_end(&one), 0);
    assert_int_equal(one.got.n, 0);
    peer_close(&one);
    client_open(&p, &one);
    peer_send(&one, "GET / HTTP");
    PUMP_UNTIL(&p.f, only_caller(&p)->begun);
    timer_start(&p.f.shard.timers, &only_caller(&p)->timer, 0);
    json_decref(take_answer(&one, 408));
    peer_close(&one);
    post_close(&p);
}

static void
an_end_inside_of_a_head_is_told_and_one_before_it_is_not(void **state)
{
    struct peer one;
    struct post p;

    (void)state;
    post_open(&p);
    client_open(&p, &one);
    assert_int_equal(shutdown(one.fd, SHUT_WR), 0);
    assert_int_equal(peer_end(&one), 0);
    assert_int_equal(one.got.n, 0);
    peer_close(&one);
    client_open(&p, &one);
    peer_send(&one, "GET / HTTP/1.1\r\n");
    assert_int_equal(shutdown(one.fd, SHUT_WR), 0);
    json_decref(take_answer(&one, 400));
    peer_close(&one);
    post_close(&p);
}

/* --- what goes wrong ---------------------------------------------------- */

static void
assert_for_now(struct post *p, const char *line, bool openai)
{
    char request[256];
    struct peer one;
    json_t *body;

    (void)snprintf(request, sizeof(request), "%s HTTP/1.1\r\nHost: a\r\n\r\n",
                   line);
    client_open(p, &one);
    peer_send(&one, request);
    end_patience(p);
    assert_int_equal(one.got.n, 0);
    body = take_answer(&one, 503);
    assert_true(says(&one, "Retry-After: 1"));
    if (openai) {
        assert_string_equal(text_of(json_object_get(body, "error"), "code"),
                            "SERVICE_ERROR");
    } else {
        assert_string_equal(text_of(body, "error"), "service_error");
        assert_int_equal(
            json_integer_value(json_object_get(body, "retry_after_ms")), 1000);
    }
    json_decref(body);
    peer_close(&one);
}

static void
without_a_holder_the_client_is_told_to_come_again(void **state)
{
    struct post p;

    (void)state;
    post_open(&p);
    assert_for_now(&p, "GET /chatbox/sessions", false);
    assert_for_now(&p, "POST /chatbox/healthz", false);
    assert_for_now(&p, "GET /elsewhere", false);
    assert_for_now(&p, "GET /chatbox/v1/models", true);
    assert_int_equal(failures("none"), 4);
    post_close(&p);
}

static void
and_so_it_is_when_the_holder_does_not_listen(void **state)
{
    struct sockaddr_storage at;
    struct post p;
    int fd;

    (void)state;
    post_open(&p);
    fd = holder_at(&p, &at, -1);
    assert_for_now(&p, "GET /chatbox/sessions", false);
    assert_int_equal(failures("dial"), 1);
    (void)close(fd);
    post_close(&p);
}

static void
a_holder_that_breaks_cuts_the_client_off(void **state)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    struct peer client, holder;
    struct post p;
    int listener;

    (void)state;
    post_open(&p);
    listener = holder_open(&p);
    client_open(&p, &client);
    peer_send(&client, ASK);
    holder_accept(&p, listener, &holder);
    peer_expect(&holder, ASKED);
    peer_send(&holder, "HTTP/1.1 200 OK\r\n\r\npart");
    assert_int_equal(
        setsockopt(holder.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    peer_close(&holder);
    assert_int_equal(peer_end(&client), ECONNRESET);
    PUMP_UNTIL(&p.f, list_empty(&p.standby->callers));
    assert_int_equal(failures("lost"), 1);
    assert_int_equal(metric_value(METRIC_STANDBY_PIPES, 0), 0);
    peer_close(&client);
    (void)close(listener);
    post_close(&p);
}

static void
a_client_that_goes_is_heard_of_by_the_holder(void **state)
{
    struct peer client, holder;
    struct post p;
    int listener;

    (void)state;
    post_open(&p);
    listener = holder_open(&p);
    client_open(&p, &client);
    peer_send(&client, ASK);
    holder_accept(&p, listener, &holder);
    peer_expect(&holder, ASKED);
    peer_close(&client);
    assert_int_equal(peer_end(&holder), 0);
    peer_close(&holder);
    PUMP_UNTIL(&p.f, list_empty(&p.standby->callers));
    assert_int_equal(failures("lost"), 0);
    (void)close(listener);
    post_close(&p);
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test(fn)
    const struct CMUnitTest tests[] = {
        CASE(a_request_is_passed_on_and_its_answer_back),
        CASE(it_does_not_matter_how_its_bytes_come),
        CASE(a_trusted_proxys_word_is_passed_on),
        CASE(liveness_is_its_own),
        CASE(it_is_ready_when_it_was_told_so_and_knows_a_holder),
        CASE(the_metrics_page_is_for_its_networks),
        CASE(a_head_that_is_malformed_is_refused_here),
        CASE(who_sends_no_whole_head_is_not_waited_for),
        CASE(an_end_inside_of_a_head_is_told_and_one_before_it_is_not),
        CASE(without_a_holder_the_client_is_told_to_come_again),
        CASE(and_so_it_is_when_the_holder_does_not_listen),
        CASE(a_holder_that_breaks_cuts_the_client_off),
        CASE(a_client_that_goes_is_heard_of_by_the_holder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
