/* SPDX-License-Identifier: MIT */
#include "gate/http.h"

#include "fixture.h"

#define LIVE "GET /chatbox/healthz HTTP/1.1\r\nHost: x\r\n\r\n"
#define READY "GET /chatbox/readyz HTTP/1.1\r\nHost: x\r\n\r\n"
#define NOTHING "GET /chatbox/nothing HTTP/1.1\r\nHost: x\r\n\r\n"

/* --- requests in a row -------------------------------------------------- */

static void
expect_statuses(struct client *c, const int *statuses, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct answer a;

        client_answer(c, &a);
        assert_int_equal(a.status, statuses[i]);
        answer_fini(&a);
    }
}

static void
test_requests_in_one_write_are_answered_in_order(void **state)
{
    static const int statuses[] = {200, 404, 200, 200};
    struct house h;
    struct client c;

    (void)state;
    house_open(&h);
    client_open(&h, &c);
    client_send(&c, LIVE NOTHING READY LIVE);
    expect_statuses(&c, statuses, 4);
    client_close(&c);
    house_close(&h);
}

static void
put_post(struct buf *b, const char *token, const char *rest)
{
    buf_puts(b, "POST /chatbox/sessions HTTP/1.1\r\nHost: x\r\n"
                "Authorization: Bearer ");
    buf_puts(b, token);
    buf_puts(b, "\r\n");
    buf_puts(b, rest);
}

/* Posts with bodies (which are refused, as the store would take its time), so
 * that each cut falls into something else. */
static void
test_a_pipeline_may_be_cut_at_every_position(void **state)
{
    static const int statuses[] = {400, 200, 400};
    struct house h;
    struct buf b;
    char *token = token_of("ann");

    (void)state;
    house_open(&h);
    buf_init(&b, 65536);
    put_post(&b, token, "Content-Length: 10\r\n\r\n{\"name\":1}");
    buf_puts(&b, LIVE);
    put_post(&b, token,
             "Transfer-Encoding: chunked\r\n\r\n"
             "a\r\n{\"name\":2}\r\n0\r\n\r\n");
    for (size_t cut = 0; cut < b.n; cut++) {
        struct client c;

        client_open(&h, &c);
        client_send_n(&c, b.p, cut);
        house_turn(&h);
        client_send_n(&c, b.p + cut, b.n - cut);
        expect_statuses(&c, statuses, 3);
        client_close(&c);
    }
    buf_fini(&b);
    xfree(token);
    house_close(&h);
}

static void
test_a_request_may_come_byte_by_byte(void **state)
{
    static const int statuses[] = {200, 200};
    static const char text[] = "\r\n" LIVE READY;
    struct house h;
    struct client c;

    (void)state;
    house_open(&h);
    client_open(&h, &c);
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        client_send_n(&c, text + i, 1);
        house_turn(&h);
    }
    expect_statuses(&c, statuses, 2);
    client_close(&c);
    house_close(&h);
}

static void
test_a_connection_changes_its_user_with_each_request(void **state)
{
    struct house h;
    struct client c;

    (void)state;
    house_open(&h);
    client_open(&h, &c);
    for (int i = 0; i < 6; i++) {
        char user[16], headers[1024];
        struct answer a;
        char *token;

        snprintf(user, sizeof(user), "user-%d", i % 3);
        token = token_of(user);
        snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n",
                 token);
        client_ask(&c, "GET /chatbox/sessions", headers, NULL);
        client_answer(&c, &a);
        assert_string_equal(text_at(a.json, "user_id"), user);
        answer_fini(&a);
        xfree(token);
    }
    client_close(&c);
    house_close(&h);
}

/* --- what ends a connection --------------------------------------------- */

