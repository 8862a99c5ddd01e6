/* SPDX-License-Identifier: MIT */
#include "guard/limit.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_US UINT64_C(1000000)

static struct str
key_of(uint64_t n, char room[static 24])
{
    return (struct str){
        room, (size_t)snprintf(room, 24, "k%llu", (unsigned long long)n)};
}

static bool
ask(struct limit *l, uint64_t n, uint64_t now_us)
{
    char room[24];

    return limit_check(l, key_of(n, room), now_us, NULL);
}

static void
the_whole_limit_may_come_at_once_and_then_refills_evenly(void **state)
{
    struct limit *l = limit_new(10, 1000, 100); /* one in 100 ms */
    uint64_t now = 5 * SECOND_US;

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_true(ask(l, 1, now));
    }
    assert_false(ask(l, 1, now));
    assert_false(ask(l, 1, now + 99999));
    assert_true(ask(l, 1, now + 100000));
    assert_false(ask(l, 1, now + 100000));
    assert_true(ask(l, 1, now + 350000));
    assert_true(ask(l, 1, now + 350000));
    assert_false(ask(l, 1, now + 399999));
    for (int i = 0; i < 10; i++) {
        assert_true(ask(l, 1, now + 60 * SECOND_US));
    }
    assert_false(ask(l, 1, now + 60 * SECOND_US));
    limit_free(l);
}

/* Waiting that long is enough, and waiting 1 ms less is not. */
static void
retry_after_is_exact(void **state)
{
    static const struct {
        uint64_t count, window_ms;
    } rows[] = {{1, 1},       {1, 60000},   {7, 60000},  {100, 60000},
                {3, 1000},    {20, 333},    {60, 60000}, {1000, 1000},
                {100000, 10}, {1, 86400000}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (uint64_t offset_us = 0; offset_us < 3000; offset_us += 371) {
            struct limit *l = limit_new(rows[i].count, rows[i].window_ms, 10);
            uint64_t now = 77 * SECOND_US, wait_ms = 0;

            while (limit_check(l, STR("k"), now, &wait_ms)) {
            }
            now += offset_us;
            if (!limit_check(l, STR("k"), now, &wait_ms)) {
                assert_true(wait_ms >= 1);
                assert_false(
                    limit_check(l, STR("k"), now + (wait_ms - 1) * 1000, NULL));
                assert_true(
                    limit_check(l, STR("k"), now + wait_ms * 1000, NULL));
            }
            limit_free(l);
        }
    }
}

static void
a_refusal_costs_nothing(void **state)
{
    struct limit *l = limit_new(1, 1000, 10);

    (void)state;
    assert_true(ask(l, 1, SECOND_US));
    for (uint64_t t = SECOND_US; t < 2 * SECOND_US; t += 1000) {
        assert_false(ask(l, 1, t));
    }
    assert_true(ask(l, 1, 2 * SECOND_US));
    limit_free(l);
}

static uint64_t
next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

/* The model: how many are still in the bucket, as a fraction of nanoseconds;
 * a leaky bucket written the other way round. */
static void
equals_a_leaky_bucket_per_key_while_the_table_is_not_full(void **state)
{
    enum { KEYS = 40, STEPS = 200000 };
    const uint64_t interval_ns = 60000000000u / 7;
    uint64_t level_ns[KEYS] = {0}, at_us[KEYS] = {0}, seed = 42;
    uint64_t now = 3 * SECOND_US;
    struct limit *l = limit_new(7, 60000, KEYS);

    (void)state;
    for (int i = 0; i < STEPS; i++) {
        size_t k = next_random(&seed) % KEYS;
        uint64_t passed_ns;
        bool expected;

        now += next_random(&seed) % 400000;
        passed_ns = (now - at_us[k]) * 1000;
        level_ns[k] = level_ns[k] > passed_ns ? level_ns[k] - passed_ns : 0;
        at_us[k] = now;
        expected = level_ns[k] + interval_ns <= 7 * interval_ns;
        level_ns[k] += expected ? interval_ns : 0;
        assert_int_equal(ask(l, k, now), expected);
        if (i % 1000 == 0) {
            limit_purge(l, now);
        }
    }
    assert_true(limit_count(l) <= KEYS);
    limit_free(l);
}

