/* SPDX-License-Identifier: MIT */
#include "codec/http1_response.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define OK "HTTP/1.1 200 OK\r\n"

/* Feeds in up to `first` bytes, then `step` more at a time, each time in
 * memory of its own. What was understood is described in note. */
static enum err
parse_cut(struct str in, bool to_head, size_t first, size_t step,
          struct buf *note)
{
    struct http1_response r;
    enum err e = ERR_AGAIN;
    size_t consumed = 0;
    size_t seen = 0;
    size_t n = first;

    buf_reset(note, 0);
    while (e == ERR_AGAIN) {
        char *block = xmemdup(in.p, n > 0 ? n : 1);

        e = http1_response_parse(&r, (struct str){block, n}, to_head, &seen,
                                 &consumed);
        if (e == ERR_OK) {
            assert_int_equal(seen, 0);
            buf_printf(note, "%d %d%s%s %d:%ju [%.*s] [%.*s] %zu", r.status,
                       r.minor, r.keep_alive ? " keep" : "",
                       r.until_close ? " close" : "", (int)r.framing,
                       (uintmax_t)r.content_length, STR_ARG(r.content_type),
                       STR_ARG(r.retry_after), consumed);
        }
        xfree(block);
        if (n == in.n) {
            break;
        }
        n = in.n - n > step ? n + step : in.n;
    }
    return e;
}

/* Whole, byte by byte, and cut at every position. */
static enum err
parse_every_way(struct str in, bool to_head, struct buf *note)
{
    enum err whole = parse_cut(in, to_head, in.n, 1, note);
    struct buf other;

    buf_init(&other, 1 << 20);
    assert_int_equal(parse_cut(in, to_head, 0, 1, &other), whole);
    assert_true(str_eq(buf_str(&other), buf_str(note)));
    for (size_t cut = 0; cut <= in.n; cut++) {
        assert_int_equal(parse_cut(in, to_head, cut, in.n, &other), whole);
        assert_true(str_eq(buf_str(&other), buf_str(note)));
    }
    buf_fini(&other);
    return whole;
}

/* The body's framing: 0 none, 1 a length, 2 chunks. */
static const struct {
    const char *in;
    bool to_head;
    const char *note; /* without the bytes that it took: all */
} good[] = {
    {OK "Content-Length: 5\r\n\r\n", false, "200 1 keep 1:5 [] []"},
    {OK "content-length:0\r\n\r\n", false, "200 1 keep 1:0 [] []"},
    {OK "Content-Length: 5, 5\r\nContent-Length: 5\r\n\r\n", false,
     "200 1 keep 1:5 [] []"},
    {OK "Transfer-Encoding: Chunked\r\n\r\n", false, "200 1 keep 2:0 [] []"},
    {OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", false,
     "200 1 2:5 [] []"},
    {OK "\r\n", false, "200 1 close 1:9223372036854775807 [] []"},
    {OK "Connection: x, Close\r\nContent-Length: 1\r\n\r\n", false,
     "200 1 1:1 [] []"},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", false, "200 0 1:1 [] []"},
    {"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\n",
     false, "200 0 keep 1:1 [] []"},
    {OK "Content-Length: 5\r\n\r\n", true, "200 1 keep 0:5 [] []"},
    {OK "Transfer-Encoding: chunked\r\n\r\n", true, "200 1 keep 0:0 [] []"},
    {OK "\r\n", true, "200 1 keep 0:0 [] []"},
    {"HTTP/1.1 204\r\nContent-Length: 5\r\n\r\n", false,
     "204 1 keep 0:5 [] []"},
    {"HTTP/1.1 304 \r\n\r\n", false, "304 1 keep 0:0 [] []"},
    {"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n", false, "103 1 keep 0:0 [] []"},
    {"HTTP/1.1 429 Zu schnell \xC3\xA4\r\nRetry-After:\t 7 \r\n"
     "Content-Type: a/b; c=d\r\nContent-Length: 1\r\n\r\n",
     false, "429 1 keep 1:1 [a/b; c=d] [7]"},
    {"HTTP/1.1 200 OK\nX: y\nContent-Length: 1\n\n", false,
     "200 1 keep 1:1 [] []"},
};

