/* SPDX-License-Identifier: MIT */
#include "provider/price.h"

#include "base/check.h"
#include "provider/provider.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
a_price_is_a_decimal_number_of_units(void **state)
{
    static const struct {
        struct str text;
        int64_t nanos; /* -1: none */
    } cases[] = {
        {STR("0"), 0},
        {STR("0.0"), 0},
        {STR("2.50"), 2500000000},
        {STR("0.000000001"), 1},
        {STR("12"), 12000000000},
        {STR("100000"), 100000 * PRICE_UNIT},
        {STR("100000.000000000"), 100000 * PRICE_UNIT},
        {STR("99999.999999999"), 100000 * PRICE_UNIT - 1},
        {STR("100000.000000001"), -1},
        {STR("100001"), -1},
        {STR("99999999999999999999999"), -1},
        {STR("0.0000000001"), -1},
        {STR(""), -1},
        {STR("."), -1},
        {STR("1."), -1},
        {STR(".5"), -1},
        {STR("01"), -1},
        {STR("-1"), -1},
        {STR("+1"), -1},
        {STR(" 1"), -1},
        {STR("1 "), -1},
        {STR("1,5"), -1},
        {STR("1.5.0"), -1},
        {STR("1e3"), -1},
        {STR("$1"), -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t nanos = -1;
        bool ok = price_read(cases[i].text, PRICE_MAX, &nanos);

        assert_int_equal(nanos, cases[i].nanos);
        assert_int_equal(ok, cases[i].nanos >= 0);
    }
}

static void
each_token_has_one_price_and_the_sum_is_rounded_once(void **state)
{
    static const struct {
        struct price price; /* nanos a million tokens */
        struct provider_usage tokens;
        int64_t nanos;
    } cases[] = {
        {{0, 0, 0, 0}, {100, 200, 300, 10, 20}, 0},
        /* 2.50, 1.25, 10, 20 units */
        {{2500000000, 1250000000, 10000000000, 20000000000},
         {1000000, 1000000, 0, 0, 0},
         12500000000},
        {{2500000000, 1250000000, 10000000000, 20000000000},
         {100, 50, 150, 40, 30},
         60 * 2500 + 40 * 1250 + 20 * 10000 + 30 * 20000},
        {{2500000000, 1250000000, 10000000000, 20000000000},
         {7, 5, 12, 7, 5},
         7 * 1250 + 5 * 20000},
        /* Each half alone would be rounded up. */
        {{250000, 0, 250000, 0}, {1, 1, 2, 0, 0}, 1},
        {{499999, 0, 0, 0}, {1, 0, 1, 0, 0}, 0},
        {{500000, 0, 0, 0}, {1, 0, 1, 0, 0}, 1},
        {{499999, 0, 0, 0}, {3, 0, 3, 0, 0}, 1},
        /* The most that there can be. */
        {{PRICE_MAX * PRICE_UNIT, 0, PRICE_MAX * PRICE_UNIT, 0},
         {INT32_MAX, INT32_MAX, 0, 0, 0},
         2 * (int64_t)INT32_MAX * PRICE_MAX * 1000},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(price_cost(&cases[i].price, &cases[i].tokens),
                         cases[i].nanos);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_price_is_a_decimal_number_of_units),
        cmocka_unit_test(each_token_has_one_price_and_the_sum_is_rounded_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
