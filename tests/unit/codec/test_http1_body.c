/* SPDX-License-Identifier: MIT */
#include "codec/http1_body.h"

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

#define LIMIT 64

/* Feeds in as pieces of at most `step` bytes, the first of `first`, each in
 * memory of its own. Gives the data in data_out and what was taken. */
static enum err
read_cut(const struct http1_head *head, struct str in, size_t first,
         size_t step, struct buf *data_out)
{
    struct http1_body b;
    enum err e = http1_body_init(&b, head, LIMIT);
    size_t n = first < in.n ? first : in.n;
    size_t taken = 0;
    struct str data;

    buf_reset(data_out, 0);
    if (e != ERR_OK) {
        assert_int_equal(http1_body_feed(&b, &in, &data), e);
        return e;
    }
    do {
        char *block = xmalloc(n > 0 ? n : 1);
        struct str piece = {block, n};

        memcpy(block, in.p, n);
        do {
            e = http1_body_feed(&b, &piece, &data);
            buf_put_str(data_out, data);
        } while (e == ERR_AGAIN && piece.n > 0);
        taken += n - piece.n;
        in = str_from_at(in, n);
        n = step < in.n ? step : in.n;
        xfree(block);
    } while (e == ERR_AGAIN && in.n > 0);
    if (e == ERR_OK) {
        buf_printf(data_out, "|%zu", taken);
        assert_int_equal(http1_body_feed(&b, &in, &data), ERR_OK);
        assert_int_equal(data.n, 0);
    } else if (e != ERR_AGAIN) {
        struct str more = STR("0\r\n\r\n");

        assert_int_equal(http1_body_feed(&b, &more, &data), e);
        assert_int_equal(more.n, 5);
        buf_reset(data_out, 0);
    }
    return e;
}

static enum err
read_every_way(const struct http1_head *head, struct str in,
               struct buf *data_out)
{
    enum err whole = read_cut(head, in, in.n, in.n, data_out);
    struct buf other;

    buf_init(&other, 1 << 16);
    assert_int_equal(read_cut(head, in, 1, 1, &other), whole);
    assert_true(str_eq(buf_str(&other), buf_str(data_out)));
    for (size_t cut = 0; cut <= in.n; cut++) {
        assert_int_equal(read_cut(head, in, cut, in.n, &other), whole);
        assert_true(str_eq(buf_str(&other), buf_str(data_out)));
    }
    buf_fini(&other);
    return whole;
}

static const struct http1_head chunked = {.framing = HTTP1_CHUNKED};

static const struct {
    struct str in;
    const char *data;
    const char *rest; /* what is left of in */
} good[] = {
    {LITERAL("0\r\n\r\n"), "", ""},
    {LITERAL("0\r\n\r\nGET"), "", "GET"},
    {LITERAL("3\r\nabc\r\n0\r\n\r\n"), "abc", ""},
    {LITERAL("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nX"), "abcde", "X"},
    {LITERAL("A\r\n0123456789\r\n00\r\n\r\n"), "0123456789", ""},
    {LITERAL("a\r\n0123456789\r\n0\r\n\r\n\r\n"), "0123456789", "\r\n"},
    {LITERAL("0000000000000003\r\na\r\n\r\n0\r\n\r\n"), "a\r\n", ""},
    {LITERAL("1;x\r\nz\r\n0;y=1\r\n\r\n"), "z", ""},
    {LITERAL("1 ;\tx = 1 ; y\r\nz\r\n0\r\n\r\n"), "z", ""},
    {LITERAL("1;x=\"a\\\"b; =:\\\\\";q=w\r\nz\r\n0\r\n\r\n"), "z", ""},
    {LITERAL("1;x=\"\" ;y\r\nz\r\n0\r\n\r\n"), "z", ""},
    {LITERAL("0\r\nA: b\r\nC:\r\n\r\nP"), "", "P"},
    {LITERAL("0\r\nA-1: \tx:y;\"z\"\\\xE9\r\n\r\n"), "", ""},
};

static void
chunks_give_their_data_however_they_are_cut(void **state)
{
    struct buf expected;
    struct buf data;

    (void)state;
    buf_init(&data, 1 << 16);
    buf_init(&expected, 64);
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        buf_reset(&expected, 64);
        buf_printf(&expected, "%s|%zu", good[i].data,
                   good[i].in.n - strlen(good[i].rest));
        assert_int_equal(read_every_way(&chunked, good[i].in, &data), ERR_OK);
        assert_true(str_eq(buf_str(&data), buf_str(&expected)));
    }
    buf_fini(&expected);
    buf_fini(&data);
}

