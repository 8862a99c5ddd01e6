/* SPDX-License-Identifier: MIT */
#include "loop/work.h"

#include "loop/shard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct job {
    struct work work;
    struct shard *shard;
    pthread_t ran;
    bool done;
    bool destroyed;
    bool again; /* it is started once more when it is done */
};

static struct job *
job_of(struct work *w)
{
    return CONTAINER_OF(w, struct job, work);
}

static void
run(struct work *w)
{
    job_of(w)->ran = pthread_self();
}

static void
done(struct work *w)
{
    struct job *j = job_of(w);

    assert_false(j->done);
    assert_int_equal(atomic_load(&j->shard->awaited), 0);
    if (j->again) {
        j->again = false;
        work_start(j->shard, w);
        return;
    }
    j->done = true;
    shard_stop(j->shard);
}

static void
destroy(struct work *w)
{
    job_of(w)->destroyed = true;
}

static void
begin(struct shard *s, struct job *j)
{
    *j = (struct job){.work = {.run = run, .done = done, .destroy = destroy},
                      .shard = s};
    assert_int_equal(shard_init(s, 0), ERR_OK);
}

static void
it_runs_elsewhere_and_is_done_at_home(void **state)
{
    struct shard s;
    struct job j;

    (void)state;
    begin(&s, &j);
    j.again = true;
    work_start(&s, &j.work);
    assert_false(j.done);
    assert_int_equal(atomic_load(&s.awaited), 1);
    shard_run(&s);
    assert_true(j.done && !j.destroyed);
    assert_false(pthread_equal(j.ran, pthread_self()));
    shard_fini(&s);
}

static void
a_shard_that_has_stopped_gets_it_destroyed(void **state)
{
    struct shard s;
    struct job j;

    (void)state;
    begin(&s, &j);
    work_start(&s, &j.work);
    shard_stop(&s);
    shard_run(&s);
    assert_true(j.destroyed && !j.done);
    shard_fini(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_runs_elsewhere_and_is_done_at_home),
        cmocka_unit_test(a_shard_that_has_stopped_gets_it_destroyed),
    };

    return cmocka_run_group_tests_name("loop/work", tests, NULL, NULL);
}
