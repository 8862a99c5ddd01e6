/* SPDX-License-Identifier: MIT */
#include "codec/http1_head.h"

#include "base/buf.h"
#include "base/xalloc.h"
#include "http1_head_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

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
