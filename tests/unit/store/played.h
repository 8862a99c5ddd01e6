/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_STORE_PLAYED_H
#define CHATBOX_TESTS_STORE_PLAYED_H

/* What the tests of store/store_worker.h share: a worker with a database that
 * the test plays itself. */
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "loop/shard.h"
#include "store/store_worker.h"

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

static inline struct fake *
fake_of(struct store_link *link)
{
    return CONTAINER_OF(link, struct fake, link);
}

static inline void
wait_byte(int fd)
{
    char byte;

    assert_int_equal(read(fd, &byte, 1), 1);
}

static inline void
give_byte(int fd)
{
    assert_int_equal(write(fd, "x", 1), 1);
}

static inline enum err
fails_at(struct fake *f, int step)
{
    return atomic_load(&f->fail) == step ? ERR_DATABASE_ERROR : ERR_OK;
}

static inline enum err
fake_begin(struct store_link *link)
{
    struct fake *f = fake_of(link);

    give_byte(f->entered[1]);
    wait_byte(f->gate[0]);
    return fails_at(f, 1);
}

static inline enum err
fake_commit(struct store_link *link)
{
    atomic_fetch_add(&fake_of(link)->commits, 1);
    return fails_at(fake_of(link), 3);
}

static inline void
fake_rollback(struct store_link *link)
{
    atomic_fetch_add(&fake_of(link)->rollbacks, 1);
}

static inline enum err
fake_probe(struct store_link *link)
{
    atomic_fetch_add(&fake_of(link)->probes, 1);
    return atomic_load(&fake_of(link)->fail) != 0 ? ERR_DATABASE_ERROR : ERR_OK;
}

static inline int
fake_tend(struct store_link *link)
{
    (void)link;
    return -1;
}

static inline struct store_fault
fake_fault(struct store_link *link)
{
    return (struct store_fault){"FAKE", 1, fake_of(link)->damage};
}

static inline enum err
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
            [STORE_DRAFT_PUT] = fake_op,
            [STORE_USAGE_PUT] = fake_op},
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
static inline void
on_done(struct store_job *job)
{
    struct house *h = CONTAINER_OF(job->home, struct house, shard);

    assert_int_equal(write(h->answers[1], &job, sizeof(job)), sizeof(job));
}

static inline int
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

static inline void
stop_here(struct shard *here, struct letter *self)
{
    (void)self;
    shard_stop(here);
}

static inline int
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

static inline void
push_as(struct house *h, enum store_op op, const char *letter, bool taken)
{
    struct store_job *job =
        store_job_new(op, &h->shard, on_done, (void *)(uintptr_t)letter);

    assert_int_equal(store_worker_push(&h->inbox, job), taken);
    if (!taken) {
        store_job_free(job);
    }
}

static inline void
push(struct house *h, const char *letter)
{
    push_as(h, STORE_MESSAGE_APPEND, letter, true);
}

static inline void
push_urgent(struct house *h, const char *letter)
{
    struct store_job *job = store_job_new(STORE_DRAFT_PUT, &h->shard, on_done,
                                          (void *)(uintptr_t)letter);

    job->urgent = true;
    assert_true(store_worker_push(&h->inbox, job));
}

/* Waits for an answer and checks it. */
static inline void
expect(struct house *h, char letter, enum err result)
{
    struct store_job *job;

    assert_int_equal(read(h->answers[0], &job, sizeof(job)), sizeof(job));
    assert_int_equal(*(const char *)job->cookie, letter);
    assert_int_equal(job->result, result);
    store_job_free(job);
}

static inline bool
answer_waits(struct house *h)
{
    struct pollfd p = {.fd = h->answers[0], .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

static inline void
start_writer(struct house *h)
{
    assert_int_equal(store_worker_start_writer(&h->worker), ERR_OK);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

#endif