static void
keys_do_not_share(void **state)
{
    struct limit *l = limit_new(1, 60000, 1000);

    (void)state;
    for (uint64_t k = 0; k < 1000; k++) {
        assert_true(ask(l, k, SECOND_US));
    }
    for (uint64_t k = 0; k < 1000; k++) {
        assert_false(ask(l, k, SECOND_US));
    }
    assert_int_equal(limit_count(l), 1000);
    limit_free(l);
}

static void
at_the_maximum_the_key_idle_longest_is_forgotten(void **state)
{
    struct limit *l = limit_new(1, 60000, 100);

    (void)state;
    for (uint64_t k = 0; k < 100; k++) {
        assert_true(ask(l, k, SECOND_US + k));
    }
    assert_false(ask(l, 0, SECOND_US + 200)); /* used again: 1 is idlest */
    assert_true(ask(l, 100, SECOND_US + 201));
    assert_int_equal(limit_count(l), 100);
    assert_false(ask(l, 0, SECOND_US + 202));
    assert_false(ask(l, 2, SECOND_US + 203));
    assert_true(ask(l, 1, SECOND_US + 204)); /* forgotten: 3 goes for it */
    assert_false(ask(l, 4, SECOND_US + 205));
    assert_true(ask(l, 3, SECOND_US + 206));
    limit_free(l);
}

static void
a_flood_of_keys_stays_within_the_maximum_and_admits_new_ones(void **state)
{
    struct limit *l = limit_new(5, 60000, 1000);

    (void)state;
    for (uint64_t k = 0; k < 100000; k++) {
        assert_true(ask(l, k, SECOND_US));
        assert_true(limit_count(l) <= 1000);
    }
    limit_free(l);
}

/* A hundred users who come back within every max_keys others, among a million
 * who come once. Whoever is new is admitted; whoever comes back has what the
 * model of a bucket without any table says. */
static void
honest_users_keep_their_exact_limits_among_a_million_keys(void **state)
{
    enum { FLOOD = 1000000, HONEST = 100, EVERY = 50 };
    const uint64_t interval_ns = 60000000000u / 5;
    uint64_t full_ns[HONEST] = {0};
    struct limit *l = limit_new(5, 60000, 10000);
    size_t admitted = 0;

    (void)state;
    for (uint64_t i = 0; i < FLOOD; i++) {
        uint64_t now = SECOND_US + i * 300, k = i / EVERY % HONEST;
        uint64_t from_ns = full_ns[k] > now * 1000 ? full_ns[k] : now * 1000;
        bool expected = from_ns - now * 1000 <= 4 * interval_ns;

        assert_true(ask(l, HONEST + i, now));
        if (i % EVERY == 0) {
            assert_int_equal(ask(l, k, now), expected);
            full_ns[k] = expected ? from_ns + interval_ns : full_ns[k];
            admitted += expected;
        }
    }
    assert_int_equal(limit_count(l), 10000);
    assert_true(admitted > HONEST * 5 && admitted < FLOOD / EVERY / 2);
    for (int i = 0; i < 7; i++) {
        assert_int_equal(ask(l, UINT64_MAX, 400 * SECOND_US), i < 5);
    }
    limit_free(l);
}

static void
a_table_of_one_key_works(void **state)
{
    struct limit *l = limit_new(1, 1000, 1);

    (void)state;
    assert_true(ask(l, 1, SECOND_US));
    assert_false(ask(l, 1, SECOND_US));
    assert_true(ask(l, 2, SECOND_US));
    assert_true(ask(l, 1, SECOND_US));
    assert_int_equal(limit_count(l), 1);
    limit_free(l);
}

