/* SPDX-License-Identifier: MIT */
#include "chat/bill.h"

#include "base/metrics.h"
#include "chat/terms.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* 3, 1, 15 and 30 units for a million. */
static const struct price price = {3000000000, 1000000000, 15000000000,
                                   30000000000};

static void
what_no_provider_told_is_estimated_and_says_so(void **state)
{
    struct usage u = bill_estimate(11, 2);

    (void)state;
    assert_true(u.present && u.estimated);
    assert_int_equal(u.prompt_tokens, 11);
    assert_int_equal(u.completion_tokens, 2);
    bill_settle(&u, &price);
    assert_int_equal(u.total_tokens, 13);
    assert_int_equal(u.cost_nanos, 11 * 3000 + 2 * 15000);
}

static void
a_total_that_was_told_stays(void **state)
{
    struct usage u = {.prompt_tokens = 10,
                      .completion_tokens = 6,
                      .total_tokens = 20,
                      .present = true,
                      .cached_tokens = 4,
                      .reasoning_tokens = 5};

    (void)state;
    bill_settle(&u, &price);
    assert_int_equal(u.total_tokens, 20);
    assert_int_equal(u.cost_nanos, 6 * 3000 + 4 * 1000 + 15000 + 5 * 30000);
    bill_settle(&u, &price); /* the same again */
    assert_int_equal(u.cost_nanos, 6 * 3000 + 4 * 1000 + 15000 + 5 * 30000);
}

static void
each_kind_is_counted_once(void **state)
{
    struct usage u = {10, 6, 16, true, false, 4, 5, 99};
    struct provider_slots slots = {.kinds = {1, 2, 3, 4}, .estimated = 5};

    (void)state;
    metrics_thread_init();
    bill_count(&u, &slots);
    assert_int_equal(metric_value(METRIC_LLM_TOKENS, 1), 6);
    assert_int_equal(metric_value(METRIC_LLM_TOKENS, 2), 4);
    assert_int_equal(metric_value(METRIC_LLM_TOKENS, 3), 1);
    assert_int_equal(metric_value(METRIC_LLM_TOKENS, 4), 5);
    assert_int_equal(metric_value(METRIC_LLM_TOKENS_ESTIMATED, 5), 0);
    assert_int_equal(metric_value(METRIC_TOKENS_USED, 0), 16);
    assert_int_equal(metric_value(METRIC_LLM_COST, 0), 99);
    u.estimated = true;
    bill_count(&u, &slots);
    assert_int_equal(metric_value(METRIC_LLM_TOKENS_ESTIMATED, 5), 16);
    metrics_fini();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_no_provider_told_is_estimated_and_says_so),
        cmocka_unit_test(a_total_that_was_told_stays),
        cmocka_unit_test(each_kind_is_counted_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
