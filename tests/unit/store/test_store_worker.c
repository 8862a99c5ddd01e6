/* SPDX-License-Identifier: MIT */
/* The workers with a played database: what is one transaction, who is answered
 * when, and what health is. */
#include "played.h"

static void
what_waits_is_one_transaction_and_is_answered_in_order(void **state)
{
    struct house *h = *state;

    start_writer(h);
    push(h, "a");
    wait_byte(h->fake.entered[0]); /* the writer is busy with a */
    push(h, "b");
    push(h, "c");
    push_as(h, STORE_SESSION_PATCH, "d", true);
    assert_false(answer_waits(h));
    give_byte(h->fake.gate[1]);
    expect(h, 'a', ERR_OK);
    wait_byte(h->fake.entered[0]);
    assert_false(answer_waits(h)); /* not before the commit */
    give_byte(h->fake.gate[1]);
    expect(h, 'b', ERR_OK);
    expect(h, 'c', ERR_OK);
    expect(h, 'd', ERR_NOT_FOUND);
    assert_int_equal(atomic_load(&h->fake.commits), 2);
    assert_string_equal(h->fake.order, "abcd");
}

static void
a_group_has_a_largest_size(void **state)
{
    struct house *h = *state;

    for (int i = 0; i < 6; i++) {
        push(h, &"abcdef"[i]);
    }
    start_writer(h);
    give_byte(h->fake.gate[1]);
    for (int i = 0; i < 4; i++) {
        expect(h, "abcd"[i], ERR_OK);
    }
    give_byte(h->fake.gate[1]);
    expect(h, 'e', ERR_OK);
    expect(h, 'f', ERR_OK);
    assert_int_equal(atomic_load(&h->fake.commits), 2);
}

static void
a_full_queue_refuses(void **state)
{
    struct house *h = *state;

    for (int i = 0; i < 6; i++) {
        push(h, "a");
    }
    push_as(h, STORE_MESSAGE_APPEND, "b", false);
    give_byte(h->fake.gate[1]);
    give_byte(h->fake.gate[1]);
    start_writer(h);
    for (int i = 0; i < 6; i++) {
        expect(h, 'a', ERR_OK);
    }
    push(h, "c"); /* there is room again */
    give_byte(h->fake.gate[1]);
    expect(h, 'c', ERR_OK);
}

static void
a_failure_anywhere_fails_the_whole_group(void **state)
{
    struct house *h = *state;

    start_writer(h);
    for (int step = 1; step <= 3; step++) {
        atomic_store(&h->fake.fail, 0);
        push(h, "x");
        wait_byte(h->fake.entered[0]);
        push(h, "a");
        push_as(h, STORE_SESSION_PATCH, "b", true);
        give_byte(h->fake.gate[1]);
        expect(h, 'x', ERR_OK);
        wait_byte(h->fake.entered[0]);
        atomic_store(&h->fake.fail, step);
        give_byte(h->fake.gate[1]);
        expect(h, 'a', ERR_DATABASE_ERROR);
        expect(h, 'b', ERR_DATABASE_ERROR);
        assert_false(atomic_load(&h->health.ok));
        assert_int_equal(atomic_load(&h->fake.rollbacks), step - 1);
    }
}

static void
a_failing_storage_is_probed_until_it_works(void **state)
{
    struct house *h = *state;

    start_writer(h);
    atomic_store(&h->fake.fail, 3);
    give_byte(h->fake.gate[1]);
    push(h, "a");
    expect(h, 'a', ERR_DATABASE_ERROR);
    assert_false(atomic_load(&h->health.ok));
    while (atomic_load(&h->fake.probes) < 1) {
        usleep(1000);
    }
    assert_false(atomic_load(&h->health.ok));
    atomic_store(&h->fake.fail, 0);
    while (!atomic_load(&h->health.ok)) {
        usleep(1000);
    }
    assert_true(atomic_load(&h->fake.probes) >= 2);
}

static void
a_group_that_wrote_nothing_proves_no_health(void **state)
{
    struct house *h = *state;

    start_writer(h);
    atomic_store(&h->fake.fail, 3);
    give_byte(h->fake.gate[1]);
    push(h, "a");
    expect(h, 'a', ERR_DATABASE_ERROR);
    atomic_store(&h->fake.fail, 4); /* only the probe fails */
    give_byte(h->fake.gate[1]);
    push_as(h, STORE_SESSION_PATCH, "b", true);
    expect(h, 'b', ERR_NOT_FOUND);
    assert_false(atomic_load(&h->health.ok));
}

