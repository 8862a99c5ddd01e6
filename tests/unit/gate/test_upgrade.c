/* SPDX-License-Identifier: MIT */
#include "gate/upgrade.h"

#include "fixture.h"

/* --- places of the token ------------------------------------------------ */

/* In headers and query @ stands for a good token of ann's, # for bob's. */
static const struct {
    const char *headers;
    const char *query;
    const char *user; /* NULL: 401 */
    bool named;       /* chatbox.v1 is answered */
} places[] = {
    {"Authorization: Bearer @\r\n", "", "ann", false},
    {"Sec-WebSocket-Protocol: chatbox.v1, bearer.@\r\n", "", "ann", true},
    {"Sec-WebSocket-Protocol: bearer.@\r\n", "", "ann", false},
    {"Sec-WebSocket-Protocol: bearer.@\r\n"
     "Sec-WebSocket-Protocol: chatbox.v1\r\n",
     "", "ann", true},
    {"", "?token=@", "ann", false},
    {"", "?x=1&token=@&y", "ann", false},
    {"Sec-WebSocket-Protocol: chatbox.v1\r\n", "?token=@", "ann", true},
    {"Authorization: Bearer @\r\nSec-WebSocket-Protocol: chatbox.v1, "
     "bearer.#\r\n",
     "?token=#", "ann", true},
    {"Sec-WebSocket-Protocol: bearer.@\r\n", "?token=#", "ann", false},
    {"Authorization: Basic #\r\n", "?token=@", "ann", false},
    {"Authorization: Bearer @\r\nSec-WebSocket-Protocol: other\r\n", "", "ann",
     false},
    {"Authorization: Bearer x\r\n", "?token=@", NULL, false},
    {"Sec-WebSocket-Protocol: bearer.x\r\n", "?token=@", NULL, false},
    {"Sec-WebSocket-Protocol: bearer.\r\n", "?token=@", NULL, false},
    {"", "?token=@&token=@", NULL, false},
    {"", "?TOKEN=@", NULL, false},
    {"", "?token=", NULL, false},
    {"", "", NULL, false},
};

static void
put_tokens(struct buf *out, const char *text, const char *ann, const char *bob)
{
    for (; *text != '\0'; text++) {
        if (*text == '@' || *text == '#') {
            buf_puts(out, *text == '@' ? ann : bob);
        } else {
            buf_putc(out, *text);
        }
    }
    buf_putc(out, '\0');
}

static void
check_place(struct house *h, size_t i, const char *ann, const char *bob)
{
    struct client c;
    struct answer a;
    struct buf line, headers;
    json_t *first;

    buf_init(&line, 4096);
    buf_init(&headers, 8192);
    buf_puts(&line, "GET /chatbox/ws");
    put_tokens(&line, places[i].query, ann, bob);
    buf_puts(&headers, HANDSHAKE);
    put_tokens(&headers, places[i].headers, ann, bob);
    client_open(h, &c);
    client_ask(&c, line.p, headers.p, NULL);
    client_answer(&c, &a);
    if (a.status != (places[i].user != NULL ? 101 : 401)) {
        fail_msg("%s %s: %d", places[i].headers, places[i].query, a.status);
    }
    assert_common_headers(&a);
    if (a.status == 101) {
        assert_string_equal(header_of(&a, "Sec-WebSocket-Protocol"),
                            places[i].named ? "chatbox.v1" : "");
        first = client_json(&c);
        assert_string_equal(text_at(first, "user_id"), places[i].user);
        json_decref(first);
    }
    answer_fini(&a);
    client_close(&c);
    buf_fini(&line);
    buf_fini(&headers);
}

static void
test_the_first_place_with_a_token_wins(void **state)
{
    struct house h;
    char *ann = token_of("ann"), *bob = token_of("bob");

    (void)state;
    house_open(&h);
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        check_place(&h, i, ann, bob);
    }
    xfree(ann);
    xfree(bob);
    house_close(&h);
}

static void
test_the_query_can_be_switched_off(void **state)
{
    struct house h;
    char line[1024];
    char *token = token_of("ann");

    (void)state;
    house_prepare(&h);
    h.gate.token_in_query = false;
    house_start(&h);
    snprintf(line, sizeof(line), "GET /chatbox/ws?token=%s", token);
    assert_refused(&h, line, HANDSHAKE, 401, "UNAUTHORIZED", NULL);
    xfree(token);
    house_close(&h);
}

/* --- what is no handshake ----------------------------------------------- */

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define UP "Upgrade: websocket\r\n"
#define CONN "Connection: Upgrade\r\n"
#define V13 "Sec-WebSocket-Version: 13\r\n"

