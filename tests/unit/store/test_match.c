/* SPDX-License-Identifier: MIT */
#include "store/match.h"

#include "base/check.h"
#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static bool
in(const char *wanted, size_t wanted_n, const char *text, size_t text_n)
{
    /* Of exactly this size, so that a byte too far is seen. */
    char *copy = xmemdup(text, text_n);
    struct match m;
    bool found;

    match_init(&m, (struct str){wanted, wanted_n});
    found = match_in(&m, (struct str){copy, text_n});
    match_fini(&m);
    xfree(copy);
    return found;
}

static bool
contains(const char *text, const char *wanted)
{
    return in(wanted, strlen(wanted), text, strlen(text));
}

static void
a_text_is_found_wherever_it_stands(void **state)
{
    static const struct {
        const char *text;
        const char *wanted;
        bool expected;
    } cases[] = {
        {"", "", true},          {"a", "", true},
        {"", "a", false},        {"a", "a", true},
        {"a", "ab", false},      {"abc", "a", true},
        {"abc", "b", true},      {"abc", "c", true},
        {"abc", "abc", true},    {"abc", "abcd", false},
        {"aab", "ab", true},     {"ababac", "abac", true},
        {"abab", "ba b", false}, {"a%b_c\\d", "%b_c\\", true},
        {"aXb", "a%b", false},   {"aXb", "a_b", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (contains(cases[i].text, cases[i].wanted) != cases[i].expected) {
            fail_msg("\"%s\" in \"%s\"", cases[i].wanted, cases[i].text);
        }
    }
}

/* Each pair is the same but for case, or it is not. */
static void
case_does_not_count_in_any_script(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        bool same;
    } cases[] = {
        {"AZ", "az", true},
        {"@[`{", "`{@[", false},
        {"ÀÖØÞ", "àöøþ", true},
        {"×", "÷", false},
        {"ß", "ẞ", true},
        {"ß", "ss", false},
        {"Ÿ", "ÿ", true},
        {"Ĺž", "ĺŽ", true},
        {"ΣΑΣ", "σας", true},
        {"ά", "Ά", true},
        {"ЁЖ", "ёж", true},
        {"Ա", "ա", true},
        {"K", "k", true} /* kelvin */,
        {"µ", "μ", true} /* micro */,
        {"Ⅷ", "ⅷ", true},
        {"Ａ", "ａ", true},
        {"𐐀", "𐐨", true},
        {"𞤀", "𞤢", true},
        {"é", "e", false},
        {"日本", "日本", true},
        {"İ", "i", false},
        {"ꙀꙁꙂ", "ꙁꙀꙃ", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (contains(cases[i].a, cases[i].b) != cases[i].same ||
            contains(cases[i].b, cases[i].a) != cases[i].same) {
            fail_msg("\"%s\" and \"%s\"", cases[i].a, cases[i].b);
        }
    }
}

static void
bytes_that_are_no_text_are_themselves(void **state)
{
    static const struct {
        const char *text;
        const char *wanted;
        bool expected;
    } cases[] = {
        {"\xff", "\xff", true},
        {"\xff", "\xfe", false},
        {"\xc3", "\xc3\xa9", false},
        {"\xc3\xa9", "\xc3", false}, /* half of a character */
        {"\xe2\x82", "\xe2\x82", true},
        {"\xf0\x9f\x98", "\x9f", true},
        {"a\xc3z", "A\xc3Z", true},
        {"\xf5\x80\x80\x80", "\x80\x80", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(contains(cases[i].text, cases[i].wanted),
                         cases[i].expected);
    }
    assert_true(in("b\0C", 3, "ab\0cd", 5));
    assert_false(in("b\0d", 3, "ab\0cd", 5));
}

static void
a_text_cut_anywhere_is_read_to_its_end_and_no_further(void **state)
{
    static const char text[] = "aß€😀";

    (void)state;
    for (size_t n = 0; n < sizeof(text); n++) {
        assert_int_equal(in("😀", 4, text, n), n >= sizeof(text) - 1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_found_wherever_it_stands),
        cmocka_unit_test(case_does_not_count_in_any_script),
        cmocka_unit_test(bytes_that_are_no_text_are_themselves),
        cmocka_unit_test(a_text_cut_anywhere_is_read_to_its_end_and_no_further),
    };

    return cmocka_run_group_tests_name("store/match", tests, NULL, NULL);
}
