/* SPDX-License-Identifier: MIT */
#include "codec/http1_chars.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define ALPHA "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGIT "0123456789"
#define SUB_DELIMS "!$&'()*+,;="
#define UNRESERVED ALPHA DIGIT "-._~"

/* The sets as the RFCs write them. */
static const struct {
    unsigned char_class;
    const char *set;
} classes[] = {
    {HTTP1_CHARS_TOKEN, ALPHA DIGIT "!#$%&'*+-.^_`|~"},
    {HTTP1_CHARS_PATH, UNRESERVED SUB_DELIMS ":@/%"},
    {HTTP1_CHARS_QUERY, UNRESERVED SUB_DELIMS ":@/?%"},
    {HTTP1_CHARS_HOST, UNRESERVED SUB_DELIMS "%"},
    {HTTP1_CHARS_HEX, DIGIT "abcdefABCDEF"},
};

static void
the_table_holds_exactly_the_sets_of_the_standards(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        for (size_t i = 0; i < COUNT_OF(classes); i++) {
            bool in = c != 0 && strchr(classes[i].set, c) != NULL && c < 128;

            if (http1_chars_is((char)c, classes[i].char_class) != in) {
                fail_msg("byte %02x, class %u", (unsigned)c,
                         classes[i].char_class);
            }
        }
        assert_int_equal(http1_chars_is((char)c, HTTP1_CHARS_VALUE),
                         c == '\t' || (c >= ' ' && c != 0x7F));
    }
}

static void
a_run_ends_at_the_first_other_byte(void **state)
{
    (void)state;
    assert_int_equal(http1_chars_run(STR("abc:"), HTTP1_CHARS_TOKEN), 3);
    assert_int_equal(http1_chars_run(STR(""), HTTP1_CHARS_TOKEN), 0);
    assert_true(http1_chars_all(STR("abc"), HTTP1_CHARS_TOKEN));
    assert_false(http1_chars_all(STR("a c"), HTTP1_CHARS_TOKEN));
    assert_false(http1_chars_all(STR(""), HTTP1_CHARS_TOKEN));
}

static void
hexadecimal_digits_have_their_values(void **state)
{
    const char *digits = "0123456789abcdef";

    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(http1_chars_hex(digits[i]), i);
    }
    assert_int_equal(http1_chars_hex('A'), 10);
    assert_int_equal(http1_chars_hex('F'), 15);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_holds_exactly_the_sets_of_the_standards),
        cmocka_unit_test(a_run_ends_at_the_first_other_byte),
        cmocka_unit_test(hexadecimal_digits_have_their_values),
    };

    return cmocka_run_group_tests_name("codec/http1_chars", tests, NULL, NULL);
}