static const struct {
    const char *line;
    const char *headers;
    int status;
} handshakes[] = {
    {"GET /chatbox/ws", UP CONN V13 KEY, 401}, /* all it lacks is a token */
    {"GET /chatbox/ws", CONN V13 KEY, 400},
    {"GET /chatbox/ws", UP V13 KEY, 400},
    {"GET /chatbox/ws", UP CONN KEY, 400},
    {"GET /chatbox/ws", UP CONN V13, 400},
    {"GET /chatbox/ws", UP CONN V13 KEY KEY, 400},
    {"GET /chatbox/ws", UP CONN V13 "Sec-WebSocket-Key: short\r\n", 400},
    {"GET /chatbox/ws", UP CONN KEY "Sec-WebSocket-Version: 8\r\n", 426},
    {"GET /chatbox/ws", UP CONN KEY "Sec-WebSocket-Version: 14\r\n", 426},
    {"GET /chatbox/ws", UP CONN KEY "Sec-WebSocket-Version: x\r\n", 400},
    {"HEAD /chatbox/ws", UP CONN V13 KEY, 400},
    {"POST /chatbox/ws", UP CONN V13 KEY, 405},
};

static void
test_what_is_no_handshake_is_refused(void **state)
{
    struct house h;

    (void)state;
    house_open(&h);
    for (size_t i = 0; i < COUNT_OF(handshakes); i++) {
        struct answer a;

        ask(&h, handshakes[i].line, handshakes[i].headers, NULL, &a);
        if (a.status != handshakes[i].status) {
            fail_msg("%zu: %d", i, a.status);
        }
        assert_common_headers(&a);
        if (a.status == 426) {
            assert_error(&a, 426, "BAD_REQUEST", NULL);
            assert_string_equal(header_of(&a, "Sec-WebSocket-Version"), "13");
        }
        answer_fini(&a);
    }
    house_close(&h);
}

/* --- origins ------------------------------------------------------------ */

static void
try_origin(struct house *h, const char *token, const char *origin, int status)
{
    char headers[2048];
    struct answer a;

    snprintf(headers, sizeof(headers),
             HANDSHAKE "Authorization: Bearer %s\r\n%s", token, origin);
    ask(h, "GET /chatbox/ws", headers, NULL, &a);
    if (a.status != status) {
        fail_msg("%s: %d", origin, a.status);
    }
    if (status == 403) {
        assert_error(&a, 403, "FORBIDDEN", NULL);
    }
    answer_fini(&a);
}

static void
test_another_origin_must_be_listed(void **state)
{
    struct house h;
    char *token = token_of("ann");

    (void)state;
    house_prepare(&h);
    h.ws_origins[0] = "https://app.example";
    house_start(&h);
    try_origin(&h, token, "", 101);
    try_origin(&h, token, "Origin: http://chat.example\r\n", 101);
    try_origin(&h, token, "Origin: https://app.example\r\n", 101);
    try_origin(&h, token, "Origin: https://chat.example\r\n", 403);
    try_origin(&h, token, "Origin: https://evil.example\r\n", 403);
    try_origin(&h, token, "Origin: null\r\n", 403);
    try_origin(&h, token, "Origin:\r\n", 403);
    try_origin(&h, token,
               "Origin: https://app.example\r\n"
               "Origin: https://app.example\r\n",
               403);
    try_origin(&h, "x", "Origin: https://evil.example\r\n", 401);
    xfree(token);
    house_close(&h);
}

/* --- the query ---------------------------------------------------------- */

static const struct {
    const char *query;
    const char *field; /* NULL: good */
} queries[] = {
    {"", NULL},
    {"?", NULL},
    {"?unknown=%ff%00", NULL},
    {"?session_id=", NULL},
    {"?session_id=chosen-by-me", NULL},
    {"?session_id=%c3%a9", NULL},
    {"?session_id=a%00b", "session_id"},
    {"?session_id=a%0ab", "session_id"},
    {"?session_id=%ff", "session_id"},
    {"?session_id=%ed%a0%80", "session_id"},
    {"?session_id=a&session_id=b", "session_id"},
    {"?last_seq=0", NULL},
    {"?last_seq=9223372036854775807", NULL},
    {"?last_seq=9223372036854775808", "last_seq"},
    {"?last_seq=-1", "last_seq"},
    {"?last_seq=%2b1", "last_seq"},
    {"?last_seq=1.0", "last_seq"},
    {"?last_seq=", "last_seq"},
    {"?last_seq", "last_seq"},
    {"?last_seq=x", "last_seq"},
    {"?last_seq=1&last_seq=1", "last_seq"},
    {"?epoch=0123456789abcdef", NULL},
    {"?epoch=%0a", "epoch"},
    {"?device_id=phone%201", NULL},
    {"?device_id=", NULL},
    {"?device_id=%c3%a9", "device_id"},
    {"?device_id=a%7f", "device_id"},
    {"?device_id=a%09", "device_id"},
    {"?strict=1&session_id=", NULL},
    {"?strict=0", NULL},
    {"?strict=2", "strict"},
    {"?strict=true", "strict"},
    {"?desk=0", NULL},
    {"?desk=yes", "desk"},
};

