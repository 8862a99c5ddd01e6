/* SPDX-License-Identifier: MIT */
#include "codec/overlap.h"

#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Each piece is its own allocation, gone after its call. */
static void
feed(struct overlap *o, struct str piece, struct buf *out)
{
    char *copy = xmemdup(piece.n > 0 ? piece.p : "", piece.n);

    buf_put_str(out, overlap_feed(o, (struct str){copy, piece.n}));
    xfree(copy);
}

static void
finish(struct overlap *o, struct buf *out, struct str expected)
{
    struct str got;

    buf_put_str(out, overlap_end(o));
    assert_int_equal(overlap_end(o).n, 0);
    got = buf_str(out);
    if (!str_eq(got, expected)) {
        fail_msg("'%.*s', not '%.*s'", STR_ARG(got), STR_ARG(expected));
    }
    buf_fini(out);
    overlap_fini(o);
}

/* In three pieces, any of which may be empty. */
static void
run_cut(struct str shown, struct str in, const size_t cut[2],
        struct str expected)
{
    struct overlap o;
    struct buf out;

    overlap_init(&o, shown);
    buf_init(&out, 1 << 24);
    feed(&o, (struct str){in.p, cut[0]}, &out);
    feed(&o, (struct str){in.p + cut[0], cut[1] - cut[0]}, &out);
    feed(&o, str_from_at(in, cut[1]), &out);
    finish(&o, &out, expected);
}

static void
run_bytewise(struct str shown, struct str in, struct str expected)
{
    struct overlap o;
    struct buf out;

    overlap_init(&o, shown);
    buf_init(&out, 1 << 24);
    for (size_t i = 0; i < in.n; i++) {
        feed(&o, (struct str){in.p + i, 1}, &out);
    }
    finish(&o, &out, expected);
}

static void
run(struct str shown, struct str in, struct str expected)
{
    for (size_t a = 0; a <= in.n; a++) {
        for (size_t b = a; b <= in.n; b++) {
            const size_t cut[2] = {a, b};

            run_cut(shown, in, cut, expected);
        }
    }
    run_bytewise(shown, in, expected);
}

struct row {
    const char *shown;
    const char *in;
    const char *out;
};

static void
check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        run(str_from(rows[i].shown), str_from(rows[i].in),
            str_from(rows[i].out));
    }
}

static void
what_goes_on_is_passed_on(void **state)
{
    static const struct row rows[] = {
        {"The quick", " brown fox", " brown fox"},
        {"The quick ", "brown fox", "brown fox"},
        {"The qui", "ck brown fox", "ck brown fox"},
        {"The quick", "", ""},
        {"", "The quick", "The quick"},
        {"The quick.", "\n\nThe slow one", "\n\nThe slow one"},
        {"The quick.", " The quick brown", " The quick brown"},
        {"one two", " three", " three"},
        {"one two three", " two and a half", " two and a half"},
    };

    (void)state;
    check(rows, COUNT_OF(rows));
}

static void
what_was_shown_is_left_out(void **state)
{
    static const struct row rows[] = {
        {"The quick brown", "brown fox", " fox"},
        {"The quick brown", "quick brown fox", " fox"},
        {"The quick bro", "brown fox", "wn fox"},
        {"The quick bro", "quick brown fox", "wn fox"},
        {"The quick brown", "The quick brown fox", " fox"},
        {"The quick brown fox.", "The quick brown fox.", ""},
        {"It is", "It is so.", " so."},
        {"I", "I think", " think"},
        {"I saw a", "a dog", " dog"},
        {"4, 5, 6", "5, 6, 7", ", 7"},
        {"in 2026", "2026 was", " was"},
        {"one two one two", "one two three", " three"},
        {"He said: \"Wo", "\"World\"", "rld\""},
        {"a b a b a a b a b a a", "a b a b a a.", "."},
        {"a b a b b a b a b b", "b a b a b b.", "."},
        {"a b a b a b b a b a b b", "b a b a b b.", "."},
    };

    (void)state;
    check(rows, COUNT_OF(rows));
}

static void
chance_is_no_repetition(void **state)
{
    static const struct row rows[] = {
        {"hel", "lo world", "lo world"},
        {"a hel", "l of", "l of"},
        {"an a", "ardvark", "ardvark"},
        {"the a", "ardvark", "ardvark"},
        {"at 1", "10 degrees", "10 degrees"},
        {"# ", "## Title", "## Title"},
        {"**bold*", "* and", "* and"},
        {"can", "not", "not"},
        {"an elephan", "antelope", "antelope"},
        {"\xE5\xA4\xA9", "\xE5\xA4\xA7", "\xE5\xA4\xA7"},
        {"\xE6\x98\xA5\xE5\xA4\xA9", "\xE5\xA4\xA9", "\xE5\xA4\xA9"},
    };

    (void)state;
    check(rows, COUNT_OF(rows));
}

static void
white_space_may_differ(void **state)
{
    static const struct row rows[] = {
        {"one two ", "one two three", "three"},
        {"one two", "\n\none two three", " three"},
        {"one\n\ntwo", "one two three", " three"},
        {"one two", "one \t\r\n two  three", "  three"},
        {"  one two", "one two three", " three"},
        {"one two\n", "  one two\n\nthree", "\nthree"},
    };

    (void)state;
    check(rows, COUNT_OF(rows));
}

