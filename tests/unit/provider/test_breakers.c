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

static unsigned closed;

static void
on_closed(const char *id)
{
    assert_string_equal(id, "a");
    closed++;
}

static void
whom_nobody_asks_for_any_more_is_retired(void **state)
{
    struct breakers *all = breakers_new();
    struct breaker *a = breakers_of(all, "a"), *b = breakers_of(all, "b");

    (void)state;
    assert_true(breaker_fail(a, 1000, 5000));
    assert_true(breaker_fail(b, 1000, 5000));
    breakers_sweep(all, on_closed);
    assert_int_equal(closed, 0);
    (void)breakers_of(all, "b");
    breakers_sweep(all, on_closed);
    assert_int_equal(closed, 1);
    assert_int_equal(breaker_state(a, 1000), BREAKER_CLOSED);
    assert_int_equal(breaker_state(b, 1000), BREAKER_OPEN);
    (void)breakers_of(all, "b");
    breakers_sweep(all, on_closed);
    assert_int_equal(closed, 1);
    assert_false(breaker_fail(a, 1000, 5000));
    assert_ptr_equal(breakers_of(all, "a"), a);
    assert_true(breaker_fail(a, 1000, 5000));
    breakers_free(all);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_id_has_one_that_stays),
        cmocka_unit_test(whom_nobody_asks_for_any_more_is_retired),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
