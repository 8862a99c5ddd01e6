/* SPDX-License-Identifier: MIT */
#include "store/store_sqlite_schema.h"

#include "fixture.h"

static sqlite3 *
open_db(const struct fixture *f)
{
    char path[160];
    sqlite3 *db = NULL;

    fixture_path(f, "chatbox.db", path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static void
must(sqlite3 *db, const char *sql)
{
    char *why = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) {
        fail_msg("%s: %s", sql, why);
    }
}

static int64_t
value(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int64_t n;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return n;
}

static void
a_new_database_is_marked_and_current(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(number(f, "PRAGMA application_id"), 0x63686174);
    assert_int_equal(number(f, "PRAGMA user_version"),
                     store_sqlite_schema_version);
    assert_int_equal(number(f, "SELECT count(*) FROM pragma_journal_mode"
                               " WHERE journal_mode='wal'"),
                     1);
}

static void
the_writer_is_durable_and_erases(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db = store_sqlite_of(f->writer)->db;

    assert_int_equal(value(db, "PRAGMA synchronous"), 2); /* FULL */
    assert_int_equal(value(db, "PRAGMA secure_delete"), 1);
}

static void
a_reader_cannot_write(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sqlite3_exec(store_sqlite_of(f->reader)->db,
                                  "DELETE FROM sessions", NULL, NULL, NULL),
                     SQLITE_READONLY);
}

static void
every_field_of_the_contract_is_a_column(void **state)
{
    static const char *const sessions[] = {
        "_id",
        "uid",
        "nm",
        "modelId",
        "ts",
        "endTs",
        "dur",
        "adminAssisted",
        "assistingAdminId",
        "assistingAdminName",
        "helpRequested",
        "totalTokens",
        "lastActivity",
        "maxRespTime",
        "avgRespTime",
        "respTimes",
        "shareToken",
        "msgCount",
        "seq",
        "epoch",
        "archived",
        "v",
    };
    static const char *const messages[] = {
        "_id",        "sid",     "seq",    "cid",     "ts",      "sender",
        "type",       "content", "fileId", "fileUrl", "meta",    "status",
        "modelId",    "durMs",   "ttftMs", "finish",  "replyTo", "replaces",
        "superseded", "usage",   "convId",
    };
    struct fixture *f = *state;
    char sql[128];

    for (size_t i = 0; i < COUNT_OF(sessions); i++) {
        snprintf(sql, sizeof(sql), "SELECT count(%s) FROM sessions",
                 sessions[i]);
        assert_int_equal(number(f, sql), 0);
    }
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        snprintf(sql, sizeof(sql), "SELECT count(%s) FROM messages",
                 messages[i]);
        assert_int_equal(number(f, sql), 0);
    }
}

static void
expect_refused(struct fixture *f, const char *part)
{
    struct store_link *link = NULL;

    assert_int_equal(
        store_sqlite.open(&f->settings, &link, f->why, sizeof(f->why)),
        ERR_DATABASE_ERROR);
    if (strstr(f->why, part) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", f->why, part);
    }
    assert_int_equal(f->why[strlen(f->why) - 1], '.');
}

static void
a_newer_database_is_refused_and_left_alone(void **state)
{
    struct fixture *f = *state;
    char back[64];
    sqlite3 *db;

    snprintf(back, sizeof(back), "PRAGMA user_version=%d",
             store_sqlite_schema_version);
    ask(f, 1, "ann", 11);
    fixture_close(f);
    db = open_db(f);
    must(db, "PRAGMA user_version=99");
    expect_refused(f, "schema version 99");
    assert_int_equal(value(db, "PRAGMA user_version"), 99);
    assert_int_equal(value(db, "SELECT count(*) FROM messages"), 1);
    must(db, back); /* as it was */
    sqlite3_close(db);
    fixture_open(f);
}

static void
a_database_of_somebody_else_is_refused(void **state)
{
    static const char *const makers[] = {
        "PRAGMA application_id=77",
        "CREATE TABLE theirs(a)",
    };
    struct fixture *f = *state;
    char path[160];

    fixture_path(f, "chatbox.db", path);
    for (size_t i = 0; i < COUNT_OF(makers); i++) {
        sqlite3 *db;

        fixture_close(f);
        assert_int_equal(unlink(path), 0);
        db = open_db(f);
        must(db, makers[i]);
        sqlite3_close(db);
        expect_refused(f, "not a chatbox database");
        assert_int_equal(unlink(path), 0);
        fixture_open(f);
    }
}

static const char *const steps[] = {
    "CREATE TABLE a(x); INSERT INTO a VALUES(1)",
    "ALTER TABLE a ADD COLUMN y DEFAULT 5",
    "UPDATE a SET x=x+1",
};

