/* SPDX-License-Identifier: MIT */
#include "loop/timer.h"

#include "base/check.h"
#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct probe {
    struct timer timer;
    struct timers *timers;
    uint64_t started_ns;
    uint64_t delay_ms;
    uint64_t at_ms; /* what timer_start made of it */
    int fired;
    int order;
    int restarts; /* how often it starts itself again */
};

static struct {
    uv_loop_t loop;
    struct timers timers;
    int next;
} t;

static int
setup(void **state)
{
    (void)state;
    assert_int_equal(uv_loop_init(&t.loop), 0);
    timers_init(&t.timers, &t.loop);
    t.next = 0;
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    timers_close(&t.timers);
    (void)uv_run(&t.loop, UV_RUN_DEFAULT);
    timers_fini(&t.timers);
    return uv_loop_close(&t.loop);
}

static void
fire(struct timer *timer)
{
    struct probe *p = CONTAINER_OF(timer, struct probe, timer);

    assert_false(timer_armed(timer));
    assert_true(uv_hrtime() - p->started_ns >= p->delay_ms * 1000000);
    p->fired++;
    p->order = t.next++;
    if (p->restarts > 0) {
        p->restarts--;
        p->started_ns = uv_hrtime();
        timer_start(p->timers, timer, p->delay_ms);
    }
}

static void
start(struct probe *p, uint64_t delay_ms)
{
    if (p->timers == NULL) {
        timer_init(&p->timer, fire);
        p->timers = &t.timers;
    }
    p->delay_ms = delay_ms;
    p->started_ns = uv_hrtime();
    timer_start(&t.timers, &p->timer, delay_ms);
    p->at_ms = p->timer.at_ms;
    assert_true(timer_armed(&p->timer));
}

/* Not by their delays: this program may have been held up between starts. */
static void
assert_fired_in_order(const struct probe *first, const struct probe *second)
{
    assert_int_equal(first->fired, 1);
    assert_int_equal(second->fired, 1);
    if (first->at_ms < second->at_ms) {
        assert_true(first->order < second->order);
    } else if (first->at_ms > second->at_ms) {
        assert_true(first->order > second->order);
    }
}

/* Until the heap is empty: an idle uv_timer does not keep the loop alive. */
static void
run(void)
{
    (void)uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(t.timers.count, 0);
}

static void
fires_once_and_not_too_early(void **state)
{
    struct probe p = {0};

    (void)state;
    start(&p, 5);
    assert_int_equal(p.fired, 0);
    run();
    assert_int_equal(p.fired, 1);
}

static void
fires_in_order_of_time_whatever_the_order_of_starting(void **state)
{
    static const uint64_t delays[] = {9, 3, 27, 1, 15, 12, 6, 24, 21, 18};
    struct probe p[COUNT_OF(delays)] = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(delays); i++) {
        start(&p[i], delays[i]);
    }
    run();
    for (size_t i = 0; i < COUNT_OF(delays); i++) {
        for (size_t k = 0; k < COUNT_OF(delays); k++) {
            assert_fired_in_order(&p[i], &p[k]);
        }
    }
}

static void
a_cancelled_timer_does_not_fire(void **state)
{
    struct probe p[5] = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(p); i++) {
        start(&p[i], i + 1);
    }
    timer_cancel(&t.timers, &p[0].timer);
    timer_cancel(&t.timers, &p[3].timer);
    timer_cancel(&t.timers, &p[3].timer);
    assert_false(timer_armed(&p[3].timer));
    run();
    assert_int_equal(p[0].fired, 0);
    assert_int_equal(p[1].fired, 1);
    assert_int_equal(p[2].fired, 1);
    assert_int_equal(p[3].fired, 0);
    assert_int_equal(p[4].fired, 1);
}

static void
starting_again_moves_in_both_directions(void **state)
{
    struct probe early = {0};
    struct probe middle = {0};
    struct probe late = {0};

    (void)state;
    start(&early, 2);
    start(&middle, 10);
    start(&late, 60000);
    start(&early, 20);
    start(&late, 1);
    run();
    assert_fired_in_order(&late, &middle);
    assert_fired_in_order(&middle, &early);
    assert_fired_in_order(&late, &early);
}

static void
a_timer_may_start_itself_without_starving_the_loop(void **state)
{
    struct probe p = {0};

    (void)state;
    p.restarts = 3;
    start(&p, 0);
    (void)uv_run(&t.loop, UV_RUN_ONCE);
    assert_true(p.fired <= 1);
    run();
    assert_int_equal(p.fired, 4);
}

static struct {
    int fired;         /* in this turn of the loop */
    uint64_t ended_ns; /* the last of all so far */
    uint64_t pause_ns; /* between the last of the turn before and its first */
} turn;

static void
fire_for_long(struct timer *timer)
{
    uint64_t now_ns = uv_hrtime();
    uint64_t end_ns = now_ns + TIMERS_SLICE_US * 1000;

    CONTAINER_OF(timer, struct probe, timer)->fired++;
    if (turn.fired++ == 0) {
        turn.pause_ns = now_ns - turn.ended_ns;
    }
    do {
        turn.ended_ns = uv_hrtime();
    } while (turn.ended_ns < end_ns);
}

