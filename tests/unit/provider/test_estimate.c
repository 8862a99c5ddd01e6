/* SPDX-License-Identifier: MIT */
#include "provider/estimate.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
counts_quarters_of_a_token_by_script(void **state)
{
    static const struct {
        struct str text;
        uint64_t tokens;
    } rows[] = {
        {STR(""), 0},
        {STR("a"), 1},
        {STR("four"), 1},
        {STR("fives"), 2},
        {STR("The quick brown fox jumps over it."), 9},
        {STR("\xC3\xA4\xC3\xB6"), 1}, /* Latin */
        {STR("\xD0\x9F\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82"), 3},
        {STR("\xE6\xBC\xA2\xE5\xAD\x97"), 2}, /* Han */
        {STR("\xF0\x9F\x98\x80"), 2},         /* emoji */
        {STR("\xE6\xBC\xA2 ok"), 2},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(estimate_tokens(rows[i].text), rows[i].tokens);
        assert_int_equal(estimate_message_tokens(rows[i].text),
                         rows[i].tokens + 4);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_quarters_of_a_token_by_script),
    };

    return cmocka_run_group_tests_name("provider/estimate", tests, NULL, NULL);
}
