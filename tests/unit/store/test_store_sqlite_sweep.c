/* SPDX-License-Identifier: MIT */
#include "store/store_sqlite_sweep.h"

#include "base/metrics.h"
#include "unused.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
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

/* -- failures -- */

/* What is logged and counted from now on. */
struct told {
    FILE *file;
    int saved;
    int64_t before;
    char text[4096];
};

static void
listen_to(struct told *t)
{
    t->before = metric_value(METRIC_STORE_SWEEP_ERRORS, 0);
    log_set_level(LOG_INFO);
    t->file = tmpfile();
    assert_non_null(t->file);
    t->saved = dup(STDERR_FILENO);
    assert_true(dup2(fileno(t->file), STDERR_FILENO) >= 0);
}

static int64_t
failures(const struct told *t)
{
    return metric_value(METRIC_STORE_SWEEP_ERRORS, 0) - t->before;
}

/* The lines about the sweep. */
static int
stop_listening(struct told *t)
{
    int lines = 0;

    assert_true(dup2(t->saved, STDERR_FILENO) >= 0);
    close(t->saved);
    rewind(t->file);
    t->text[fread(t->text, 1, sizeof(t->text) - 1, t->file)] = '\0';
    fclose(t->file);
    for (const char *p = t->text; (p = strstr(p, "store_sweep")) != NULL; p++) {
        lines++;
    }
    return lines;
}

/* The next slice, as if it were time for it. */
static int
slice_now(struct fixture *f)
{
    store_sqlite_of(f->writer)->sweep_at_ms = 0;
    return store_sqlite.tend(f->writer);
}

/* A database with something to sweep. */
static void
delete_something(struct fixture *f)
{
    ask(f, 1, "ann", 11);
    ask(f, 2, "ann", 12);
    stir(f);
    assert_int_equal(run_free(f, new_job(STORE_SESSION_DELETE, 1, "ann")),
                     ERR_OK);
}

static void
a_file_that_cannot_be_opened_is_told_once_and_tried_less_and_less(void **state)
{
    static const int waits_ms[] = {1000,  2000,  4000,  8000, 16000,
                                   32000, 60000, 60000, 60000};
    struct fixture *f = *state;
    struct told told;
    char path[160], aside[160];

    fixture_path(f, "chatbox.db", path);
    fixture_path(f, "aside", aside);
    delete_something(f);
    listen_to(&told);
    assert_int_equal(rename(path, aside), 0);
    for (size_t i = 0; i < COUNT_OF(waits_ms); i++) {
        assert_int_equal(slice_now(f), waits_ms[i]);
        assert_int_equal(failures(&told), i + 1);
    }
    assert_int_equal(rename(aside, path), 0);
    assert_true(slice_now(f) < 1000);
    sweep(f);
    assert_int_equal(stop_listening(&told), 2); /* and that it works again */
    assert_non_null(strstr(told.text, "unable to open database file"));
    assert_int_equal(unused(f), 0);
}

static void
limit_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
a_file_that_cannot_be_written_is_told_and_counted(void **state)
{
    struct fixture *f = *state;
    struct told told;

    delete_something(f);
    listen_to(&told);
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    limit_files(8192);
    assert_int_equal(slice_now(f), 1000);
    assert_int_equal(slice_now(f), 2000);
    limit_files(RLIM_INFINITY);
    assert_int_equal(failures(&told), 2);
    assert_true(unused(f) > 0);
    assert_true(slice_now(f) < 1000);
    sweep(f);
    assert_int_equal(stop_listening(&told), 2);
    assert_int_equal(unused(f), 0);
}

/* A reader is no failure. */
static void
a_reader_is_neither_told_nor_counted(void **state)
{
    struct fixture *f = *state;
    struct told told;

    delete_something(f);
    listen_to(&told);
    read_on(f, "BEGIN;SELECT * FROM sessions");
    by_hand(f, "UPDATE sessions SET archived=1");
    assert_int_equal(slice_now(f), 1000);
    assert_int_equal(slice_now(f), 1000);
    read_on(f, "COMMIT");
    assert_int_equal(failures(&told), 0);
    assert_int_equal(stop_listening(&told), 0);
}

static void
a_database_that_is_too_large_is_told_once(void **state)
{
    struct fixture *f = *state;
    struct told told;
    struct stat st;
    char path[160];

    fixture_path(f, "chatbox.db", path);
    listen_to(&told);
    delete_something(f);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, (off_t)4096 << 25), 0); /* a hole */
    for (int i = 1; i <= 2; i++) {
        store_sqlite_of(f->writer)->unswept = true;
        assert_int_equal(slice_now(f), -1);
        assert_int_equal(failures(&told), i);
    }
    assert_int_equal(truncate(path, st.st_size), 0);
    assert_int_equal(stop_listening(&told), 1);
    assert_non_null(strstr(told.text, "too large"));
}

static void
a_stop_does_not_wait_for_a_file_that_fails(void **state)
{
    struct fixture *f = *state;
    struct told told;
    char path[160], aside[160];

    fixture_path(f, "chatbox.db", path);
    fixture_path(f, "aside", aside);
    delete_something(f);
    listen_to(&told);
    assert_int_equal(rename(path, aside), 0);
    store_sqlite_sweep_end(store_sqlite_of(f->writer));
    assert_int_equal(failures(&told), 1);
    assert_int_equal(rename(aside, path), 0);
    assert_int_equal(stop_listening(&told), 1);
    fixture_close(f);
    fixture_open(f);
    sweep(f);
    assert_int_equal(unused(f), 0);
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
        TEST(a_file_that_cannot_be_opened_is_told_once_and_tried_less_and_less),
        TEST(a_file_that_cannot_be_written_is_told_and_counted),
        TEST(a_reader_is_neither_told_nor_counted),
        TEST(a_database_that_is_too_large_is_told_once),
        TEST(a_stop_does_not_wait_for_a_file_that_fails),
    };

    metrics_thread_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
