/* SPDX-License-Identifier: MIT */
#include "codec/http1_head.h"

#include "base/buf.h"
#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* A struct str in a table. */
#define LITERAL(text)                                                          \
    {                                                                          \
        "" text, sizeof(text) - 1                                              \
    }

#define GET "GET / HTTP/1.1\r\n"
#define HOST "Host: h\r\n"
#define END "\r\n"
#define HEAD GET HOST

/* A head as one text, so that two results can be compared. */
static void
dump(struct buf *out, const struct http1_head *h)
{
    static const char *const framings[] = {"none", "length", "chunked"};

    buf_printf(out, "%.*s(%d) %.*s ? %.*s @%.*s 1.%d keep%d expect%d %s %ju",
               STR_ARG(h->method_text), (int)h->method, STR_ARG(h->target.path),
               STR_ARG(h->target.query), STR_ARG(h->host), h->minor,
               h->keep_alive, h->expect_continue, framings[h->framing],
               (uintmax_t)h->content_length);
    for (size_t i = 0; i < h->header_count; i++) {
        buf_printf(out, "|%.*s=%.*s", STR_ARG(h->headers[i].name),
                   STR_ARG(h->headers[i].value));
    }
}

/* Feeds bytes in two steps per entry of a cut: first the beginning, growing
 * by `step`, up to `cut`, then all. Each time from a fresh block of exactly
 * that size, so that a look beyond the end or into the past is seen. */
static enum err
parse_cut(struct str bytes, size_t cut, size_t step, struct buf *dump_out,
          size_t *consumed_out)
{
    struct http1_scan scan = {0};
    size_t n = cut;
    enum err e = ERR_AGAIN;

    buf_reset(dump_out, 0);
    while (e == ERR_AGAIN && n <= bytes.n) {
        struct http1_head head;
        char *block = xmalloc(n > 0 ? n : 1);

        memcpy(block, bytes.p, n);
        e = http1_head_parse(&head, &scan, (struct str){block, n},
                             consumed_out);
        if (e == ERR_OK) {
            dump(dump_out, &head);
        }
        xfree(block);
        n = n == bytes.n || n + step < bytes.n ? n + step : bytes.n;
    }
    return e;
}

/* Whole, byte by byte and cut once at every position, with equal results. */
static enum err
parse_every_way(struct str bytes, struct buf *dump_out, size_t *consumed_out)
{
    enum err whole = parse_cut(bytes, bytes.n, 1, dump_out, consumed_out);
    struct buf other;
    size_t consumed = 0;

    buf_init(&other, 1 << 20);
    assert_int_equal(parse_cut(bytes, 0, 1, &other, &consumed), whole);
    assert_true(str_eq(buf_str(&other), buf_str(dump_out)));
    assert_int_equal(consumed, *consumed_out);
    for (size_t cut = 0; cut <= bytes.n; cut++) {
        assert_int_equal(parse_cut(bytes, cut, bytes.n, &other, &consumed),
                         whole);
        assert_true(str_eq(buf_str(&other), buf_str(dump_out)));
        assert_int_equal(consumed, *consumed_out);
    }
    buf_fini(&other);
    return whole;
}

