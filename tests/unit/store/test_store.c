/* SPDX-License-Identifier: MIT */
/* The whole room: shards, queues, threads and the real database, in good
 * times and when the disk fails. */
#include "store/store.h"

#include "base/metrics.h"
#include "fixture.h"
#include "loop/shard.h"
#include "store/secret.h"

#include <fcntl.h>
#include <sys/resource.h>

#define SHARDS 2

struct house {
    struct fixture f;
    struct store *store;
    struct shard shards[SHARDS];
    int answers[SHARDS][2]; /* per shard: jobs that are done */
};

static void
on_done(struct store_job *job)
{
    int fd = *(const int *)job->cookie;

    assert_int_equal(write(fd, &job, sizeof(job)), sizeof(job));
}

static void
open_house(struct house *h)
{
    if (store_open(&h->f.settings, &h->store, h->f.why, sizeof(h->f.why)) !=
        ERR_OK) {
        fail_msg("%s", h->f.why);
    }
    for (unsigned i = 0; i < SHARDS; i++) {
        assert_int_equal(pipe(h->answers[i]), 0);
        assert_int_equal(shard_init(&h->shards[i], i), ERR_OK);
        assert_int_equal(shard_start(&h->shards[i], NULL), ERR_OK);
    }
}

static void
stop_here(struct shard *here, struct letter *self)
{
    (void)self;
    shard_stop(here);
}

static void
close_house(struct house *h)
{
    store_close(h->store);
    for (unsigned i = 0; i < SHARDS; i++) {
        struct letter stop = {.deliver = stop_here};

        shard_post(&h->shards[i], &stop);
        shard_join(&h->shards[i]);
        shard_fini(&h->shards[i]);
        close(h->answers[i][0]);
        close(h->answers[i][1]);
    }
}

static int
setup(void **state)
{
    struct house *h = xcalloc(1, sizeof(*h));

    metrics_thread_init();
    fixture_init(&h->f);
    open_house(h);
    *state = h;
    return 0;
}

static int
teardown(void **state)
{
    struct house *h = *state;

    close_house(h);
    fixture_fini(&h->f);
    metrics_fini();
    xfree(h);
    return 0;
}

static void
submit(struct house *h, unsigned shard, struct store_job *job)
{
    job->home = &h->shards[shard];
    job->done = on_done;
    job->cookie = &h->answers[shard][1];
    store_submit(h->store, job);
}

static struct store_job *
next_done(struct house *h, unsigned shard)
{
    struct store_job *job;

    assert_int_equal(read(h->answers[shard][0], &job, sizeof(job)),
                     sizeof(job));
    return job;
}

static struct store_job *
call(struct house *h, struct store_job *job)
{
    submit(h, 0, job);
    return next_done(h, 0);
}

static enum err
call_free(struct house *h, struct store_job *job)
{
    enum err e;

    job = call(h, job);
    e = job->result;
    store_job_free(job);
    return e;
}

/* -- good times -- */

static void
a_read_after_the_answer_of_a_write_sees_it(void **state)
{
    struct house *h = *state;

    assert_string_equal(store_kind(h->store), "sqlite");
    assert_true(store_healthy(h->store));
    for (unsigned i = 1; i <= 200; i++) {
        struct store_job *job;

        assert_int_equal(call_free(h, new_question(1, "ann", i, "hello")),
                         ERR_OK);
        job = new_job(STORE_MESSAGES, 1, "ann");
        job->after_seq = i - 1;
        job = call(h, job);
        assert_int_equal(job->result, ERR_OK);
        assert_int_equal(job->count, 1);
        assert_int_equal(job->messages[0].seq, i);
        store_job_free(job);
    }
}

static void
sid_and_owner_may_be_given_in_either_place(void **state)
{
    struct house *h = *state;
    struct store_job *job = new_question(1, "ann", 11, "hello");

    memset(job->session.sid, 0, sizeof(job->session.sid));
    xfree(job->user_id);
    job->user_id = NULL;
    assert_int_equal(call_free(h, job), ERR_OK);
    job = new_question(1, "ann", 12, "hello");
    memset(job->message.sid, 0, sizeof(job->message.sid));
    xfree(job->session.user_id);
    job->session.user_id = NULL;
    assert_int_equal(call_free(h, job), ERR_OK);
    job = call(h, new_job(STORE_SESSION_GET, 1, "ann"));
    assert_int_equal(job->result, ERR_OK);
    assert_int_equal(job->session.seq, 2);
    store_job_free(job);
}

static void
many_sessions_of_both_shards_keep_their_order(void **state)
{
    struct house *h = *state;
    int64_t seen[20] = {0};

    for (unsigned i = 0; i < 2000; i++) {
        struct store_job *job = new_question(i % 20, "ann", 1000 + i, "hello");

        submit(h, i % SHARDS, job); /* a session is always on one shard */
    }
    for (unsigned i = 0; i < 2000; i++) {
        struct store_job *job = next_done(h, i % SHARDS);
        unsigned session = (unsigned)strtoul(job->session.sid, NULL, 16);

        assert_int_equal(job->result, ERR_OK);
        assert_int_equal(job->message.seq, ++seen[session]);
        store_job_free(job);
    }
    assert_true(metric_value(METRIC_STORE_COMMITS, 0) < 2000);
    assert_int_equal(metric_value(METRIC_STORE_JOBS, 0), 2000);
    assert_int_equal(metric_value(METRIC_STORE_ERRORS, 0), 0);
    assert_int_equal(metric_value(METRIC_STORE_QUEUE, 0), 0);
}

