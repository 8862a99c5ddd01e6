/* SPDX-License-Identifier: MIT */
/* The workers with a database that the test plays itself: what is one
 * transaction, who is answered when, and what health is. */
#include "store/store_worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "loop/shard.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The played database. The test holds the writer inside begin until it lets
 * it go by a byte, so that it decides what a group is. */
struct fake {
    struct store_link link;
    int gate[2];     /* a byte lets one begin pass */
    int entered[2];  /* a byte for each begin */
    atomic_int fail; /* begin, op, commit fail while it is 1, 2, 3 */
    atomic_int commits;
    atomic_int rollbacks;
    atomic_int probes;
    atomic_int done; /* jobs carried out */
    char order[64];  /* the first letters of their cookies */
    bool damage;     /* what a failure says */
};

static struct fake *
fake_of(struct store_link *link)
{
    return CONTAINER_OF(link, struct fake, link);
}

static void
wait_byte(int fd)
{
    char byte;

    assert_int_equal(read(fd, &byte, 1), 1);
}

static void
give_byte(int fd)
{
    assert_int_equal(write(fd, "x", 1), 1);
}

static enum err
fails_at(struct fake *f, int step)
{
    return atomic_load(&f->fail) == step ? ERR_DATABASE_ERROR : ERR_OK;
}

static enum err
fake_begin(struct store_link *link)
{
    struct fake *f = fake_of(link);

    give_byte(f->entered[1]);
    wait_byte(f->gate[0]);
    return fails_at(f, 1);
}

static enum err
fake_commit(struct store_link *link)
{
    atomic_fetch_add(&fake_of(link)->commits, 1);
    return fails_at(fake_of(link), 3);
}

static void
fake_rollback(struct store_link *link)
{
    atomic_fetch_add(&fake_of(link)->rollbacks, 1);
}

static enum err
fake_probe(struct store_link *link)
{
    atomic_fetch_add(&fake_of(link)->probes, 1);
    return atomic_load(&fake_of(link)->fail) != 0 ? ERR_DATABASE_ERROR : ERR_OK;
}

static int
fake_tend(struct store_link *link)
{
    (void)link;
    return -1;
}

static struct store_fault
fake_fault(struct store_link *link)
{
    return (struct store_fault){"FAKE", 1, fake_of(link)->damage};
}

static enum err
fake_op(struct store_link *link, struct store_job *job)
{
    struct fake *f = fake_of(link);
    int n = atomic_fetch_add(&f->done, 1);

    f->order[n] = *(const char *)job->cookie;
    return fails_at(f, 2) != ERR_OK         ? ERR_DATABASE_ERROR
           : job->op == STORE_SESSION_PATCH ? ERR_NOT_FOUND
                                            : ERR_OK;
}

static const struct store_backend fake_backend = {
    .kind = "fake",
    .group_max = 4,
    .begin = fake_begin,
    .commit = fake_commit,
    .rollback = fake_rollback,
    .probe = fake_probe,
    .tend = fake_tend,
    .fault = fake_fault,
    .ops = {[STORE_PING] = fake_op,
            [STORE_MESSAGE_APPEND] = fake_op,
            [STORE_SESSION_PATCH] = fake_op,
            [STORE_DRAFT_PUT] = fake_op},
};

/* Jobs one by one; those on sessions that are called "open" stay open as long
 * as fail is not 0. */
static enum err
fake_write(struct store_link *link, struct store_job *chain)
{
    struct fake *f = fake_of(link);
    enum err worst = ERR_OK;

    for (; chain != NULL; chain = store_worker_next(chain)) {
        int n = atomic_fetch_add(&f->done, 1);
        bool open = atomic_load(&f->fail) != 0 &&
                    strcmp(chain->session.sid, "open") == 0;

        f->order[n % (int)sizeof(f->order)] = *(const char *)chain->cookie;
        chain->result = open ? ERR_AGAIN : ERR_OK;
        worst = open ? ERR_DATABASE_ERROR : worst;
    }
    return worst;
}

static const struct store_backend one_by_one = {
    .kind = "one by one",
    .group_max = 4,
    .write = fake_write,
    .probe = fake_probe,
    .tend = fake_tend,
    .fault = fake_fault,
    .watch_ms = 1,
};

struct house {
    struct fake fake;
    struct store_inbox inbox;
    struct store_worker worker;
    struct store_health health;
    struct shard shard;
    int answers[2]; /* pointers of jobs that are done */
};

