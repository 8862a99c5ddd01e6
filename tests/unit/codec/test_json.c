/* SPDX-License-Identifier: MIT */
#include "codec/json.h"

#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* In an allocation of its own size, so that a sanitizer sees reading beyond. */
static bool
valid(struct str text, unsigned depth)
{
    char *copy = xmalloc(text.n + (text.n == 0));
    bool ok;

    if (text.n > 0) {
        memcpy(copy, text.p, text.n);
    }
    ok = json_valid((struct str){copy, text.n}, depth);
    xfree(copy);
    return ok;
}

static const struct str good[] = {
    STR("{}"),
    STR("[]"),
    STR(" \t\r\n{ } \n"),
    STR("null"),
    STR("true"),
    STR("[false]"),
    STR("0"),
    STR("-0"),
    STR("-0.0e-0"),
    STR("12.5E+10"),
    STR("1e999"),
    STR("123456789012345678901234567890"),
    STR("\"\""),
    STR("\"plain text of some length, ascii\""),
    STR("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\u00E4\""),
    STR("\"\\u0000\""),
    STR("\"\\ud83d\\ude00\""),
    STR("\"\\uDBFF\\uDFFF\""),
    STR("\"\x7F\""),
    STR("\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\""),
    STR("{\"a\":1,\"b\":[1,2,{\"c\":null}],\"d\":{}}"),
    STR("{\"a\":1,\"a\":2}"),
    STR("[[],[],[[]]]"),
    STR("[1 , 2\n,\t3]"),
};

static const struct str bad[] = {
    STR(""),
    STR(" "),
    STR("{"),
    STR("}"),
    STR("["),
    STR("]"),
    STR("[}"),
    STR("{]"),
    STR("[1}"),
    STR("{\"a\":1]"),
    STR("[1,]"),
    STR("[,1]"),
    STR("[,]"),
    STR("[1,,2]"),
    STR("[1 2]"),
    STR("{,}"),
    STR("{\"a\"}"),
    STR("{\"a\":}"),
    STR("{\"a\":1,}"),
    STR("{\"a\":1,,\"b\":2}"),
    STR("{\"a\":1 \"b\":2}"),
    STR("{\"a\" 1}"),
    STR("{a:1}"),
    STR("{1:1}"),
    STR("{'a':1}"),
    STR("{} {}"),
    STR("{}x"),
    STR("nul"),
    STR("nulll"),
    STR("True"),
    STR("NaN"),
    STR("Infinity"),
    STR("-"),
    STR("+1"),
    STR("01"),
    STR("-01"),
    STR("1."),
    STR(".5"),
    STR("1.e5"),
    STR("1e"),
    STR("1e+"),
    STR("0x10"),
    STR("1_0"),
    STR("\""),
    STR("\"abc"),
    STR("\"abcdefghi"),
    STR("\"abc\\"),
    STR("\"abc\\\""),
    STR("\"\\x\""),
    STR("\"\\\0\""),
    STR("\"\\a\""),
    STR("\"\\u\""),
    STR("\"\\u12\""),
    STR("\"\\u12G4\""),
    STR("\"\\U0041\""),
    STR("\"\\ud83d\""),
    STR("\"\\ud83dx\""),
    STR("\"\\ud83d\\n\""),
    STR("\"\\ud83d\\u0041\""),
    STR("\"\\ud83d\\ud83d\""),
    STR("\"\\ude00\""),
    STR("\"\\ud83d\\ude0\""),
    STR("\"a\nb\""),
    STR("\"a\tb\""),
    STR("\"12345678\x1F\""),
    STR("\"\0\""),
    STR("\"\x80\""),
    STR("\"\xC3\""),
    STR("\"\xC0\x80\""),
    STR("\"\xE0\x80\x80\""),
    STR("\"\xED\xA0\x80\""),
    STR("\"\xF4\x90\x80\x80\""),
    STR("\"1234567\xFF"
        "9\""),
    STR("\xEF\xBB\xBF{}"),
    STR("{}\0"),
    STR("/* c */ {}"),
    STR("{\"\\ud83d\":1}"),
};

