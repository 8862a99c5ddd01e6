/* SPDX-License-Identifier: MIT */
#include "provider/breakers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void
each_id_has_one_that_stays(void **state)
{
    struct breakers *all = breakers_new();
    struct breaker *a = breakers_of(all, "a"), *b = breakers_of(all, "b");

    (void)state;
    assert_ptr_not_equal(a, b);
    assert_true(breaker_fail(a, 1000, 5000));
    for (int i = 0; i < 100; i++) {
        assert_ptr_equal(breakers_of(all, "a"), a);
        assert_ptr_equal(breakers_of(all, "b"), b);
    }
    assert_int_equal(breaker_state(a, 1000), BREAKER_OPEN);
    assert_int_equal(breaker_state(b, 1000), BREAKER_CLOSED);
    breakers_free(all);
    breakers_free(NULL);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_id_has_one_that_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
