/* SPDX-License-Identifier: MIT */
#include "proto/sanitise.h"

#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
trims_every_white_space_of_unicode(void **state)
{
    static const char *const spaces[] = {" ",
                                         "\t",
                                         "\n",
                                         "\v",
                                         "\f",
                                         "\r",
                                         "\xc2\x85",
                                         "\xc2\xa0",
                                         "\xe1\x9a\x80",
                                         "\xe2\x80\x80",
                                         "\xe2\x80\x8a",
                                         "\xe2\x80\xa8",
                                         "\xe2\x80\xaf",
                                         "\xe2\x81\x9f",
                                         "\xe3\x80\x80"};

    (void)state;
    for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
        char room[64];
        struct str s = {room, 0};
        const char *parts[] = {spaces[i], spaces[i], "a",
                               spaces[i], "b",       spaces[i]};

        for (size_t k = 0; k < 6; k++) {
            for (const char *c = parts[k]; *c != '\0'; c++) {
                room[s.n++] = *c;
            }
        }
        s = sanitise_trim(s);
        assert_int_equal(s.p[0], 'a');
        assert_int_equal(s.p[s.n - 1], 'b');
        assert_int_equal(s.n, 2 + str_from(spaces[i]).n);
    }
}

static void
leaves_what_only_looks_like_white_space(void **state)
{
    struct str zero_width = STR("\xe2\x80\x8b"
                                "a"
                                "\xef\xbb\xbf");

    (void)state;
    assert_true(str_eq(sanitise_trim(zero_width), zero_width));
    assert_int_equal(sanitise_trim(STR("  \xc2\xa0 ")).n, 0);
    assert_int_equal(sanitise_trim(STR("")).n, 0);
}

static void
removes_nul_bytes_before_trimming(void **state)
{
    struct str raw = STR("\0 \0a\0b \0");
    char room[16];
    size_t used;

    (void)state;
    assert_true(str_is(sanitise_text(raw, room, &used), "ab"));
    assert_int_equal(used, 4);
    assert_null(sanitise_text(STR("\0 \0"), room, &used).p);
}

static void
takes_nul_bytes_out_of_names_only(void **state)
{
    static const struct {
        const char *json;
        const char *left;
    } rows[] = {
        {"{\"a\\u0000b\":\"c\\u0000\"}", "{\"ab\":\"c\\u0000\"}"},
        {"{\"\\u0000\\u0000\" \n:1}", "{\"\" \n:1}"},
        {"{\"\\\\u0000\":1,\"\\\\\\u0000\":2}", "{\"\\\\u0000\":1,\"\\\\\":2}"},
        {"[\"\\u0000\",{\"x\":{\"\\u0000y\":[\"\\u0000:\"]}}]",
         "[\"\\u0000\",{\"x\":{\"y\":[\"\\u0000:\"]}}]"},
        {"{\"\\\"\\u0000\":\":\\u0000\"}", "{\"\\\"\":\":\\u0000\"}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *json = xstrdup(rows[i].json);
        size_t n = sanitise_names(json, strlen(json));

        assert_true(sanitise_has_nul(str_from(rows[i].json)));
        assert_true(str_is((struct str){json, n}, rows[i].left));
        xfree(json);
    }
    assert_false(sanitise_has_nul(STR("{\"a\":\"\\u0001\"}")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trims_every_white_space_of_unicode),
        cmocka_unit_test(leaves_what_only_looks_like_white_space),
        cmocka_unit_test(removes_nul_bytes_before_trimming),
        cmocka_unit_test(takes_nul_bytes_out_of_names_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
