/* SPDX-License-Identifier: MIT */
#include "codec/ws_handshake.h"

#include "codec/http1_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define MOST UPGRADE CONNECTION VERSION
#define ALL MOST KEY

/* Parses "GET /ws HTTP/1.1" with these headers. */
static enum err
judge(const char *request_line, const char *headers, struct ws_handshake *hs)
{
    struct http1_scan scan = {0};
    struct http1_head head;
    struct buf b;
    size_t consumed;
    enum err e;

    buf_init(&b, 1 << 16);
    buf_printf(&b, "%s\r\nHost: h\r\n%s\r\n", request_line, headers);
    assert_int_equal(http1_head_parse(&head, &scan, buf_str(&b), &consumed),
                     ERR_OK);
    e = ws_handshake_parse(&head, hs);
    buf_fini(&b);
    return e;
}

static const char *const good[] = {
    ALL,
    KEY VERSION CONNECTION UPGRADE,
    "upgrade: WebSocket\r\nconnection: keep-alive, UPGRADE\r\n" VERSION KEY,
    "Upgrade: h2c, websocket\r\nConnection: x\r\n" CONNECTION VERSION KEY,
    ALL "Content-Length: 0\r\n",
    ALL "Sec-WebSocket-Extensions: permessage-deflate\r\n",
    ALL "Sec-WebSocket-Protocol: chatbox.v1\r\n",
    ALL "Origin: https://else.where\r\n",
};

static const struct {
    const char *headers;
    enum err e;
} bad[] = {
    {"", ERR_BAD_REQUEST},
    {CONNECTION VERSION KEY, ERR_BAD_REQUEST},
    {"Upgrade: h2c\r\n" CONNECTION VERSION KEY, ERR_BAD_REQUEST},
    {"Upgrade: websockets\r\n" CONNECTION VERSION KEY, ERR_BAD_REQUEST},
    {"Upgrade: websocket/13\r\n" CONNECTION VERSION KEY, ERR_BAD_REQUEST},
    {UPGRADE VERSION KEY, ERR_BAD_REQUEST},
    {UPGRADE "Connection: keep-alive\r\n" VERSION KEY, ERR_BAD_REQUEST},
    {UPGRADE "Connection: upgraded\r\n" VERSION KEY, ERR_BAD_REQUEST},
    /* version */
    {UPGRADE CONNECTION KEY, ERR_BAD_REQUEST},
    {UPGRADE CONNECTION KEY VERSION VERSION, ERR_BAD_REQUEST},
    {UPGRADE CONNECTION KEY "Sec-WebSocket-Version:\r\n", ERR_BAD_REQUEST},
    {UPGRADE CONNECTION KEY "Sec-WebSocket-Version: x\r\n", ERR_BAD_REQUEST},
    {UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 013\r\n", ERR_BAD_REQUEST},
    {UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 256\r\n", ERR_BAD_REQUEST},
    {UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 13, 8\r\n",
     ERR_BAD_REQUEST},
    {UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 8\r\n",
     ERR_UPGRADE_REQUIRED},
    {UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 0\r\n",
     ERR_UPGRADE_REQUIRED},
    {UPGRADE CONNECTION "Sec-WebSocket-Version: 14\r\n", ERR_UPGRADE_REQUIRED},
    /* key */
    {MOST, ERR_BAD_REQUEST},
    {ALL KEY, ERR_BAD_REQUEST},
    {MOST "Sec-WebSocket-Key:\r\n", ERR_BAD_REQUEST},
    {MOST "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n", ERR_BAD_REQUEST},
    {MOST "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n", ERR_BAD_REQUEST},
    {MOST "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n", ERR_BAD_REQUEST},
    {MOST "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n", ERR_BAD_REQUEST},
    {MOST "Sec-WebSocket-Key: dGhlIHNhbXBs_SBub25jZQ==\r\n", ERR_BAD_REQUEST},
    {MOST "Sec-WebSocket-Key: dGhlIHNhb BsZSBub25jZQ==\r\n", ERR_BAD_REQUEST},
    /* body */
    {ALL "Content-Length: 1\r\n", ERR_BAD_REQUEST},
    {ALL "Transfer-Encoding: chunked\r\n", ERR_BAD_REQUEST},
    /* subprotocols */
    {ALL "Sec-WebSocket-Protocol:\r\n", ERR_BAD_REQUEST},
    {ALL "Sec-WebSocket-Protocol: ,,\r\n", ERR_BAD_REQUEST},
    {ALL "Sec-WebSocket-Protocol: a b\r\n", ERR_BAD_REQUEST},
    {ALL "Sec-WebSocket-Protocol: a;b\r\n", ERR_BAD_REQUEST},
    {ALL "Sec-WebSocket-Protocol: \"a\"\r\n", ERR_BAD_REQUEST},
    {ALL "Sec-WebSocket-Protocol: a=b\r\n", ERR_BAD_REQUEST},
    {ALL "Sec-WebSocket-Protocol: a, a\r\n", ERR_BAD_REQUEST},
    {ALL "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n",
     ERR_BAD_REQUEST},
    {ALL "Sec-WebSocket-Protocol: 1,2,3,4,5,6,7,8,9,a,b,c,d,e,f,g,h\r\n",
     ERR_BAD_REQUEST},
};

static const char *const bad_lines[] = {
    "POST /ws HTTP/1.1", "HEAD /ws HTTP/1.1",  "get /ws HTTP/1.1",
    "GET /ws HTTP/1.0",  "OPTIONS * HTTP/1.1",
};

static void
every_good_handshake_is_accepted(void **state)
{
    struct ws_handshake hs;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_int_equal(judge("GET /ws HTTP/1.1", good[i], &hs), ERR_OK);
        assert_int_equal(hs.key.n, 24);
    }
}

static void
every_broken_handshake_gets_its_error(void **state)
{
    struct ws_handshake hs;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (judge("GET /ws HTTP/1.1", bad[i].headers, &hs) != bad[i].e) {
            fail_msg("wrong for: %s", bad[i].headers);
        }
    }
    for (size_t i = 0; i < COUNT_OF(bad_lines); i++) {
        assert_int_equal(judge(bad_lines[i], ALL, &hs), ERR_BAD_REQUEST);
    }
}

