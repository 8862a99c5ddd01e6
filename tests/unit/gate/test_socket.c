/* SPDX-License-Identifier: MIT */
#include "gate/socket.h"

#include "fixture.h"

static size_t
connections_of(struct house *h, const char *user)
{
    return chat_user_connections(h->shard.chat, str_from(user),
                                 (struct str){NULL, 0}, (struct str){NULL, 0});
}

/* Everything of the connection has been let go. */
static void
assert_gone(struct house *h)
{
    WAIT_FOR(h, net_conn_count(&h->shard) == 0);
    assert_int_equal(atomic_load(&h->websockets), 0);
    assert_int_equal(connections_of(h, "ann"), 0);
    assert_int_equal(metric_value(METRIC_WS_CONNECTIONS, 0), 0);
}

/* --- closing ------------------------------------------------------------ */

static const struct {
    const char *what;
    struct str bytes; /* whole frames, masked with zeros */
    int code;         /* of the close that comes back; 0: none */
} ends[] = {
    {"a close of 1000", STR("\x88\x82\0\0\0\0\x03\xe8"), 1000},
    {"a close of 4999", STR("\x88\x82\0\0\0\0\x13\x87"), 4999},
    {"an empty close", STR("\x88\x80\0\0\0\0"), 0},
    {"a close of 1005", STR("\x88\x82\0\0\0\0\x03\xed"), 1002},
    {"binary", STR("\x82\x81\0\0\0\0x"), 1003},
    {"invalid UTF-8", STR("\x81\x81\0\0\0\0\xff"), 1007},
    {"no mask", STR("\x81\x01x"), 1002},
    {"a reserved bit", STR("\xc1\x81\0\0\0\0x"), 1002},
    {"an unknown opcode", STR("\x83\x80\0\0\0\0"), 1002},
    {"a cut control frame", STR("\x09\x80\0\0\0\0"), 1002},
    {"nothing to continue", STR("\x80\x80\0\0\0\0"), 1002},
    {"too long a message", STR("\x81\xff\0\0\0\0\0\x10\0\1\0\0\0\0"), 1009},
};

static void
test_each_broken_rule_has_its_close_code(void **state)
{
    struct house h;

    (void)state;
    house_open(&h);
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        struct client c;
        int code;

        client_join(&h, &c, "ann");
        client_send_n(&c, ends[i].bytes.p, ends[i].bytes.n);
        code = client_close_code(&c);
        if (code != ends[i].code) {
            fail_msg("%s: %d", ends[i].what, code);
        }
        WAIT_FOR(&h, client_eof(&c));
        assert_int_equal(c.got.n, 0);
        client_close(&c);
        assert_gone(&h);
    }
    house_close(&h);
}

static void
test_4096_fragments_are_taken_and_one_more_is_1008(void **state)
{
    struct house h;
    struct client c;

    (void)state;
    house_open(&h);
    client_join(&h, &c, "ann");
    client_send_n(&c, "\x01\x81\0\0\0\0{", 7);
    for (int i = 2; i < 4096; i++) {
        client_send_n(&c, "\x00\x80\0\0\0\0", 6);
    }
    client_send_n(&c, "\x80\x8e\0\0\0\0\"type\":\"ping\"}", 20);
    json_decref(client_until(&c, "pong"));
    client_send_n(&c, "\x01\x81\0\0\0\0{", 7);
    for (int i = 1; i < 4097; i++) {
        client_send_n(&c, "\x00\x80\0\0\0\0", 6);
    }
    assert_int_equal(client_close_code(&c), 1008);
    client_close(&c);
    house_close(&h);
}

static void
test_a_close_leaves_chat_at_once_though_the_peer_lingers(void **state)
{
    struct house h;
    struct client c;

    (void)state;
    house_open(&h);
    client_join(&h, &c, "ann");
    client_send_n(&c, "\x88\x80\0\0\0\0", 6);
    WAIT_FOR(&h, connections_of(&h, "ann") == 0);
    assert_int_equal(atomic_load(&h.websockets), 0);
    assert_int_equal(net_conn_count(&h.shard), 1);
    house_skip(&h, 5100);
    assert_gone(&h);
    client_close(&c);
    house_close(&h);
}

static bool
counts_agree(struct house *h)
{
    assert_int_equal(atomic_load(&h->websockets), connections_of(h, "ann"));
    return true;
}

/* Who replaces it in turn may be asking already when it hears of its end. */
static void
test_a_replaced_one_is_counted_nowhere_from_the_same_turn_on(void **state)
{
    struct house h;
    struct client old, new;
    struct answer a;
    struct buf payload;
    unsigned opcode = 0;
    char *token = token_of("ann");
    char headers[2048];

    (void)state;
    buf_init(&payload, 1000);
    house_open(&h);
    client_open(&h, &old);
    client_upgrade(&old, token, "?device_id=phone", &a);
    answer_fini(&a);
    json_decref(client_until(&old, "connection_status"));
    client_open(&h, &new);
    snprintf(headers, sizeof(headers), HANDSHAKE "Authorization: Bearer %s\r\n",
             token);
    client_ask(&new, "GET /chatbox/ws?device_id=phone", headers, NULL);
    WAIT_FOR(&h, counts_agree(&h) && take_frame(&old, &opcode, &payload));
    assert_int_equal(opcode, WS_CLOSE);
    assert_int_equal(atomic_load(&h.websockets), 1);
    buf_fini(&payload);
    client_close(&old);
    client_close(&new);
    xfree(token);
    house_close(&h);
}

