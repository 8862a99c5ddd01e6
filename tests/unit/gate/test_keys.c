/* SPDX-License-Identifier: MIT */
/* When keys are fetched, who waits for them, and how long the old ones hold. */
#include "gate/keys.h"

#include "keys_fixture.h"

struct waiter {
    struct keys_waiter w;
    unsigned woken;
};

static void
on_wake(struct keys_waiter *w)
{
    CONTAINER_OF(w, struct waiter, w)->woken++;
}

/* A house with keys, two pairs of them, and what the second one signed. */
struct office {
    struct house house;
    EVP_PKEY *old, *new;
    char *old_set, *new_set; /* answers of the publisher */
    char *old_token, *token; /* kid "old", kid "new" */
    char *forged;            /* kid "new", signed by the old key */
};

static void
office_open(struct office *o)
{
    *o = (struct office){.old = make_key(), .new = make_key()};
    o->old_set = make_answer(o->old, "old");
    o->new_set = make_answer(o->new, "new");
    o->old_token = make_signed(o->old, "old");
    o->token = make_signed(o->new, "new");
    o->forged = make_signed(o->old, "new");
    house_open(&o->house);
}

static void
start(struct office *o)
{
    for (int i = SHARDS; i-- > 0;) {
        keys_init(&o->house.gates[i]);
    }
}

static void
publish(struct office *o, const char *answer)
{
    o->house.publisher.answer = str_from(answer);
}

/* With the old set on all shards. */
static void
office_open_ready(struct office *o)
{
    office_open(o);
    publish(o, o->old_set);
    start(o);
    WAIT_FOR(&o->house, keys_ready(&o->house.settings));
}

static void
office_close(struct office *o)
{
    char *texts[] = {o->old_set, o->new_set, o->old_token, o->token, o->forged};

    for (int i = 0; i < SHARDS; i++) {
        keys_close(&o->house.gates[i]);
        keys_fini(&o->house.gates[i]);
        assert_null(o->house.gates[i].keys);
    }
    house_close(&o->house);
    EVP_PKEY_free(o->old);
    EVP_PKEY_free(o->new);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        xfree(texts[i]);
    }
}

static enum err
verify_on(struct office *o, unsigned shard, const char *token)
{
    struct identity who = {.user_id = ""};
    enum err e = keys_verify(&o->house.gates[shard], str_from(token), &who);

    if (e == ERR_OK) {
        assert_string_equal(who.user_id, "ann");
    }
    return e;
}

static enum err
verify(struct office *o, const char *token)
{
    return verify_on(o, 0, token);
}

static void
wait_on(struct office *o, unsigned shard, struct waiter *w)
{
    *w = (struct waiter){.w.wake = on_wake};
    keys_wait(&o->house.gates[shard], &w->w);
    assert_int_equal(w->woken, 0);
}

/* The token's name is unknown: waits for what comes of it. */
static void
ask(struct office *o, const char *token)
{
    struct waiter w;

    assert_int_equal(verify(o, token), ERR_AGAIN);
    wait_on(o, 0, &w);
    WAIT_FOR(&o->house, w.woken > 0);
    house_settle(&o->house);
    assert_int_equal(w.woken, 1);
}

/* --- the first set ------------------------------------------------------ */

static void
every_shard_has_the_first_set_before_it_is_ready(void **state)
{
    struct office o;

    (void)state;
    office_open(&o);
    start(&o);
    WAIT_FOR(&o.house, o.house.publisher.asked == 1);
    house_settle(&o.house);
    for (unsigned i = 0; i < SHARDS; i++) {
        assert_int_equal(verify_on(&o, i, o.old_token),
                         ERR_SERVICE_UNAVAILABLE);
    }
    assert_false(keys_ready(&o.house.settings));
    publish(&o, o.old_set);
    WAIT_FOR(&o.house, keys_ready(&o.house.settings));
    for (unsigned i = 0; i < SHARDS; i++) {
        assert_int_equal(verify_on(&o, i, o.old_token), ERR_OK);
    }
    assert_int_equal(o.house.publisher.asked, 1);
    office_close(&o);
}

static void
without_a_set_it_tries_again_at_growing_intervals(void **state)
{
    static const uint64_t pauses_ms[] = {1000,  2000,  4000,  8000,
                                         16000, 30000, 30000, 30000};
    struct office o;
    unsigned asked = 1;

    (void)state;
    office_open(&o);
    publish(&o, "HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n");
    start(&o);
    WAIT_FOR(&o.house, metric_value(METRIC_JWKS_ERRORS, 0) == 1);
    for (size_t i = 0; i < COUNT_OF(pauses_ms); i++) {
        house_skip(&o.house, pauses_ms[i] - 1);
        assert_int_equal(o.house.publisher.asked, asked);
        mono_ms += 2; /* a timer may round up */
        asked++;
        WAIT_FOR(&o.house, metric_value(METRIC_JWKS_ERRORS, 0) == asked);
        assert_int_equal(o.house.publisher.asked, asked);
        assert_int_equal(verify(&o, o.old_token), ERR_SERVICE_UNAVAILABLE);
    }
    publish(&o, o.old_set);
    mono_ms += 30002;
    WAIT_FOR(&o.house, keys_ready(&o.house.settings));
    assert_int_equal(verify(&o, o.old_token), ERR_OK);
    house_skip(&o.house, 3600000); /* and then no more */
    assert_int_equal(o.house.publisher.asked, asked + 1);
    office_close(&o);
}