static void
subprotocols_keep_their_order_over_several_headers(void **state)
{
    struct http1_scan scan = {0};
    struct http1_head head;
    struct ws_handshake hs;
    size_t consumed;

    (void)state;
    assert_int_equal(
        http1_head_parse(&head, &scan,
                         STR("GET / HTTP/1.1\r\nHost: h\r\n" ALL
                             "Sec-WebSocket-Protocol: chatbox.v1 ,, b.x-Y_z\r\n"
                             "Sec-WebSocket-Protocol:c\r\n\r\n"),
                         &consumed),
        ERR_OK);
    assert_int_equal(ws_handshake_parse(&head, &hs), ERR_OK);
    assert_int_equal(hs.protocol_count, 3);
    assert_true(str_is(hs.protocols[0], "chatbox.v1"));
    assert_true(str_is(hs.protocols[1], "b.x-Y_z"));
    assert_true(str_is(hs.protocols[2], "c"));
}

/* RFC 6455 section 1.3. */
static void
the_accept_value_is_the_one_of_the_standard(void **state)
{
    char accept[WS_HANDSHAKE_ACCEPT_SIZE];

    (void)state;
    assert_int_equal(
        ws_handshake_accept(STR("dGhlIHNhbXBsZSBub25jZQ=="), accept), ERR_OK);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void
the_answer_names_the_chosen_subprotocol_if_any(void **state)
{
    struct str key = STR("dGhlIHNhbXBsZSBub25jZQ==");
    struct buf b;

    (void)state;
    buf_init(&b, 1024);
    assert_int_equal(ws_handshake_write(&b, key, STR("chatbox.v1")), ERR_OK);
    http1_write_end(&b);
    assert_true(str_is(buf_str(&b),
                       "HTTP/1.1 101 Switching Protocols\r\n"
                       "Upgrade: websocket\r\n"
                       "Connection: Upgrade\r\n"
                       "Sec-WebSocket-Accept: "
                       "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                       "Sec-WebSocket-Protocol: chatbox.v1\r\n\r\n"));
    buf_reset(&b, 1024);
    assert_int_equal(ws_handshake_write(&b, key, STR("")), ERR_OK);
    assert_false(str_contains_nocase(buf_str(&b), STR("protocol:")));
    buf_fini(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_good_handshake_is_accepted),
        cmocka_unit_test(every_broken_handshake_gets_its_error),
        cmocka_unit_test(subprotocols_keep_their_order_over_several_headers),
        cmocka_unit_test(the_accept_value_is_the_one_of_the_standard),
        cmocka_unit_test(the_answer_names_the_chosen_subprotocol_if_any),
    };

    return cmocka_run_group_tests_name("codec/ws_handshake", tests, NULL, NULL);
}
