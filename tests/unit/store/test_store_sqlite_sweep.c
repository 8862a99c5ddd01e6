/* SPDX-License-Identifier: MIT */
#include "store/store_sqlite_sweep.h"

#include "unused.h"

#include <time.h>

/* As its thread does: until there is nothing to do. */
static void
sweep(struct fixture *f)
{
    int wait_ms;

    while ((wait_ms = store_sqlite.tend(f->writer)) >= 0) {
        struct timespec t = {.tv_sec = wait_ms / 1000,
                             .tv_nsec = wait_ms % 1000 * 1000000L};

        nanosleep(&t, NULL);
    }
}

/* What somebody does who reads all the while. */
static void
read_on(struct fixture *f, const char *sql)
{
    assert_int_equal(
        sqlite3_exec(store_sqlite_of(f->reader)->db, sql, NULL, NULL, NULL),
        SQLITE_OK);
}

static void
what_a_user_deletes_leaves_the_unused_parts_of_pages(void **state)
{
    struct fixture *f = *state;

    ask(f, 1, "ann", 11);
    ask(f, 2, "ann", 12);
    stir(f);
    sweep(f);
    by_hand(f, "PRAGMA wal_checkpoint(TRUNCATE)");
    assert_true(unused(f) > 0); /* nothing was deleted */
    assert_int_equal(run_free(f, new_job(STORE_SESSION_DELETE, 1, "ann")),
                     ERR_OK);
    sweep(f);
    assert_int_equal(unused(f), 0);
    assert_int_equal(number(f, "SELECT count(*) FROM messages"), 1);
}

static void
what_is_deleted_during_a_sweep_is_not_left(void **state)
{
    struct fixture *f = *state;
    struct sqlite_link *link = store_sqlite_of(f->writer);
    char path[160];

    ask(f, 1, "ann", 11);
    ask(f, 2, "ann", 12);
    stir(f);
    fixture_path(f, "chatbox.db", path);
    link->sweep = store_sqlite_scrub_open(path, 0);
    assert_int_equal(run_free(f, new_job(STORE_SESSION_DELETE, 1, "ann")),
                     ERR_OK);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(store_sqlite_scrub_slice(link->sweep, 0),
                         STORE_SQLITE_SCRUB_MORE);
    }
    shake(f);
    assert_int_equal(run_free(f, new_job(STORE_SESSION_DELETE, 2, "ann")),
                     ERR_OK);
    sweep(f);
    assert_int_equal(unused(f), 0);
}

static void
closing_ends_the_sweep(void **state)
{
    struct fixture *f = *state;

    ask(f, 1, "ann", 11);
    stir(f);
    assert_int_equal(run_free(f, new_job(STORE_SESSION_DELETE, 1, "ann")),
                     ERR_OK);
    fixture_close(f);
    assert_int_equal(unused(f), 0);
    fixture_open(f);
    assert_int_equal(store_sqlite.tend(f->writer), -1);
}

static void
a_database_that_was_not_closed_is_swept(void **state)
{
    struct fixture *f = *state;
    char path[160], log_path[160];
    FILE *log;

    stir(f);
    fixture_close(f);
    assert_true(unused(f) > 0);
    fixture_path(f, "chatbox.db", path);
    assert_false(store_sqlite_sweep_due(path));
    fixture_path(f, "chatbox.db-wal", log_path);
    log = fopen(log_path, "wb");
    assert_non_null(log);
    fclose(log);
    assert_true(store_sqlite_sweep_due(path));
    fixture_open(f);
    sweep(f);
    assert_int_equal(unused(f), 0);
}

/* Nobody waits for a reader; the sweep does. */
static void
a_reader_delays_the_sweep_only(void **state)
{
    struct fixture *f = *state;

    ask(f, 1, "ann", 11);
    ask(f, 2, "ann", 12);
    stir(f);
    read_on(f, "BEGIN;SELECT * FROM sessions");
    assert_int_equal(run_free(f, new_job(STORE_SESSION_DELETE, 1, "ann")),
                     ERR_OK);
    assert_true(store_sqlite.tend(f->writer) > 0);
    ask(f, 2, "ann", 13);
    read_on(f, "COMMIT");
    sweep(f);
    assert_int_equal(unused(f), 0);
}

/* What a stop has no time for; here because somebody reads. */
static void
what_is_left_of_a_sweep_is_due_at_the_next_start(void **state)
{
    struct fixture *f = *state;
    struct sqlite_link *link = store_sqlite_of(f->writer);

    ask(f, 1, "ann", 11);
    stir(f);
    read_on(f, "BEGIN;SELECT * FROM sessions");
    assert_int_equal(run_free(f, new_job(STORE_SESSION_DELETE, 1, "ann")),
                     ERR_OK);
    store_sqlite_sweep_end(link);
    read_on(f, "COMMIT");
    link->unswept = false; /* closing may not try again */
    fixture_close(f);
    assert_true(unused(f) > 0);
    fixture_open(f);
    sweep(f);
    assert_int_equal(unused(f), 0);
}

static void
a_start_that_fails_leaves_the_sweep_due(void **state)
{
    struct fixture *f = *state;
    char path[160], log_path[160];
    sqlite3 *db = NULL;

    fixture_path(f, "chatbox.db", path);
    fixture_path(f, "chatbox.db-wal", log_path);
    by_hand(f, "ALTER TABLE pieces RENAME TO hidden");
    fixture_close(f);
    fclose(fopen(log_path, "wb"));
    assert_int_equal(
        store_sqlite.open(&f->settings, &f->writer, f->why, sizeof(f->why)),
        ERR_DATABASE_ERROR);
    assert_true(store_sqlite_sweep_due(path));
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "ALTER TABLE hidden RENAME TO pieces",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    fixture_open(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_a_user_deletes_leaves_the_unused_parts_of_pages),
        TEST(what_is_deleted_during_a_sweep_is_not_left),
        TEST(closing_ends_the_sweep),
        TEST(a_database_that_was_not_closed_is_swept),
        TEST(a_reader_delays_the_sweep_only),
        TEST(what_is_left_of_a_sweep_is_due_at_the_next_start),
        TEST(a_start_that_fails_leaves_the_sweep_due),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
