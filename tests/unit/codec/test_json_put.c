/* SPDX-License-Identifier: MIT */
#include "codec/json.h"

#include "base/xalloc.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
writes_strings_that_read_back_equal(void **state)
{
    static const struct {
        struct str in;
        const char *out;
    } rows[] = {
        {STR(""), "\"\""},
        {{NULL, 0}, "\"\""},
        {STR("plain"), "\"plain\""},
        {STR("a\"b\\c/d"), "\"a\\\"b\\\\c/d\""},
        {STR("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
        {STR("\0\x01\x1F\x7F"), "\"\\u0000\\u0001\\u001f\x7F\""},
        {STR("\xC3\xA4 and \xF0\x9F\x98\x80\n"),
         "\"\xC3\xA4 and \xF0\x9F\x98\x80\\n\""},
        {STR("\x80"), "\"\xEF\xBF\xBD\""},
        {STR("a\xFF\xC3"), "\"a\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {STR("\"\xED\xA0\x80\xC3\xA4\n"),
         "\"\\\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xC3\xA4\\n\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf b;
        char *text;

        buf_init(&b, 200);
        json_put_string(&b, rows[i].in);
        assert_true(json_valid(buf_str(&b), 0));
        text = buf_give(&b);
        assert_string_equal(text, rows[i].out);
        xfree(text);
    }
}

static void
every_byte_at_every_place_of_a_word_is_escaped_or_kept(void **state)
{
    (void)state;
    for (int c = 0; c < 0x80; c++) {
        for (size_t at = 0; at < 20; at++) {
            char in[20];
            struct buf b;
            json_t *value;

            memset(in, 'x', sizeof(in));
            in[at] = (char)c;
            buf_init(&b, 100);
            json_put_string(&b, (struct str){in, sizeof(in)});
            value =
                json_loadb(b.p, b.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
            assert_int_equal(json_string_length(value), sizeof(in));
            assert_memory_equal(json_string_value(value), in, sizeof(in));
            json_decref(value);
            buf_fini(&b);
        }
    }
}

static void
puts_commas_where_they_belong(void **state)
{
    struct buf b;
    char *text;

    (void)state;
    buf_init(&b, 200);
    buf_putc(&b, '{');
    json_put_member(&b, "a", STR("{["));
    json_put_member_i64(&b, "b", -5);
    json_put_member_bool(&b, "c", true);
    json_put_key(&b, "d");
    buf_putc(&b, '[');
    for (int i = 0; i < 3; i++) {
        json_put_comma(&b);
        json_put_string(&b, STR(","));
    }
    buf_putc(&b, ']');
    json_put_key(&b, "e");
    buf_puts(&b, "{}");
    json_put_member_bool(&b, "f", false);
    buf_putc(&b, '}');
    text = buf_give(&b);
    assert_string_equal(text, "{\"a\":\"{[\",\"b\":-5,\"c\":true,\"d\":[\",\","
                              "\",\",\",\"],\"e\":{},\"f\":false}");
    xfree(text);
}

static void
billionths_are_decimal_numbers(void **state)
{
    static const struct {
        int64_t nanos;
        const char *text;
    } cases[] = {
        {0, "\"n\":0"},
        {1, "\"n\":0.000000001"},
        {10, "\"n\":0.00000001"},
        {999999999, "\"n\":0.999999999"},
        {1000000000, "\"n\":1"},
        {1000000001, "\"n\":1.000000001"},
        {12340000000, "\"n\":12.34"},
        {INT64_MAX, "\"n\":9223372036.854775807"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf b;
        char *text;

        buf_init(&b, 64);
        json_put_member_nanos(&b, "n", cases[i].nanos);
        text = buf_give(&b);
        assert_string_equal(text, cases[i].text);
        xfree(text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_strings_that_read_back_equal),
        cmocka_unit_test(
            every_byte_at_every_place_of_a_word_is_escaped_or_kept),
        cmocka_unit_test(puts_commas_where_they_belong),
        cmocka_unit_test(billionths_are_decimal_numbers),
    };

    return cmocka_run_group_tests_name("codec/json_put", tests, NULL, NULL);
}
