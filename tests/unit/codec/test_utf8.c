/* SPDX-License-Identifier: MIT */
#include "codec/utf8.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    struct str text;
    size_t count;
} good[] = {
    {{"", 0}, 0},
    {{"a", 1}, 1},
    {{"\0", 1}, 1},
    {{"\x7F", 1}, 1},
    {{"\xC2\x80", 2}, 1},
    {{"\xDF\xBF", 2}, 1},
    {{"\xE0\xA0\x80", 3}, 1},
    {{"\xED\x9F\xBF", 3}, 1},
    {{"\xEE\x80\x80", 3}, 1},
    {{"\xEF\xBF\xBF", 3}, 1},
    {{"\xF0\x90\x80\x80", 4}, 1},
    {{"\xF4\x8F\xBF\xBF", 4}, 1},
    {{"0123456789abcdef0123456789abcde\xC3\xA9", 33}, 32},
    {{"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5", 11}, 5},
    {{"x\xF0\x9F\x98\x80y", 6}, 3},
};

/* at: how many bytes may be fed before the text is refused. */
static const struct {
    struct str text;
    size_t at;
} bad[] = {
    {{"\x80", 1}, 0},
    {{"\xBF", 1}, 0},
    {{"\xC0\x80", 2}, 0},
    {{"\xC1\xBF", 2}, 0},
    {{"\xC2\x41", 2}, 1},
    {{"\xC2\xC2", 2}, 1},
    {{"\xE0\x80\x80", 3}, 1},
    {{"\xE0\x9F\xBF", 3}, 1},
    {{"\xED\xA0\x80", 3}, 1},
    {{"\xED\xBF\xBF", 3}, 1},
    {{"\xE1\x80\x41", 3}, 2},
    {{"\xF0\x80\x80\x80", 4}, 1},
    {{"\xF0\x8F\xBF\xBF", 4}, 1},
    {{"\xF4\x90\x80\x80", 4}, 1},
    {{"\xF1\x80\x80\x41", 4}, 3},
    {{"\xF5\x80\x80\x80", 4}, 0},
    {{"\xF8\x88\x80\x80\x80", 5}, 0},
    {{"\xFE", 1}, 0},
    {{"\xFF", 1}, 0},
    {{"0123456789abcdef0123456789abcdef\xFFxyz", 36}, 32},
    {{"0123456789abcdefg\x80hijklmnopqrstuvw", 34}, 17},
};

static void
accepts_every_good_text_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct str text = good[i].text;

        assert_true(utf8_valid(text));
        assert_int_equal(utf8_count(text), good[i].count);
        for (size_t cut = 0; cut <= text.n; cut++) {
            struct utf8 u = {0};

            assert_true(utf8_feed(&u, text.p, cut));
            assert_true(utf8_feed(&u, text.p + cut, text.n - cut));
            assert_true(utf8_complete(&u));
        }
    }
}

static void
refuses_at_the_first_byte_that_cannot_be_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct str text = bad[i].text;
        struct utf8 u = {0};

        assert_false(utf8_valid(text));
        for (size_t at = 0; at < bad[i].at; at++) {
            assert_true(utf8_feed(&u, text.p + at, 1));
        }
        assert_false(utf8_feed(&u, text.p + bad[i].at, 1));
    }
}

static void
a_text_that_ends_inside_a_character_is_not_complete(void **state)
{
    const char *text = "\xF0\x9F\x98\x80";

    (void)state;
    for (size_t n = 1; n < 4; n++) {
        struct utf8 u = {0};

        assert_true(utf8_feed(&u, text, n));
        assert_false(utf8_complete(&u));
        assert_false(utf8_valid((struct str){text, n}));
    }
}

/* Every sequence of two bytes, and of three with a lead byte, against the
 * definition by code points. */
static unsigned
bytes_after(unsigned char first)
{
    return first < 0x80             ? 0
           : (first & 0xE0) == 0xC0 ? 1
           : (first & 0xF0) == 0xE0 ? 2
           : (first & 0xF8) == 0xF0 ? 3
                                    : 9;
}

static bool
is_scalar(uint32_t point, unsigned more)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};

    return point >= least[more] && point <= 0x10FFFF &&
           (point < 0xD800 || point > 0xDFFF);
}

static bool
valid_by_decoding(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned more = bytes_after(p[i]);
        uint32_t point = p[i] & (0x7Fu >> (more > 0 ? more + 1 : 0));

        if (more > 3 || n - i <= more) {
            return false;
        }
        for (unsigned k = 0; k < more; k++) {
            if ((p[++i] & 0xC0) != 0x80) {
                return false;
            }
            point = point << 6 | (p[i] & 0x3Fu);
        }
        if (!is_scalar(point, more)) {
            return false;
        }
    }
    return true;
}

static void
agrees_with_the_definition_for_all_short_texts(void **state)
{
    (void)state;
    for (unsigned v = 0; v < 1u << 24; v++) {
        unsigned char b[4] = {(unsigned char)(v >> 16), (unsigned char)(v >> 8),
                              (unsigned char)v, 0x80};
        size_t n = b[0] >= 0xF0 ? 4 : 3;
        struct str text = {(const char *)b, n};

        if (utf8_valid(text) != valid_by_decoding(b, n)) {
            fail_msg("differs at %06x", v);
        }
    }
}

static void
a_cut_never_halves_a_character(void **state)
{
    struct str text = STR("a\xC3\xA9\xF0\x9F\x98\x80z");
    static const size_t expected[] = {0, 1, 1, 3, 3, 3, 3, 7, 8, 8};

    (void)state;
    for (size_t max = 0; max < COUNT_OF(expected); max++) {
        assert_int_equal(utf8_cut(text, max).n, expected[max]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_every_good_text_cut_anywhere),
        cmocka_unit_test(refuses_at_the_first_byte_that_cannot_be_right),
        cmocka_unit_test(a_text_that_ends_inside_a_character_is_not_complete),
        cmocka_unit_test(agrees_with_the_definition_for_all_short_texts),
        cmocka_unit_test(a_cut_never_halves_a_character),
    };

    return cmocka_run_group_tests_name("codec/utf8", tests, NULL, NULL);
}