/* What it says counts as behind the last word. */
static void
white_space_at_the_seam_is_not_doubled(void **state)
{
    static const struct row rows[] = {
        {"one ", " two", "two"},
        {"one\n", "\n\ntwo", "\ntwo"},
        {"one:\n  ", "\n    two", "  two"},
        {"one\n\n", "\ntwo", "two"},
        {"one ", "\n\ntwo", "\n\ntwo"},
        {"one ", " ", ""},
        {"one", " ", " "},
        {" ", " one", "one"},
        {"\n", "one", "one"},
    };

    (void)state;
    check(rows, COUNT_OF(rows));
}

static void
characters_stay_whole(void **state)
{
    static const struct row rows[] = {
        {"Gr\xC3\xBC\xC3\x9F",
         "Gr\xC3\xBC\xC3\x9F"
         "e",
         "e"},
        {"\xC3\xA4\xC3\xB6\xC3\xBC", "\xC3\xA4\xC3\xB6\xC3\xA4",
         "\xC3\xA4\xC3\xB6\xC3\xA4"},
        {"\xE4\xBD\xA0\xE5\xA5\xBD\xE4\xB8\x96",
         "\xE5\xA5\xBD\xE4\xB8\x96\xE7\x95\x8C", "\xE7\x95\x8C"},
        {"smile \xF0\x9F\x98\x80", "smile \xF0\x9F\x98\x81",
         "smile \xF0\x9F\x98\x81"},
    };

    (void)state;
    check(rows, COUNT_OF(rows));
}

/* It ended before it came to anything new. */
static void
a_beginning_that_is_said_again_is_left_out(void **state)
{
    static const struct row rows[] = {
        {"The quick brown fox", "The quick", ""},
        {"The quick brown fox", "The quick br", ""},
        {"The quick brown fox", "brown fox", ""},
        {"Yes, and no. Or", " and", " and"},
        {"Yes, and no. Or", " and no", " and no"},
        {"one two one", "one", ""},
        {"Yes, and no. Or", "Yes", "Yes"},
    };

    (void)state;
    check(rows, COUNT_OF(rows));
}

static struct str
much_text(struct buf *b, size_t words)
{
    buf_init(b, 1 << 24);
    for (size_t i = 0; i < words; i++) {
        buf_printf(b, "w%zu ", i);
    }
    return buf_str(b);
}

/* Behind all of a long text that is said again: only what is new. */
static void
all_of_a_long_text_may_come_again(void **state)
{
    struct buf b, again;
    struct str shown = much_text(&b, 100000), in;

    (void)state;
    assert_true(shown.n > OVERLAP_MAX / 2 && shown.n < OVERLAP_MAX);
    buf_init(&again, 1 << 24);
    buf_put_str(&again, shown);
    buf_puts(&again, "and so on");
    in = buf_str(&again);
    run_bytewise(shown, in, STR("and so on"));
    buf_fini(&again);
    buf_fini(&b);
}

static void
the_end_of_a_text_beyond_the_maximum_counts(void **state)
{
    struct buf b;
    struct str shown = much_text(&b, 300000);

    (void)state;
    assert_true(shown.n > 2 * OVERLAP_MAX);
    run_bytewise(shown, STR("w299998 w299999 w300000"), STR("w300000"));
    run_bytewise(shown, STR("w0 w1 w2"), STR("w0 w1 w2"));
    buf_fini(&b);
}

/* Nothing that is like the text before and never ends is kept for ever. */
static void
what_is_held_back_has_a_limit(void **state)
{
    struct overlap o;
    struct buf b;
    size_t kept = 0;

    (void)state;
    overlap_init(&o, STR("one two"));
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < (size_t)4 * OVERLAP_WHITE; i++) {
        buf_put_str(&b, overlap_feed(&o, STR(" ")));
        kept = i + 1 - b.n > kept ? i + 1 - b.n : kept;
    }
    assert_true(kept <= OVERLAP_WHITE + 1);
    assert_int_equal(b.n, 4 * OVERLAP_WHITE);
    buf_fini(&b);
    overlap_fini(&o);
}

/* As fast as the text comes, whatever it is: this would take hours. */
static void
text_that_is_all_alike_costs_no_more(void **state)
{
    struct buf shown, in;

    (void)state;
    buf_init(&shown, 1 << 20);
    buf_init(&in, 1 << 20);
    for (size_t i = 0; i < 400000; i++) {
        buf_putc(&shown, 'a');
        buf_putc(&in, i < 399999 ? 'a' : 'b');
    }
    buf_putc(&shown, 'c');
    run_bytewise(buf_str(&shown), buf_str(&in), buf_str(&in));
    buf_fini(&shown);
    buf_fini(&in);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_on_is_passed_on),
        cmocka_unit_test(what_was_shown_is_left_out),
        cmocka_unit_test(chance_is_no_repetition),
        cmocka_unit_test(white_space_may_differ),
        cmocka_unit_test(white_space_at_the_seam_is_not_doubled),
        cmocka_unit_test(characters_stay_whole),
        cmocka_unit_test(a_beginning_that_is_said_again_is_left_out),
        cmocka_unit_test(all_of_a_long_text_may_come_again),
        cmocka_unit_test(the_end_of_a_text_beyond_the_maximum_counts),
        cmocka_unit_test(what_is_held_back_has_a_limit),
        cmocka_unit_test(text_that_is_all_alike_costs_no_more),
    };

    return cmocka_run_group_tests_name("codec/overlap", tests, NULL, NULL);
}
