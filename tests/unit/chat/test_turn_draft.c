/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "chat/turn_parts.h"

#include <sqlite3.h>

/* Another process that uses the database, and what it sees there. */
static sqlite3 *
open_beside(const struct house *h)
{
    sqlite3 *db = NULL;
    char path[128];

    snprintf(path, sizeof(path), "%s/chatbox.db", h->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(db, 10000), SQLITE_OK);
    return db;
}

static void
beside(sqlite3 *db, const char *sql)
{
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static int64_t
number_beside(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int64_t value;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return value;
}

static size_t
heard_bytes(const struct recorder *r)
{
    char *heard = heard_since(r, 0);
    size_t n = strlen(heard);

    xfree(heard);
    return n;
}

static const struct turn *
running(const struct recorder *r)
{
    return r->outlet.session->running;
}

#define STORED "SELECT sum(length(content)) FROM pieces"

static void
text_that_a_crash_could_lose_is_not_shown_until_it_is_stored(void **state)
{
    enum { WORD = 100, MOST = 400 };
    static char word[WORD + 1];
    struct house h;
    struct recorder r;
    sqlite3 *db;

    (void)state;
    house_open(&h);
    memset(word, 'w', WORD);
    script.word = word;
    script.words = MOST;
    script.given = 50;
    recorder_join(&h, &r, "anna");
    recorder_say(&r, ASK("one"));
    WAIT_FOR(&h, count_type(&r, "ai_response") > 0);
    WAIT_FOR(&h, running(&r)->durable == 50 * WORD);
    db = open_beside(&h);
    assert_int_equal(number_beside(db, STORED), 50 * WORD);

    beside(db, "BEGIN IMMEDIATE"); /* nothing can be stored now */
    script.given = 200;
    WAIT_FOR(&h, running(&r)->text.n == 200 * WORD);
    WAIT_FOR(&h, metric_value(METRIC_STORE_ERRORS, 0) > 0);
    assert_int_equal(running(&r)->durable, 50 * WORD);
    assert_true(heard_bytes(&r) <= 50 * WORD + 2048);
    assert_true(heard_bytes(&r) > 50 * WORD);

    beside(db, "ROLLBACK"); /* what was refused is not forgotten */
    WAIT_FOR(&h, heard_bytes(&r) == 200 * WORD);
    WAIT_FOR(&h, running(&r)->durable == 200 * WORD);
    assert_int_equal(number_beside(db, STORED), 200 * WORD);

    script.given = SIZE_MAX;
    WAIT_FOR(&h, count_done(&r) == 1);
    assert_int_equal(heard_bytes(&r), MOST * WORD);
    assert_int_equal(number_beside(db, "SELECT count(*) FROM pieces"), 0);
    assert_int_equal(number_beside(db, "SELECT length(content) FROM messages"
                                       " WHERE sender='ai'"),
                     MOST * WORD);
    sqlite3_close(db);
    recorder_fini(&r);
    house_close(&h);
}

static void
a_fast_model_waits_for_a_slow_disk(void **state)
{
    enum { WORD = 1000, MOST = 300 };
    static char word[WORD + 1];
    struct house h;
    struct recorder r;
    sqlite3 *db;

    (void)state;
    house_open(&h);
    memset(word, 'w', WORD);
    script.word = word;
    script.words = MOST;
    script.given = 1;
    recorder_join(&h, &r, "anna");
    recorder_say(&r, ASK("one"));
    WAIT_FOR(&h, count_type(&r, "ai_response") > 0);
    WAIT_FOR(&h, running(&r)->durable == WORD);
    db = open_beside(&h);
    beside(db, "BEGIN IMMEDIATE"); /* nothing can be stored now */
    script.given = SIZE_MAX;
    WAIT_FOR(&h, running(&r)->behind);
    WAIT_FOR(&h, metric_value(METRIC_STORE_ERRORS, 0) > 0);
    assert_true(running(&r)->text.n >= WORD + TURN_BEHIND_MAX);
    assert_true(running(&r)->text.n < WORD + TURN_BEHIND_MAX + WORD);
    assert_int_equal(metric_value(METRIC_UPSTREAM_PAUSES, 0), 0);
    beside(db, "ROLLBACK");
    WAIT_FOR(&h, count_done(&r) == 1);
    assert_int_equal(heard_bytes(&r), MOST * WORD);
    sqlite3_close(db);
    recorder_fini(&r);
    house_close(&h);
}

static void
a_checkpoint_takes_what_is_new_and_nothing_else(void **state)
{
    struct house h;
    struct recorder r;
    sqlite3 *db;

    (void)state;
    house_open(&h);
    script.words = 6;
    recorder_join(&h, &r, "anna");
    script.given = 0;
    recorder_say(&r, ASK("one"));
    WAIT_FOR(&h, script.begun == 1);
    db = open_beside(&h);
    for (size_t i = 1; i <= 3; i++) { /* by the timer: too little for more */
        script.given = i;
        WAIT_FOR(&h, running(&r)->durable == 2 * i);
        assert_int_equal(number_beside(db, "SELECT count(*) FROM pieces"), i);
        assert_int_equal(number_beside(db, STORED), 2 * i);
    }
    script.given = SIZE_MAX;
    WAIT_FOR(&h, count_done(&r) == 1);
    assert_int_equal(heard_bytes(&r), 12);
    sqlite3_close(db);
    recorder_fini(&r);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            text_that_a_crash_could_lose_is_not_shown_until_it_is_stored),
        cmocka_unit_test(a_fast_model_waits_for_a_slow_disk),
        cmocka_unit_test(a_checkpoint_takes_what_is_new_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
