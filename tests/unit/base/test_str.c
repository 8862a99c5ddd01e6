/* SPDX-License-Identifier: MIT */
#include "base/str.h"

#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
compares_with_and_without_case(void **state)
{
    (void)state;
    assert_true(str_eq(STR("a\0b"), STR("a\0b")));
    assert_false(str_eq(STR("a\0b"), STR("a\0c")));
    assert_true(str_eq(STR(""), (struct str){NULL, 0}));
    assert_true(str_is_nocase(STR("BeArEr"), "bearer"));
    assert_false(str_is_nocase(STR("bearers"), "bearer"));
    assert_false(str_is_nocase(STR("@"), "`"));
    assert_true(str_is(str_from(NULL), ""));
}

static void
orders_bytewise_and_shorter_first(void **state)
{
    (void)state;
    assert_true(str_cmp(STR("a"), STR("b")) < 0);
    assert_true(str_cmp(STR("ab"), STR("a")) > 0);
    assert_true(str_cmp(STR("a"), STR("ab")) < 0);
    assert_int_equal(str_cmp(STR("a"), STR("a")), 0);
    assert_true(str_cmp(STR("\xff"), STR("a")) > 0);
}

static void
finds_beginnings_ends_and_parts(void **state)
{
    (void)state;
    assert_true(str_starts(STR("bearer.x"), STR("bearer.")));
    assert_false(str_starts(STR("bear"), STR("bearer.")));
    assert_true(str_ends(STR("a/messages"), STR("/messages")));
    assert_false(str_ends(STR("s"), STR("/messages")));
    assert_true(str_contains_nocase(STR("xSECRETx"), STR("secret")));
    assert_false(str_contains_nocase(STR("secre"), STR("secret")));
    assert_true(str_contains_nocase(STR("secre"), STR("")));
}

static void
trims_what_http_calls_white_space(void **state)
{
    (void)state;
    assert_true(str_is(str_trim(STR(" \t\r\na b\n ")), "a b"));
    assert_int_equal(str_trim(STR(" \t")).n, 0);
    assert_true(str_is(str_trim_end(STR(" \t\r\na b\n ")), " \t\r\na b"));
    assert_int_equal(str_trim_end(STR(" \t")).n, 0);
}

static void
splits_into_every_part_even_empty_ones(void **state)
{
    static const char *const expected[] = {"", "a", "", "b", ""};
    struct str rest = STR("/a//b/"), part;
    size_t n = 0;

    (void)state;
    while (str_split(&rest, '/', &part)) {
        assert_true(n < 5);
        assert_true(str_is(part, expected[n++]));
    }
    assert_int_equal(n, 5);
    rest = STR("");
    assert_true(str_split(&rest, '/', &part));
    assert_int_equal(part.n, 0);
    assert_false(str_split(&rest, '/', &part));
}

static void
reads_whole_decimal_numbers_only(void **state)
{
    static const char *const bad[] = {
        "", " 1", "1 ", "+1", "-1", "0x1", "1a", "18446744073709551616"};
    uint64_t value = 7;

    (void)state;
    assert_true(str_to_u64(STR("18446744073709551615"), UINT64_MAX, &value));
    assert_true(value == UINT64_MAX);
    assert_true(str_to_u64(STR("007"), 7, &value));
    assert_int_equal(value, 7);
    assert_false(str_to_u64(STR("8"), 7, &value));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(str_to_u64(str_from(bad[i]), UINT64_MAX, &value));
    }
}

static void
compares_secrets_of_any_length(void **state)
{
    (void)state;
    assert_true(str_eq_secret(STR("abc"), STR("abc")));
    assert_false(str_eq_secret(STR("abc"), STR("abd")));
    assert_false(str_eq_secret(STR("abc"), STR("ab")));
    assert_false(str_eq_secret(STR(""), STR("a")));
    assert_true(str_eq_secret(STR(""), STR("")));
}

static void
duplicates_with_a_nul_behind(void **state)
{
    char *copy = str_dup((struct str){"abc", 2});

    (void)state;
    assert_string_equal(copy, "ab");
    xfree(copy);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares_with_and_without_case),
        cmocka_unit_test(orders_bytewise_and_shorter_first),
        cmocka_unit_test(finds_beginnings_ends_and_parts),
        cmocka_unit_test(trims_what_http_calls_white_space),
        cmocka_unit_test(splits_into_every_part_even_empty_ones),
        cmocka_unit_test(reads_whole_decimal_numbers_only),
        cmocka_unit_test(compares_secrets_of_any_length),
        cmocka_unit_test(duplicates_with_a_nul_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
