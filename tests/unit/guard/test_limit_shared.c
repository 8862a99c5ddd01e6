/* SPDX-License-Identifier: MIT */
#include "guard/limit_shared.h"

#include "base/check.h"
#include "guard/limit.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_US UINT64_C(1000000)
#define DAY_US (86400 * SECOND_US)

static bool
ask(struct limit_shared *l, unsigned n, uint64_t now_us)
{
    return limit_shared_check(l, (struct str){(char *)&n, sizeof(n)}, now_us,
                              NULL);
}

static void
the_whole_limit_may_come_at_once_and_then_refills_evenly(void **state)
{
    struct limit_shared *l = limit_shared_new(10, 1000, 100);
    uint64_t now = 5 * SECOND_US, wait_ms;

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_true(ask(l, 1, now));
    }
    assert_false(ask(l, 1, now));
    assert_false(ask(l, 1, now + 99999));
    assert_true(ask(l, 1, now + 100000));
    assert_false(
        limit_shared_check(l, STR("\1\0\0\0"), now + 150500, &wait_ms));
    assert_int_equal(wait_ms, 50);
    assert_true(ask(l, 1, now + 350000));
    assert_true(ask(l, 1, now + 350000));
    assert_false(ask(l, 1, now + 399999));
    limit_shared_free(l);
    limit_shared_free(NULL);
}

static void
equals_the_limiter_of_one_thread_when_there_is_room(void **state)
{
    struct limit_shared *shared = limit_shared_new(30, 60000, 1 << 16);
    struct limit *exact = limit_new(30, 60000, 1 << 16);
    uint64_t now = 3 * SECOND_US, seed = 7;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        unsigned k = (unsigned)(seed >> 33) % 20;
        struct str key = {(char *)&k, sizeof(k)};
        uint64_t a_ms = 0, b_ms = 0;
        bool a, b;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        now += (seed >> 40) % 100000;
        a = limit_shared_check(shared, key, now, &a_ms);
        b = limit_check(exact, key, now, &b_ms);
        assert_int_equal(a, b);
        assert_int_equal(a_ms, b_ms);
        if (i % 5000 == 0) {
            assert_int_equal(limit_shared_purge(shared, now),
                             limit_purge(exact, now));
            assert_int_equal(limit_shared_count(shared), limit_count(exact));
        }
    }
    limit_free(exact);
    limit_shared_free(shared);
}

static void
peek_answers_like_check_and_counts_nothing(void **state)
{
    struct limit_shared *l = limit_shared_new(2, 1000, 100);
    uint64_t wait_ms = 0;

    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_true(limit_shared_peek(l, STR("a"), SECOND_US, &wait_ms));
    }
    assert_int_equal(limit_shared_count(l), 0);
    assert_true(limit_shared_check(l, STR("a"), SECOND_US, NULL));
    assert_true(limit_shared_peek(l, STR("a"), SECOND_US, NULL));
    assert_true(limit_shared_check(l, STR("a"), SECOND_US, NULL));
    assert_false(limit_shared_peek(l, STR("a"), SECOND_US, &wait_ms));
    assert_int_equal(wait_ms, 500);
    assert_true(limit_shared_peek(l, STR("a"), SECOND_US + 500000, NULL));
    limit_shared_free(l);
}

/* Every 8 hours a purge; a bucket is never taken for another one's time,
 * although the clock of a word wraps several times. */
static void
time_goes_round_without_anybody_noticing(void **state)
{
    static const uint64_t windows_ms[] = {60000, 3 * 86400000u,
                                          30 * (uint64_t)86400000};

    (void)state;
    for (size_t w = 0; w < COUNT_OF(windows_ms); w++) {
        struct limit_shared *l = limit_shared_new(1, windows_ms[w], 100);

        for (uint64_t now = SECOND_US; now < 400 * DAY_US; now += DAY_US / 3) {
            limit_shared_purge(l, now);
            if (limit_shared_peek(l, STR("a"), now, NULL)) {
                assert_true(limit_shared_check(l, STR("a"), now, NULL));
            }
            assert_false(limit_shared_peek(l, STR("a"), now + 1, NULL));
            assert_true(limit_shared_peek(l, STR("b"), now, NULL));
        }
        limit_shared_free(l);
    }
}

static void
a_thread_whose_clock_is_behind_finds_the_bucket_empty_too(void **state)
{
    struct limit_shared *l = limit_shared_new(3, 60000, 100);

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_true(ask(l, 1, 100 * SECOND_US));
    }
    assert_false(ask(l, 1, 100 * SECOND_US - 1));
    assert_false(ask(l, 1, 70 * SECOND_US));
    limit_shared_free(l);
}

static void
a_flood_of_keys_admits_new_ones_and_keeps_its_size(void **state)
{
    struct limit_shared *l = limit_shared_new(3, 60000, 1000);

    (void)state;
    for (unsigned k = 0; k < 200000; k++) {
        assert_true(ask(l, k, SECOND_US + k));
    }
    assert_int_equal(limit_shared_count(l), 1024);
    assert_int_equal(limit_shared_purge(l, 1000 * SECOND_US), 1024);
    assert_int_equal(limit_shared_count(l), 0);
    limit_shared_free(l);
}

/* The one with the least debt is forgotten: whoever has used up its limit is
 * not, as long as the flood's addresses have used less; and whoever is new has
 * all of it. */