static const struct str bad[] = {
    LITERAL("\r\n"),
    LITERAL("\n"),
    LITERAL(" 1\r\nx\r\n"),
    LITERAL("g\r\n"),
    LITERAL("-1\r\n"),
    LITERAL("+1\r\n"),
    LITERAL("0x1\r\n"),
    LITERAL("1\nx\r\n"),
    LITERAL("1\r\r\n"),
    LITERAL("1\rx"),
    LITERAL("1 \r\nx\r\n"),
    LITERAL("1 1\r\n"),
    LITERAL("1,1\r\n"),
    LITERAL("1\0\r\n"),
    LITERAL("00000000000000001\r\nx"),
    LITERAL("1;\r\nx\r\n"),
    LITERAL("1;=x\r\n"),
    LITERAL("1;;x\r\n"),
    LITERAL("1;x=\r\n"),
    LITERAL("1;x y\r\n"),
    LITERAL("1;x=y z\r\n"),
    LITERAL("1;x=\"y\r\n"),
    LITERAL("1;x=\"y\"z\r\n"),
    LITERAL("1;x=\"\\\r\n"),
    LITERAL("1;x=\"\x01\"\r\n"),
    LITERAL("1;x=\"a\r\"\r\n"),
    LITERAL("1;x\nz\r\n"),
    LITERAL("1;x \r\n"),
    LITERAL("1\r\nxx\r\n"),
    LITERAL("1\r\nx\n"),
    LITERAL("1\r\nx\rx"),
    LITERAL("1\r\nx0\r\n\r\n"),
    LITERAL("1\r\nx\r\n\r\n0"),
    LITERAL("0\r\nA\r\n\r\n"),
    LITERAL("0\r\nA : b\r\n\r\n"),
    LITERAL("0\r\n: b\r\n\r\n"),
    LITERAL("0\r\nA: b\n\r\n"),
    LITERAL("0\r\nA: b\r\n c\r\n"),
    LITERAL("0\r\nA: \0\r\n\r\n"),
    LITERAL("0\r\n\n"),
    LITERAL("0\r\n\rX"),
    LITERAL("0\n\n"),
};

static void
every_malformed_chunk_is_a_bad_request(void **state)
{
    struct buf data;

    (void)state;
    buf_init(&data, 1 << 16);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (read_every_way(&chunked, bad[i], &data) != ERR_BAD_REQUEST) {
            fail_msg("accepted: %.*s", STR_ARG(bad[i]));
        }
    }
    buf_fini(&data);
}

static void
an_unfinished_body_asks_for_more(void **state)
{
    struct str whole = STR("3;x=\"y\"\r\nabc\r\n0\r\nA: b\r\n\r\n");
    struct buf data;

    (void)state;
    buf_init(&data, 1 << 16);
    for (size_t n = 0; n < whole.n; n++) {
        assert_int_equal(
            read_every_way(&chunked, (struct str){whole.p, n}, &data),
            ERR_AGAIN);
    }
    buf_fini(&data);
}

static void
a_chunk_that_passes_the_limit_is_refused_by_its_size(void **state)
{
    struct buf data;
    char text[256];
    struct buf b;

    (void)state;
    memset(text, 'x', sizeof(text));
    buf_init(&data, 1 << 16);
    buf_init(&b, 1 << 16);
    assert_int_equal(read_every_way(&chunked, STR("41"), &data),
                     ERR_PAYLOAD_TOO_LARGE);
    assert_int_equal(read_every_way(&chunked, STR("ffffffffffffffff"), &data),
                     ERR_PAYLOAD_TOO_LARGE);
    buf_puts(&b, "3f\r\n");
    buf_put(&b, text, 63);
    buf_puts(&b, "\r\n1\r\nx\r\n0\r\n\r\n");
    assert_int_equal(read_every_way(&chunked, buf_str(&b), &data), ERR_OK);
    b.n -= sizeof("0\r\n\r\n") - 1;
    buf_puts(&b, "1");
    assert_int_equal(read_every_way(&chunked, buf_str(&b), &data),
                     ERR_PAYLOAD_TOO_LARGE);
    buf_fini(&b);
    buf_fini(&data);
}