static void
accepts_what_the_rfc_accepts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        if (!valid(good[i], JSON_DEPTH_MAX)) {
            fail_msg("refused: %.*s", STR_ARG(good[i]));
        }
    }
}

static void
refuses_everything_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (valid(bad[i], JSON_DEPTH_MAX)) {
            fail_msg("accepted %zu: %.*s", i, STR_ARG(bad[i]));
        }
    }
}

static void
refuses_every_beginning_of_a_text(void **state)
{
    struct str text = STR("{\"a\":[1,{\"b\":\"\\u00e4 long plain text\"}],"
                          "\"c\":true,\"d\":null}");

    (void)state;
    assert_true(valid(text, 3));
    for (size_t n = 0; n < text.n; n++) {
        assert_false(valid((struct str){text.p, n}, 3));
    }
}

static void
counts_the_outermost_container_as_level_one(void **state)
{
    char text[2 * JSON_DEPTH_MAX + 2];

    (void)state;
    assert_true(valid(STR("[[{}]]"), 3));
    assert_false(valid(STR("[[{}]]"), 2));
    assert_true(valid(STR("1"), 0));
    assert_false(valid(STR("[]"), 0));
    for (size_t n = 1; n <= JSON_DEPTH_MAX + 1; n++) {
        memset(text, '[', n);
        memset(text + n, ']', n);
        assert_int_equal(valid((struct str){text, 2 * n}, JSON_DEPTH_MAX),
                         n <= JSON_DEPTH_MAX);
    }
}

/* What the path of a token reads, in one pass. */
struct chunk {
    struct json_text content;
    struct json_text finish;
    int64_t tokens;
};

static void
read_usage(struct json_scan *s, struct chunk *out)
{
    struct json_text key;
    struct str number;

    json_scan_enter(s, '{');
    while (json_scan_member(s, &key)) {
        if (json_text_is(&key, STR("total_tokens"))) {
            if (json_scan_number(s, &number) &&
                !json_to_i64(number, &out->tokens)) {
                json_scan_fail(s);
            }
        } else {
            json_scan_skip(s);
        }
    }
}

static bool
read_chunk(struct str text, struct chunk *out)
{
    struct json_scan s;
    struct json_text key;

    *out = (struct chunk){.tokens = -1};
    json_scan_init(&s, text);
    json_scan_enter(&s, '{');
    while (json_scan_member(&s, &key)) {
        if (json_text_is(&key, STR("content"))) {
            json_scan_string(&s, &out->content);
        } else if (json_text_is(&key, STR("finish"))) {
            json_scan_string(&s, &out->finish);
        } else if (json_text_is(&key, STR("usage"))) {
            read_usage(&s, out);
        } else {
            json_scan_skip(&s);
        }
    }
    return json_scan_end(&s);
}

static void
finds_members_in_any_order_and_skips_the_rest(void **state)
{
    struct chunk c;

    (void)state;
    assert_true(read_chunk(
        STR("{\"x\":[1,[2,{\"content\":\"no\"}],{}],\"usage\":{\"a\":{},"
            "\"total_tokens\":42},\"conten\":1,\"f\\u0069nish\":\"stop\","
            "\"content\":\"Hel\\nlo\",\"y\":-1.5e3}"),
        &c));
    assert_true(json_text_is(&c.content, STR("Hel\nlo")));
    assert_true(json_text_is(&c.finish, STR("stop")));
    assert_false(json_text_is(&c.finish, STR("stopp")));
    assert_int_equal(c.tokens, 42);
}

static void
a_value_of_another_type_fails_the_scan(void **state)
{
    static const struct str wrong[] = {
        STR("{\"content\":1}"),
        STR("{\"content\":null}"),
        STR("{\"content\":[\"x\"]}"),
        STR("{\"usage\":[]}"),
        STR("{\"usage\":{\"total_tokens\":\"1\"}}"),
        STR("{\"usage\":{\"total_tokens\":1.5}}"),
        STR("{\"usage\":{\"total_tokens\":1}"),
        STR("[\"content\"]"),
    };
    struct chunk c;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_false(read_chunk(wrong[i], &c));
    }
}