/* Req 11.3, Property 9 */
static void
purge_forgets_exactly_what_is_full_again(void **state)
{
    struct limit *l = limit_new(60, 60000, 1000); /* one a second */

    (void)state;
    for (uint64_t k = 0; k < 10; k++) {
        for (uint64_t i = 0; i <= k; i++) {
            assert_true(ask(l, k, SECOND_US));
        }
    }
    assert_int_equal(limit_purge(l, SECOND_US), 0);
    assert_int_equal(limit_purge(l, 2 * SECOND_US - 1), 0);
    assert_int_equal(limit_purge(l, 2 * SECOND_US), 1);
    assert_int_equal(limit_purge(l, 5 * SECOND_US), 3);
    assert_int_equal(limit_count(l), 6);
    assert_true(ask(l, 0, 5 * SECOND_US));
    assert_int_equal(limit_purge(l, 100 * SECOND_US), 7);
    assert_int_equal(limit_count(l), 0);
    assert_int_equal(limit_purge(l, 100 * SECOND_US), 0);
    assert_true(ask(l, 0, 100 * SECOND_US));
    assert_int_equal(limit_count(l), 1);
    limit_free(l);
    limit_free(NULL);
}

static void
new_figures_hold_and_what_was_used_stays_used(void **state)
{
    static const struct {
        uint64_t count, window_ms, left; /* after 3 of 4 in 4 s were used */
    } rows[] = {
        {4, 4000, 1}, {100, 4000, 97}, {100, 60000, 97}, {100, 1, 97},
        {3, 4000, 0}, {1, 3600000, 0}, {5, 3600000, 2},  {4, 1000, 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct limit *l = limit_new(4, 4000, 100);
        uint64_t now = 7 * SECOND_US, left = 0;

        for (int n = 0; n < 3; n++) {
            assert_true(ask(l, 1, now));
        }
        limit_set(l, rows[i].count, rows[i].window_ms, 100, now);
        while (ask(l, 1, now)) {
            left++;
        }
        assert_int_equal(left, rows[i].left);
        left = 0;
        while (ask(l, 2, now)) {
            left++;
        }
        assert_int_equal(left, rows[i].count);
        now += rows[i].window_ms * 1000;
        assert_true(ask(l, 1, now)); /* nobody waits longer than a window */
        limit_free(l);
    }
}

static void
a_smaller_maximum_forgets_those_idle_longest(void **state)
{
    struct limit *l = limit_new(1, 1000, 100);

    (void)state;
    for (uint64_t k = 0; k < 100; k++) {
        assert_true(ask(l, k, SECOND_US));
    }
    limit_set(l, 1, 1000, 10, SECOND_US);
    assert_int_equal(limit_count(l), 10);
    assert_false(ask(l, 95, SECOND_US));
    assert_true(ask(l, 3, SECOND_US)); /* forgotten, so new */
    assert_int_equal(limit_count(l), 10);
    limit_set(l, 1, 1000, 200, SECOND_US);
    for (uint64_t k = 1000; k < 1190; k++) {
        assert_true(ask(l, k, SECOND_US));
    }
    assert_int_equal(limit_count(l), 200);
    assert_false(ask(l, 95, SECOND_US));
    limit_free(l);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            the_whole_limit_may_come_at_once_and_then_refills_evenly),
        cmocka_unit_test(retry_after_is_exact),
        cmocka_unit_test(a_refusal_costs_nothing),
        cmocka_unit_test(
            equals_a_leaky_bucket_per_key_while_the_table_is_not_full),
        cmocka_unit_test(keys_do_not_share),
        cmocka_unit_test(at_the_maximum_the_key_idle_longest_is_forgotten),
        cmocka_unit_test(
            a_flood_of_keys_stays_within_the_maximum_and_admits_new_ones),
        cmocka_unit_test(
            honest_users_keep_their_exact_limits_among_a_million_keys),
        cmocka_unit_test(a_table_of_one_key_works),
        cmocka_unit_test(purge_forgets_exactly_what_is_full_again),
        cmocka_unit_test(new_figures_hold_and_what_was_used_stays_used),
        cmocka_unit_test(a_smaller_maximum_forgets_those_idle_longest),
    };

    return cmocka_run_group_tests_name("guard/limit", tests, NULL, NULL);
}
