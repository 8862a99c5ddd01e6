/* SPDX-License-Identifier: MIT */
#include "gate/forward.h"

#include "base/xalloc.h"
#include "codec/ws_handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct forward_peer stranger = {.address = "203.0.113.7"};
static const struct forward_peer proxy = {.address = "10.0.0.1",
                                          .trusted = true};

/* Both parse; a head of the second one points into `text`, which holds it. */
static enum err
pass_on(const char *request, const struct forward_peer *peer, struct buf *out)
{
    struct http1_head head;
    struct http1_scan scan = {0};
    size_t consumed;

    buf_init(out, FORWARD_HEAD_MAX);
    assert_int_equal(
        http1_head_parse(&head, &scan, str_from(request), &consumed), ERR_OK);
    return forward_head(&head, peer, out);
}

static void
assert_passed_on(const char *request, const struct forward_peer *peer,
                 const char *want)
{
    struct buf out;
    char *text;

    assert_int_equal(pass_on(request, peer, &out), ERR_OK);
    text = buf_give(&out);
    assert_string_equal(text, want);
    xfree(text);
}

static void
a_request_keeps_its_lines_and_gets_those_of_the_way(void **state)
{
    (void)state;
    assert_passed_on("\r\nPOST /a?b=%20 HTTP/1.1\r\nHost: chat.example:8\r\n"
                     "content-length:  12 \r\nX-Odd:\r\nExpect: 100-continue"
                     "\r\n\r\nbody",
                     &stranger,
                     "POST /a?b=%20 HTTP/1.1\r\nHost: chat.example:8\r\n"
                     "content-length: 12\r\nX-Odd: \r\nExpect: 100-continue\r\n"
                     "X-Forwarded-For: 203.0.113.7\r\n"
                     "X-Forwarded-Proto: http\r\nVia: 1.1 chatbox\r\n"
                     "Connection: close\r\n\r\n");
}

static void
an_old_version_stays_old(void **state)
{
    (void)state;
    assert_passed_on(
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        &(struct forward_peer){.address = "2001:db8::1", .tls = true},
        "GET / HTTP/1.0\r\nX-Forwarded-For: 2001:db8::1\r\n"
        "X-Forwarded-Proto: https\r\nVia: 1.0 chatbox\r\n"
        "Connection: close\r\n\r\n");
}

static void
what_is_for_one_connection_stays_behind(void **state)
{
    (void)state;
    assert_passed_on("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n"
                     "Connection: keep-alive, X-Mine\r\nx-mine: 1\r\n"
                     "connection: TE ,x-second\r\nX-Second: 2\r\nX-Third: 3\r\n"
                     "Keep-Alive: timeout=5\r\nProxy-Connection: x\r\n"
                     "Proxy-Authorization: Basic Zm9v\r\n"
                     "Upgrade: h2c\r\n\r\n",
                     &stranger,
                     "GET / HTTP/1.1\r\nHost: a\r\nX-Third: 3\r\n"
                     "X-Forwarded-For: 203.0.113.7\r\n"
                     "X-Forwarded-Proto: http\r\nVia: 1.1 chatbox\r\n"
                     "Connection: close\r\n\r\n");
}

static void
nobody_names_away_what_the_next_one_must_know(void **state)
{
    (void)state;
    assert_passed_on("POST / HTTP/1.1\r\nHost: a\r\n"
                     "Connection: host, content-length, x-forwarded-for, "
                     "Authorization, close, origin\r\nContent-Length: 5\r\n"
                     "Authorization: Bearer x\r\nOrigin: https://b\r\n"
                     "X-Forwarded-For: 192.0.2.1\r\n\r\n",
                     &stranger,
                     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                     "Authorization: Bearer x\r\nOrigin: https://b\r\n"
                     "X-Forwarded-For: 192.0.2.1\r\n"
                     "X-Forwarded-For: 203.0.113.7\r\n"
                     "X-Forwarded-Proto: http\r\nVia: 1.1 chatbox\r\n"
                     "Connection: close\r\n\r\n");
    assert_passed_on("POST / HTTP/1.1\r\nHost: a\r\nConnection: "
                     "Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n",
                     &stranger,
                     "POST / HTTP/1.1\r\nHost: a\r\n"
                     "Transfer-Encoding: chunked\r\n"
                     "X-Forwarded-For: 203.0.113.7\r\n"
                     "X-Forwarded-Proto: http\r\nVia: 1.1 chatbox\r\n"
                     "Connection: close\r\n\r\n");
}

static void
only_a_trusted_proxy_says_what_the_client_speaks(void **state)
{
    static const char request[] =
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n"
        "X-Forwarded-For: 192.0.2.1\r\nVia: 2 edge\r\n\r\n";

    (void)state;
    assert_passed_on(request, &proxy,
                     "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n"
                     "X-Forwarded-For: 192.0.2.1\r\nVia: 2 edge\r\n"
                     "X-Forwarded-For: 10.0.0.1\r\nVia: 1.1 chatbox\r\n"
                     "Connection: close\r\n\r\n");
    assert_passed_on(request, &stranger,
                     "GET / HTTP/1.1\r\nHost: a\r\n"
                     "X-Forwarded-For: 192.0.2.1\r\nVia: 2 edge\r\n"
                     "X-Forwarded-For: 203.0.113.7\r\n"
                     "X-Forwarded-Proto: http\r\nVia: 1.1 chatbox\r\n"
                     "Connection: close\r\n\r\n");
}