static void
drafts_and_usage_wait_for_company(void **state)
{
    struct house *h = *state;

    push_as(h, STORE_DRAFT_PUT, "a", true);
    push_as(h, STORE_USAGE_PUT, "b", true);
    assert_int_equal(h->inbox.pressing, 0);
    start_writer(h);
    give_byte(h->fake.gate[1]);
    push(h, "c"); /* within the hour */
    for (int i = 0; i < 3; i++) {
        expect(h, "abc"[i], ERR_OK);
    }
    assert_int_equal(atomic_load(&h->fake.commits), 1);

    push_as(h, STORE_DRAFT_PUT, "d", true);
    give_byte(h->fake.gate[1]);
    push_urgent(h, "e");
    expect(h, 'd', ERR_OK);
    expect(h, 'e', ERR_OK);
    assert_int_equal(atomic_load(&h->fake.commits), 2);
}

static void
drafts_do_not_wait_for_ever(void **state)
{
    struct house *h = *state;

    h->inbox.linger_ms = 5;
    start_writer(h);
    give_byte(h->fake.gate[1]);
    push_as(h, STORE_DRAFT_PUT, "a", true);
    expect(h, 'a', ERR_OK);
}

static void
closing_finishes_what_is_queued(void **state)
{
    struct house *h = *state;

    for (int i = 0; i < 6; i++) {
        push_as(h, STORE_DRAFT_PUT, &"abcdef"[i], true);
    }
    store_worker_inbox_close(&h->inbox);
    give_byte(h->fake.gate[1]);
    give_byte(h->fake.gate[1]);
    start_writer(h);
    store_worker_join(&h->worker);
    for (int i = 0; i < 6; i++) {
        expect(h, "abcdef"[i], ERR_OK);
    }
}

static void
a_failing_read_is_one_jobs_matter_and_health(void **state)
{
    struct house *h = *state;

    assert_int_equal(store_worker_start_reader(&h->worker), ERR_OK);
    push_as(h, STORE_PING, "a", true);
    expect(h, 'a', ERR_OK);
    atomic_store(&h->fake.fail, 2);
    push_as(h, STORE_PING, "b", true);
    expect(h, 'b', ERR_DATABASE_ERROR);
    assert_false(atomic_load(&h->health.ok));
    atomic_store(&h->fake.fail, 0);
    push_as(h, STORE_PING, "c", true);
    expect(h, 'c', ERR_OK);
    assert_true(atomic_load(&h->health.ok));
}

static void
a_reader_is_probed_too(void **state)
{
    struct house *h = *state;

    assert_int_equal(store_worker_start_reader(&h->worker), ERR_OK);
    atomic_store(&h->fake.fail, 2);
    push_as(h, STORE_PING, "a", true);
    expect(h, 'a', ERR_DATABASE_ERROR);
    atomic_store(&h->fake.fail, 0);
    while (!atomic_load(&h->health.ok)) {
        usleep(1000);
    }
    assert_true(atomic_load(&h->fake.probes) >= 1);
}

/* Other accesses go well, but what was damaged may still be. */
static void
damage_is_not_forgotten_over_a_read_that_works(void **state)
{
    struct house *h = *state;
    int probes;

    h->fake.damage = true;
    assert_int_equal(store_worker_start_reader(&h->worker), ERR_OK);
    atomic_store(&h->fake.fail, 2);
    push_as(h, STORE_PING, "a", true);
    expect(h, 'a', ERR_DATABASE_ERROR);
    atomic_store(&h->fake.fail, 0);
    push_as(h, STORE_PING, "b", true);
    expect(h, 'b', ERR_OK);
    probes = atomic_load(&h->fake.probes);
    while (atomic_load(&h->fake.probes) == probes) {
        usleep(1000);
    }
    assert_false(atomic_load(&h->health.ok));
    atomic_store(&h->health.damaged_until_ms, 0); /* the time has passed */
    push_as(h, STORE_PING, "c", true);
    expect(h, 'c', ERR_OK);
    assert_true(atomic_load(&h->health.ok));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_waits_is_one_transaction_and_is_answered_in_order),
        TEST(a_group_has_a_largest_size),
        TEST(a_full_queue_refuses),
        TEST(a_failure_anywhere_fails_the_whole_group),
        TEST(a_failing_storage_is_probed_until_it_works),
        TEST(a_group_that_wrote_nothing_proves_no_health),
        TEST(drafts_and_usage_wait_for_company),
        TEST(drafts_do_not_wait_for_ever),
        TEST(closing_finishes_what_is_queued),
        TEST(a_failing_read_is_one_jobs_matter_and_health),
        TEST(a_reader_is_probed_too),
        TEST(damage_is_not_forgotten_over_a_read_that_works),
    };

    return cmocka_run_group_tests_name("store/store_worker", tests, NULL, NULL);
}