/* The jobs' only way home; the cookie is a letter, so the pipe is found by
 * the shard. */
static void
on_done(struct store_job *job)
{
    struct house *h = CONTAINER_OF(job->home, struct house, shard);

    assert_int_equal(write(h->answers[1], &job, sizeof(job)), sizeof(job));
}

static int
setup(void **state)
{
    struct house *h = xcalloc(1, sizeof(*h));

    log_set_level(LOG_ERROR);
    assert_int_equal(pipe(h->fake.gate), 0);
    assert_int_equal(pipe(h->fake.entered), 0);
    assert_int_equal(pipe(h->answers), 0);
    h->fake.link.backend = &fake_backend;
    atomic_init(&h->health.ok, true);
    store_worker_inbox_init(&h->inbox, 6, 3600000);
    h->worker = (struct store_worker){
        .inbox = &h->inbox, .link = &h->fake.link, .health = &h->health};
    assert_int_equal(shard_init(&h->shard, 0), ERR_OK);
    assert_int_equal(shard_start(&h->shard, NULL), ERR_OK);
    *state = h;
    return 0;
}

static void
stop_here(struct shard *here, struct letter *self)
{
    (void)self;
    shard_stop(here);
}

static int
teardown(void **state)
{
    struct house *h = *state;
    struct letter stop = {.deliver = stop_here};

    for (int i = 0; i < 20; i++) { /* whoever still waits may pass */
        give_byte(h->fake.gate[1]);
    }
    store_worker_inbox_close(&h->inbox);
    store_worker_join(&h->worker);
    store_worker_inbox_fini(&h->inbox);
    shard_post(&h->shard, &stop);
    shard_join(&h->shard);
    shard_fini(&h->shard);
    for (int i = 0; i < 2; i++) {
        close(h->fake.gate[i]);
        close(h->fake.entered[i]);
        close(h->answers[i]);
    }
    xfree(h);
    return 0;
}

static void
push_as(struct house *h, enum store_op op, const char *letter, bool taken)
{
    struct store_job *job =
        store_job_new(op, &h->shard, on_done, (void *)(uintptr_t)letter);

    assert_int_equal(store_worker_push(&h->inbox, job), taken);
    if (!taken) {
        store_job_free(job);
    }
}

static void
push(struct house *h, const char *letter)
{
    push_as(h, STORE_MESSAGE_APPEND, letter, true);
}

static void
push_urgent(struct house *h, const char *letter)
{
    struct store_job *job = store_job_new(STORE_DRAFT_PUT, &h->shard, on_done,
                                          (void *)(uintptr_t)letter);

    job->urgent = true;
    assert_true(store_worker_push(&h->inbox, job));
}

/* Waits for an answer and checks it. */
static void
expect(struct house *h, char letter, enum err result)
{
    struct store_job *job;

    assert_int_equal(read(h->answers[0], &job, sizeof(job)), sizeof(job));
    assert_int_equal(*(const char *)job->cookie, letter);
    assert_int_equal(job->result, result);
    store_job_free(job);
}