static const struct {
    const char *what;
    const char *bytes;
    int status;
} fatal[] = {
    {"bare line feeds", "GET /chatbox/healthz HTTP/1.1\nHost: x\n\n", 400},
    {"two lengths",
     "POST /chatbox/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
     "Content-Length: 2\r\n\r\nab",
     400},
    {"both framings",
     "POST /chatbox/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
     "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     400},
    {"chunked is not the last coding",
     "POST /chatbox/sessions HTTP/1.1\r\nHost: x\r\n"
     "Transfer-Encoding: chunked, gzip\r\n\r\n",
     400},
    {"no Host", "GET /chatbox/healthz HTTP/1.1\r\n\r\n", 400},
    {"an escaped NUL in the path",
     "GET /chatbox/healthz%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
    {"dots", "GET /chatbox/../x HTTP/1.1\r\nHost: x\r\n\r\n", 400},
    {"a tunnel", "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 404},
    {"another expectation",
     "GET /chatbox/healthz HTTP/1.1\r\nHost: x\r\nExpect: more\r\n\r\n", 417},
    {"a body nobody reads",
     "POST /chatbox/nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
     "GET ",
     404},
};

/* One answer, then the end, whatever stands behind it. */
static void
test_what_is_ambiguous_is_answered_once_and_closed(void **state)
{
    struct house h;

    (void)state;
    house_open(&h);
    for (size_t i = 0; i < COUNT_OF(fatal); i++) {
        struct client c;
        struct answer a;

        client_open(&h, &c);
        client_send(&c, fatal[i].bytes);
        client_send(&c, LIVE);
        client_answer(&c, &a);
        if (a.status != fatal[i].status) {
            fail_msg("%s: %d", fatal[i].what, a.status);
        }
        assert_string_equal(header_of(&a, "Connection"), "close");
        WAIT_FOR(&h, client_eof(&c));
        assert_int_equal(c.got.n, 0);
        answer_fini(&a);
        client_close(&c);
    }
    house_close(&h);
}

static void
test_limits_of_line_and_headers_have_their_status(void **state)
{
    struct house h;
    struct client c;
    struct answer a;
    struct buf b;

    (void)state;
    house_open(&h);
    buf_init(&b, 1 << 20);
    buf_puts(&b, "GET /chatbox/healthz?");
    for (int i = 0; i < 9000; i++) {
        buf_putc(&b, 'x');
    }
    client_open(&h, &c);
    client_send_n(&c, b.p, b.n); /* without an end */
    client_answer(&c, &a);
    assert_error(&a, 414, "PAYLOAD_TOO_LARGE", NULL);
    answer_fini(&a);
    client_close(&c);

    buf_reset(&b, 0);
    buf_puts(&b, "GET /chatbox/healthz HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 100; i++) {
        buf_printf(&b, "X-%d: y\r\n", i);
    }
    client_open(&h, &c);
    client_send_n(&c, b.p, b.n);
    client_answer(&c, &a);
    assert_error(&a, 431, "PAYLOAD_TOO_LARGE", NULL);
    answer_fini(&a);
    client_close(&c);
    buf_fini(&b);
    house_close(&h);
}

/* --- bodies ------------------------------------------------------------- */

/* The head of a POST of ann's with one more header. */
static void
send_post(struct client *c, const char *header)
{
    char headers[1024];
    char *token = token_of("ann");

    snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n%s", token,
             header);
    client_ask(c, "POST /chatbox/sessions", headers, NULL);
    xfree(token);
}

static void
test_a_body_is_asked_for_only_when_it_will_be_read(void **state)
{
    struct house h;
    struct client c;
    struct answer a;

    (void)state;
    house_open(&h);
    client_open(&h, &c);
    send_post(&c, "Expect: 100-continue\r\nContent-Length: 2\r\n");
    client_answer(&c, &a);
    assert_int_equal(a.status, 100);
    answer_fini(&a);
    client_send(&c, "{}");
    client_answer(&c, &a);
    assert_int_equal(a.status, 201);
    answer_fini(&a);

    send_post(&c, "Expect: 100-continue\r\nContent-Length: 0\r\n");
    client_answer(&c, &a);
    assert_int_equal(a.status, 201);
    answer_fini(&a);

    send_post(&c, "Expect: 100-continue\r\nContent-Length: 1048577\r\n");
    client_answer(&c, &a);
    assert_error(&a, 413, "PAYLOAD_TOO_LARGE", NULL);
    answer_fini(&a);
    WAIT_FOR(&h, client_eof(&c));
    client_close(&c);

    client_open(&h, &c);
    client_ask(&c, "POST /chatbox/sessions",
               "Expect: 100-continue\r\nContent-Length: 2\r\n", NULL);
    client_answer(&c, &a);
    assert_error(&a, 401, "UNAUTHORIZED", NULL);
    answer_fini(&a);
    client_close(&c);
    house_close(&h);
}

static void
test_chunks_beyond_the_limit_are_413(void **state)
{
    struct house h;
    struct client c;
    struct answer a;
    static char chunk[0x10000 + 9];

    (void)state;
    house_open(&h);
    memcpy(chunk, "10000\r\n", 7);
    memset(chunk + 7, ' ', 0x10000);
    memcpy(chunk + 7 + 0x10000, "\r\n", 2);
    client_open(&h, &c);
    send_post(&c, "Transfer-Encoding: chunked\r\n");
    for (int i = 0; i < 16; i++) {
        client_send_n(&c, chunk, sizeof(chunk));
    }
    assert_int_equal(c.got.n, 0);
    client_send_n(&c, "1\r\n", 3);
    client_answer(&c, &a);
    assert_error(&a, 413, "PAYLOAD_TOO_LARGE", NULL);
    answer_fini(&a);
    client_close(&c);
    house_close(&h);
}

static void
test_a_malformed_chunk_is_400(void **state)
{
    struct house h;
    struct client c;
    struct answer a;

    (void)state;
    house_open(&h);
    client_open(&h, &c);
    send_post(&c, "Transfer-Encoding: chunked\r\n");
    client_send(&c, "2\r\n{}x");
    client_answer(&c, &a);
    assert_error(&a, 400, "BAD_REQUEST", NULL);
    WAIT_FOR(&h, client_eof(&c));
    answer_fini(&a);
    client_close(&c);
    house_close(&h);
}

/* --- time --------------------------------------------------------------- */

static void
test_a_head_has_10_seconds_however_it_trickles(void **state)
{
    struct house h;
    struct client c;
    struct answer a;

    (void)state;
    house_open(&h);
    client_open(&h, &c);
    client_send(&c, LIVE "GET /");
    client_answer(&c, &a);
    answer_fini(&a);
    for (int i = 0; i < 9; i++) {
        house_skip(&h, 1000);
        client_send(&c, "x");
    }
    assert_int_equal(c.got.n, 0);
    house_skip(&h, 1100);
    client_answer(&c, &a);
    assert_error(&a, 408, "REQUEST_TIMEOUT", NULL);
    assert_string_equal(text_at(a.json, "error"), "request_timeout");
    WAIT_FOR(&h, client_eof(&c));
    answer_fini(&a);
    client_close(&c);
    house_close(&h);
}

static void
test_a_body_has_30_seconds_without_progress(void **state)
{
    struct house h;
    struct client c;
    struct answer a;

    (void)state;
    house_open(&h);
    client_open(&h, &c);
    send_post(&c, "Content-Length: 5\r\n");
    for (int i = 0; i < 3; i++) {
        house_skip(&h, 29000);
        client_send(&c, "{");
        house_turn(&h);
    }
    assert_int_equal(c.got.n, 0);
    house_skip(&h, 30100);
    client_answer(&c, &a);
    assert_error(&a, 408, "REQUEST_TIMEOUT", NULL);
    WAIT_FOR(&h, client_eof(&c));
    answer_fini(&a);
    client_close(&c);
    house_close(&h);
}

static void
test_an_idle_connection_is_closed_after_75_seconds(void **state)
{
    struct house h;
    struct client c;
    struct answer a;

    (void)state;
    house_open(&h);
    client_open(&h, &c);
    client_send(&c, LIVE);
    client_answer(&c, &a);
    answer_fini(&a);
    house_skip(&h, 74000);
    client_send(&c, LIVE);
    client_answer(&c, &a);
    assert_int_equal(a.status, 200);
    answer_fini(&a);
    house_skip(&h, 75100);
    WAIT_FOR(&h, client_eof(&c));
    assert_int_equal(c.got.n, 0);
    client_close(&c);
    house_close(&h);
}

static void
test_a_connection_that_says_nothing_is_closed_after_10_seconds(void **state)
{
    struct house h;
    struct client c;

    (void)state;
    house_open(&h);
    client_open(&h, &c);
    house_skip(&h, 9000);
    assert_false(client_eof(&c));
    house_skip(&h, 1100);
    WAIT_FOR(&h, client_eof(&c));
    client_close(&c);
    house_close(&h);
}

/* --- clients that leave, and clients that do not read -------------------- */

static void
test_a_client_may_leave_at_any_moment(void **state)
{
    static const char *const parts[] = {
        "", "GET", "GET /chatbox/healthz HTTP/1.1\r\nHo", LIVE, LIVE "GET /"};
    struct house h;

    (void)state;
    house_open(&h);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        struct client c;

        client_open(&h, &c);
        client_send(&c, parts[i]);
        client_close(&c);
        WAIT_FOR(&h, net_conn_count(&h.shard) == 0);
    }
    for (int turns = 0; turns < 3; turns++) {
        struct client c;

        client_open(&h, &c);
        send_post(&c, "Content-Length: 2\r\n");
        (void)send(c.fd, "{}", 2, MSG_NOSIGNAL); /* the store begins */
        for (int i = 0; i < turns; i++) {
            house_turn(&h);
        }
        client_close(&c);
        WAIT_FOR(&h, net_conn_count(&h.shard) == 0 &&
                         list_empty(&h.shard.gate->requests));
    }
    house_close(&h);
}

static void
test_a_client_that_closed_its_side_still_gets_its_answers(void **state)
{
    struct house h;
    struct client c;
    struct answer a;

    (void)state;
    house_open(&h);
    client_open(&h, &c);
    client_send(&c, LIVE);
    send_post(&c, "Content-Length: 0\r\n");
    (void)shutdown(c.fd, SHUT_WR);
    client_answer(&c, &a);
    assert_int_equal(a.status, 200);
    answer_fini(&a);
    client_answer(&c, &a);
    assert_int_equal(a.status, 201);
    answer_fini(&a);
    WAIT_FOR(&h, client_eof(&c));
    client_close(&c);
    house_close(&h);
}

/* Ten megabytes of answers would be due: only some are made before the client
 * reads, and all of them once it does. */
static void
test_requests_wait_while_their_answers_are_not_read(void **state)
{
    enum { REQUESTS = 20000 };
    struct house h;
    struct client c;
    size_t sent = 0, answered = 0;
    time_t give_up = time(NULL) + 60;

    (void)state;
    house_open(&h);
    client_open(&h, &c);
    for (int idle = 0; idle < 100 && sent < REQUESTS * strlen(NOTHING);) {
        size_t at = sent % strlen(NOTHING);
        ssize_t n =
            send(c.fd, NOTHING + at, strlen(NOTHING) - at, MSG_NOSIGNAL);

        sent += n > 0 ? (size_t)n : 0;
        idle = n > 0 ? 0 : idle + 1;
        house_turn(&h);
    }
    assert_in_range(sent, 1, REQUESTS * strlen(NOTHING) - 1);
    client_send_n(&c, NOTHING + sent % strlen(NOTHING),
                  strlen(NOTHING) - sent % strlen(NOTHING));
    sent = (sent + strlen(NOTHING) - 1) / strlen(NOTHING);
    while (answered < sent && time(NULL) < give_up) {
        struct answer a;

        client_answer(&c, &a);
        assert_int_equal(a.status, 404);
        answer_fini(&a);
        answered++;
    }
    assert_int_equal(answered, sent);
    client_close(&c);
    house_close(&h);
}

/* --- shutdown ----------------------------------------------------------- */

static void
test_draining_closes_idle_ones_and_others_after_the_answer(void **state)
{
    struct house h;
    struct client idle, busy;
    struct answer a;

    (void)state;
    house_open(&h);
    client_open(&h, &idle);
    client_send(&idle, LIVE);
    client_answer(&idle, &a);
    answer_fini(&a);
    client_open(&h, &busy);
    client_send(&busy, "GET /chatbox/healthz HTTP/1.1\r\n");
    house_turn(&h);
    gate_drain(&h.shard);
    WAIT_FOR(&h, client_eof(&idle));
    client_send(&busy, "Host: x\r\n\r\n");
    client_answer(&busy, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(header_of(&a, "Connection"), "close");
    WAIT_FOR(&h, client_eof(&busy));
    answer_fini(&a);
    client_close(&idle);
    client_close(&busy);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_in_one_write_are_answered_in_order),
        cmocka_unit_test(test_a_pipeline_may_be_cut_at_every_position),
        cmocka_unit_test(test_a_request_may_come_byte_by_byte),
        cmocka_unit_test(test_a_connection_changes_its_user_with_each_request),
        cmocka_unit_test(test_what_is_ambiguous_is_answered_once_and_closed),
        cmocka_unit_test(test_limits_of_line_and_headers_have_their_status),
        cmocka_unit_test(test_a_body_is_asked_for_only_when_it_will_be_read),
        cmocka_unit_test(test_chunks_beyond_the_limit_are_413),
        cmocka_unit_test(test_a_malformed_chunk_is_400),
        cmocka_unit_test(test_a_head_has_10_seconds_however_it_trickles),
        cmocka_unit_test(test_a_body_has_30_seconds_without_progress),
        cmocka_unit_test(test_an_idle_connection_is_closed_after_75_seconds),
        cmocka_unit_test(
            test_a_connection_that_says_nothing_is_closed_after_10_seconds),
        cmocka_unit_test(test_a_client_may_leave_at_any_moment),
        cmocka_unit_test(
            test_a_client_that_closed_its_side_still_gets_its_answers),
        cmocka_unit_test(test_requests_wait_while_their_answers_are_not_read),
        cmocka_unit_test(
            test_draining_closes_idle_ones_and_others_after_the_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
