/* SPDX-License-Identifier: MIT */
#include "loop/mailbox.h"

#include "base/xalloc.h"
#include "loop/shard.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SENDERS = 4, LETTERS = 20000 };

struct note {
    struct letter letter;
    int sender;
    int number;
};

static struct {
    int last[SENDERS]; /* touched by the receiving thread only */
    int delivered;
    int destroyed;
    bool in_order;
} seen;

static int
setup(void **state)
{
    (void)state;
    seen = (typeof(seen)){.in_order = true};
    return 0;
}

static void
deliver(struct shard *here, struct letter *l)
{
    struct note *n = CONTAINER_OF(l, struct note, letter);

    seen.in_order = seen.in_order && n->number == seen.last[n->sender] + 1;
    seen.last[n->sender] = n->number;
    xfree(n);
    if (++seen.delivered == SENDERS * LETTERS) {
        shard_stop(here);
    }
}

static void
destroy(struct letter *l)
{
    seen.destroyed++;
    xfree(CONTAINER_OF(l, struct note, letter));
}

static void
post(struct shard *to, int sender, int number)
{
    struct note *n = xcalloc(1, sizeof(*n));

    n->letter.deliver = deliver;
    n->letter.destroy = destroy;
    n->sender = sender;
    n->number = number;
    shard_post(to, &n->letter);
}

struct sender {
    pthread_t thread;
    struct shard *to;
    int index;
};

static void *
send_all(void *arg)
{
    struct sender *s = arg;

    for (int i = 1; i <= LETTERS; i++) {
        post(s->to, s->index, i);
    }
    return NULL;
}

static void
delivers_every_letter_once_and_in_the_order_of_its_sender(void **state)
{
    struct sender senders[SENDERS];
    struct shard s;

    (void)state;
    assert_int_equal(shard_init(&s, 0), ERR_OK);
    assert_int_equal(shard_start(&s, NULL), ERR_OK);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.to = &s, .index = i};
        assert_int_equal(
            pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    for (int i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_join(senders[i].thread, NULL), 0);
    }
    shard_join(&s);
    assert_int_equal(seen.delivered, SENDERS * LETTERS);
    assert_true(seen.in_order);
    shard_fini(&s);
    assert_int_equal(seen.destroyed, 0);
}

static void
stop_here(struct shard *here, struct letter *l)
{
    (void)l;
    shard_stop(here);
}

static void
a_letter_to_a_stopped_shard_is_destroyed_not_delivered(void **state)
{
    struct letter stop = {.deliver = stop_here};
    struct shard s;

    (void)state;
    assert_int_equal(shard_init(&s, 0), ERR_OK);
    assert_int_equal(shard_start(&s, NULL), ERR_OK);
    shard_post(&s, &stop);
    shard_join(&s);
    post(&s, 0, 1);
    post(&s, 0, 2);
    shard_fini(&s);
    assert_int_equal(seen.delivered, 0);
    assert_int_equal(seen.destroyed, 2);
}

static void
letters_behind_the_one_that_stops_are_destroyed_not_delivered(void **state)
{
    struct letter stop = {.deliver = stop_here};
    struct shard s;

    (void)state;
    assert_int_equal(shard_init(&s, 0), ERR_OK);
    shard_post(&s, &stop);
    post(&s, 0, 1);
    post(&s, 0, 2);
    shard_run(&s);
    post(&s, 0, 3);
    shard_fini(&s);
    assert_int_equal(seen.delivered, 0);
    assert_int_equal(seen.destroyed, 3);
}

struct timed_shard {
    struct timer timer;
    struct shard *shard;
};

/* Stops as the rooms' end does, with a letter on its way. */
static void
stop_by_timer(struct timer *t)
{
    struct shard *s = CONTAINER_OF(t, struct timed_shard, timer)->shard;

    post(s, 0, 1);
    shard_stop(s);
}

static void
the_turn_that_stops_polls_once_more_and_delivers_nothing(void **state)
{
    struct shard s;
    struct timed_shard timed = {.shard = &s};

    (void)state;
    assert_int_equal(shard_init(&s, 0), ERR_OK);
    timer_init(&timed.timer, stop_by_timer);
    timer_start(&s.timers, &timed.timer, 0);
    shard_run(&s);
    shard_fini(&s);
    assert_int_equal(seen.delivered, 0);
    assert_int_equal(seen.destroyed, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(
            delivers_every_letter_once_and_in_the_order_of_its_sender, setup),
        cmocka_unit_test_setup(
            a_letter_to_a_stopped_shard_is_destroyed_not_delivered, setup),
        cmocka_unit_test_setup(
            letters_behind_the_one_that_stops_are_destroyed_not_delivered,
            setup),
        cmocka_unit_test_setup(
            the_turn_that_stops_polls_once_more_and_delivers_nothing, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
