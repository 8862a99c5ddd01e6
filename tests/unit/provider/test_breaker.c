/* SPDX-License-Identifier: MIT */
#include "provider/breaker.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define T0 1000000

/* Fails until it opens, at now_ms. */
static void
open_at(struct breaker *b, uint64_t now_ms)
{
    for (int i = 1; i < BREAKER_FAILURES; i++) {
        assert_false(breaker_fail(b, now_ms, -1));
        assert_true(breaker_admit(b, now_ms));
    }
    assert_true(breaker_fail(b, now_ms, -1));
}

static void
it_opens_after_failures_in_a_row_only(void **state)
{
    struct breaker b = {0};

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int i = 1; i < BREAKER_FAILURES; i++) {
            assert_false(breaker_fail(&b, T0, -1));
        }
        assert_false(breaker_succeed(&b));
    }
    assert_int_equal(breaker_state(&b, T0), BREAKER_CLOSED);
    open_at(&b, T0);
    assert_int_equal(breaker_state(&b, T0), BREAKER_OPEN);
    assert_false(breaker_admit(&b, T0));
    assert_false(breaker_admit(&b, T0 + BREAKER_OPEN_MS - 1));
}

static void
half_open_lets_one_probe_through(void **state)
{
    struct breaker b = {0};
    uint64_t later = T0 + BREAKER_OPEN_MS;

    (void)state;
    open_at(&b, T0);
    assert_int_equal(breaker_state(&b, later), BREAKER_HALF_OPEN);
    assert_true(breaker_admit(&b, later));
    assert_false(breaker_admit(&b, later));
    assert_int_equal(breaker_state(&b, later), BREAKER_HALF_OPEN);
    assert_true(breaker_succeed(&b));
    assert_int_equal(breaker_state(&b, later), BREAKER_CLOSED);
    assert_true(breaker_admit(&b, later));
    assert_false(breaker_succeed(&b));
}

static void
each_probe_that_fails_doubles_the_wait_up_to_a_maximum(void **state)
{
    struct breaker b = {0};
    uint64_t now = T0, wait = BREAKER_OPEN_MS;

    (void)state;
    open_at(&b, now);
    for (int i = 0; i < 12; i++) {
        assert_false(breaker_admit(&b, now + wait - 1));
        now += wait;
        assert_true(breaker_admit(&b, now));
        assert_false(breaker_fail(&b, now, -1)); /* it was open */
        wait = 2 * wait < BREAKER_OPEN_MAX_MS ? 2 * wait : BREAKER_OPEN_MAX_MS;
    }
    assert_false(breaker_admit(&b, now + BREAKER_OPEN_MAX_MS - 1));
    now += BREAKER_OPEN_MAX_MS;
    assert_true(breaker_admit(&b, now));
    assert_true(breaker_succeed(&b));
    open_at(&b, now); /* from the beginning again */
    assert_true(breaker_admit(&b, now + BREAKER_OPEN_MS));
}

static void
failures_of_before_are_no_news_while_it_is_open(void **state)
{
    struct breaker b = {0};

    (void)state;
    open_at(&b, T0);
    for (int i = 0; i < 1000; i++) {
        assert_false(breaker_fail(&b, T0 + 1, -1));
    }
    assert_false(breaker_admit(&b, T0 + BREAKER_OPEN_MS - 1));
    assert_true(breaker_admit(&b, T0 + BREAKER_OPEN_MS));
}

static void
a_probe_that_is_given_up_or_forgotten_makes_room(void **state)
{
    struct breaker b = {0};
    uint64_t now = T0 + BREAKER_OPEN_MS;

    (void)state;
    breaker_give_up(&b, T0); /* nothing to give up */
    assert_int_equal(breaker_state(&b, T0), BREAKER_CLOSED);
    open_at(&b, T0);
    breaker_give_up(&b, T0);
    assert_false(breaker_admit(&b, T0));
    assert_true(breaker_admit(&b, now));
    breaker_give_up(&b, now);
    assert_true(breaker_admit(&b, now));
    assert_false(breaker_admit(&b, now + BREAKER_PROBE_MS - 1));
    assert_true(breaker_admit(&b, now + BREAKER_PROBE_MS));
}