static void
an_older_database_is_brought_up_step_by_step(void **state)
{
    char why[256];

    (void)state;
    for (int from = 0; from <= 3; from++) {
        sqlite3 *db = NULL;

        assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
        assert_int_equal(
            store_sqlite_schema_migrate_by(db, steps, from, why, sizeof(why)),
            ERR_OK);
        assert_int_equal(value(db, "PRAGMA user_version"), from);
        assert_int_equal(
            store_sqlite_schema_migrate_by(db, steps, 3, why, sizeof(why)),
            ERR_OK);
        assert_int_equal(value(db, "PRAGMA user_version"), 3);
        assert_int_equal(value(db, "SELECT x FROM a"), 2);
        assert_int_equal(value(db, "SELECT y FROM a"), 5);
        sqlite3_close(db);
    }
}

static void
a_step_that_fails_leaves_the_version_before_it(void **state)
{
    static const char *const broken[] = {
        "CREATE TABLE a(x)",
        "INSERT INTO a VALUES(1); CREATE TABLE a(y)",
    };
    char why[256];
    sqlite3 *db = NULL;

    (void)state;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(
        store_sqlite_schema_migrate_by(db, broken, 2, why, sizeof(why)),
        ERR_DATABASE_ERROR);
    assert_string_equal(why, "The database cannot be brought to schema "
                             "version 2: SQL logic error.");
    assert_int_equal(value(db, "PRAGMA user_version"), 1);
    assert_int_equal(value(db, "SELECT count(*) FROM a"), 0);
    sqlite3_close(db);
}

/* A database as each version left it, with a session and its message, is
 * opened by this program as if it had been made by it. */
static void
every_released_version_becomes_the_current_one(void **state)
{
    char why[256];

    (void)state;
    for (int from = 1; from < store_sqlite_schema_version; from++) {
        sqlite3 *db = NULL;

        assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
        assert_int_equal(
            store_sqlite_schema_migrate_by(db, store_sqlite_schema_steps, from,
                                           why, sizeof(why)),
            ERR_OK);
        must(db, "INSERT INTO sessions(_id,uid,ts,lastActivity,epoch,"
                 "helpRequested) VALUES('s','ann',5,6,'e',1);"
                 "INSERT INTO messages(session,_id,sid,seq,ts,sender,type,"
                 "status,content) VALUES(1,'m','s',1,5,'user','user_message',"
                 "'complete','hello')");
        assert_int_equal(store_sqlite_schema_migrate_by(
                             db, store_sqlite_schema_steps,
                             store_sqlite_schema_version, why, sizeof(why)),
                         ERR_OK);
        assert_int_equal(value(db, "SELECT count(*) FROM messages"
                                   " WHERE content='hello'"
                                   " AND convId IS NULL"),
                         1);
        assert_int_equal(value(db, "SELECT count(*) FROM sessions INDEXED BY"
                                   " sessions_help WHERE helpRequested=1"),
                         1);
        assert_int_equal(value(db, "SELECT count(*) FROM audit"), 0);
        sqlite3_close(db);
    }
}

static void
a_database_from_before_sharing_keeps_what_it_has(void **state)
{
    char why[256];
    sqlite3 *db = NULL;

    (void)state;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(store_sqlite_schema_migrate_by(
                         db, store_sqlite_schema_steps, 2, why, sizeof(why)),
                     ERR_OK);
    must(db, "INSERT INTO sessions(_id,uid,ts,lastActivity,epoch)"
             " VALUES('a','ann',1,1,'e'),('b','ann',1,1,'e')");
    assert_int_equal(store_sqlite_schema_migrate_by(
                         db, store_sqlite_schema_steps,
                         store_sqlite_schema_version, why, sizeof(why)),
                     ERR_OK);
    assert_int_equal(value(db, "SELECT count(*) FROM sessions"), 2);
    must(db, "UPDATE sessions SET shareToken='t' WHERE _id='a'");
    assert_int_equal(sqlite3_exec(db, "UPDATE sessions SET shareToken='t'",
                                  NULL, NULL, NULL),
                     SQLITE_CONSTRAINT);
    sqlite3_close(db);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_database_is_marked_and_current),
        TEST(the_writer_is_durable_and_erases),
        TEST(a_reader_cannot_write),
        TEST(every_field_of_the_contract_is_a_column),
        TEST(a_newer_database_is_refused_and_left_alone),
        TEST(a_database_of_somebody_else_is_refused),
        cmocka_unit_test(an_older_database_is_brought_up_step_by_step),
        cmocka_unit_test(every_released_version_becomes_the_current_one),
        cmocka_unit_test(a_database_from_before_sharing_keeps_what_it_has),
        cmocka_unit_test(a_step_that_fails_leaves_the_version_before_it),
    };

    return cmocka_run_group_tests_name("store/store_sqlite_schema", tests, NULL,
                                       NULL);
}