static void
try_query(struct house *h, const char *token, const char *query,
          const char *field)
{
    struct client c;
    struct answer a;

    client_open(h, &c);
    client_upgrade(&c, token, query, &a);
    if (a.status != (field != NULL ? 400 : 101)) {
        fail_msg("%s: %d", query, a.status);
    }
    if (field != NULL) {
        assert_error(&a, 400, "BAD_REQUEST", field);
    }
    answer_fini(&a);
    client_close(&c);
    WAIT_FOR(h, net_conn_count(&h->shard) == 0);
}

static void
test_a_bad_value_of_the_query_is_named(void **state)
{
    struct house h;
    char *token = token_of("ann");

    (void)state;
    house_open(&h);
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        try_query(&h, token, queries[i].query, queries[i].field);
    }
    xfree(token);
    house_close(&h);
}

/* name=aaa… of n characters. */
static void
try_length(struct house *h, const char *name, size_t n, const char *field)
{
    char *token = token_of("ann");
    char query[512];
    int head = snprintf(query, sizeof(query), "?%s=", name);

    memset(query + head, 'a', n);
    query[(size_t)head + n] = '\0';
    try_query(h, token, query, field);
    xfree(token);
}

static void
test_lengths_of_the_query_are_limited(void **state)
{
    struct house h;

    (void)state;
    house_open(&h);
    try_length(&h, "session_id", 128, NULL);
    try_length(&h, "session_id", 129, "session_id");
    try_length(&h, "device_id", 64, NULL);
    try_length(&h, "device_id", 65, "device_id");
    try_length(&h, "epoch", 65, NULL);
    house_close(&h);
}

static void
test_the_desk_is_for_operators(void **state)
{
    struct house h;
    struct client c;
    struct answer a;
    char *user = token_of("ann");
    char *admin = make_token("olga", "admin", (int64_t)time(NULL) + 60);

    (void)state;
    house_open(&h);
    client_open(&h, &c);
    client_upgrade(&c, user, "?desk=1", &a);
    assert_error(&a, 403, "FORBIDDEN", NULL);
    answer_fini(&a);
    client_close(&c);
    client_open(&h, &c);
    client_upgrade(&c, admin, "?desk=1&session_id=x", &a);
    assert_error(&a, 400, "BAD_REQUEST", "session_id");
    answer_fini(&a);
    client_close(&c);
    xfree(user);
    xfree(admin);
    house_close(&h);
}

/* --- how many ----------------------------------------------------------- */

static void
assert_full(struct house *h, const char *user, const char *query)
{
    struct client c;
    struct answer a;
    char *token = token_of(user);

    client_open(h, &c);
    client_upgrade(&c, token, query, &a);
    assert_error(&a, 429, "TOO_MANY_REQUESTS", NULL);
    assert_int_equal(int_at(a.json, "retry_after_ms"), 1000);
    assert_string_equal(header_of(&a, "Retry-After"), "1");
    answer_fini(&a);
    WAIT_FOR(h, client_eof(&c));
    client_close(&c);
    xfree(token);
}

static void
test_a_user_has_so_many_connections_and_is_told_of_more(void **state)
{
    struct house h;
    struct client one, two, three, bob;

    (void)state;
    house_prepare(&h);
    h.connections_per_user = 2;
    house_start(&h);
    client_join(&h, &one, "ann");
    client_join(&h, &two, "ann");
    assert_full(&h, "ann", "");
    assert_int_equal(atomic_load(&h.websockets), 2);
    json_decref(client_until(&one, "notification"));
    json_decref(client_until(&two, "notification"));
    client_join(&h, &bob, "bob");
    client_close(&one);
    WAIT_FOR(&h, atomic_load(&h.websockets) == 2);
    client_join(&h, &three, "ann");
    client_close(&two);
    client_close(&three);
    client_close(&bob);
    WAIT_FOR(&h, atomic_load(&h.websockets) == 0);
    house_close(&h);
}

static void
test_the_process_has_so_many_connections(void **state)
{
    struct house h;
    struct client one, two;

    (void)state;
    house_prepare(&h);
    h.max_connections = 1;
    house_start(&h);
    client_join(&h, &one, "ann");
    assert_full(&h, "bob", "");
    assert_int_equal(atomic_load(&h.websockets), 1);
    client_close(&one);
    WAIT_FOR(&h, atomic_load(&h.websockets) == 0);
    client_join(&h, &two, "bob");
    client_close(&two);
    house_close(&h);
}