static const struct {
    struct str bytes;
    const char *expected;
} good[] = {
    {LITERAL(HEAD END), "GET(0) / ?  @h 1.1 keep1 expect0 none 0|Host=h"},
    {LITERAL("\r\n" HEAD END),
     "GET(0) / ?  @h 1.1 keep1 expect0 none 0|Host=h"},
    {LITERAL("GET /a%20b?x=1&y HTTP/1.1\r\nhost:\tex.org:80 \t\r\n" END),
     "GET(0) /a%20b ? x=1&y @ex.org:80 1.1 keep1 expect0 none 0"
     "|host=ex.org:80"},
    {LITERAL("GET / HTTP/1.0\r\n" END),
     "GET(0) / ?  @ 1.0 keep0 expect0 none 0"},
    {LITERAL("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n" END),
     "GET(0) / ?  @ 1.0 keep1 expect0 none 0|Connection=Keep-Alive"},
    {LITERAL("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n" END),
     "GET(0) / ?  @ 1.0 keep0 expect0 none 0|Connection=keep-alive, close"},
    {LITERAL(HEAD "Connection: , x ,CLOSE\r\n" END),
     "GET(0) / ?  @h 1.1 keep0 expect0 none 0|Host=h|Connection=, x ,CLOSE"},
    {LITERAL("POST /p HTTP/1.1\r\n" HOST "Content-Length: 007\r\n" END
             "1234567"),
     "POST(2) /p ?  @h 1.1 keep1 expect0 length 7|Host=h|Content-Length=007"},
    {LITERAL("PUT /p HTTP/1.1\r\n" HOST "Content-Length:0\r\n" END),
     "PUT(3) /p ?  @h 1.1 keep1 expect0 length 0|Host=h|Content-Length=0"},
    {LITERAL("PUT /p HTTP/1.1\r\n" HOST
             "Expect: 100-continue\r\nContent-Length: 0\r\n" END),
     "PUT(3) /p ?  @h 1.1 keep1 expect0 length 0|Host=h|Expect=100-continue"
     "|Content-Length=0"},
    {LITERAL("PATCH /p HTTP/1.1\r\n" HOST
             "Content-Length: 9223372036854775807\r\n" END),
     "PATCH(4) /p ?  @h 1.1 keep1 expect0 length 9223372036854775807"
     "|Host=h|Content-Length=9223372036854775807"},
    {LITERAL("POST / HTTP/1.1\r\n" HOST "TRANSFER-ENCODING: Chunked\r\n"
             "Expect: 100-Continue\r\n" END),
     "POST(2) / ?  @h 1.1 keep1 expect1 chunked 0|Host=h"
     "|TRANSFER-ENCODING=Chunked|Expect=100-Continue"},
    {LITERAL(HEAD "Expect: 100-continue\r\n" END),
     "GET(0) / ?  @h 1.1 keep1 expect0 none 0|Host=h|Expect=100-continue"},
    {LITERAL("POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: magic\r\n" END),
     "POST(2) / ?  @ 1.0 keep0 expect0 length 1|Content-Length=1"
     "|Expect=magic"},
    {LITERAL("GET http://a.b:1/c?d HTTP/1.1\r\nHost: other\r\n" END),
     "GET(0) /c ? d @a.b:1 1.1 keep1 expect0 none 0|Host=other"},
    {LITERAL("GET HTTPS://a HTTP/1.1\r\n" HOST END),
     "GET(0) / ?  @a 1.1 keep1 expect0 none 0|Host=h"},
    {LITERAL("OPTIONS * HTTP/1.1\r\n" HOST END),
     "OPTIONS(6) * ?  @h 1.1 keep1 expect0 none 0|Host=h"},
    {LITERAL("CONNECT a.b:443 HTTP/1.1\r\nHost: a.b:443\r\n" END),
     "CONNECT(7)  ?  @a.b:443 1.1 keep1 expect0 none 0|Host=a.b:443"},
    {LITERAL("HEAD / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n" END),
     "HEAD(1) / ?  @[2001:db8::1]:8080 1.1 keep1 expect0 none 0"
     "|Host=[2001:db8::1]:8080"},
    {LITERAL("DELETE / HTTP/1.1\r\n" HOST END),
     "DELETE(5) / ?  @h 1.1 keep1 expect0 none 0|Host=h"},
    {LITERAL("TRACE / HTTP/1.1\r\n" HOST END),
     "TRACE(8) / ?  @h 1.1 keep1 expect0 none 0|Host=h"},
    {LITERAL("get / HTTP/1.1\r\n" HOST END),
     "get(9) / ?  @h 1.1 keep1 expect0 none 0|Host=h"},
    {LITERAL("X!#$%&'*+-.^_`|~9 / HTTP/1.1\r\n" HOST END),
     "X!#$%&'*+-.^_`|~9(9) / ?  @h 1.1 keep1 expect0 none 0|Host=h"},
    {LITERAL(HEAD
             "X-Empty:\r\nX-Blank: \t \r\nX-Text: a\tb\xE9 \"c:d\" ,\r\n" END),
     "GET(0) / ?  @h 1.1 keep1 expect0 none 0|Host=h|X-Empty=|X-Blank="
     "|X-Text=a\tb\xE9 \"c:d\" ,"},
    {LITERAL(HEAD END "GET /next HTTP/1.1\r\n"),
     "GET(0) / ?  @h 1.1 keep1 expect0 none 0|Host=h"},
    {LITERAL("GET //x//?/? HTTP/1.1\r\n" HOST END),
     "GET(0) //x// ? /? @h 1.1 keep1 expect0 none 0|Host=h"},
};

