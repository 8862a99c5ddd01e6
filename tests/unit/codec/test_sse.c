/* SPDX-License-Identifier: MIT */
#include "codec/sse.h"

#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* An event is written down as name|id|data; and !; for a dropped one. */
static void
note(struct buf *out, enum sse_result r, const struct sse_event *e)
{
    if (r == SSE_DROPPED) {
        buf_puts(out, "!;");
        return;
    }
    buf_put_str(out, e->name);
    buf_putc(out, '|');
    buf_put_str(out, e->id);
    buf_putc(out, '|');
    buf_put_str(out, e->data);
    buf_putc(out, ';');
}

/* Each piece is its own allocation, gone after its last event: what is kept
 * longer must have been copied. */
static void
feed(struct sse *s, struct str piece, struct buf *out)
{
    char *copy = xmemdup(piece.n > 0 ? piece.p : "", piece.n);
    struct str bytes = {copy, piece.n};
    struct sse_event event;
    enum sse_result r;

    while ((r = sse_feed(s, &bytes, &event)) != SSE_MORE) {
        note(out, r, &event);
    }
    assert_int_equal(bytes.n, 0);
    xfree(copy);
}

static void
finish(struct sse *s, struct buf *out, const char *expected)
{
    struct sse_event event;
    enum sse_result r = sse_end(s, &event);
    char *text;

    if (r != SSE_MORE) {
        buf_putc(out, '$');
        note(out, r, &event);
    }
    assert_int_equal(sse_end(s, &event), SSE_MORE);
    text = buf_give(out);
    assert_string_equal(text, expected);
    xfree(text);
    sse_fini(s);
}

/* Cut at a and b: three pieces, any of which may be empty. */
static void
run_cut(struct str in, size_t a, size_t b, const char *expected)
{
    struct sse s;
    struct buf out;

    sse_init(&s, 32);
    buf_init(&out, 1 << 16);
    feed(&s, (struct str){in.p, a}, &out);
    feed(&s, (struct str){in.p + a, b - a}, &out);
    feed(&s, (struct str){in.p + b, in.n - b}, &out);
    finish(&s, &out, expected);
}

static void
run_bytewise(struct str in, const char *expected)
{
    struct sse s;
    struct buf out;

    sse_init(&s, 32);
    buf_init(&out, 1 << 16);
    for (size_t i = 0; i < in.n; i++) {
        feed(&s, (struct str){in.p + i, 1}, &out);
    }
    finish(&s, &out, expected);
}

