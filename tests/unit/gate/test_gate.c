/* SPDX-License-Identifier: MIT */
#include "gate/gate.h"

#include "fixture.h"

static void
try_origin(struct house *h, const char *origin, int status)
{
    char headers[1024];
    char *token = token_of("ann");
    struct answer a;

    snprintf(headers, sizeof(headers),
             HANDSHAKE "Authorization: Bearer %s\r\nOrigin: %s\r\n", token,
             origin);
    ask(h, "GET /chatbox/ws", headers, NULL, &a);
    assert_int_equal(a.status, status);
    answer_fini(&a);
    xfree(token);
}

static void
test_a_new_policy_holds_from_its_arrival_and_frees_the_old(void **state)
{
    struct house h;
    struct client c;

    (void)state;
    house_prepare(&h);
    h.ws_origins[0] = "https://old.example";
    house_start(&h);
    try_origin(&h, "https://old.example", 101);
    try_origin(&h, "https://new.example", 403);
    client_join(&h, &c, "ann");
    h.ws_origins[0] = "https://new.example";
    gate_set_policy(&h.shard, make_policy(&h));
    for (int i = 0; i < 5; i++) {
        house_turn(&h);
    }
    try_origin(&h, "https://old.example", 403);
    try_origin(&h, "https://new.example", 101);
    client_say(&c, "{\"type\":\"ping\"}"); /* untouched */
    json_decref(client_until(&c, "pong"));
    client_close(&c);
    gate_set_policy(&h.shard, make_policy(&h)); /* may never arrive */
    house_close(&h);
}

/* Turns the loop until the letter that was posted last has come. */
static void
settle(struct house *h, const struct gate_policy *p)
{
    WAIT_FOR(h, h->shard.gate->policy == p);
}

static int
status_of(struct house *h, const char *user, const char *line)
{
    struct answer a;
    int status;

    if (user != NULL) {
        ask_as(h, user, line, NULL, &a);
    } else {
        ask(h, line, "", NULL, &a);
    }
    status = a.status;
    answer_fini(&a);
    return status;
}

/* Req 13.2 asks it of origins; limits are the same letter. */
static void
test_new_limits_hold_and_what_was_used_stays_used(void **state)
{
    struct gate_policy *p;
    struct house h;

    (void)state;
    house_prepare(&h);
    h.limit = (struct gate_limit){2, 3600000};
    house_start(&h);
    for (int i = 0; i < 3; i++) {
        int expected = i < 2 ? 200 : 429;

        assert_int_equal(status_of(&h, "ann", "GET /chatbox/models"), expected);
        assert_int_equal(status_of(&h, NULL, "GET /chatbox/healthz"), expected);
    }
    h.limit.count = 3;
    p = make_policy(&h);
    limit_shared_free(p->public_addresses);
    limit_shared_free(p->probe_addresses);
    limit_shared_free(p->failure_addresses);
    gate_policy_fill(p, h.policy);
    gate_set_policy(&h.shard, p);
    settle(&h, p);
    for (int i = 0; i < 2; i++) {
        int expected = i < 1 ? 200 : 429;

        assert_int_equal(status_of(&h, "ann", "GET /chatbox/models"), expected);
        assert_int_equal(status_of(&h, NULL, "GET /chatbox/healthz"), expected);
    }
    house_close(&h);
}

/* Else somebody who reloads every minute would keep an interval of five from
 * ever ending. */
static void
test_a_reload_does_not_put_the_purge_off(void **state)
{
    struct gate_policy *p;
    struct house h;

    (void)state;
    house_prepare(&h);
    h.limit = (struct gate_limit){1000, 1}; /* full again at once */
    h.limit_cleanup_interval_ms = UINT64_C(3600000);
    house_start(&h);
    assert_int_equal(status_of(&h, "ann", "GET /chatbox/models"), 200);
    assert_int_equal(limit_count(h.shard.gate->user_limit), 1);
    p = make_policy(&h);
    gate_set_policy(&h.shard, p);
    settle(&h, p);
    assert_int_equal(limit_count(h.shard.gate->user_limit), 0);
    assert_true(timer_armed(&h.shard.gate->purge));
    house_close(&h);
}

/* limit_shared.h asks for one a day. */
static void
test_a_purge_comes_every_day_however_long_the_interval_is(void **state)
{
    struct house h;

    (void)state;
    house_prepare(&h);
    h.limit = (struct gate_limit){1000, 1};
    h.limit_cleanup_interval_ms = UINT64_C(86400000) * 365;
    house_start(&h);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(status_of(&h, "ann", "GET /chatbox/models"), 200);
        assert_int_equal(limit_count(h.shard.gate->user_limit), 1);
        house_skip(&h, 86400000);
        assert_int_equal(limit_count(h.shard.gate->user_limit), 0);
    }
    house_close(&h);
}