/* Everything that is ERR_BAD_REQUEST. */
static const struct str bad[] = {
    /* line ends */
    LITERAL("GET / HTTP/1.1\nHost: h\r\n\r\n"),
    LITERAL(GET "Host: h\n\r\n"),
    LITERAL(HEAD "\n"),
    LITERAL("\n" HEAD END),
    LITERAL("\r\r\n" HEAD END),
    LITERAL("\r\n\r\n" HEAD END),
    LITERAL("GET / HTTP/1.1\r\r\nHost: h\r\n\r\n"),
    LITERAL(GET "Host: h\r\r\n\r\n"),
    LITERAL(GET "Host: h\rX: y\r\n\r\n"),
    LITERAL(GET "Host: h\r\n\rX"),
    LITERAL("GET /\r/ HTTP/1.1\r\n" HOST END),
    /* request line */
    LITERAL(" GET / HTTP/1.1\r\n" HOST END),
    LITERAL("\tGET / HTTP/1.1\r\n" HOST END),
    LITERAL("GET\r\n" HOST END),
    LITERAL("GET /\r\n" HOST END),
    LITERAL("GET / \r\n" HOST END),
    LITERAL("GET  / HTTP/1.1\r\n" HOST END),
    LITERAL("GET /  HTTP/1.1\r\n" HOST END),
    LITERAL("GET\t/ HTTP/1.1\r\n" HOST END),
    LITERAL("GET / HTTP/1.1 \r\n" HOST END),
    LITERAL("GET / x HTTP/1.1\r\n" HOST END),
    LITERAL("G@T / HTTP/1.1\r\n" HOST END),
    LITERAL("GET: / HTTP/1.1\r\n" HOST END),
    LITERAL("G\xC3\x89T / HTTP/1.1\r\n" HOST END),
    LITERAL("GET / HTTP/2.0\r\n" HOST END),
    LITERAL("GET / HTTP/1.2\r\n" HOST END),
    LITERAL("GET / HTTP/0.9\r\n" HOST END),
    LITERAL("GET / HTTP/1.10\r\n" HOST END),
    LITERAL("GET / HTTP/01.1\r\n" HOST END),
    LITERAL("GET / HTTP/1\r\n" HOST END),
    LITERAL("GET / HTTP/1,1\r\n" HOST END),
    LITERAL("GET / http/1.1\r\n" HOST END),
    LITERAL("GET / ICY/1.1\r\n" HOST END),
    LITERAL("GET / HTTP/1.1x\r\n" HOST END),
    LITERAL("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    LITERAL("\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03"),
    /* target */
    LITERAL("GET x HTTP/1.1\r\n" HOST END),
    LITERAL("GET * HTTP/1.1\r\n" HOST END),
    LITERAL("GET ? HTTP/1.1\r\n" HOST END),
    LITERAL("GET a.b:443 HTTP/1.1\r\n" HOST END),
    LITERAL("GET /a#b HTTP/1.1\r\n" HOST END),
    LITERAL("GET /\xC3\xA9 HTTP/1.1\r\n" HOST END),
    LITERAL("GET /a\"b HTTP/1.1\r\n" HOST END),
    LITERAL("GET /a\\b HTTP/1.1\r\n" HOST END),
    LITERAL("GET /<x> HTTP/1.1\r\n" HOST END),
    LITERAL("GET /% HTTP/1.1\r\n" HOST END),
    LITERAL("GET /%4 HTTP/1.1\r\n" HOST END),
    LITERAL("GET /%zz HTTP/1.1\r\n" HOST END),
    LITERAL("GET /?%4 HTTP/1.1\r\n" HOST END),
    LITERAL("GET /?a[b HTTP/1.1\r\n" HOST END),
    LITERAL("GET /\x01 HTTP/1.1\r\n" HOST END),
    LITERAL("GET /\0 HTTP/1.1\r\n" HOST END),
    LITERAL("GET /\x7F HTTP/1.1\r\n" HOST END),
    LITERAL("GET ftp://h/ HTTP/1.1\r\n" HOST END),
    LITERAL("GET http:///x HTTP/1.1\r\n" HOST END),
    LITERAL("GET http://u@h/ HTTP/1.1\r\n" HOST END),
    LITERAL("GET http://h:x/ HTTP/1.1\r\n" HOST END),
    LITERAL("GET http:h/ HTTP/1.1\r\n" HOST END),
    LITERAL("CONNECT / HTTP/1.1\r\n" HOST END),
    LITERAL("CONNECT a.b HTTP/1.1\r\n" HOST END),
    LITERAL("CONNECT a.b: HTTP/1.1\r\n" HOST END),
    LITERAL("CONNECT a.b:65536 HTTP/1.1\r\n" HOST END),
    LITERAL("CONNECT * HTTP/1.1\r\n" HOST END),
    /* header lines */
    LITERAL(GET " Host: h\r\n" END),
    LITERAL(GET "\r\n" HOST END), /* no Host before the end */
    LITERAL(HEAD " folded\r\n" END),
    LITERAL(HEAD "X: a\r\n\tfolded\r\n" END),
    LITERAL(GET "Host : h\r\n" END),
    LITERAL(GET "Host\t: h\r\n" END),
    LITERAL(HEAD "X\r\n" END),
    LITERAL(HEAD ": v\r\n" END),
    LITERAL(HEAD "X Y: v\r\n" END),
    LITERAL(HEAD "X(Y): v\r\n" END),
    LITERAL(HEAD "X\xE9: v\r\n" END),
    LITERAL(HEAD "X\0: v\r\n" END),
    LITERAL(HEAD "X: a\0b\r\n" END),
    LITERAL(HEAD "X: a\x01"
                 "b\r\n" END),
    LITERAL(HEAD "X: a\x0B"
                 "b\r\n" END),
    LITERAL(HEAD "X: a\x7F"
                 "b\r\n" END),
    /* Host */
    LITERAL(GET END),
    LITERAL(GET "X: y\r\n" END),
    LITERAL(GET HOST HOST END),
    LITERAL(GET HOST "hOST: other\r\n" END),
    LITERAL(GET "Host:\r\n" END),
    LITERAL(GET "Host: a b\r\n" END),
    LITERAL(GET "Host: a/b\r\n" END),
    LITERAL(GET "Host: a,b\x80\r\n" END),
    LITERAL(GET "Host: u@h\r\n" END),
    LITERAL(GET "Host: h:1:2\r\n" END),
    LITERAL(GET "Host: h:65536\r\n" END),
    LITERAL(GET "Host: h:-1\r\n" END),
    LITERAL(GET "Host: :80\r\n" END),
    LITERAL(GET "Host: [::1\r\n" END),
    LITERAL(GET "Host: []\r\n" END),
    LITERAL(GET "Host: [::1]x\r\n" END),
    LITERAL(GET "Host: h%zz\r\n" END),
    LITERAL("GET / HTTP/1.0\r\nHost: a b\r\n" END),
    /* framing */
    LITERAL(HEAD "Content-Length:\r\n" END),
    LITERAL(HEAD "Content-Length: +1\r\n" END),
    LITERAL(HEAD "Content-Length: -1\r\n" END),
    LITERAL(HEAD "Content-Length: 0x1\r\n" END),
    LITERAL(HEAD "Content-Length: 1 1\r\n" END),
    LITERAL(HEAD "Content-Length: 1a\r\n" END),
    LITERAL(HEAD "Content-Length: 1.0\r\n" END),
    LITERAL(HEAD "Content-Length: 5, 5\r\n" END),
    LITERAL(HEAD "Content-Length: 5,\r\n" END),
    LITERAL(HEAD "Content-Length: 5\r\nContent-Length: 5\r\n" END),
    LITERAL(HEAD "Content-Length: 5\r\nContent-Length: 6\r\n" END),
    LITERAL(HEAD "Content-Length: 0\r\ncontent-length: 0\r\n" END),
    LITERAL(HEAD "Content-Length: 9223372036854775808\r\n" END),
    LITERAL(HEAD "Content-Length: 18446744073709551617\r\n" END),
    LITERAL(HEAD "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n" END),
    LITERAL(HEAD "Transfer-Encoding:\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: identity\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: gzip\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: gzip, chunked\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: chunked, gzip\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: chunked, chunked\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: chunked,\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: ,chunked\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: chunked;q=1\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: \"chunked\"\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: xchunked\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: chunked\x0B\r\n" END),
    LITERAL(HEAD "Transfer-Encoding : chunked\r\n" END),
    LITERAL(HEAD "Transfer-Encoding: chunked\r\n"
                 "Transfer-Encoding: chunked\r\n" END),
    LITERAL("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" END),
};

static void
every_good_head_is_read_alike_however_it_is_cut(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, 1 << 16);
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        size_t consumed = 0;
        struct str rest;

        assert_int_equal(parse_every_way(good[i].bytes, &text, &consumed),
                         ERR_OK);
        buf_putc(&text, '\0');
        assert_string_equal(text.p, good[i].expected);
        rest = str_from_at(good[i].bytes, consumed);
        assert_true(rest.n == 0 || str_starts(rest, STR("GET /next")) ||
                    str_is(rest, "1234567"));
    }
    buf_fini(&text);
}