static void
fifty_repeats_at_once_are_one_message(void **state)
{
    struct house *h = *state;
    unsigned written = 0;

    for (unsigned i = 0; i < 50; i++) {
        struct store_job *job = new_question(1, "ann", 100 + i, "hello");

        job->message.client_id = xstrdup("c-1");
        submit(h, i % SHARDS, job);
    }
    for (unsigned i = 0; i < 50; i++) {
        struct store_job *job = next_done(h, i % SHARDS);

        assert_int_equal(job->result, ERR_OK);
        assert_int_equal(job->message.seq, 1);
        written += !job->duplicate;
        store_job_free(job);
    }
    assert_int_equal(written, 1);
}

static void
reads_run_while_writes_do(void **state)
{
    struct house *h = *state;
    int64_t last = 0;

    for (unsigned i = 1; i <= 300; i++) {
        submit(h, 0, new_question(1, "ann", i, "hello"));
        submit(h, 1, new_job(STORE_MESSAGES, 1, NULL));
    }
    for (unsigned i = 0; i < 300; i++) {
        struct store_job *job = next_done(h, 1);

        assert_int_equal(job->result, ERR_OK);
        for (size_t k = 0; k < job->count; k++) {
            assert_int_equal(job->messages[k].seq, k + 1);
        }
        last = (int64_t)job->count > last ? (int64_t)job->count : last;
        store_job_free(job);
        store_job_free(next_done(h, 0));
    }
    assert_true(last <= 100);
}

static void
closing_stores_what_was_submitted(void **state)
{
    struct house *h = *state;
    struct store_job *job;

    for (unsigned i = 1; i <= 100; i++) {
        submit(h, 0, new_question(1, "ann", i, "hello"));
    }
    store_close(h->store);
    h->store = NULL;
    for (unsigned i = 1; i <= 100; i++) {
        job = next_done(h, 0);
        assert_int_equal(job->result, ERR_OK);
        store_job_free(job);
    }
    close_house(h);
    open_house(h);
    job = call(h, new_job(STORE_SESSION_GET, 1, "ann"));
    assert_int_equal(job->session.seq, 100);
    store_job_free(job);
}

static void
its_secret_is_its_own_and_stays(void **state)
{
    struct house *h = *state, other = {.store = NULL};
    char first[100];

    fixture_init(&other.f);
    open_house(&other);
    assert_int_equal(store_secret(h->store).n, 2 * RAND_ID_CHARS);
    assert_false(str_eq(store_secret(h->store), store_secret(other.store)));
    snprintf(first, sizeof(first), "%.*s", STR_ARG(store_secret(h->store)));
    close_house(h);
    open_house(h);
    assert_true(str_is(store_secret(h->store), first));
    close_house(&other);
    fixture_fini(&other.f);
}

static void
a_letter_that_finds_nobody_is_freed(void **state)
{
    struct house *h = *state;
    struct letter stop = {.deliver = stop_here};

    shard_post(&h->shards[0], &stop);
    shard_join(&h->shards[0]);
    submit(h, 0, new_question(1, "ann", 11, "hello"));
    store_close(h->store); /* the answer lies in a dead shard's mailbox */
    h->store = NULL;
    shard_fini(&h->shards[0]);
    assert_int_equal(shard_init(&h->shards[0], 0), ERR_OK);
    assert_int_equal(shard_start(&h->shards[0], NULL), ERR_OK);
}

static void
a_shard_knows_how_many_answers_it_is_owed(void **state)
{
    struct house *h = *state;
    struct letter stop = {.deliver = stop_here};
    struct shard *s = &h->shards[0];

    assert_int_equal(call_free(h, new_question(1, "ann", 11, "hello")), ERR_OK);
    assert_int_equal(atomic_load(&s->awaited), 0);
    shard_post(s, &stop);
    shard_join(s);
    submit(h, 0, new_question(1, "ann", 12, "hello"));
    submit(h, 0, new_job(STORE_SESSION_GET, 1, "ann"));
    assert_int_equal(atomic_load(&s->awaited), 2);
    store_close(h->store);
    h->store = NULL;
    shard_fini(s);
    assert_int_equal(shard_init(s, 0), ERR_OK);
    assert_int_equal(shard_start(s, NULL), ERR_OK);
}

static void
freeing_no_job_and_closing_no_store_are_fine(void **state)
{
    (void)state;
    store_job_free(NULL);
    store_close(NULL);
}

/* -- bad times -- */

static void
wait_healthy(struct house *h)
{
    while (!store_healthy(h->store)) {
        usleep(1000);
    }
}

