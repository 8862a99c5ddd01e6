/* SPDX-License-Identifier: MIT */
#include "proto/blame.h"

#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
names_the_member_that_a_byte_belongs_to(void **state)
{
    /* The byte is the one that the mark stands for. */
    static const struct {
        const char *frame;
        const char *field;
    } rows[] = {
        {"{\"a\":1,\"a@\":2}", "a"},
        {"{\"a@\":1,\"b\":2}", "a"},
        {"{\"a\":1 , \"b\" : [1,@2] }", "b"},
        {"{\"\\u0061@\":1}", "a"},
        {"{\"x\":{\"y\":1,\"y@\":2}}", "x"},
        {"{\"metadata@\":{\"a\":1}}", "metadata"},
        {"{\"metadata\":{\"a\":1,\"a@\":2}}", "metadata.a"},
        {"{\"metadata\":{\"a\":{\"b\":1,\"b@\":2}}}", "metadata.a"},
        {"{\"metadata\":[@]}", "metadata"},
        {"{\"a\":1}@", ""},
        {"[{\"a@\":1}]", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char field[PROTO_FIELD_NAME_MAX] = "?";
        char *frame = xstrdup(rows[i].frame);
        char *mark = strchr(frame, '@');

        memmove(mark, mark + 1, strlen(mark));
        blame_at(str_from(frame), (size_t)(mark - frame), field);
        assert_string_equal(field, rows[i].field);
        xfree(frame);
    }
}

#define SEVEN "[[[[[[[]]]]]]]"

static void
names_the_member_that_is_not_valid(void **state)
{
    static const struct {
        const char *frame;
        const char *field;
    } rows[] = {
        {"{\"a\":1,\"b\":\"\\ud800\"}", "b"},
        {"{\"a\":\"\\ud83d\\ude00\",\"b\":\"\\ude00\\ud83d\"}", "b"},
        {"{\"\\ud83d\\ude00\":\"\\uDBFF\"}", "\xf0\x9f\x98\x80"},
        {"{\"a\":\"\\\\ud800\",\"b\":\"\\udfff\"}", "b"},
        {"{\"metadata\":{\"a\":\"1\",\"b\":\"\\udc00\"}}", "metadata.b"},
        {"{\"metadata\":{\"\\udc00\":\"1\"}}", "metadata"},
        {"{\"metadata\":[\"\\udc00\"]}", "metadata"},
        {"{\"\\ud800\":1}", ""},
        {"{\"a\":" SEVEN ",\"b\":[" SEVEN "]}", "b"},
        {"{\"metadata\":{\"k\":" SEVEN "}}", "metadata.k"},
        {"[\"\\ud800\"]", ""},
        {"[[" SEVEN "]]", ""},
        {"\"\\ud800\"", ""},
        {"", ""},
        {"{\"a\":\"\\ud800\"", ""},
        {"{\"a\":\"\\ud80", ""},
        {"{\"a\":\"\\ud8\"}", ""},
        {"{\"a\":\"\\", ""},
        {"{\"a\":\"\\ud800\",}", ""},
        {"nonsense", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char field[PROTO_FIELD_NAME_MAX] = "?";
        size_t n = strlen(rows[i].frame);
        char *frame = xmemdup(rows[i].frame, n);

        blame_invalid((struct str){frame, n}, field);
        assert_string_equal(field, rows[i].field);
        xfree(frame);
    }
}

static void
does_not_quote_a_name_that_is_too_long(void **state)
{
    char frame[2 * PROTO_FIELD_NAME_MAX] = "{\"";
    char field[PROTO_FIELD_NAME_MAX] = "?";
    static const char end[] = "\":\"\\ud800\"}";

    (void)state;
    memset(frame + 2, 'a', PROTO_FIELD_NAME_MAX);
    memcpy(frame + 2 + PROTO_FIELD_NAME_MAX, end, sizeof(end));
    blame_invalid(str_from(frame), field);
    assert_string_equal(field, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_member_that_a_byte_belongs_to),
        cmocka_unit_test(names_the_member_that_is_not_valid),
        cmocka_unit_test(does_not_quote_a_name_that_is_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