/* --- unknown names ------------------------------------------------------ */

static void
an_unknown_name_waits_for_a_newer_set(void **state)
{
    struct office o;

    (void)state;
    office_open_ready(&o);
    for (unsigned i = 0; i < SHARDS; i++) {
        assert_int_equal(verify_on(&o, i, o.old_token), ERR_OK);
    }
    publish(&o, o.new_set);
    ask(&o, o.token);
    for (unsigned i = 0; i < SHARDS; i++) {
        assert_int_equal(verify_on(&o, i, o.token), ERR_OK);
        assert_int_equal(verify_on(&o, i, o.forged), ERR_INVALID_TOKEN);
        assert_int_equal(verify_on(&o, i, o.old_token), ERR_INVALID_TOKEN);
    }
    assert_int_equal(o.house.publisher.asked, 2);
    office_close(&o);
}

/* Thirty seconds from the beginning of one to that of the next. */
static void
the_next_one_is_asked_for_after_thirty_seconds_and_not_before(void **state)
{
    struct office o;

    (void)state;
    office_open_ready(&o);
    ask(&o, o.token);
    assert_int_equal(o.house.publisher.asked, 2);
    for (unsigned round = 3; round < 6; round++) {
        for (unsigned i = 0; i < SHARDS; i++) {
            assert_int_equal(verify_on(&o, i, o.token), ERR_INVALID_TOKEN);
        }
        house_skip(&o.house, 29999);
        for (unsigned i = 0; i < SHARDS; i++) {
            assert_int_equal(verify_on(&o, i, o.token), ERR_INVALID_TOKEN);
        }
        assert_int_equal(o.house.publisher.asked, round - 1);
        house_skip(&o.house, 1);
        assert_int_equal(o.house.publisher.asked,
                         round - 1); /* not by itself */
        ask(&o, o.token);
        assert_int_equal(o.house.publisher.asked, round);
    }
    assert_int_equal(verify(&o, o.old_token), ERR_OK);
    office_close(&o);
}

static void
a_fetch_that_took_long_counts_from_its_beginning(void **state)
{
    struct office o;
    struct waiter w;

    (void)state;
    office_open_ready(&o);
    publish(&o, "");
    assert_int_equal(verify(&o, o.token), ERR_AGAIN);
    wait_on(&o, 0, &w);
    WAIT_FOR(&o.house, o.house.publisher.asked == 2);
    house_skip(&o.house, 4000);
    assert_int_equal(w.woken, 0);
    publish(&o, o.old_set);
    WAIT_FOR(&o.house, w.woken == 1);
    house_skip(&o.house, 25999);
    assert_int_equal(verify(&o, o.token), ERR_INVALID_TOKEN);
    house_skip(&o.house, 1);
    assert_int_equal(verify(&o, o.token), ERR_AGAIN);
    office_close(&o);
}

/* Of the 3000 of each shard 1024 wait; all of them together ask once. */
static void
a_flood_of_unknown_names_is_one_question_in_thirty_seconds(void **state)
{
    enum { FLOOD = 3000, WAITERS = 1024 };
    static struct waiter waiters[SHARDS][WAITERS];
    struct office o;

    (void)state;
    office_open_ready(&o);
    publish(&o, "");
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < SHARDS * FLOOD; i++) {
            unsigned shard = i % SHARDS, n = i / SHARDS;
            enum err e = verify_on(&o, shard, o.token);

            assert_int_equal(e,
                             n < WAITERS ? ERR_AGAIN : ERR_SERVICE_UNAVAILABLE);
            if (e == ERR_AGAIN) {
                wait_on(&o, shard, &waiters[shard][n]);
            }
        }
        assert_int_equal(verify(&o, o.old_token), ERR_OK); /* not disturbed */
        WAIT_FOR(&o.house, o.house.publisher.asked == 2u + (unsigned)round);
        publish(&o, o.old_set);
        WAIT_FOR(&o.house, waiters[0][WAITERS - 1].woken == 1 &&
                               waiters[1][WAITERS - 1].woken == 1);
        publish(&o, "");
        for (unsigned i = 0; i < FLOOD; i++) {
            assert_int_equal(verify(&o, o.token), ERR_INVALID_TOKEN);
        }
        house_skip(&o.house, 30000);
        assert_int_equal(o.house.publisher.asked, 2u + (unsigned)round);
    }
    office_close(&o);
}

