/* SPDX-License-Identifier: MIT */
#include "store/store_sqlite_busy.h"

#include "base/metrics.h"
#include "keys.h"

#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#define MINUTE_MS 60000
#define TRANSACTIONS 60

/* Another process, as far as SQLite can tell. */
struct other {
    sqlite3 *db;
    sem_t holds;   /* the first transaction has begun */
    bool stood_by; /* at last somebody else was in */
};

static int
sql(sqlite3 *db, const char *text)
{
    return sqlite3_exec(db, text, NULL, NULL, NULL);
}

static void
rest_us(long us)
{
    struct timespec t = {.tv_nsec = us * 1000};

    nanosleep(&t, NULL);
}

/* Busy, on a slow disk: one transaction after another. */
static void *
write_on(void *arg)
{
    struct other *o = arg;

    for (int i = 0; i < TRANSACTIONS && !o->stood_by; i++) {
        o->stood_by = sql(o->db, "BEGIN IMMEDIATE") == SQLITE_BUSY;
        if (!o->stood_by) {
            (void)sem_post(&o->holds);
            rest_us(20000);
            (void)sql(o->db, "COMMIT");
            rest_us(300);
        }
    }
    return NULL;
}

static void
open_other(struct fixture *f, struct other *o)
{
    char path[160];

    *o = (struct other){0};
    fixture_path(f, "chatbox.db", path);
    assert_int_equal(sqlite3_open(path, &o->db), SQLITE_OK);
    assert_int_equal(sem_init(&o->holds, 0, 0), 0);
}

static void
close_other(struct other *o)
{
    assert_int_equal(sqlite3_close(o->db), SQLITE_OK);
    sem_destroy(&o->holds);
}

static void
get_in(struct fixture *f, struct sqlite_link *link)
{
    struct other o;
    pthread_t thread;

    open_other(f, &o);
    assert_int_equal(pthread_create(&thread, NULL, write_on, &o), 0);
    assert_int_equal(sem_wait(&o.holds), 0);
    assert_int_equal(sql(link->db, "BEGIN IMMEDIATE"), SQLITE_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(o.stood_by);
    assert_int_equal(sql(link->db, "COMMIT"), SQLITE_OK);
    close_other(&o);
}

/* Several times, as who asks seldom may be lucky once. */
static void
who_waits_gets_in_between_the_transactions_of_a_busy_one(void **state)
{
    struct fixture *f = *state;
    struct sqlite_link *link = store_sqlite_of(f->writer);

    store_sqlite_busy_wait(link->db, &link->busy, MINUTE_MS);
    for (int i = 0; i < 4; i++) {
        get_in(f, link);
    }
}

static void
patience_has_an_end(void **state)
{
    struct fixture *f = *state;
    struct sqlite_link *link = store_sqlite_of(f->writer);
    struct other o;

    open_other(f, &o);
    assert_int_equal(sql(o.db, "BEGIN IMMEDIATE"), SQLITE_OK);
    for (int ms = 0; ms <= 20; ms += 20) {
        store_sqlite_busy_wait(link->db, &link->busy, ms);
        assert_int_equal(sql(link->db, "BEGIN IMMEDIATE"), SQLITE_BUSY);
    }
    assert_int_equal(sql(o.db, "COMMIT"), SQLITE_OK);
    assert_int_equal(sql(link->db, "BEGIN IMMEDIATE"), SQLITE_OK);
    assert_int_equal(sql(link->db, "COMMIT"), SQLITE_OK);
    close_other(&o);
}

/* Which empties the log, and does not wait for that. */
static void
patience_outlives_a_deletion(void **state)
{
    struct fixture *f = *state;
    struct sqlite_link *link = store_sqlite_of(f->writer);

    ask(f, 1, "ann", 11);
    store_sqlite_busy_wait(link->db, &link->busy, MINUTE_MS);
    assert_int_equal(run_free(f, new_job(STORE_SESSION_DELETE, 1, "ann")),
                     ERR_OK);
    assert_false(link->scrub);
    assert_int_equal(link->busy.patience_ms, MINUTE_MS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_waits_gets_in_between_the_transactions_of_a_busy_one),
        TEST(patience_has_an_end),
        TEST(patience_outlives_a_deletion),
    };

    metrics_thread_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