static void
every_malformed_head_is_a_bad_request_however_it_is_cut(void **state)
{
    struct buf text;

    (void)state;
    assert_true(COUNT_OF(bad) >= 60);
    buf_init(&text, 1 << 16);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        size_t consumed;
        enum err e = parse_every_way(bad[i], &text, &consumed);

        if (e != ERR_BAD_REQUEST) {
            fail_msg("%d for: %.*s", (int)e, STR_ARG(bad[i]));
        }
    }
    buf_fini(&text);
}

static void
no_beginning_of_a_good_head_is_complete_or_refused(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, 1 << 16);
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        size_t whole;
        size_t consumed;

        assert_int_equal(
            parse_cut(good[i].bytes, good[i].bytes.n, 1, &text, &whole),
            ERR_OK);
        for (size_t n = 0; n < whole; n++) {
            struct str begin = {good[i].bytes.p, n};

            assert_int_equal(parse_cut(begin, n, 1, &text, &consumed),
                             ERR_AGAIN);
            assert_int_equal(consumed, 0);
        }
    }
    buf_fini(&text);
}

static void
another_expectation_than_continue_fails(void **state)
{
    static const struct str heads[] = {
        LITERAL("POST / HTTP/1.1\r\n" HOST "Expect: tea\r\n" END),
        LITERAL("POST / HTTP/1.1\r\n" HOST "Expect: 100-continue, tea\r\n" END),
        LITERAL("POST / HTTP/1.1\r\n" HOST "Expect: 100-continue=1\r\n" END),
    };
    struct buf text;
    size_t consumed;

    (void)state;
    buf_init(&text, 1 << 16);
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        assert_int_equal(parse_every_way(heads[i], &text, &consumed),
                         ERR_EXPECTATION_FAILED);
    }
    buf_fini(&text);
}