static void
a_head_says_where_its_body_ends(void **state)
{
    struct buf note;

    (void)state;
    buf_init(&note, 1 << 20);
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct str in = str_from(good[i].in);
        char want[256];
        enum err e = parse_every_way(in, good[i].to_head, &note);

        (void)snprintf(want, sizeof(want), "%s %zu", good[i].note, in.n);
        if (e != ERR_OK || !str_is(buf_str(&note), want)) {
            fail_msg("case %zu: %d, '%.*s'", i, (int)e,
                     STR_ARG(buf_str(&note)));
        }
    }
    buf_fini(&note);
}

static const char *const bad[] = {
    "SSH-2.0",
    "h",
    "HTTP/2 200\r\n",
    "HTTP/1.2 200 OK\r\n",
    "HTTP/1.1  200 OK\r\n",
    "HTTP/1.1 20 OK\r\n",
    "HTTP/1.1 2000 OK\r\n",
    "HTTP/1.1 099 OK\r\n",
    "HTTP/1.1 2x0 OK\r\n",
    "HTTP/1.1 200 O\rK\r\n",
    "HTTP/1.1 101 Switching Protocols\r\n",
    "HTTP/1.1\r\n",
    OK "no colon\r\n",
    OK ": no name\r\n",
    OK "a name: x\r\n",
    OK "Name : x\r\n",
    OK "A: b\r\n folded\r\n",
    OK "A: \x01\r\n",
    OK "Content-Length: 5\r\nContent-Length: 6\r\n",
    OK "Content-Length: 5, 6\r\n",
    OK "Content-Length: -1\r\n",
    OK "Content-Length: \r\n",
    OK "Content-Length: ,\r\n",
    OK "Content-Length: 9223372036854775808\r\n",
    OK "Transfer-Encoding: gzip, chunked\r\n",
    OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n",
};

static void
a_head_that_can_be_read_in_two_ways_is_refused_at_that_line(void **state)
{
    struct buf note;

    (void)state;
    buf_init(&note, 1 << 20);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        enum err e = parse_every_way(str_from(bad[i]), false, &note);

        if (e != ERR_BAD_REQUEST) {
            fail_msg("%s: %d", bad[i], (int)e);
        }
    }
    buf_fini(&note);
}

static void
nothing_is_said_before_the_empty_line(void **state)
{
    static const char head[] = OK "Content-Length: 5\r\nX: y\r\n\r\n";
    struct buf note;

    (void)state;
    buf_init(&note, 1 << 20);
    for (size_t n = 0; n < sizeof(head) - 1; n++) {
        assert_int_equal(parse_every_way((struct str){head, n}, false, &note),
                         ERR_AGAIN);
    }
    buf_fini(&note);
}

/* A head of `lines` lines, of n bytes when n is not 0. */
static void
make_head(struct buf *b, size_t lines, size_t n)
{
    buf_reset(b, SIZE_MAX);
    buf_puts(b, OK);
    for (size_t i = 0; i < lines; i++) {
        buf_puts(b, "A: b\r\n");
    }
    while (n > 0 && b->n + 2 < n) {
        b->n -= 2; /* the last line grows */
        buf_puts(b, "b\r\n");
    }
    buf_puts(b, "\r\n");
}

static void
a_head_has_a_limit_of_lines_and_of_bytes(void **state)
{
    static const struct {
        size_t lines;
        size_t bytes;
        enum err e;
    } cases[] = {
        {HTTP1_RESPONSE_LINES_MAX, 0, ERR_OK},
        {HTTP1_RESPONSE_LINES_MAX + 1, 0, ERR_HEADERS_TOO_LARGE},
        {1, HTTP1_RESPONSE_HEAD_MAX, ERR_OK},
        {1, HTTP1_RESPONSE_HEAD_MAX + 1, ERR_HEADERS_TOO_LARGE},
    };
    struct buf head;
    struct buf note;

    (void)state;
    buf_init(&head, 1 << 20);
    buf_init(&note, 1 << 20);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        make_head(&head, cases[i].lines, cases[i].bytes);
        for (size_t step = 1; step < head.n; step = step * 8 + 1) {
            assert_int_equal(parse_cut(buf_str(&head), false, 0, step, &note),
                             cases[i].e);
        }
        assert_int_equal(parse_cut(buf_str(&head), false, head.n, 1, &note),
                         cases[i].e);
    }
    buf_fini(&head);
    buf_fini(&note);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_says_where_its_body_ends),
        cmocka_unit_test(
            a_head_that_can_be_read_in_two_ways_is_refused_at_that_line),
        cmocka_unit_test(nothing_is_said_before_the_empty_line),
        cmocka_unit_test(a_head_has_a_limit_of_lines_and_of_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
