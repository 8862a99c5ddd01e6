/* SPDX-License-Identifier: MIT */
#include "notify/quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static bool
take(struct quota *q, const char *key, uint64_t now_ms)
{
    return quota_take(q, str_from(key), now_ms);
}

/* Counted by hand: every window of five minutes that ends at a time at which
 * one was let through has at most five of them. */
static void
five_of_a_key_in_any_five_minutes(void **state)
{
    struct quota *q = quota_new();
    uint64_t let[1000];
    size_t count = 0;

    (void)state;
    for (uint64_t now_ms = 7; now_ms < 40 * 60000; now_ms += 13001) {
        if (take(q, "help s1", now_ms)) {
            let[count++] = now_ms;
        }
    }
    assert_true(count >= 35); /* five of each, give or take the rounding */
    for (size_t i = 5; i < count; i++) {
        assert_true(let[i] - let[i - 5] >= 300000);
    }
    quota_free(q);
}

static void
the_sixth_waits_until_the_first_is_five_minutes_old(void **state)
{
    struct quota *q = quota_new();

    (void)state;
    for (uint64_t i = 0; i < 5; i++) {
        assert_true(take(q, "k", 1000 + i));
    }
    assert_false(take(q, "k", 2000));
    assert_false(take(q, "k", 300999));
    assert_true(take(q, "k", 301000));
    assert_false(take(q, "k", 301000)); /* the next slot is of 1001 */
    assert_true(take(q, "k", 301001));
    quota_free(q);
}

static void
keys_do_not_share(void **state)
{
    struct quota *q = quota_new();

    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_true(take(q, "one", 1));
    }
    assert_false(take(q, "one", 1));
    assert_true(take(q, "on", 1));
    assert_true(take(q, "", 1));
    assert_int_equal(quota_count(q), 3);
    quota_free(q);
}

static void
what_no_longer_counts_is_forgotten(void **state)
{
    struct quota *q = quota_new();

    (void)state;
    assert_true(take(q, "old", 1));
    assert_true(take(q, "young", 200000));
    assert_true(take(q, "new", 300001));
    assert_int_equal(quota_count(q), 2);
    quota_free(q);
}

static void
there_are_never_more_keys_than_the_maximum(void **state)
{
    struct quota *q = quota_new();
    char key[32];

    (void)state;
    for (int i = 0; i < QUOTA_KEYS_MAX + 100; i++) {
        (void)snprintf(key, sizeof(key), "k%d", i);
        assert_true(take(q, key, 1));
    }
    assert_int_equal(quota_count(q), QUOTA_KEYS_MAX);
    for (int i = 1; i < 5; i++) { /* those at the end were kept */
        assert_true(take(q, key, 1));
    }
    assert_false(take(q, key, 1));
    quota_free(q);
}

#define CASE(name) cmocka_unit_test(name)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(five_of_a_key_in_any_five_minutes),
        CASE(the_sixth_waits_until_the_first_is_five_minutes_old),
        CASE(keys_do_not_share),
        CASE(what_no_longer_counts_is_forgotten),
        CASE(there_are_never_more_keys_than_the_maximum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