static void
what_the_provider_asks_for_is_kept(void **state)
{
    struct breaker b = {0};

    (void)state;
    assert_true(breaker_fail(&b, T0, 2000));
    assert_int_equal(breaker_state(&b, T0), BREAKER_OPEN);
    assert_false(breaker_fail(&b, T0, 1000)); /* the longest counts */
    assert_false(breaker_admit(&b, T0 + 1999));
    assert_true(breaker_admit(&b, T0 + 2000));
    assert_false(breaker_fail(&b, T0 + 2000, INT64_MAX));
    assert_false(breaker_admit(&b, T0 + 2000 + BREAKER_OPEN_MAX_MS - 1));
    assert_true(breaker_admit(&b, T0 + 2000 + BREAKER_OPEN_MAX_MS));
}

static void
a_retired_one_is_opened_by_nothing_until_it_is_revived(void **state)
{
    struct breaker b = {0};

    (void)state;
    assert_false(breaker_retire(&b)); /* it was closed */
    for (int i = 0; i < 2 * BREAKER_FAILURES; i++) {
        assert_false(breaker_fail(&b, T0, 5000));
    }
    assert_false(breaker_succeed(&b));
    breaker_give_up(&b, T0);
    assert_false(breaker_fail(&b, T0, 5000));
    assert_true(breaker_admit(&b, T0));
    assert_int_equal(breaker_state(&b, T0), BREAKER_CLOSED);
    breaker_revive(&b);
    open_at(&b, T0);
    breaker_revive(&b); /* was not retired */
    assert_int_equal(breaker_state(&b, T0), BREAKER_OPEN);
    assert_true(breaker_retire(&b));
    assert_false(breaker_retire(&b));
    assert_int_equal(breaker_state(&b, T0), BREAKER_CLOSED);
    breaker_revive(&b);
    open_at(&b, T0); /* from the beginning again */
}

/* --- threads ------------------------------------------------------------ */

#define THREADS 4
#define TIMES 20000

struct work {
    pthread_t thread;
    struct breaker *b;
    unsigned admitted, opened, closed;
};

/* Asks at one moment, T0 + OPEN, and fails or succeeds in turn. */
static void *
hammer(void *cookie)
{
    struct work *w = cookie;

    for (int i = 0; i < TIMES; i++) {
        w->admitted += breaker_admit(w->b, T0 + BREAKER_OPEN_MAX_MS);
        w->opened += breaker_fail(w->b, T0, -1);
        if (i % 7 == 0) {
            w->closed += breaker_succeed(w->b);
        }
    }
    return NULL;
}

static void
every_opening_and_closing_is_told_once(void **state)
{
    struct breaker b = {0};
    struct work all[THREADS];
    unsigned opened = 0, closed = 0;

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        all[i] = (struct work){.b = &b};
        assert_int_equal(pthread_create(&all[i].thread, NULL, hammer, &all[i]),
                         0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(all[i].thread, NULL), 0);
        opened += all[i].opened;
        closed += all[i].closed;
    }
    closed += breaker_succeed(&b);
    assert_true(opened > 0);
    assert_int_equal(opened, closed);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_opens_after_failures_in_a_row_only),
        cmocka_unit_test(half_open_lets_one_probe_through),
        cmocka_unit_test(
            each_probe_that_fails_doubles_the_wait_up_to_a_maximum),
        cmocka_unit_test(failures_of_before_are_no_news_while_it_is_open),
        cmocka_unit_test(a_probe_that_is_given_up_or_forgotten_makes_room),
        cmocka_unit_test(what_the_provider_asks_for_is_kept),
        cmocka_unit_test(
            a_retired_one_is_opened_by_nothing_until_it_is_revived),
        cmocka_unit_test(every_opening_and_closing_is_told_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