static void
on_empty(void *cookie)
{
    ++*(int *)cookie;
}

static void
test_closing_tells_every_socket_and_says_once_when_all_have_gone(void **state)
{
    struct house h;
    struct client one, two, http;
    struct answer a;
    int empty = 0;

    (void)state;
    house_open(&h);
    client_join(&h, &one, "ann");
    client_join(&h, &two, "bob");
    client_open(&h, &http);
    client_ask(&http, "GET /chatbox/healthz", "", NULL);
    client_answer(&http, &a);
    answer_fini(&a);
    gate_close_all(&h.shard, 1001, "going away", on_empty, &empty);
    assert_int_equal(client_close_code(&one), 1001);
    assert_int_equal(client_close_code(&two), 1001);
    WAIT_FOR(&h, client_eof(&http));
    client_close(&one);
    assert_int_equal(empty, 0);
    client_close(&two);
    WAIT_FOR(&h, empty > 0);
    assert_int_equal(net_conn_count(&h.shard), 0);
    client_close(&http);
    for (int i = 0; i < 10; i++) {
        house_turn(&h);
    }
    assert_int_equal(empty, 1);
    house_close(&h);
}

static void
test_closing_what_is_empty_says_so_at_once(void **state)
{
    struct house h;
    int empty = 0;

    (void)state;
    house_open(&h);
    gate_close_all(&h.shard, 1001, "", on_empty, &empty);
    assert_int_equal(empty, 1);
    house_close(&h);
}

/* The client has gone, but the store still has its request. */
static void
test_the_end_waits_for_requests_that_only_the_store_has(void **state)
{
    struct house h;
    struct client c;
    char headers[1024];
    char *token = token_of("ann");
    int empty = 0;

    (void)state;
    house_open(&h);
    snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n", token);
    client_open(&h, &c);
    client_ask(&c, "POST /chatbox/sessions", headers, NULL);
    client_close(&c);
    gate_close_all(&h.shard, 1001, "", on_empty, &empty);
    WAIT_FOR(&h, empty == 1);
    assert_true(list_empty(&h.shard.gate->requests));
    assert_int_equal(net_conn_count(&h.shard), 0);
    xfree(token);
    house_close(&h);
}

static void
test_aborting_counts_those_with_something_to_send(void **state)
{
    struct house h;
    struct client quiet, lazy;
    int empty = 0;

    (void)state;
    house_open(&h);
    client_join(&h, &quiet, "ann");
    client_join(&h, &lazy, "bob");
    for (int i = 0; i < 20000; i++) {
        char frame[6 + 125] = "\x89\xfd";

        if (send(lazy.fd, frame, sizeof(frame), MSG_NOSIGNAL) < 0 && i > 5000) {
            break;
        }
        house_turn(&h);
    }
    gate_close_all(&h.shard, 1001, "", on_empty, &empty);
    assert_int_equal(client_close_code(&quiet), 1001);
    assert_int_equal(gate_abort_all(&h.shard), 1);
    WAIT_FOR(&h, empty == 1);
    client_close(&quiet);
    client_close(&lazy);
    house_close(&h);
}

static void
test_limits_forget_whom_they_need_not_remember(void **state)
{
    struct house h;
    struct answer a;

    (void)state;
    house_prepare(&h);
    h.limit = (struct gate_limit){1000, 1}; /* full again at once */
    h.limit_cleanup_interval_ms = 10;
    house_start(&h);
    ask(&h, "GET /chatbox/healthz", "", NULL, &a);
    answer_fini(&a);
    ask_as(&h, "ann", "GET /chatbox/models", NULL, &a);
    answer_fini(&a);
    WAIT_FOR(&h, limit_shared_count(h.policy->probe_addresses) == 0 &&
                     limit_count(h.shard.gate->user_limit) == 0);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_a_new_policy_holds_from_its_arrival_and_frees_the_old),
        cmocka_unit_test(test_new_limits_hold_and_what_was_used_stays_used),
        cmocka_unit_test(
            test_closing_tells_every_socket_and_says_once_when_all_have_gone),
        cmocka_unit_test(test_a_reload_does_not_put_the_purge_off),
        cmocka_unit_test(
            test_a_purge_comes_every_day_however_long_the_interval_is),
        cmocka_unit_test(test_closing_what_is_empty_says_so_at_once),
        cmocka_unit_test(
            test_the_end_waits_for_requests_that_only_the_store_has),
        cmocka_unit_test(test_aborting_counts_those_with_something_to_send),
        cmocka_unit_test(test_limits_forget_whom_they_need_not_remember),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