/* begin, then fill times 'a', then end; the result of parsing it whole and
 * byte by byte, which must be the same. at_out: after how many bytes the
 * verdict was there. */
static enum err
parse_filled(struct str begin, size_t fill, struct str end, size_t *at_out)
{
    struct buf b;
    struct http1_scan scan = {0};
    struct http1_head head;
    struct http1_scan whole_scan = {0};
    size_t consumed;
    enum err e = ERR_AGAIN;

    buf_init(&b, 1 << 17);
    buf_put_str(&b, begin);
    memset(buf_reserve(&b, fill + 1), 'a', fill);
    b.n += fill;
    buf_put_str(&b, end);
    for (*at_out = 0; e == ERR_AGAIN && *at_out < b.n;) {
        ++*at_out;
        e = http1_head_parse(&head, &scan, (struct str){b.p, *at_out},
                             &consumed);
    }
    assert_int_equal(
        http1_head_parse(&head, &whole_scan, buf_str(&b), &consumed), e);
    buf_fini(&b);
    return e;
}

static void
a_request_line_may_have_8192_bytes(void **state)
{
    struct str end = STR(" HTTP/1.1\r\n" HOST END);
    size_t fixed = sizeof("GET / HTTP/1.1") - 1;
    size_t at;

    (void)state;
    assert_int_equal(
        parse_filled(STR("GET /"), HTTP1_LINE_MAX - fixed, end, &at), ERR_OK);
    assert_int_equal(
        parse_filled(STR("GET /"), HTTP1_LINE_MAX - fixed + 1, end, &at),
        ERR_URI_TOO_LONG);
    assert_int_equal(
        parse_filled(STR("\r\nGET /"), HTTP1_LINE_MAX - fixed + 1, end, &at),
        ERR_URI_TOO_LONG);
}