static void
test_the_same_device_replaces_itself_beyond_the_limit(void **state)
{
    struct house h;
    struct client old, new;
    struct answer a;
    char *token = token_of("ann");
    char query[128];
    json_t *first;

    (void)state;
    house_prepare(&h);
    h.connections_per_user = 1;
    house_start(&h);
    client_open(&h, &old);
    client_upgrade(&old, token, "?device_id=phone", &a);
    assert_int_equal(a.status, 101);
    answer_fini(&a);
    first = client_json(&old);
    snprintf(query, sizeof(query), "?device_id=phone&session_id=%s",
             text_at(first, "session_id"));
    json_decref(first);
    client_open(&h, &new);
    client_upgrade(&new, token, query, &a);
    assert_int_equal(a.status, 101);
    answer_fini(&a);
    assert_int_equal(client_close_code(&old), 4409);
    json_decref(client_until(&new, "connection_status"));
    client_close(&old);
    client_close(&new);
    xfree(token);
    house_close(&h);
}

/* --- shutting down, and leaving ----------------------------------------- */

static void
test_while_closing_upgrades_are_503_and_while_draining_they_pass(void **state)
{
    struct house h;
    struct client c;
    struct answer a;
    char *token = token_of("ann");

    (void)state;
    house_open(&h);
    atomic_store(&h.draining, true);
    client_join(&h, &c, "ann");
    atomic_store(&h.closing, true);
    client_close(&c);
    client_open(&h, &c);
    client_upgrade(&c, token, "", &a);
    assert_error(&a, 503, "SERVICE_UNAVAILABLE", NULL);
    answer_fini(&a);
    client_close(&c);
    xfree(token);
    house_close(&h);
}

/* The client leaves so many turns after its request. */
static void
test_a_client_that_leaves_during_the_upgrade_leaves_nothing_behind(void **state)
{
    struct house h;
    char *token = token_of("ann");
    char request[1024];

    (void)state;
    house_open(&h);
    snprintf(request, sizeof(request),
             "GET /chatbox/ws HTTP/1.1\r\nHost: x\r\n" HANDSHAKE
             "Authorization: Bearer %s\r\n\r\n",
             token);
    for (int turns = 0; turns < 8; turns++) {
        struct client c;

        client_open(&h, &c);
        (void)send(c.fd, request, strlen(request), MSG_NOSIGNAL);
        for (int i = 0; i < turns; i++) {
            house_turn(&h);
        }
        client_close(&c);
        WAIT_FOR(&h, net_conn_count(&h.shard) == 0 &&
                         atomic_load(&h.websockets) == 0 &&
                         list_empty(&h.shard.gate->requests));
        assert_int_equal(chat_user_connections(h.shard.chat, STR("ann"),
                                               (struct str){NULL, 0},
                                               (struct str){NULL, 0}),
                         0);
    }
    xfree(token);
    house_close(&h);
}

static void
test_frames_right_behind_the_handshake_are_not_lost(void **state)
{
    struct house h;
    struct client c;
    struct answer a;
    char *token = token_of("ann");
    char request[1024];
    static const char ping[] = "\x81\x8f\0\0\0\0{\"type\":\"ping\"}";
    json_t *first;

    (void)state;
    house_open(&h);
    snprintf(request, sizeof(request),
             "GET /chatbox/ws HTTP/1.1\r\nHost: x\r\n" HANDSHAKE
             "Authorization: Bearer %s\r\n\r\n",
             token);
    client_open(&h, &c);
    (void)send(c.fd, request, strlen(request), MSG_NOSIGNAL);
    (void)send(c.fd, ping, sizeof(ping) - 1, MSG_NOSIGNAL);
    client_answer(&c, &a);
    assert_int_equal(a.status, 101);
    answer_fini(&a);
    first = client_json(&c);
    assert_string_equal(text_at(first, "type"), "connection_status");
    json_decref(first);
    json_decref(client_until(&c, "pong"));
    client_close(&c);
    xfree(token);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_place_with_a_token_wins),
        cmocka_unit_test(test_the_query_can_be_switched_off),
        cmocka_unit_test(test_what_is_no_handshake_is_refused),
        cmocka_unit_test(test_another_origin_must_be_listed),
        cmocka_unit_test(test_a_bad_value_of_the_query_is_named),
        cmocka_unit_test(test_lengths_of_the_query_are_limited),
        cmocka_unit_test(test_the_desk_is_for_operators),
        cmocka_unit_test(
            test_a_user_has_so_many_connections_and_is_told_of_more),
        cmocka_unit_test(test_the_process_has_so_many_connections),
        cmocka_unit_test(test_the_same_device_replaces_itself_beyond_the_limit),
        cmocka_unit_test(
            test_while_closing_upgrades_are_503_and_while_draining_they_pass),
        cmocka_unit_test(
            test_a_client_that_leaves_during_the_upgrade_leaves_nothing_behind),
        cmocka_unit_test(test_frames_right_behind_the_handshake_are_not_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