/* The cap of the table's runs is 32 bytes. */
static const struct {
    struct str in;
    const char *expected;
} cases[] = {
    {STR(""), ""},
    {STR("\n\n\n"), ""},
    {STR("data: one\n\n"), "||one;"},
    {STR("data:one\n\n"), "||one;"},
    {STR("data:  one\n\n"), "|| one;"},
    {STR("data: one\r\n\r\ndata: two\r\n\r\n"), "||one;||two;"},
    {STR("data: one\r\rdata: two\r\r"), "||one;||two;"},
    {STR("data: a\r\ndata: b\r\n\r\n"), "||a\nb;"},
    {STR("event: e\r\nid: 1\r\ndata: a\r\n\r\n"), "e|1|a;"},
    {STR("data: a\rdata: b\r\r"), "||a\nb;"},
    {STR("data: one\r\n\rdata: two\n\r\n"), "||one;||two;"},
    {STR("data: a\ndata: b\ndata\ndata:\ndata: c\n\n"), "||a\nb\n\n\nc;"},
    {STR("data\n\n"), "||;"},
    {STR("data:\n\n"), "||;"},
    {STR("data\ndata\n\n"), "||\n;"},
    {STR("event: add\ndata: 1\n\ndata: 2\n\n"), "add||1;||2;"},
    {STR("event: add\n\ndata: 2\n\n"), "||2;"},
    {STR("event: a\nevent: b\ndata: 1\n\n"), "b||1;"},
    {STR("id: 7\ndata: 1\n\ndata: 2\n\nid\ndata: 3\n\n"), "|7|1;|7|2;||3;"},
    {STR("id: 7\nid: 8\0x\ndata: 1\n\n"), "|7|1;"},
    {STR("id: 7\n\ndata: 1\n\n"), "|7|1;"},
    {STR(": a comment\n:\n:data: 0\ndata: 1\n\n"), "||1;"},
    {STR(": a comment longer than the cap of thirty-two\ndata: 0\n\n"
         ": again a comment longer than the cap\ndata: 1\n\n"),
     "!;||1;"},
    {STR("data: 0\n: a comment longer than the cap of thirty-two\n\n"), "||0;"},
    {STR("retry: 10\ndatax: 1\n data: 2\nDATA: 3\n\n"), ""},
    {STR("\xEF\xBB\xBF"
         "data: 1\n\n\xEF\xBB\xBF"
         "data: 2\n\n"),
     "||1;"},
    {STR("\xEF\xBB\xBF\ndata: 1\n\n"), "||1;"},
    {STR("data: \xF0\x9F\x98\x80\n\n"), "||\xF0\x9F\x98\x80;"},
    {STR("data: a:b: c\n\n"), "||a:b: c;"},
    /* exactly the cap, and one more: line, then joined data */
    {STR("data: 45678901234567890123456789\n\n"),
     "||45678901234567890123456789;"},
    {STR("data: x456789012345678901234567890\ndata: 2\n\ndata: 3\n\n"),
     "!;||3;"},
    {STR("data: 0123456789012345\ndata: 789012345678901\n\n"),
     "||0123456789012345\n789012345678901;"},
    {STR("data: 0123456789012345\ndata: 7890123456789012\n\ndata: 3\n\n"),
     "!;||3;"},
    {STR("data: 1\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n\ndata: 2"
         "\n\n"),
     "!;||2;"},
    /* at the end of the stream */
    {STR("data: 1\n\ndata: 2\n"), "||1;$||2;"},
    {STR("data: 1\n\ndata: 2\r"), "||1;$||2;"},
    {STR("data: 1\n\ndata: 2\ndata: 3"), "||1;"},
    {STR("data: 1\n\ndata: 2\n: x"), "||1;"},
    {STR("data: 1\n\ndata: 2"), "||1;"},
    {STR("data: x456789012345678901234567890\n"), "$!;"},
};

static void
gives_what_the_standard_says_however_the_stream_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str in = cases[i].in;

        run_bytewise(in, cases[i].expected);
        for (size_t a = 0; a <= in.n; a++) {
            for (size_t b = a; b <= in.n; b++) {
                run_cut(in, a, b, cases[i].expected);
            }
        }
    }
}

static void
borrows_the_only_data_line_from_the_piece(void **state)
{
    const char *text = "data: here\n\n";
    struct str bytes = str_from(text);
    struct sse_event event;
    struct sse s;

    (void)state;
    sse_init(&s, 1024);
    assert_int_equal(sse_feed(&s, &bytes, &event), SSE_EVENT);
    assert_ptr_equal(event.data.p, text + 6);
    assert_ptr_equal(s.data.p, NULL);
    assert_ptr_equal(s.line.p, NULL);
    sse_fini(&s);
}

static void
keeps_no_more_than_the_cap_of_an_endless_line(void **state)
{
    char piece[1000];
    struct str bytes;
    struct sse_event event;
    struct sse s;

    (void)state;
    memset(piece, 'x', sizeof(piece));
    sse_init(&s, 2500);
    for (int i = 0; i < 10000; i++) {
        bytes = (struct str){piece, sizeof(piece)};
        assert_int_equal(sse_feed(&s, &bytes, &event), SSE_MORE);
        assert_true(s.line.cap <= 2500);
    }
    bytes = STR("\n\ndata: on\n\n");
    assert_int_equal(sse_feed(&s, &bytes, &event), SSE_DROPPED);
    assert_int_equal(sse_feed(&s, &bytes, &event), SSE_EVENT);
    assert_true(str_is(event.data, "on"));
    sse_fini(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            gives_what_the_standard_says_however_the_stream_is_cut),
        cmocka_unit_test(borrows_the_only_data_line_from_the_piece),
        cmocka_unit_test(keeps_no_more_than_the_cap_of_an_endless_line),
    };

    return cmocka_run_group_tests_name("codec/sse", tests, NULL, NULL);
}