static void
start_slow(struct probe *p)
{
    timer_init(&p->timer, fire_for_long);
    p->timers = &t.timers;
    start(p, 0);
}

static int
fired(const struct probe *p, size_t count)
{
    int sum = 0;

    for (size_t i = 0; i < count; i++) {
        sum += p[i].fired;
    }
    return sum;
}

/* Each takes a least slice; whoever else runs on this machine only makes
 * pauses longer, and the slices after them. */
static void
of_many_that_are_due_those_of_a_slice_fire_before_sockets(void **state)
{
    struct probe p[50] = {0};

    (void)state;
    turn.ended_ns = uv_hrtime();
    for (size_t i = 0; i < COUNT_OF(p); i++) {
        start_slow(&p[i]);
    }
    while (fired(p, COUNT_OF(p)) < (int)COUNT_OF(p)) {
        uint64_t least_ns = TIMERS_SLICE_US * 1000;
        uint64_t slice_ns;

        turn.fired = 0;
        (void)uv_run(&t.loop, UV_RUN_NOWAIT);
        slice_ns = turn.pause_ns / 2 > least_ns ? turn.pause_ns / 2 : least_ns;
        assert_true((uint64_t)turn.fired <= 1 + slice_ns / least_ns);
    }
    run();
}

static void
between_slices_the_rest_may_be_cancelled_and_others_started(void **state)
{
    struct probe p[50] = {0};
    struct probe late = {0};
    int before;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(p); i++) {
        start_slow(&p[i]);
    }
    while (fired(p, COUNT_OF(p)) == 0) {
        (void)uv_run(&t.loop, UV_RUN_NOWAIT);
    }
    for (size_t i = 0; i < COUNT_OF(p); i++) {
        timer_cancel(&t.timers, &p[i].timer);
    }
    before = fired(p, COUNT_OF(p));
    start(&late, 1);
    run();
    assert_int_equal(fired(p, COUNT_OF(p)), before);
    assert_int_equal(late.fired, 1);
}

/* Against a plain array searched from end to end. */
static void
agrees_with_a_simple_model_over_random_operations(void **state)
{
    enum { COUNT = 300, STEPS = 20000 };
    struct probe *p = xcalloc(COUNT, sizeof(*p));
    unsigned seed = 7;

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        timer_init(&p[i].timer, fire);
        p[i].timers = &t.timers;
    }
    for (int i = 0; i < STEPS; i++) {
        struct probe *one = &p[rand_r(&seed) % COUNT];
        size_t armed = 0;
        uint64_t least = UINT64_MAX;

        if (rand_r(&seed) % 3 == 0) {
            timer_cancel(&t.timers, &one->timer);
        } else {
            start(one, 1000 + (uint64_t)rand_r(&seed) % 100000);
        }
        for (int k = 0; k < COUNT; k++) {
            if (timer_armed(&p[k].timer)) {
                armed++;
                least = p[k].timer.at_ms < least ? p[k].timer.at_ms : least;
                assert_ptr_equal(t.timers.heap[p[k].timer.slot], &p[k].timer);
            }
        }
        assert_int_equal(t.timers.count, armed);
        assert_true(armed == 0 || t.timers.heap[1]->at_ms == least);
    }
    for (int i = 0; i < COUNT; i++) {
        timer_cancel(&t.timers, &p[i].timer);
    }
    assert_int_equal(t.timers.count, 0);
    xfree(p);
}

/* A timer is counted too late if this program is held up just before it starts:
 * the counts leave room for a few of those. */
static void
those_who_begin_together_end_apart(void **state)
{
    enum { COUNT = 1000, DELAY_MS = 10000, SPREAD_MS = 1000, PARTS = 10 };
    struct timer *timers = xcalloc(COUNT, sizeof(*timers));
    int parts[PARTS] = {0};

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        uint64_t least_ms = uv_hrtime() / 1000000 + DELAY_MS;
        uint64_t late_ms, held_ms;

        timer_init(&timers[i], NULL);
        timer_start_spread(&t.timers, &timers[i], DELAY_MS, SPREAD_MS);
        held_ms = uv_hrtime() / 1000000 + DELAY_MS - least_ms;
        assert_true(timers[i].at_ms > least_ms);
        late_ms = timers[i].at_ms - least_ms - 1;
        assert_true(late_ms < SPREAD_MS + held_ms);
        parts[late_ms % SPREAD_MS * PARTS / SPREAD_MS]++;
    }
    for (int i = 0; i < PARTS; i++) {
        assert_in_range(parts[i], COUNT / PARTS - 10, COUNT / PARTS + 10);
    }
    for (int i = 0; i < COUNT; i++) {
        timer_cancel(&t.timers, &timers[i]);
    }
    xfree(timers);
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(fires_once_and_not_too_early),
        CASE(fires_in_order_of_time_whatever_the_order_of_starting),
        CASE(a_cancelled_timer_does_not_fire),
        CASE(starting_again_moves_in_both_directions),
        CASE(a_timer_may_start_itself_without_starving_the_loop),
        CASE(of_many_that_are_due_those_of_a_slice_fire_before_sockets),
        CASE(between_slices_the_rest_may_be_cancelled_and_others_started),
        CASE(those_who_begin_together_end_apart),
        CASE(agrees_with_a_simple_model_over_random_operations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