static void
test_a_peer_that_closed_its_side_gets_what_was_queued(void **state)
{
    struct house h;
    struct client c;
    json_t *frame;

    (void)state;
    house_open(&h);
    client_join(&h, &c, "ann");
    client_say(&c, "{\"type\":\"ping\"}");
    (void)shutdown(c.fd, SHUT_WR);
    frame = client_json(&c);
    assert_string_equal(text_at(frame, "type"), "pong");
    json_decref(frame);
    WAIT_FOR(&h, client_eof(&c));
    client_close(&c);
    assert_gone(&h);
    house_close(&h);
}

/* --- frames ------------------------------------------------------------- */

static void
test_a_ping_is_answered_with_its_payload(void **state)
{
    struct house h;
    struct client c;
    struct buf payload;
    unsigned opcode = 0;

    (void)state;
    house_open(&h);
    client_join(&h, &c, "ann");
    client_frame(&c, WS_PING, STR("abc"));
    buf_init(&payload, 125);
    WAIT_FOR(&h, take_frame(&c, &opcode, &payload));
    assert_int_equal(opcode, WS_PONG);
    assert_true(str_is(buf_str(&payload), "abc"));
    buf_fini(&payload);
    client_close(&c);
    house_close(&h);
}

/* A short frame of a client. */
static void
put_text(struct buf *out, const char *text)
{
    buf_putc(out, '\x81');
    buf_putc(out, (char)(0x80 | strlen(text)));
    buf_put(out, "\0\0\0\0", 4);
    buf_puts(out, text);
}

/* A question keeps the store busy: what stands behind it in the same read
 * waits, and is answered after it. */
static void
test_frames_are_answered_in_their_order(void **state)
{
    static const char *const types[] = {"ack", "pong", "error", "ack"};
    struct house h;
    struct client c;
    size_t at = 0;
    struct buf b;

    (void)state;
    house_open(&h);
    words_to_say = 0;
    client_join(&h, &c, "ann");
    buf_init(&b, 4096);
    put_text(&b, "{\"type\":\"user_message\",\"content\":\"a\","
                 "\"client_id\":\"c1\"}");
    put_text(&b, "{\"type\":\"ping\"}");
    put_text(&b, "x");
    put_text(&b, "{\"type\":\"user_message\",\"content\":\"b\","
                 "\"client_id\":\"c2\"}");
    (void)send(c.fd, b.p, b.n, MSG_NOSIGNAL);
    while (at < COUNT_OF(types)) {
        json_t *frame = client_json(&c);
        const char *type = text_at(frame, "type");

        if (strcmp(type, "loading") != 0 && strcmp(type, "ai_response") != 0) {
            assert_string_equal(type, types[at]);
            at++;
        }
        json_decref(frame);
    }
    buf_fini(&b);
    client_close(&c);
    house_close(&h);
}

static void
test_a_client_may_leave_while_its_frames_wait(void **state)
{
    struct house h;

    (void)state;
    house_open(&h);
    for (int turns = 0; turns < 6; turns++) {
        struct client c;
        struct buf b;

        buf_init(&b, 4096);
        put_text(&b, "{\"type\":\"user_message\",\"content\":\"a\"}");
        client_join(&h, &c, "ann");
        for (int i = 0; i < 3; i++) {
            (void)send(c.fd, b.p, b.n, MSG_NOSIGNAL);
        }
        for (int i = 0; i < turns; i++) {
            house_turn(&h);
        }
        client_close(&c);
        buf_fini(&b);
        assert_gone(&h);
    }
    WAIT_FOR(&h, chat_turns(h.shard.chat) == 0);
    house_close(&h);
}

/* --- a client that does not read ----------------------------------------- */

static void
test_a_client_that_never_reads_is_closed_with_4408(void **state)
{
    struct house h;
    struct client c;
    char payload[125] = {0};

    (void)state;
    house_prepare(&h);
    h.gate.output_limit_bytes = 65536;
    house_start(&h);
    client_join(&h, &c, "ann");
    for (int i = 0; i < 20000 && connections_of(&h, "ann") > 0; i++) {
        char frame[6 + sizeof(payload)] = "\x89\xfd";

        (void)send(c.fd, frame, sizeof(frame), MSG_NOSIGNAL);
        house_turn(&h);
    }
    assert_int_equal(connections_of(&h, "ann"), 0);
    assert_int_equal(client_close_code(&c), 4408);
    assert_int_equal(metric_value(METRIC_OUTPUT_OVERFLOW, 0), 1);
    client_close(&c);
    assert_gone(&h);
    house_close(&h);
}