static void
who_asks_on_another_shard_while_one_is_under_way_waits_for_that(void **state)
{
    struct office o;
    struct waiter a, b;

    (void)state;
    office_open_ready(&o);
    publish(&o, "");
    wait_on(&o, 0, &a);
    WAIT_FOR(&o.house, o.house.publisher.asked == 2);
    assert_int_equal(verify_on(&o, 1, o.token), ERR_AGAIN);
    wait_on(&o, 1, &b);
    house_settle(&o.house);
    assert_int_equal(a.woken + b.woken, 0);
    publish(&o, o.new_set);
    WAIT_FOR(&o.house, a.woken == 1 && b.woken == 1);
    assert_int_equal(verify_on(&o, 1, o.token), ERR_OK);
    assert_int_equal(o.house.publisher.asked, 2);
    office_close(&o);
}

/* --- failures ----------------------------------------------------------- */

/* protocol.md names no age at which a key is too old. */
static void
old_keys_hold_for_as_long_as_nothing_better_comes(void **state)
{
    static const char *const wrong[] = {
        "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n<html></html>",
        "HTTP/1.1 200 OK\r\n\r\n{\"keys\":[]}",
        "HTTP/1.1 302 There\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
    };
    struct office o;
    unsigned asked = 1;

    (void)state;
    office_open_ready(&o);
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        house_skip(&o.house, 86400000); /* a day */
        publish(&o, wrong[i]);
        ask(&o, o.token);
        assert_int_equal(o.house.publisher.asked, ++asked);
        for (unsigned n = 0; n < SHARDS; n++) {
            assert_int_equal(verify_on(&o, n, o.old_token), ERR_OK);
            assert_int_equal(verify_on(&o, n, o.token), ERR_INVALID_TOKEN);
        }
        house_skip(&o.house, 29999); /* a failure counts for the time, too */
        assert_int_equal(verify(&o, o.token), ERR_INVALID_TOKEN);
        assert_true(keys_ready(&o.house.settings));
    }
    house_skip(&o.house, 1);
    publish(&o, o.new_set);
    ask(&o, o.token);
    assert_int_equal(verify(&o, o.token), ERR_OK);
    office_close(&o);
}

/* --- waiting ------------------------------------------------------------ */

static void
who_has_gone_is_not_woken(void **state)
{
    struct office o;
    struct waiter stays, goes, last;

    (void)state;
    office_open_ready(&o);
    publish(&o, "");
    wait_on(&o, 0, &goes);
    wait_on(&o, 0, &stays);
    wait_on(&o, 0, &last);
    keys_unwait(&o.house.gates[0], &goes.w);
    WAIT_FOR(&o.house, o.house.publisher.asked == 2);
    keys_unwait(&o.house.gates[0], &last.w);
    publish(&o, o.old_set);
    WAIT_FOR(&o.house, stays.woken == 1);
    house_settle(&o.house);
    assert_int_equal(stays.woken, 1);
    assert_int_equal(goes.woken + last.woken, 0);
    office_close(&o);
}

static void
at_the_end_nobody_is_left_waiting(void **state)
{
    struct office o;
    struct waiter w;

    (void)state;
    office_open_ready(&o);
    publish(&o, "");
    wait_on(&o, 0, &w);
    WAIT_FOR(&o.house, o.house.publisher.asked == 2);
    keys_close(&o.house.gates[0]);
    assert_int_equal(w.woken, 1);
    assert_int_equal(verify(&o, o.token), ERR_SERVICE_UNAVAILABLE);
    assert_int_equal(verify(&o, o.old_token), ERR_OK);
    office_close(&o); /* with the fetch under way */
}

static void
with_a_configured_key_nothing_is_fetched(void **state)
{
    struct office o;
    struct identity who;

    (void)state;
    office_open(&o);
    o.house.settings.jwks_url = NULL;
    o.house.settings.keys =
        token_keys_secret(STR("k3V9xQ2mZ7bT4nW8rY1cL6hJ5gF0dSzP"));
    start(&o);
    assert_null(o.house.gates[0].keys);
    assert_true(keys_ready(&o.house.settings));
    assert_int_equal(keys_verify(&o.house.gates[0], str_from(o.token), &who),
                     ERR_INVALID_TOKEN);
    house_settle(&o.house);
    assert_int_equal(o.house.publisher.asked, 0);
    token_keys_free(o.house.settings.keys);
    office_close(&o);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shard_has_the_first_set_before_it_is_ready),
        cmocka_unit_test(without_a_set_it_tries_again_at_growing_intervals),
        cmocka_unit_test(an_unknown_name_waits_for_a_newer_set),
        cmocka_unit_test(
            the_next_one_is_asked_for_after_thirty_seconds_and_not_before),
        cmocka_unit_test(a_fetch_that_took_long_counts_from_its_beginning),
        cmocka_unit_test(
            a_flood_of_unknown_names_is_one_question_in_thirty_seconds),
        cmocka_unit_test(
            who_asks_on_another_shard_while_one_is_under_way_waits_for_that),
        cmocka_unit_test(old_keys_hold_for_as_long_as_nothing_better_comes),
        cmocka_unit_test(who_has_gone_is_not_woken),
        cmocka_unit_test(at_the_end_nobody_is_left_waiting),
        cmocka_unit_test(with_a_configured_key_nothing_is_fetched),
    };

    if (fetch_pool_prepare() != ERR_OK) {
        return 1;
    }
    return cmocka_run_group_tests_name("gate/keys", tests, NULL, NULL);
}