/* Files cannot grow beyond the limit: as a full disk, but without one. */
static void
limit_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
a_disk_that_takes_no_more_is_told_and_gets_well(void **state)
{
    struct house *h = *state;
    struct store_job *job;

    assert_int_equal(call_free(h, new_question(1, "ann", 11, "hello")), ERR_OK);
    limit_files(4096);
    for (unsigned i = 0; i < 3; i++) {
        job = new_question(1, "ann", 20 + i, "lost");
        job->message.client_id = xstrdup("c-1");
        assert_int_equal(call_free(h, job), ERR_DATABASE_ERROR);
        assert_false(store_healthy(h->store));
    }
    assert_int_equal(call_free(h, new_job(STORE_SESSION_GET, 1, "ann")),
                     ERR_OK); /* reading still works */
    assert_int_equal(metric_value(METRIC_STORE_ERRORS, 0), 3);
    limit_files(RLIM_INFINITY);
    wait_healthy(h); /* without traffic */

    job = new_question(1, "ann", 30, "kept");
    job->message.client_id = xstrdup("c-1");
    job = call(h, job);
    assert_int_equal(job->result, ERR_OK);
    assert_false(job->duplicate);
    assert_int_equal(job->message.seq, 2);
    store_job_free(job);
}

static void
a_locked_database_is_told_and_gets_well(void **state)
{
    struct house *h = *state;
    sqlite3 *other = NULL;
    char path[160];

    fixture_path(&h->f, "chatbox.db", path);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(call_free(h, new_question(1, "ann", 11, "hello")),
                     ERR_DATABASE_ERROR);
    assert_false(store_healthy(h->store));
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    wait_healthy(h);
    assert_int_equal(call_free(h, new_question(1, "ann", 11, "hello")), ERR_OK);
}

static void
a_damaged_database_is_told(void **state)
{
    struct house *h = *state;
    char path[160], *junk = xmalloc(4096);
    int fd;

    for (unsigned i = 1; i <= 50; i++) {
        assert_int_equal(call_free(h, new_question(1, "ann", i, "hello")),
                         ERR_OK);
    }
    close_house(h); /* all pages are in the one file, and no cache has them */
    open_house(h);
    fixture_path(&h->f, "chatbox.db", path);
    fd = open(path, O_WRONLY);
    memset(junk, 0xa5, 4096);
    for (int page = 1; page < 12; page++) {
        assert_int_equal(pwrite(fd, junk, 4096, page * 4096), 4096);
    }
    close(fd);
    xfree(junk);
    assert_int_equal(call_free(h, new_job(STORE_MESSAGES, 1, NULL)),
                     ERR_DATABASE_ERROR);
    assert_false(store_healthy(h->store));
    assert_int_equal(call_free(h, new_question(1, "ann", 99, "hello")),
                     ERR_DATABASE_ERROR);
}

static void
a_queue_that_is_full_refuses_later(void **state)
{
    struct house *h = *state;
    unsigned refused = 0, kept = 0;
    struct store_job *job;

    close_house(h);
    h->f.settings.queue_max = 10;
    open_house(h);
    for (unsigned i = 0; i < 1000; i++) {
        submit(h, 0, new_question(1, "ann", 100 + i, "hello"));
    }
    for (unsigned i = 0; i < 1000; i++) {
        job = next_done(h, 0);
        refused += job->result == ERR_DATABASE_ERROR;
        kept += job->result == ERR_OK;
        store_job_free(job);
    }
    assert_true(refused > 0);
    assert_int_equal(refused + kept, 1000);
    job = call(h, new_job(STORE_SESSION_GET, 1, "ann"));
    assert_int_equal(job->session.seq, kept);
    store_job_free(job);
    assert_int_equal(metric_value(METRIC_STORE_QUEUE, 0), 0);
}

static void
a_store_that_cannot_open_says_why(void **state)
{
    struct house *h = *state;
    struct store *second = NULL;

    assert_int_equal(
        store_open(&h->f.settings, &second, h->f.why, sizeof(h->f.why)),
        ERR_CONFLICT);
    assert_non_null(strstr(h->f.why, "another process uses it"));
    assert_null(second);
}

#undef TEST
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freeing_no_job_and_closing_no_store_are_fine),
        TEST(a_read_after_the_answer_of_a_write_sees_it),
        TEST(sid_and_owner_may_be_given_in_either_place),
        TEST(many_sessions_of_both_shards_keep_their_order),
        TEST(fifty_repeats_at_once_are_one_message),
        TEST(reads_run_while_writes_do),
        TEST(closing_stores_what_was_submitted),
        TEST(its_secret_is_its_own_and_stays),
        TEST(a_letter_that_finds_nobody_is_freed),
        TEST(a_shard_knows_how_many_answers_it_is_owed),
        TEST(a_disk_that_takes_no_more_is_told_and_gets_well),
        TEST(a_locked_database_is_told_and_gets_well),
        TEST(a_damaged_database_is_told),
        TEST(a_queue_that_is_full_refuses_later),
        TEST(a_store_that_cannot_open_says_why),
    };

    return cmocka_run_group_tests_name("store/store", tests, NULL, NULL);
}
