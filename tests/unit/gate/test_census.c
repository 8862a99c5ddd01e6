/* SPDX-License-Identifier: MIT */
#include "gate/census.h"

#include "chat/state.h"
#include "fixture.h"
#include "gate/admission.h"

/* Four shards that the test turns one by one, with a chat each and no store:
 * who names a session that cannot be one gets a new one at once. */
#define SHARDS 4
#define PEOPLE 12

static struct shard shards[SHARDS];
static struct gate_settings settings;
static struct gate gate;
static struct house house; /* for the chat's settings alone */

static void
drop_frame(struct outlet *o, struct str frame)
{
    (void)o;
    (void)frame;
}

static size_t
nothing_queued(const struct outlet *o)
{
    (void)o;
    return 0;
}

static void
ignore_close(struct outlet *o, int code, const char *reason)
{
    (void)o;
    (void)code;
    (void)reason;
}

static void
ignore_hold(struct outlet *o, bool stopped)
{
    (void)o;
    (void)stopped;
}

static const struct outlet_ops ops = {.send = drop_frame,
                                      .queued = nothing_queued,
                                      .close = ignore_close,
                                      .hold = ignore_hold};

static int
setup(void **state)
{
    (void)state;
    log_set_level(LOG_ERROR);
    house_prepare(&house);
    settings = (struct gate_settings){.shards = shards, .shard_count = SHARDS};
    for (unsigned i = 0; i < SHARDS; i++) {
        shards[i] = (struct shard){0};
        assert_int_equal(shard_init(&shards[i], i), ERR_OK);
        assert_int_equal(chat_init(&shards[i], &house.chat, NULL), ERR_OK);
    }
    gate = (struct gate){.shard = &shards[0], .settings = &settings};
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SHARDS; i++) {
        chat_fini(&shards[i]);
        shard_fini(&shards[i]);
    }
    return 0;
}

/* Outlets of people; the first of a person makes the session. */
struct person {
    char name[16];
    char sid[RAND_ID_CHARS + 1];
    struct outlet outlets[3];
    unsigned count;
};

static struct person people[PEOPLE];

static void
join(struct person *p, struct outlet *o)
{
    struct chat *chat = admission_owner(&settings, str_from(p->name))->chat;
    struct attach_request request = {.user_id = str_from(p->name),
                                     .last_seq = -1,
                                     .session_id = str_from(p->sid)};

    *o = (struct outlet){.ops = &ops};
    if (p->sid[0] == '\0') {
        request.session_id = STR("new");
    }
    chat_attach(chat, o, &request);
    memcpy(p->sid, o->session->id, sizeof(p->sid));
}

/* Person i has 1 + i % 3 connections. */
static void
populate(void)
{
    for (unsigned i = 0; i < PEOPLE; i++) {
        struct person *p = &people[i];

        *p = (struct person){.count = 1 + i % 3};
        snprintf(p->name, sizeof(p->name), "person%u", i);
        for (unsigned k = 0; k < p->count; k++) {
            join(p, &p->outlets[k]);
        }
    }
}

static void
depart(void)
{
    for (unsigned i = 0; i < PEOPLE; i++) {
        for (unsigned k = 0; k < people[i].count; k++) {
            chat_detach(&people[i].outlets[k]);
        }
    }
}

static struct store_job *
page_of(unsigned count)
{
    struct store_job *job =
        store_job_new(STORE_SESSION_BROWSE, &shards[0], NULL, NULL);

    job->sessions = xcalloc(count + 1, sizeof(*job->sessions));
    job->count = count;
    for (unsigned i = 0; i < count; i++) {
        job->sessions[i].user_id = xstrdup(people[i].name);
        memcpy(job->sessions[i].sid, people[i].sid, sizeof(people[i].sid));
    }
    return job;
}

static int answers;
static bool late;
static uint32_t got[PEOPLE];