static void
a_million_addresses_neither_free_the_greedy_nor_harm_the_new(void **state)
{
    enum { FLOOD = 1000000, GREEDY = FLOOD, NEW = FLOOD + 1 };
    struct limit_shared *l = limit_shared_new(5, 60000, 1000);
    unsigned greedy = GREEDY;
    struct str key = {(char *)&greedy, sizeof(greedy)};

    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_true(ask(l, GREEDY, SECOND_US));
    }
    for (unsigned k = 0; k < FLOOD; k++) {
        uint64_t now = SECOND_US + k * 10, wait_ms = 0;

        assert_true(ask(l, k, now));
        if (k % 1000 == 0) {
            assert_false(limit_shared_check(l, key, now, &wait_ms));
            assert_int_equal(wait_ms, 12000 - k / 100);
        }
    }
    assert_int_equal(limit_shared_count(l), 1024);
    for (unsigned n = 0; n < 100 * 6; n++) {
        assert_int_equal(ask(l, NEW + n / 6, 11 * SECOND_US), n % 6 < 5);
    }
    limit_shared_free(l);
}

/* --- threads -------------------------------------------------------------- */

enum { THREADS = 4, ASKS = 50000, ADDRESSES = 8 };

static struct limit_shared *contended;
static atomic_int admitted;

static void *
hammer(void *arg)
{
    unsigned first = *(unsigned *)arg;

    for (unsigned i = 0; i < ASKS; i++) {
        if (ask(contended, (first + i) % ADDRESSES, SECOND_US)) {
            atomic_fetch_add(&admitted, 1);
        }
    }
    return NULL;
}

static void
threads_together_admit_exactly_the_limit(void **state)
{
    pthread_t threads[THREADS];
    unsigned first[THREADS];

    (void)state;
    contended = limit_shared_new(500, 60000, 1000);
    atomic_store(&admitted, 0);
    for (unsigned i = 0; i < THREADS; i++) {
        first[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &first[i]),
                         0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&admitted), 500 * ADDRESSES);
    assert_int_equal(limit_shared_count(contended), ADDRESSES);
    limit_shared_free(contended);
}

static atomic_bool stop;

static void *
purge_on(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        limit_shared_purge(contended, SECOND_US);
    }
    return NULL;
}

/* Req 11.3 */
static void
a_purge_beside_it_takes_nothing_that_counts(void **state)
{
    pthread_t purger, asker;
    unsigned first = 0;

    (void)state;
    contended = limit_shared_new(500, 60000, 1000);
    atomic_store(&admitted, 0);
    atomic_store(&stop, false);
    assert_int_equal(pthread_create(&purger, NULL, purge_on, NULL), 0);
    assert_int_equal(pthread_create(&asker, NULL, hammer, &first), 0);
    pthread_join(asker, NULL);
    atomic_store(&stop, true);
    pthread_join(purger, NULL);
    assert_int_equal(atomic_load(&admitted), 500 * ADDRESSES);
    limit_shared_free(contended);
}

static unsigned
left_of(struct limit_shared *l, unsigned n, uint64_t now_us)
{
    unsigned left = 0;

    while (ask(l, n, now_us)) {
        left++;
    }
    return left;
}

static void
a_new_table_goes_on_where_the_old_one_was(void **state)
{
    static const struct {
        uint64_t count, window_ms;
        unsigned left; /* after 3 of 4 in 4 s were used */
    } rows[] = {
        {4, 4000, 1},    {100, 4000, 97}, {100, 60000, 97},  {3, 4000, 0},
        {1, 3600000, 0}, {5, 3600000, 2}, {5, 864000000, 2}, /* ten days: in
                                                                coarser units */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct limit_shared *old = limit_shared_new(4, 4000, 100);
        struct limit_shared *l =
            limit_shared_new(rows[i].count, rows[i].window_ms, 100);
        uint64_t now = 7 * SECOND_US;

        for (int n = 0; n < 3; n++) {
            assert_true(ask(old, 1, now));
        }
        assert_true(ask(old, 3, now - 5 * SECOND_US)); /* full by now */
        limit_shared_inherit(l, old, now);
        assert_int_equal(limit_shared_count(l), 1);
        limit_shared_free(old);
        assert_int_equal(left_of(l, 1, now), rows[i].left);
        assert_int_equal(left_of(l, 2, now), rows[i].count);
        limit_shared_free(l);
    }
}

static void
a_table_of_another_size_begins_anew(void **state)
{
    struct limit_shared *old = limit_shared_new(1, 4000, 100);
    struct limit_shared *l = limit_shared_new(1, 4000, 1000);

    (void)state;
    assert_true(ask(old, 1, SECOND_US));
    limit_shared_inherit(l, old, SECOND_US);
    assert_int_equal(limit_shared_count(l), 0);
    assert_true(ask(l, 1, SECOND_US));
    limit_shared_free(l);
    limit_shared_free(old);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            the_whole_limit_may_come_at_once_and_then_refills_evenly),
        cmocka_unit_test(equals_the_limiter_of_one_thread_when_there_is_room),
        cmocka_unit_test(peek_answers_like_check_and_counts_nothing),
        cmocka_unit_test(time_goes_round_without_anybody_noticing),
        cmocka_unit_test(
            a_thread_whose_clock_is_behind_finds_the_bucket_empty_too),
        cmocka_unit_test(a_flood_of_keys_admits_new_ones_and_keeps_its_size),
        cmocka_unit_test(
            a_million_addresses_neither_free_the_greedy_nor_harm_the_new),
        cmocka_unit_test(a_new_table_goes_on_where_the_old_one_was),
        cmocka_unit_test(a_table_of_another_size_begins_anew),
        cmocka_unit_test(threads_together_admit_exactly_the_limit),
        cmocka_unit_test(a_purge_beside_it_takes_nothing_that_counts),
    };

    return cmocka_run_group_tests_name("guard/limit_shared", tests, NULL, NULL);
}
