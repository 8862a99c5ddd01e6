/* SPDX-License-Identifier: MIT */
/* On one shard; the way to another one is an end-to-end test's. */
#include "gate/watch.h"

#include "fixture.h"

/* Upgrades an operator's client; the status of the answer. */
static int
upgrade_operator(struct house *h, struct client *c, const char *query)
{
    char *token = make_token("olga", "admin", (int64_t)time(NULL) + 3600);
    struct answer a;
    int status;

    client_open(h, c);
    client_upgrade(c, token, query, &a);
    status = a.status;
    answer_fini(&a);
    xfree(token);
    return status;
}

static void
assert_audited(struct house *h, size_t events)
{
    struct answer a;

    ask_operator(h, "oscar", "GET /chatbox/admin/audit", &a);
    assert_int_equal(json_array_size(json_object_get(a.json, "events")),
                     events);
    answer_fini(&a);
}

/* The session of an operator who asks for sid, and whether it is audited. */
static void
assert_lands(struct house *h, const char *sid, const char *expected,
             size_t events)
{
    struct client c;
    char query[128];
    json_t *first;

    snprintf(query, sizeof(query), "?session_id=%s", sid);
    assert_int_equal(upgrade_operator(h, &c, query), 101);
    first = client_until(&c, "connection_status");
    if (expected != NULL) {
        assert_string_equal(text_at(first, "session_id"), expected);
    } else {
        assert_string_not_equal(text_at(first, "session_id"), sid);
    }
    json_decref(first);
    client_close(&c);
    assert_audited(h, events);
}

static void
test_a_stored_session_is_watched_and_that_is_put_down(void **state)
{
    struct house h;
    char id[64];

    (void)state;
    house_open(&h);
    make_session(&h, "ann", id);
    assert_lands(&h, id, id, 1);
    assert_lands(&h, id, id, 2);
    house_close(&h);
}

static void
test_one_that_is_only_in_memory_is_found_there(void **state)
{
    struct house h;
    struct client c;
    char *token = token_of("ann"), id[64];
    struct answer a;
    json_t *first;

    (void)state;
    house_open(&h);
    client_open(&h, &c);
    client_upgrade(&c, token, "?session_id=x", &a);
    answer_fini(&a);
    first = client_until(&c, "connection_status");
    snprintf(id, sizeof(id), "%s", text_at(first, "session_id"));
    json_decref(first);
    assert_lands(&h, id, id, 1);
    client_close(&c);
    xfree(token);
    house_close(&h);
}

static void
test_an_operator_s_own_and_nobody_s_are_not_watched(void **state)
{
    struct house h;
    char id[64];

    (void)state;
    house_open(&h);
    make_session(&h, "olga", id);
    assert_lands(&h, id, id, 0);
    assert_lands(&h, "0123456789abcdef0123456789abcdef", NULL, 0);
    assert_lands(&h, "nonsense", NULL, 0);
    house_close(&h);
}

/* At every moment of its way; the house's end would show what is left. */
static void
test_a_client_that_does_not_wait_leaves_nothing_behind(void **state)
{
    struct house h;
    char id[64], line[128], headers[2048];
    char *token = make_token("olga", "admin", (int64_t)time(NULL) + 3600);

    (void)state;
    house_open(&h);
    make_session(&h, "ann", id);
    snprintf(headers, sizeof(headers), HANDSHAKE "Authorization: Bearer %s\r\n",
             token);
    for (int turns = 0; turns < 24; turns++) {
        struct client c;

        snprintf(line, sizeof(line), "GET /chatbox/ws?session_id=%s",
                 turns % 2 == 0 ? id : "0123456789abcdef0123456789abcdef");
        client_open(&h, &c);
        client_ask(&c, line, headers, NULL);
        for (int i = 0; i < turns / 2; i++) {
            house_turn(&h);
        }
        client_close(&c);
    }
    WAIT_FOR(&h, net_conn_count(&h.shard) == 0);
    assert_int_equal(
        chat_user_connections(h.shard.chat, STR("olga"), STR(""), STR("")), 0);
    xfree(token);
    house_close(&h);
}

static void
test_watching_counts_for_the_operator(void **state)
{
    struct house h;
    struct client c, d;
    char id[64], query[128];

    (void)state;
    house_prepare(&h);
    h.connections_per_user = 1;
    house_start(&h);
    make_session(&h, "ann", id);
    snprintf(query, sizeof(query), "?session_id=%s", id);
    assert_int_equal(upgrade_operator(&h, &c, query), 101);
    assert_int_equal(upgrade_operator(&h, &d, query), 429);
    client_close(&d);
    client_close(&c);
    WAIT_FOR(&h, net_conn_count(&h.shard) == 0);
    assert_int_equal(upgrade_operator(&h, &c, query), 101);
    client_close(&c);
    house_close(&h);
}

static void
test_a_full_operator_may_replace_and_nothing_else(void **state)
{
    struct house h;
    struct client c[3];
    char id[64], query[128];

    (void)state;
    house_prepare(&h);
    h.connections_per_user = 1;
    house_start(&h);
    make_session(&h, "ann", id);
    snprintf(query, sizeof(query), "?session_id=%s&device_id=desk", id);
    assert_int_equal(upgrade_operator(&h, &c[0], query), 101);
    json_decref(client_until(&c[0], "connection_status"));
    assert_int_equal(upgrade_operator(&h, &c[1], query), 101);
    json_decref(client_until(&c[1], "connection_status"));
    snprintf(query, sizeof(query), "?session_id=%s&device_id=phone", id);
    assert_int_equal(upgrade_operator(&h, &c[2], query), 429);
    assert_audited(&h, 2);
    assert_int_equal(
        chat_user_connections(h.shard.chat, STR("olga"), STR(""), STR("")), 1);
    for (size_t i = 0; i < 3; i++) {
        client_close(&c[i]);
    }
    house_close(&h);
}

static void
test_a_token_without_the_role_is_not_taken(void **state)
{
    struct house h;
    struct client c;
    char id[64], query[128];
    struct buf frame;
    json_t *error;
    char *token = token_of("olga");

    (void)state;
    house_open(&h);
    make_session(&h, "ann", id);
    snprintf(query, sizeof(query), "?session_id=%s", id);
    assert_int_equal(upgrade_operator(&h, &c, query), 101);
    buf_init(&frame, 4096);
    buf_printf(&frame, "{\"type\":\"auth\",\"token\":\"%s\"}", token);
    client_frame(&c, WS_TEXT, buf_str(&frame));
    error = client_until(&c, "error");
    assert_string_equal(text_at(json_object_get(error, "error"), "code"),
                        "INSUFFICIENT_PERMISSIONS");
    json_decref(error);
    buf_fini(&frame);
    xfree(token);
    client_close(&c);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stored_session_is_watched_and_that_is_put_down),
        cmocka_unit_test(test_one_that_is_only_in_memory_is_found_there),
        cmocka_unit_test(test_an_operator_s_own_and_nobody_s_are_not_watched),
        cmocka_unit_test(
            test_a_client_that_does_not_wait_leaves_nothing_behind),
        cmocka_unit_test(test_watching_counts_for_the_operator),
        cmocka_unit_test(test_a_full_operator_may_replace_and_nothing_else),
        cmocka_unit_test(test_a_token_without_the_role_is_not_taken),
    };

    return cmocka_run_group_tests_name("gate/watch", tests, NULL, NULL);
}