static void
take(struct store_job *job, const uint32_t *counts)
{
    answers++;
    late = counts == NULL;
    for (size_t i = 0; counts != NULL && i < job->count; i++) {
        got[i] = counts[i];
    }
    store_job_free(job);
}

static void
start(struct store_job *job)
{
    answers = 0;
    late = false;
    memset(got, 0, sizeof(got));
    census_start(&gate, job, take);
    assert_int_equal(answers, 0); /* later than the call */
    assert_int_equal(atomic_load(&shards[0].awaited), 1);
}

static void
turn_all(int rounds)
{
    for (int round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < SHARDS; i++) {
            (void)uv_run(&shards[i].loop, UV_RUN_NOWAIT);
        }
    }
}

static void
test_connections_of_all_shards_are_counted(void **state)
{
    (void)state;
    populate();
    start(page_of(PEOPLE));
    turn_all(2 * SHARDS);
    assert_int_equal(answers, 1);
    assert_false(late);
    assert_int_equal(atomic_load(&shards[0].awaited), 0);
    for (unsigned i = 0; i < PEOPLE; i++) {
        assert_int_equal(got[i], people[i].count);
    }
    depart();
    start(page_of(PEOPLE));
    turn_all(2 * SHARDS);
    for (unsigned i = 0; i < PEOPLE; i++) {
        assert_int_equal(got[i], 0);
    }
}

static void
test_an_empty_page_is_answered_too(void **state)
{
    (void)state;
    start(page_of(0));
    turn_all(2);
    assert_int_equal(answers, 1);
    assert_false(late);
}

static void
test_a_session_that_is_not_in_memory_has_none(void **state)
{
    struct store_job *job =
        store_job_new(STORE_MESSAGES, &shards[0], NULL, NULL);

    (void)state;
    job->session.user_id = xstrdup("nobody");
    memset(job->session.sid, 'a', RAND_ID_CHARS);
    got[0] = 77;
    start(job);
    turn_all(2 * SHARDS);
    assert_int_equal(answers, 1);
    assert_false(late);
}

static void
on_skipped_here(struct timer *t)
{
    (void)t;
}

/* Home turns alone, and its clock goes on. */
static void
test_a_shard_that_does_not_turn_is_not_waited_for_long(void **state)
{
    struct timers *timers = &shards[0].timers;
    struct timer now;

    (void)state;
    populate();
    start(page_of(PEOPLE));
    uv_update_time(&shards[0].loop);
    for (size_t i = 1; i <= timers->count; i++) {
        uint64_t at = timers->heap[i]->at_ms;

        timers->heap[i]->at_ms = at > CENSUS_MS ? at - CENSUS_MS : 0;
    }
    timer_init(&now, on_skipped_here);
    timer_start(timers, &now, 0); /* so that the heap is looked at again */
    for (int i = 0; i < 1000 && answers == 0; i++) {
        (void)uv_run(&shards[0].loop, UV_RUN_ONCE);
    }
    assert_int_equal(answers, 1);
    assert_true(late);
    turn_all(2 * SHARDS); /* the letter comes home: nobody is asked again */
    assert_int_equal(answers, 1);
    assert_int_equal(atomic_load(&shards[0].awaited), 0);
    depart();
}

static void
test_a_letter_that_is_never_read_leaves_nothing_behind(void **state)
{
    (void)state;
    populate();
    start(page_of(PEOPLE));
    depart();
    assert_int_equal(answers, 0);
}

#define CENSUS_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CENSUS_TEST(test_connections_of_all_shards_are_counted),
        CENSUS_TEST(test_an_empty_page_is_answered_too),
        CENSUS_TEST(test_a_session_that_is_not_in_memory_has_none),
        CENSUS_TEST(test_a_shard_that_does_not_turn_is_not_waited_for_long),
        CENSUS_TEST(test_a_letter_that_is_never_read_leaves_nothing_behind),
    };

    return cmocka_run_group_tests_name("gate/census", tests, NULL, NULL);
}