static void
a_member_that_is_not_read_fails_the_scan(void **state)
{
    struct json_scan s;
    struct json_text key;

    (void)state;
    json_scan_init(&s, STR("{\"a\":1,\"b\":2}"));
    assert_true(json_scan_enter(&s, '{'));
    assert_true(json_scan_member(&s, &key));
    assert_false(json_scan_member(&s, &key));
    assert_true(s.failed);
    assert_int_equal(json_scan_peek(&s), '\0');
    assert_false(json_scan_skip(&s));
}

static void
reads_booleans_nulls_and_elements(void **state)
{
    struct json_scan s;
    bool yes = false, no = true;
    struct str number = {NULL, 0};

    (void)state;
    json_scan_init(&s, STR("[true,false,null,-7]"));
    assert_true(json_scan_enter(&s, '['));
    assert_true(json_scan_element(&s) && json_scan_bool(&s, &yes));
    assert_true(json_scan_element(&s) && json_scan_bool(&s, &no));
    assert_true(yes && !no);
    assert_true(json_scan_element(&s) && json_scan_peek(&s) == 'n');
    assert_true(json_scan_null(&s));
    assert_true(json_scan_element(&s) && json_scan_number(&s, &number));
    assert_true(str_is(number, "-7"));
    assert_false(json_scan_end(&s));
    assert_false(json_scan_element(&s));
    assert_true(json_scan_end(&s));
}

static void
unescapes_as_the_rfc_says(void **state)
{
    static const struct {
        struct str in, out;
    } rows[] = {
        {STR("\"\""), STR("")},
        {STR("\"ab\""), STR("ab")},
        {STR("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), STR("\"\\/\b\f\n\r\t")},
        {STR("\"x\\u0000y\""), STR("x\0y")},
        {STR("\"\\u007F\\u0080\\u07fF\\u0800\\uFFFF\""),
         STR("\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF")},
        {STR("\"\\uD800\\uDC00\\uDBFF\\uDFFF\""),
         STR("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF")},
        {STR("\"a\\nb\\\\n\\u0041\xC3\xA4\""), STR("a\nb\\nA\xC3\xA4")},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct json_scan s;
        struct json_text text;
        struct buf out;

        json_scan_init(&s, rows[i].in);
        assert_true(json_scan_string(&s, &text) && json_scan_end(&s));
        buf_init(&out, 100);
        json_unescape(&text, &out);
        assert_true(str_eq(buf_str(&out), rows[i].out));
        buf_fini(&out);
    }
}

static void
integers_are_exact_or_refused(void **state)
{
    static const struct {
        struct str in;
        int64_t value;
        bool ok;
    } rows[] = {
        {STR("0"), 0, true},
        {STR("-0"), 0, true},
        {STR("42"), 42, true},
        {STR("9223372036854775807"), INT64_MAX, true},
        {STR("9223372036854775808"), 0, false},
        {STR("-9223372036854775808"), INT64_MIN, true},
        {STR("-9223372036854775809"), 0, false},
        {STR("1.0"), 0, false},
        {STR("1e3"), 0, false},
        {STR(""), 0, false},
        {STR("-"), 0, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t value = 0;

        assert_int_equal(json_to_i64(rows[i].in, &value), rows[i].ok);
        assert_true(value == rows[i].value);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_what_the_rfc_accepts),
        cmocka_unit_test(refuses_everything_else),
        cmocka_unit_test(refuses_every_beginning_of_a_text),
        cmocka_unit_test(counts_the_outermost_container_as_level_one),
        cmocka_unit_test(finds_members_in_any_order_and_skips_the_rest),
        cmocka_unit_test(a_value_of_another_type_fails_the_scan),
        cmocka_unit_test(a_member_that_is_not_read_fails_the_scan),
        cmocka_unit_test(reads_booleans_nulls_and_elements),
        cmocka_unit_test(unescapes_as_the_rfc_says),
        cmocka_unit_test(integers_are_exact_or_refused),
    };

    return cmocka_run_group_tests_name("codec/json", tests, NULL, NULL);
}
