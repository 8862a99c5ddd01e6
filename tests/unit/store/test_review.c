/* SPDX-License-Identifier: MIT */
#include "store/review.h"

#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
test_a_new_one_filters_nothing(void **state)
{
    struct review *r = review_new();

    (void)state;
    assert_int_equal(r->active, REVIEW_ANY);
    assert_int_equal(r->assisted, REVIEW_ANY);
    assert_int_equal(r->help, REVIEW_ANY);
    assert_int_equal(r->order, REVIEW_START);
    assert_false(r->ascending);
    assert_int_equal(r->from_ms, 0);
    assert_true(r->to_ms == INT64_MAX);
    review_free(r);
    review_free(NULL);
}

/* The sanitizers tell whether anything is left. */
static void
test_everything_in_it_is_freed(void **state)
{
    struct review *r = review_new();

    (void)state;
    r->event = (struct review_event){.actor = xstrdup("a"),
                                     .action = xstrdup("b"),
                                     .sid = xstrdup("c"),
                                     .detail = xstrdup("d")};
    r->events = xcalloc(2, sizeof(*r->events));
    r->events[0].actor = xstrdup("e");
    r->events[1].detail = xstrdup("f");
    r->event_count = 2;
    review_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_one_filters_nothing),
        cmocka_unit_test(test_everything_in_it_is_freed),
    };

    return cmocka_run_group_tests_name("store/review", tests, NULL, NULL);
}