/* --- time --------------------------------------------------------------- */

static void
test_a_quiet_peer_is_pinged_and_a_silent_one_is_dropped(void **state)
{
    struct house h;
    struct client c;
    struct buf payload;
    unsigned opcode = 0;

    (void)state;
    house_prepare(&h);
    h.gate.ping_period_ms = 30;
    h.gate.pong_wait_ms = 3600000; /* nobody is late, however slow it is here */
    house_start(&h);
    client_join(&h, &c, "ann");
    buf_init(&payload, 1000);
    for (int i = 0; i < 3; i++) {
        WAIT_FOR(&h, take_frame(&c, &opcode, &payload));
        assert_int_equal(opcode, WS_PING);
        client_frame(&c, WS_PONG, (struct str){NULL, 0});
    }
    assert_int_equal(metric_value(METRIC_PEERS_SILENT, 0), 0);
    h.gate.pong_wait_ms = 100;
    WAIT_FOR(&h, client_eof(&c));
    assert_int_equal(metric_value(METRIC_PEERS_SILENT, 0), 1);
    assert_gone(&h);
    buf_fini(&payload);
    client_close(&c);
    house_close(&h);
}

static void
test_an_expired_token_is_told_and_can_be_renewed(void **state)
{
    struct house h;
    struct client c;
    struct answer a;
    char *token, *again;
    json_t *frame;
    char say[1024];

    (void)state;
    house_prepare(&h);
    h.rules.leeway_ms = 0;
    house_start(&h);
    token = make_token("ann", NULL, (int64_t)time(NULL) + 1);
    client_open(&h, &c);
    client_upgrade(&c, token, "", &a);
    if (a.status == 401) { /* the second was over already */
        answer_fini(&a);
        client_close(&c);
        xfree(token);
        token = make_token("ann", NULL, (int64_t)time(NULL) + 3);
        client_open(&h, &c);
        client_upgrade(&c, token, "", &a);
    }
    assert_int_equal(a.status, 101);
    answer_fini(&a);
    frame = client_until(&c, "error");
    assert_string_equal(text_at(json_object_get(frame, "error"), "code"),
                        "EXPIRED_TOKEN");
    json_decref(frame);
    again = token_of("ann");
    snprintf(say, sizeof(say), "{\"type\":\"auth\",\"token\":\"%s\"}", again);
    client_say(&c, say);
    json_decref(client_until(&c, "ack"));
    client_say(&c, "{\"type\":\"ping\"}");
    frame = client_json(&c);
    assert_string_equal(text_at(frame, "type"), "pong");
    json_decref(frame);
    client_close(&c);
    xfree(token);
    xfree(again);
    house_close(&h);
}

static void
try_auth(struct client *c, const char *token, const char *code)
{
    char say[1024];
    json_t *frame;

    snprintf(say, sizeof(say), "{\"type\":\"auth\",\"token\":\"%s\"}", token);
    client_say(c, say);
    frame = client_json(c);
    assert_string_equal(text_at(frame, "type"), "error");
    assert_string_equal(text_at(json_object_get(frame, "error"), "code"), code);
    json_decref(frame);
}

static void
test_a_bad_auth_frame_changes_nothing(void **state)
{
    struct house h;
    struct client c;
    char *bob = token_of("bob");
    char *old = make_token("ann", NULL, (int64_t)time(NULL) - 100);

    (void)state;
    house_open(&h);
    client_join(&h, &c, "ann");
    try_auth(&c, "x", "INVALID_TOKEN");
    try_auth(&c, old, "EXPIRED_TOKEN");
    try_auth(&c, bob, "INSUFFICIENT_PERMISSIONS");
    try_auth(&c, "", "MISSING_FIELD");
    client_say(&c, "{\"type\":\"ping\"}");
    json_decref(client_until(&c, "pong"));
    client_close(&c);
    xfree(bob);
    xfree(old);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_broken_rule_has_its_close_code),
        cmocka_unit_test(test_4096_fragments_are_taken_and_one_more_is_1008),
        cmocka_unit_test(
            test_a_close_leaves_chat_at_once_though_the_peer_lingers),
        cmocka_unit_test(
            test_a_replaced_one_is_counted_nowhere_from_the_same_turn_on),
        cmocka_unit_test(test_a_peer_that_closed_its_side_gets_what_was_queued),
        cmocka_unit_test(test_a_ping_is_answered_with_its_payload),
        cmocka_unit_test(test_frames_are_answered_in_their_order),
        cmocka_unit_test(test_a_client_may_leave_while_its_frames_wait),
        cmocka_unit_test(test_a_client_that_never_reads_is_closed_with_4408),
        cmocka_unit_test(
            test_a_quiet_peer_is_pinged_and_a_silent_one_is_dropped),
        cmocka_unit_test(test_an_expired_token_is_told_and_can_be_renewed),
        cmocka_unit_test(test_a_bad_auth_frame_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