/* begin, then n times 'a', then end, in one piece and byte by byte. */
static enum err
read_filled(const char *begin, size_t n, const char *end)
{
    struct buf b;
    struct buf data;
    enum err e;

    buf_init(&b, 1 << 16);
    buf_init(&data, 1 << 16);
    buf_puts(&b, begin);
    memset(buf_reserve(&b, n), 'a', n);
    b.n += n;
    buf_puts(&b, end);
    e = read_cut(&chunked, buf_str(&b), b.n, 1, &data);
    assert_int_equal(read_cut(&chunked, buf_str(&b), 1, 1, &data), e);
    buf_fini(&b);
    buf_fini(&data);
    return e;
}

static void
extensions_and_trailers_have_a_limit(void **state)
{
    size_t ext = HTTP1_EXTENSION_BYTES_MAX - 1;   /* ";" counts too */
    size_t trailer = HTTP1_TRAILER_BYTES_MAX - 4; /* ":", CR, LF, next line */

    (void)state;
    assert_int_equal(read_filled("0;", ext, "\r\n\r\n"), ERR_OK);
    assert_int_equal(read_filled("0;", ext + 1, "\r\n\r\n"), ERR_BAD_REQUEST);
    assert_int_equal(read_filled("0\r\n", trailer, ":\r\n\r\n"), ERR_OK);
    assert_int_equal(read_filled("0\r\n", HTTP1_TRAILER_BYTES_MAX + 1, ""),
                     ERR_HEADERS_TOO_LARGE);
    assert_int_equal(read_filled("0\r\nA:", HTTP1_TRAILER_BYTES_MAX, ""),
                     ERR_HEADERS_TOO_LARGE);
}

static void
a_body_of_a_length_ends_there(void **state)
{
    static const struct http1_head five = {.framing = HTTP1_LENGTH,
                                           .content_length = 5};
    struct buf data;

    (void)state;
    buf_init(&data, 1 << 16);
    assert_int_equal(read_every_way(&five, STR("abcdeGET"), &data), ERR_OK);
    buf_putc(&data, '\0');
    assert_string_equal(data.p, "abcde|5");
    assert_int_equal(read_every_way(&five, STR("abcd"), &data), ERR_AGAIN);
    buf_fini(&data);
}

static void
a_body_of_no_bytes_is_over_at_once(void **state)
{
    static const struct http1_head heads[] = {
        {.framing = HTTP1_NO_BODY},
        {.framing = HTTP1_LENGTH, .content_length = 0},
    };
    struct buf data;

    (void)state;
    buf_init(&data, 64);
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        assert_int_equal(read_every_way(&heads[i], STR(""), &data), ERR_OK);
        assert_int_equal(read_every_way(&heads[i], STR("GET"), &data), ERR_OK);
        assert_true(str_is(buf_str(&data), "|0"));
    }
    buf_fini(&data);
}

static void
a_length_beyond_the_limit_is_refused_before_any_byte(void **state)
{
    static const struct http1_head at_limit = {.framing = HTTP1_LENGTH,
                                               .content_length = LIMIT};
    static const struct http1_head beyond = {.framing = HTTP1_LENGTH,
                                             .content_length = LIMIT + 1};
    struct http1_body b;

    (void)state;
    assert_int_equal(http1_body_init(&b, &at_limit, LIMIT), ERR_OK);
    assert_int_equal(http1_body_init(&b, &beyond, LIMIT),
                     ERR_PAYLOAD_TOO_LARGE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_give_their_data_however_they_are_cut),
        cmocka_unit_test(every_malformed_chunk_is_a_bad_request),
        cmocka_unit_test(an_unfinished_body_asks_for_more),
        cmocka_unit_test(a_chunk_that_passes_the_limit_is_refused_by_its_size),
        cmocka_unit_test(extensions_and_trailers_have_a_limit),
        cmocka_unit_test(a_body_of_a_length_ends_there),
        cmocka_unit_test(a_body_of_no_bytes_is_over_at_once),
        cmocka_unit_test(a_length_beyond_the_limit_is_refused_before_any_byte),
    };

    return cmocka_run_group_tests_name("codec/http1_body", tests, NULL, NULL);
}