static void
an_endless_request_line_is_refused_at_its_8193rd_byte(void **state)
{
    size_t at;

    (void)state;
    assert_int_equal(parse_filled(STR("GET /"), 20000, STR(""), &at),
                     ERR_URI_TOO_LONG);
    assert_int_equal(at, HTTP1_LINE_MAX + 1);
    assert_int_equal(parse_filled(STR(""), 20000, STR("\n"), &at),
                     ERR_URI_TOO_LONG);
}

static void
header_lines_may_have_16384_bytes_together(void **state)
{
    size_t fixed = sizeof(HOST "X: \r\n") - 1;
    size_t at;

    (void)state;
    assert_int_equal(parse_filled(STR(HEAD "X: "),
                                  HTTP1_HEADER_BYTES_MAX - fixed,
                                  STR("\r\n\r\n"), &at),
                     ERR_OK);
    assert_int_equal(parse_filled(STR(HEAD "X: "),
                                  HTTP1_HEADER_BYTES_MAX - fixed + 1,
                                  STR("\r\n\r\n"), &at),
                     ERR_HEADERS_TOO_LARGE);
    assert_int_equal(parse_filled(STR(HEAD), 50000, STR(""), &at),
                     ERR_HEADERS_TOO_LARGE);
    assert_int_equal(at, sizeof(GET) - 1 + HTTP1_HEADER_BYTES_MAX - 2 + 1);
}

static enum err
parse_many(size_t headers)
{
    struct buf b;
    struct http1_scan scan = {0};
    struct http1_head head;
    size_t consumed;
    enum err e;

    buf_init(&b, 1 << 16);
    buf_put_str(&b, STR(HEAD));
    for (size_t i = 1; i < headers; i++) {
        buf_put_str(&b, STR("X: y\r\n"));
    }
    buf_put_str(&b, STR(END));
    e = http1_head_parse(&head, &scan, buf_str(&b), &consumed);
    if (e == ERR_OK) {
        assert_int_equal(head.header_count, headers);
    }
    buf_fini(&b);
    return e;
}

static void
a_head_may_have_100_header_lines(void **state)
{
    (void)state;
    assert_int_equal(parse_many(HTTP1_HEADERS_MAX), ERR_OK);
    assert_int_equal(parse_many(HTTP1_HEADERS_MAX + 1), ERR_HEADERS_TOO_LARGE);
}

/* After how many bytes of a stream the verdict falls. */
static const struct {
    struct str bytes;
    size_t at;
} early[] = {
    {LITERAL("\x16\x03"), 1},
    {LITERAL(" GET"), 1},
    {LITERAL("GET /\x01"), 6},
    {LITERAL("GET / HTTP/2.0\r\nHost: h"), 16},
    {LITERAL(GET "Host: a b\r\nX"), sizeof(GET "Host: a b\r\n") - 1},
    {LITERAL(GET " fold"), sizeof(GET)},
    {LITERAL(HEAD "X: a\0b"), sizeof(HEAD "X: a")},
    {LITERAL(HEAD "X: a\rb"), sizeof(HEAD "X: a\r")},
    {LITERAL(HEAD "Content-Length: x\r\nY"),
     sizeof(HEAD "Content-Length: x\r\n") - 1},
};

