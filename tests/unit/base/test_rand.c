/* SPDX-License-Identifier: MIT */
#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
ids_are_32_lower_case_digits_and_never_the_same(void **state)
{
    static char ids[2000][RAND_ID_CHARS + 1];

    (void)state;
    for (int i = 0; i < 2000; i++) {
        rand_id(ids[i]);
        assert_int_equal(strlen(ids[i]), RAND_ID_CHARS);
        assert_int_equal(strspn(ids[i], "0123456789abcdef"), RAND_ID_CHARS);
        for (int k = 0; k < i; k += 97) {
            assert_string_not_equal(ids[i], ids[k]);
        }
    }
}

static void
stays_below_its_bound(void **state)
{
    int seen[3] = {0};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint64_t value = rand_below(3);

        assert_true(value < 3);
        seen[value] = 1;
    }
    assert_int_equal(seen[0] + seen[1] + seen[2], 3);
    assert_int_equal(rand_below(1), 0);
}

static void
fills_more_than_its_reserve(void **state)
{
    unsigned char big[1000];
    unsigned long sum = 0;

    (void)state;
    memset(big, 0, sizeof(big));
    rand_bytes(big, sizeof(big));
    for (size_t i = 500; i < sizeof(big); i++) {
        sum += big[i];
    }
    assert_true(sum > 0);
    assert_ptr_equal(rand_process_key(), rand_process_key());
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_32_lower_case_digits_and_never_the_same),
        cmocka_unit_test(stays_below_its_bound),
        cmocka_unit_test(fills_more_than_its_reserve),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
