/* SPDX-License-Identifier: MIT */
#include "loop/shard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* What happened, one letter each. */
static char trace[64];

static void
note(char what)
{
    size_t n = strlen(trace);

    assert_true(n + 1 < sizeof(trace));
    trace[n] = what;
    trace[n + 1] = '\0';
}

static int
setup(void **state)
{
    (void)state;
    trace[0] = '\0';
    return 0;
}

static void
chat_phase(void *cookie)
{
    (void)cookie;
    note('c');
}

static void
net_phase(void *cookie)
{
    (void)cookie;
    note('n');
}

struct job {
    struct deferred deferred;
    struct shard *shard;
    int more; /* how often it defers itself again */
};

static void
run_job(struct deferred *d)
{
    struct job *j = CONTAINER_OF(d, struct job, deferred);

    note('d');
    if (j->more > 0) {
        j->more--;
        shard_defer(j->shard, d);
    } else {
        shard_stop(j->shard);
    }
}

static void
open_shard(struct shard *s)
{
    assert_int_equal(shard_init(s, 3), ERR_OK);
    shard_at_phase(s, SHARD_PHASE_CHAT, chat_phase, NULL);
    shard_at_phase(s, SHARD_PHASE_NET, net_phase, NULL);
}

static void
phases_run_in_order_then_deferred_work_then_phases_again(void **state)
{
    struct shard s;
    struct job j = {.deferred.run = run_job, .shard = &s};

    (void)state;
    open_shard(&s);
    shard_defer(&s, &j.deferred);
    shard_run(&s);
    shard_fini(&s);
    /* one turn of the loop, and the one after shard_stop */
    assert_string_equal(trace, "cndcn"
                               "cn");
}

static void
deferred_work_that_goes_on_does_not_wait_for_an_event(void **state)
{
    struct shard s;
    struct job j = {.deferred.run = run_job, .shard = &s, .more = 6};

    (void)state;
    open_shard(&s);
    shard_defer(&s, &j.deferred);
    shard_run(&s);
    shard_fini(&s);
    assert_string_equal(trace, "cndcndcndcnd"
                               "cndcndcndcn"
                               "cn");
}

static void
deferred_work_can_be_taken_back(void **state)
{
    struct shard s;
    struct job kept = {.deferred.run = run_job, .shard = &s};
    struct job back = {.deferred.run = run_job, .shard = &s};

    (void)state;
    open_shard(&s);
    shard_defer(&s, &back.deferred);
    shard_defer(&s, &kept.deferred);
    shard_undefer(&back.deferred);
    shard_undefer(&back.deferred);
    shard_run(&s);
    shard_fini(&s);
    assert_int_equal(strchr(trace, 'd') - strrchr(trace, 'd'), 0);
}

static void
on_start(struct shard *s)
{
    note('s');
    assert_int_equal(s->index, 3);
    shard_stop(s);
}

static void
runs_its_start_function_on_its_own_thread_and_ends_when_stopped(void **state)
{
    struct shard s;

    (void)state;
    open_shard(&s);
    assert_int_equal(shard_start(&s, on_start), ERR_OK);
    shard_join(&s);
    assert_true(s.ended);
    assert_int_equal(trace[0], 's');
    shard_fini(&s);
}

static void
on_handle_closed(uv_handle_t *handle)
{
    (void)handle;
    note('x');
}

static void
closes_handles_that_are_left_and_reports_later_closing_at_once(void **state)
{
    struct shard s;
    uv_idle_t idle;
    struct job j = {.deferred.run = run_job, .shard = &s};

    (void)state;
    open_shard(&s);
    assert_int_equal(uv_idle_init(&s.loop, &idle), 0);
    shard_defer(&s, &j.deferred);
    shard_run(&s);
    assert_null(strchr(trace, 'x'));
    shard_close_handle(&s, (uv_handle_t *)&idle, on_handle_closed);
    assert_non_null(strchr(trace, 'x'));
    shard_fini(&s);
}

static void
a_shard_that_never_ran_can_be_taken_down(void **state)
{
    struct shard s;

    (void)state;
    open_shard(&s);
    shard_fini(&s);
    assert_string_equal(trace, "");
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        CASE(phases_run_in_order_then_deferred_work_then_phases_again),
        CASE(deferred_work_that_goes_on_does_not_wait_for_an_event),
        CASE(deferred_work_can_be_taken_back),
        CASE(runs_its_start_function_on_its_own_thread_and_ends_when_stopped),
        CASE(closes_handles_that_are_left_and_reports_later_closing_at_once),
        CASE(a_shard_that_never_ran_can_be_taken_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