static void
a_fault_is_found_before_the_head_is_complete(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(early); i++) {
        size_t at;

        assert_int_equal(parse_filled(early[i].bytes, 0, STR(""), &at),
                         ERR_BAD_REQUEST);
        assert_int_equal(at, early[i].at);
    }
}

static void
pipelined_requests_are_read_one_after_another(void **state)
{
    struct str bytes = STR(HEAD END "\r\nPUT /2 HTTP/1.1\r\n" HOST END HEAD);
    struct http1_scan scan = {0};
    struct http1_head head;
    size_t consumed;

    (void)state;
    assert_int_equal(http1_head_parse(&head, &scan, bytes, &consumed), ERR_OK);
    assert_int_equal(head.method, HTTP1_GET);
    bytes = str_from_at(bytes, consumed);
    assert_int_equal(http1_head_parse(&head, &scan, bytes, &consumed), ERR_OK);
    assert_int_equal(head.method, HTTP1_PUT);
    bytes = str_from_at(bytes, consumed);
    assert_int_equal(http1_head_parse(&head, &scan, bytes, &consumed),
                     ERR_AGAIN);
}

static void
parse_whole(struct http1_head *head, struct str bytes)
{
    struct http1_scan scan = {0};
    size_t consumed;

    assert_int_equal(http1_head_parse(head, &scan, bytes, &consumed), ERR_OK);
}

static void
headers_are_found_without_case_and_in_order(void **state)
{
    struct http1_head head;
    const struct http1_header *found;
    size_t at = 0;

    (void)state;
    parse_whole(&head, STR(HEAD "A: 1\r\nb: 2\r\na: 3\r\n" END));
    found = http1_head_next(&head, "a", &at);
    assert_true(str_is(found->value, "1"));
    found = http1_head_next(&head, "a", &at);
    assert_true(str_is(found->value, "3"));
    assert_null(http1_head_next(&head, "a", &at));
}

static void
a_header_that_may_stand_once_is_refused_twice(void **state)
{
    struct http1_head head;
    struct str value;

    (void)state;
    parse_whole(&head, STR(HEAD "A: 1\r\nB: 2\r\na: 1\r\n" END));
    assert_int_equal(http1_head_single(&head, "b", &value), ERR_OK);
    assert_true(str_is(value, "2"));
    assert_int_equal(http1_head_single(&head, "a", &value), ERR_BAD_REQUEST);
    assert_int_equal(value.n, 0);
    assert_int_equal(http1_head_single(&head, "c", &value), ERR_NOT_FOUND);
}

static void
list_headers_are_searched_over_all_their_lines(void **state)
{
    struct http1_head head;

    (void)state;
    parse_whole(&head, STR(HEAD "U: a, B ,,\r\nu:\r\nU: c\r\n" END));
    assert_true(http1_head_lists(&head, "u", "A"));
    assert_true(http1_head_lists(&head, "U", "b"));
    assert_true(http1_head_lists(&head, "U", "c"));
    assert_false(http1_head_lists(&head, "U", ""));
    assert_false(http1_head_lists(&head, "U", "a, B"));
    assert_false(http1_head_lists(&head, "V", "a"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_good_head_is_read_alike_however_it_is_cut),
        cmocka_unit_test(
            every_malformed_head_is_a_bad_request_however_it_is_cut),
        cmocka_unit_test(no_beginning_of_a_good_head_is_complete_or_refused),
        cmocka_unit_test(another_expectation_than_continue_fails),
        cmocka_unit_test(a_request_line_may_have_8192_bytes),
        cmocka_unit_test(an_endless_request_line_is_refused_at_its_8193rd_byte),
        cmocka_unit_test(header_lines_may_have_16384_bytes_together),
        cmocka_unit_test(a_head_may_have_100_header_lines),
        cmocka_unit_test(a_fault_is_found_before_the_head_is_complete),
        cmocka_unit_test(pipelined_requests_are_read_one_after_another),
        cmocka_unit_test(headers_are_found_without_case_and_in_order),
        cmocka_unit_test(a_header_that_may_stand_once_is_refused_twice),
        cmocka_unit_test(list_headers_are_searched_over_all_their_lines),
    };

    return cmocka_run_group_tests_name("codec/http1_head", tests, NULL, NULL);
}
