/* SPDX-License-Identifier: MIT */
/* What follows from several attempts: another, after which pause, and what may
 * be said at the end. */
#include "store/mongo_retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SERVER MONGO_DOMAIN_SERVER

static const struct mongo_retry_rules defaults = {
    .attempts = 3, .delay_ms = 100, .max_delay_ms = 2000, .deadline_ms = 60000};

static const struct mongo_attempt stored = {
    .ok = true, .write = true, .sent = 1};
static const struct mongo_attempt lost = {
    .write = true, .domain = MONGO_DOMAIN_STREAM, .code = 4, .sent = 1};
static const struct mongo_attempt away = {
    .write = true, .domain = MONGO_DOMAIN_SERVER_SELECTION, .code = 13053};
static const struct mongo_attempt refused = {
    .write = true, .domain = SERVER, .code = 10107, .sent = 1};
static const struct mongo_attempt forbidden = {
    .write = true, .domain = SERVER, .code = 13, .sent = 1};
static const struct mongo_attempt unconfirmed = {
    .write = true, .domain = MONGO_DOMAIN_WRITE_CONCERN, .code = 64, .sent = 1};
static const struct mongo_attempt delivered = {
    .write = true, .own_key = true, .domain = SERVER, .code = 11000, .sent = 1};
static const struct mongo_attempt taken = {
    .write = true, .domain = SERVER, .code = 11000, .sent = 1};

/* Every attempt of the list but the last is followed by another. */
static struct mongo_step
after(const struct mongo_attempt *const *attempts, size_t n)
{
    struct mongo_retry r;
    struct mongo_step step = {0};
    struct mongo_retry_rules rules = defaults;

    rules.attempts = 20;
    mongo_retry_begin(&r, &rules);
    for (size_t i = 0; i < n; i++) {
        step = mongo_retry_after(&r, attempts[i], 0, 0);
        assert_true(step.again || i + 1 == n);
    }
    return step;
}

static void
test_what_may_be_stored_is_not_called_lost_later(void **state)
{
    static const struct {
        const struct mongo_attempt *attempts[4];
        size_t count;
        enum mongo_outcome outcome;
        bool again;
    } rows[] = {
        {{&away, &away, &stored}, 3, MONGO_STORED, false},
        {{&away, &refused}, 2, MONGO_NOT_NOW, true},
        {{&away, &forbidden}, 2, MONGO_NOT_EVER, false},
        {{&lost, &away}, 2, MONGO_UNKNOWN, true},
        {{&lost, &refused, &away}, 3, MONGO_UNKNOWN, true},
        {{&lost, &forbidden}, 2, MONGO_UNKNOWN, false},
        {{&lost, &unconfirmed}, 2, MONGO_UNCONFIRMED, true},
        {{&unconfirmed, &lost}, 2, MONGO_UNKNOWN, true},
        {{&unconfirmed, &away}, 2, MONGO_UNCONFIRMED, true},
        {{&lost, &away, &delivered}, 3, MONGO_DELIVERED, false},
        {{&lost, &lost, &stored}, 3, MONGO_STORED, false},
        {{&lost, &taken}, 2, MONGO_NOT_EVER, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct mongo_step step = after(rows[i].attempts, rows[i].count);

        assert_int_equal(step.outcome, rows[i].outcome);
        assert_int_equal(step.again, rows[i].again);
    }
}

/* Req 9.3, Req 9.4: the last attempt's step says what the caller tells. */
static void
test_attempts_end_with_their_number(void **state)
{
    struct mongo_retry r;
    struct mongo_step step;

    (void)state;
    mongo_retry_begin(&r, &defaults);
    step = mongo_retry_after(&r, &away, 0, 0);
    assert_true(step.again);
    assert_int_equal(step.wait_ms, 100);
    step = mongo_retry_after(&r, &away, 0, 0);
    assert_true(step.again);
    assert_int_equal(step.wait_ms, 200);
    step = mongo_retry_after(&r, &away, 0, 0);
    assert_false(step.again);
    assert_int_equal(step.wait_ms, 0);
    assert_int_equal(step.outcome, MONGO_NOT_NOW);
}

static void
test_no_attempt_begins_at_the_deadline_or_after(void **state)
{
    static const struct {
        uint64_t now_ms;
        bool again;
    } rows[] = {{0, true},
                {59899, true},
                {59900, false},
                {60000, false},
                {UINT64_MAX, false}};
    struct mongo_retry r;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        mongo_retry_begin(&r, &defaults);
        assert_int_equal(mongo_retry_after(&r, &away, rows[i].now_ms, 0).again,
                         rows[i].again);
    }
}

/* What an earlier operation left open is only closed by certainty. */
static void
test_a_doubt_is_kept_until_it_is_known(void **state)
{
    static const struct {
        struct mongo_attempt attempt;
        enum mongo_outcome outcome;
    } rows[] = {
        {{.write = true, .domain = MONGO_DOMAIN_SERVER_SELECTION},
         MONGO_UNKNOWN},
        {{.write = true, .domain = SERVER, .code = 13, .sent = 1},
         MONGO_UNKNOWN},
        {{.ok = true, .write = true, .sent = 1}, MONGO_STORED},
        {{.write = true,
          .own_key = true,
          .domain = SERVER,
          .code = 11000,
          .sent = 1},
         MONGO_DELIVERED},
        {{.write = true, .domain = SERVER, .code = 11000, .sent = 1},
         MONGO_NOT_EVER},
    };
    struct mongo_retry r;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        mongo_retry_begin(&r, &defaults);
        mongo_retry_doubt(&r);
        assert_int_equal(mongo_retry_after(&r, &rows[i].attempt, 0, 0).outcome,
                         rows[i].outcome);
    }
}

/* Req 9.2, Property 7. */
static void
test_pauses_double_up_to_the_longest(void **state)
{
    static const struct {
        struct mongo_retry_rules rules;
        unsigned n;
        uint64_t random;
        uint64_t pause_ms;
    } rows[] = {
        {{.delay_ms = 100, .max_delay_ms = 2000}, 1, 0, 100},
        {{.delay_ms = 100, .max_delay_ms = 2000}, 2, 0, 200},
        {{.delay_ms = 100, .max_delay_ms = 2000}, 5, 0, 1600},
        {{.delay_ms = 100, .max_delay_ms = 2000}, 6, 0, 2000},
        {{.delay_ms = 100, .max_delay_ms = 2000}, 4000000000, 0, 2000},
        {{.delay_ms = 100, .max_delay_ms = 2000}, 1, 50, 50},
        {{.delay_ms = 100, .max_delay_ms = 2000}, 1, 51, 100},
        {{.delay_ms = 1, .max_delay_ms = 1}, 9, 7, 1},
        {{.delay_ms = UINT64_MAX - 1, .max_delay_ms = UINT64_MAX},
         2,
         0,
         UINT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_true(mongo_retry_pause_ms(&rows[i].rules, rows[i].n,
                                         rows[i].random) == rows[i].pause_ms);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_doubt_is_kept_until_it_is_known),
        cmocka_unit_test(test_what_may_be_stored_is_not_called_lost_later),
        cmocka_unit_test(test_attempts_end_with_their_number),
        cmocka_unit_test(test_no_attempt_begins_at_the_deadline_or_after),
        cmocka_unit_test(test_pauses_double_up_to_the_longest),
    };

    return cmocka_run_group_tests_name("store/mongo_retry_steps", tests, NULL,
                                       NULL);
}