/* gate/admission.c takes two of them for none, too. */
static void
two_words_of_a_trusted_proxy_are_none(void **state)
{
    (void)state;
    assert_passed_on("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n"
                     "X-Forwarded-Proto: http\r\n\r\n",
                     &(struct forward_peer){
                         .address = "10.0.0.1", .trusted = true, .tls = true},
                     "GET / HTTP/1.1\r\nHost: a\r\n"
                     "X-Forwarded-For: 10.0.0.1\r\n"
                     "X-Forwarded-Proto: https\r\nVia: 1.1 chatbox\r\n"
                     "Connection: close\r\n\r\n");
}

static void
a_peer_without_an_address_is_named_unknown(void **state)
{
    (void)state;
    assert_passed_on("GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                     &(struct forward_peer){.address = ""},
                     "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: unknown\r\n"
                     "X-Forwarded-Proto: http\r\nVia: 1.1 chatbox\r\n"
                     "Connection: close\r\n\r\n");
}

static void
an_upgrade_stays_one_and_the_connection_ends_behind_it(void **state)
{
    static const char request[] =
        "GET /chatbox/ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
        "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Protocol: chatbox.v1, bearer.x\r\n\r\n";
    struct http1_scan scan = {0};
    struct ws_handshake handshake;
    struct http1_head head;
    struct buf out;
    size_t n;

    (void)state;
    assert_int_equal(pass_on(request, &stranger, &out), ERR_OK);
    assert_int_equal(http1_head_parse(&head, &scan, buf_str(&out), &n), ERR_OK);
    assert_int_equal(n, out.n);
    assert_true(forward_upgrades(&head));
    assert_false(head.keep_alive);
    assert_int_equal(ws_handshake_parse(&head, &handshake), ERR_OK);
    assert_int_equal(handshake.protocol_count, 2);
    buf_fini(&out);
}

/* A head of that many header lines of that many bytes each; gives. */
static char *
make_head(size_t lines, size_t bytes)
{
    struct buf b;

    buf_init(&b, HTTP1_HEAD_MAX);
    buf_puts(&b, "GET / HTTP/1.0\r\n");
    for (size_t i = 0; i < lines; i++) {
        buf_puts(&b, "N: ");
        for (size_t n = 5; n < bytes; n++) {
            buf_putc(&b, 'x');
        }
        buf_puts(&b, "\r\n");
    }
    buf_puts(&b, "\r\n");
    assert_false(b.failed);
    return buf_give(&b);
}

static void
what_the_next_one_would_refuse_is_refused_here(void **state)
{
    static const struct {
        size_t lines, bytes;
        enum err want;
    } heads[] = {
        {HTTP1_HEADERS_MAX - 4, 5, ERR_OK},
        {HTTP1_HEADERS_MAX - 3, 5, ERR_HEADERS_TOO_LARGE},
        {HTTP1_HEADERS_MAX, 5, ERR_HEADERS_TOO_LARGE},
        {10, 1620, ERR_OK},
        {10, 1638, ERR_HEADERS_TOO_LARGE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        char *request = make_head(heads[i].lines, heads[i].bytes);
        struct http1_scan scan = {0};
        struct http1_head head;
        struct buf out;
        size_t n;

        assert_int_equal(pass_on(request, &stranger, &out), heads[i].want);
        if (heads[i].want == ERR_OK) {
            assert_int_equal(http1_head_parse(&head, &scan, buf_str(&out), &n),
                             ERR_OK);
        }
        buf_fini(&out);
        xfree(request);
    }
}

static void
a_buffer_that_is_too_small_is_told(void **state)
{
    struct http1_scan scan = {0};
    struct http1_head head;
    struct buf out;
    size_t n;

    (void)state;
    assert_int_equal(
        http1_head_parse(&head, &scan, STR("GET / HTTP/1.0\r\n\r\n"), &n),
        ERR_OK);
    buf_init(&out, 40);
    assert_int_equal(forward_head(&head, &stranger, &out),
                     ERR_HEADERS_TOO_LARGE);
    buf_fini(&out);
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test(fn)
    const struct CMUnitTest tests[] = {
        CASE(a_request_keeps_its_lines_and_gets_those_of_the_way),
        CASE(an_old_version_stays_old),
        CASE(what_is_for_one_connection_stays_behind),
        CASE(nobody_names_away_what_the_next_one_must_know),
        CASE(only_a_trusted_proxy_says_what_the_client_speaks),
        CASE(two_words_of_a_trusted_proxy_are_none),
        CASE(a_peer_without_an_address_is_named_unknown),
        CASE(an_upgrade_stays_one_and_the_connection_ends_behind_it),
        CASE(what_the_next_one_would_refuse_is_refused_here),
        CASE(a_buffer_that_is_too_small_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