static bool
answer_waits(struct house *h)
{
    struct pollfd p = {.fd = h->answers[0], .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

static void
start_writer(struct house *h)
{
    assert_int_equal(store_worker_start_writer(&h->worker), ERR_OK);
}

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
drafts_wait_for_company(void **state)
{
    struct house *h = *state;

    start_writer(h);
    push_as(h, STORE_DRAFT_PUT, "a", true);
    push_as(h, STORE_DRAFT_PUT, "b", true);
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

/* -- jobs of unknown outcome -- */

static void
push_open_since(struct house *h, const char *letter, uint64_t open_ms)
{
    struct store_job *job = store_job_new(STORE_MESSAGE_APPEND, &h->shard,
                                          on_done, (void *)(uintptr_t)letter);

    memcpy(job->session.sid, "open", sizeof("open"));
    memcpy(job->message.id, "id-of-", sizeof("id-of-"));
    job->message.id[6] = *letter;
    job->open_ms = open_ms;
    assert_true(store_worker_push(&h->inbox, job));
}

static void
push_open(struct house *h, const char *letter)
{
    push_open_since(h, letter, 0);
}

static void
what_is_open_comes_again_in_front_until_it_is_known(void **state)
{
    struct house *h = *state;

    h->fake.link.backend = &one_by_one;
    atomic_store(&h->fake.fail, 1);
    push_open(h, "a");
    push_open(h, "b");
    push(h, "c");
    start_writer(h);
    expect(h, 'c', ERR_OK);
    assert_false(answer_waits(h));
    assert_false(atomic_load(&h->health.ok));
    push(h, "d");
    expect(h, 'd', ERR_OK);
    assert_memory_equal(h->fake.order, "abcabd", 6);
    assert_false(answer_waits(h));
    atomic_store(&h->fake.fail, 0);
    expect(h, 'a', ERR_OK); /* by itself */
    expect(h, 'b', ERR_OK);
    assert_true(atomic_load(&h->health.ok));
}

/* Else a database of whose answers nothing is known would have the writer
 * gather more and more. */
static void
what_is_open_fills_the_queue(void **state)
{
    struct house *h = *state;

    h->fake.link.backend = &one_by_one;
    atomic_store(&h->fake.fail, 1);
    for (int i = 0; i < 6; i++) {
        push_open(h, &"abcdef"[i]);
    }
    start_writer(h);
    while (atomic_load(&h->fake.done) < 4 + 6 + 1) { /* the third round */
        usleep(1000);
    }
    push_as(h, STORE_MESSAGE_APPEND, "x", false);
    atomic_store(&h->fake.fail, 0);
    for (int i = 0; i < 6; i++) {
        expect(h, "abcdef"[i], ERR_OK);
    }
    push(h, "g"); /* there is room again */
    expect(h, 'g', ERR_OK);
}

/* What has been logged since standard error was led into the pipe, which ends
 * here. */
static void
end_log(int log[2], int saved, char *text, size_t size)
{
    ssize_t n = read(log[0], text, size - 1);

    text[n < 0 ? 0 : n] = '\0';
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(log[0]);
    close(log[1]);
}

/* And the log names it. */
static void
what_stays_open_too_long_is_told_as_an_error(void **state)
{
    struct house *h = *state;
    int log[2], saved = dup(STDERR_FILENO);
    char text[8192];

    assert_int_equal(pipe(log), 0);
    dup2(log[1], STDERR_FILENO);
    h->fake.link.backend = &one_by_one;
    atomic_store(&h->fake.fail, 1);
    push_open(h, "a");
    push_open_since(h, "b", clock_mono_ms() - STORE_OPEN_MS);
    start_writer(h);
    expect(h, 'b', ERR_DATABASE_ERROR);
    end_log(log, saved, text, sizeof(text));
    assert_non_null(strstr(text, "\"message_id\":\"id-of-b\""));
    assert_null(strstr(text, "id-of-a"));
    assert_false(answer_waits(h));
    atomic_store(&h->fake.fail, 0);
    expect(h, 'a', ERR_OK);
}

static void
an_end_leaves_nobody_without_an_answer(void **state)
{
    struct house *h = *state;

    h->fake.link.backend = &one_by_one;
    atomic_store(&h->fake.fail, 1);
    push_open(h, "a");
    push(h, "b");
    start_writer(h);
    expect(h, 'b', ERR_OK);
    store_worker_inbox_close(&h->inbox);
    expect(h, 'a', ERR_DATABASE_ERROR);
}

static void
a_reader_that_watches_sees_it_fail_without_a_job(void **state)
{
    struct house *h = *state;

    h->fake.link.backend = &one_by_one;
    h->worker.watches = true;
    atomic_store(&h->fake.fail, 1);
    assert_int_equal(store_worker_start_reader(&h->worker), ERR_OK);
    while (atomic_load(&h->health.ok)) {
        usleep(1000);
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

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
        TEST(drafts_wait_for_company),
        TEST(drafts_do_not_wait_for_ever),
        TEST(closing_finishes_what_is_queued),
        TEST(a_failing_read_is_one_jobs_matter_and_health),
        TEST(a_reader_is_probed_too),
        TEST(damage_is_not_forgotten_over_a_read_that_works),
        TEST(what_is_open_comes_again_in_front_until_it_is_known),
        TEST(what_is_open_fills_the_queue),
        TEST(what_stays_open_too_long_is_told_as_an_error),
        TEST(an_end_leaves_nobody_without_an_answer),
        TEST(a_reader_that_watches_sees_it_fail_without_a_job),
    };

    return cmocka_run_group_tests_name("store/store_worker", tests, NULL, NULL);
}
