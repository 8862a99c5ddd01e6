/* SPDX-License-Identifier: MIT */
#include "chat/budget_account.h"

#include "base/check.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* --- accounts ----------------------------------------------------------- */

static const struct budget_amount none = {0, 0};

static void
expect(const struct budget_account *a, uint32_t number, int64_t tokens,
       int64_t nanos)
{
    struct budget_amount used = budget_account_used(a, BUDGET_DAY, number);

    assert_int_equal(used.tokens, tokens);
    assert_int_equal(used.nanos, nanos);
}

static void
load(struct budget_account *a, uint32_t number, int64_t tokens, int64_t nanos)
{
    for (int p = 0; p < BUDGET_PERIODS; p++) {
        budget_account_load(a, (enum budget_period)p, number,
                            (struct budget_amount){tokens, nanos});
    }
}

static void
it_is_ready_once_it_is_known_what_was_used(void **state)
{
    struct budget_account a = {0};

    (void)state;
    assert_false(budget_account_ready(&a));
    budget_account_load(&a, BUDGET_DAY, 7, none);
    assert_false(budget_account_ready(&a));
    budget_account_load(&a, BUDGET_MONTH, 7, none);
    assert_true(budget_account_ready(&a));
    load(&a, 7, 100, 200); /* somebody comes second */
    expect(&a, 7, 0, 0);
}

static void
a_new_period_begins_with_nothing(void **state)
{
    struct budget_account a = {0};

    (void)state;
    load(&a, 7, 10, 20);
    budget_account_add(&a, BUDGET_DAY, 7, (struct budget_amount){1, 2});
    expect(&a, 7, 11, 22);
    expect(&a, 8, 0, 0);
    budget_account_add(&a, BUDGET_DAY, 8, (struct budget_amount){3, 4});
    expect(&a, 8, 3, 4);
    /* A clock that is behind counts in the later one. */
    budget_account_add(&a, BUDGET_DAY, 7, (struct budget_amount){1, 1});
    expect(&a, 8, 4, 5);
    expect(&a, 7, 4, 5);
}

static void
what_is_taken_back_is_not_more_than_there_is(void **state)
{
    struct budget_account a = {0};

    (void)state;
    load(&a, 7, 10, 20);
    budget_account_add(&a, BUDGET_DAY, 7, (struct budget_amount){-4, -5});
    expect(&a, 7, 6, 15);
    budget_account_add(&a, BUDGET_DAY, 7, (struct budget_amount){-100, -100});
    expect(&a, 7, 0, 0);
    budget_account_add(&a, BUDGET_DAY, 7,
                       (struct budget_amount){BUDGET_AMOUNT_MAX, 0});
    budget_account_add(&a, BUDGET_DAY, 7,
                       (struct budget_amount){BUDGET_AMOUNT_MAX, 0});
    expect(&a, 7, BUDGET_AMOUNT_MAX, 0);
}

static void
nothing_is_taken_that_reaches_a_limit(void **state)
{
    static const struct {
        struct budget_amount amount, limit;
        bool taken;
    } cases[] = {
        {{89, 0}, {100, 0}, true},     {{90, 0}, {100, 0}, false},
        {{1000, 1000}, {0, 0}, true},  {{0, 79}, {0, 100}, true},
        {{0, 80}, {0, 100}, false},    {{89, 80}, {100, 100}, false},
        {{90, 79}, {100, 100}, false}, {{89, 79}, {100, 100}, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct budget_account a = {0};
        struct budget_amount amount = cases[i].amount;

        load(&a, 7, 10, 20);
        assert_int_equal(
            budget_account_take(&a, BUDGET_DAY, 7, amount, cases[i].limit),
            cases[i].taken);
        expect(&a, 7, 10 + (cases[i].taken ? amount.tokens : 0),
               20 + (cases[i].taken ? amount.nanos : 0));
    }
}

/* --- many at once ------------------------------------------------------- */

#define THREADS 4
#define TRIES 20000
#define LIMIT 30000

static struct budget_account shared;

static void *
take_many(void *arg)
{
    int64_t *taken = arg;

    for (int i = 0; i < TRIES; i++) {
        *taken += budget_account_take(&shared, BUDGET_DAY, 7,
                                      (struct budget_amount){3, 1},
                                      (struct budget_amount){LIMIT, 0})
                      ? 3
                      : 0;
        budget_account_add(&shared, BUDGET_MONTH, 7,
                           (struct budget_amount){1, 1});
    }
    return NULL;
}

static void
of_many_who_try_at_once_none_gets_beyond(void **state)
{
    pthread_t threads[THREADS];
    int64_t taken[THREADS] = {0}, sum = 0;

    (void)state;
    load(&shared, 7, 0, 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, take_many, &taken[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        sum += taken[i];
    }
    assert_int_equal(sum, LIMIT - 3); /* the last step would reach it */
    expect(&shared, 7, sum, sum / 3);
    assert_int_equal(budget_account_used(&shared, BUDGET_MONTH, 7).tokens,
                     THREADS * TRIES);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_ready_once_it_is_known_what_was_used),
        cmocka_unit_test(a_new_period_begins_with_nothing),
        cmocka_unit_test(what_is_taken_back_is_not_more_than_there_is),
        cmocka_unit_test(nothing_is_taken_that_reaches_a_limit),
        cmocka_unit_test(of_many_who_try_at_once_none_gets_beyond),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
