/* SPDX-License-Identifier: MIT */
/* The limit for bench/store_append.c: one thread that writes the same rows
 * into the same tables with the same pragmas, GROUP messages of as many
 * sessions in one transaction, by three prepared statements a message. No
 * queue, no owner's check, nobody to answer.
 *
 *     sqlite_append FOLDER [SECONDS [SESSIONS]] */
#include "base/check.h"
#include "base/clock.h"
#include "bench/rows.h"
#include "store/store_sqlite_schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define GROUP 512
#define CHECKPOINT "4096"

struct limit {
    sqlite3 *db;
    sqlite3_stmt *make;
    sqlite3_stmt *find;
    sqlite3_stmt *count;
    sqlite3_stmt *insert;
    struct rows rows;
    size_t turn;
};

static void
must(int rc)
{
    CHECK(rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW);
}

static void
exec(struct limit *l, const char *sql)
{
    must(sqlite3_exec(l->db, sql, NULL, NULL, NULL));
}

static void
bind_text(sqlite3_stmt *stmt, int at, const char *text, int n)
{
    must(sqlite3_bind_text(stmt, at, text, n, SQLITE_STATIC));
}

static sqlite3_stmt *
prepare(struct limit *l, const char *sql)
{
    sqlite3_stmt *stmt = NULL;

    must(sqlite3_prepare_v3(l->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt,
                            NULL));
    return stmt;
}

static void
open_database(struct limit *l, const char *folder)
{
    char path[4096], why[512];

    snprintf(path, sizeof(path), "%s/chatbox.db", folder);
    (void)mkdir(folder, 0700);
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    must(sqlite3_open_v2(path, &l->db,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                             SQLITE_OPEN_NOMUTEX,
                         NULL));
    must(store_sqlite_schema_configure(l->db, true));
    CHECK(store_sqlite_schema_migrate(l->db, path, why, sizeof(why)) == ERR_OK);
    exec(l, "PRAGMA wal_autocheckpoint=" CHECKPOINT);
    l->make = prepare(l, "INSERT INTO sessions(_id,uid,modelId,ts,"
                         "lastActivity,epoch) VALUES(?,?,?,?,?,?)");
    l->find = prepare(l, "SELECT n,seq FROM sessions WHERE _id=?");
    l->count = prepare(l, "UPDATE sessions SET seq=?,msgCount=?,"
                          "lastActivity=?,dur=? WHERE n=?");
    l->insert =
        prepare(l, "INSERT INTO messages(session,_id,sid,seq,cid,ts,sender,"
                   "type,status,content) VALUES(?,?,?,?,?,?,'user',"
                   "'user_message','complete',?)");
}

static void
make_sessions(struct limit *l)
{
    int64_t now_ms = clock_wall_ms();
    char user[ROWS_USER_SIZE];

    exec(l, "BEGIN IMMEDIATE");
    for (size_t i = 0; i < l->rows.sessions; i++) {
        bind_text(l->make, 1, rows_session(&l->rows, i), RAND_ID_CHARS);
        rows_user(i, user);
        bind_text(l->make, 2, user, -1);
        bind_text(l->make, 3, "demo", -1);
        must(sqlite3_bind_int64(l->make, 4, now_ms));
        must(sqlite3_bind_int64(l->make, 5, now_ms));
        bind_text(l->make, 6, "0123456789abcdef", -1);
        must(sqlite3_step(l->make));
        must(sqlite3_reset(l->make));
    }
    exec(l, "COMMIT");
}

static void
append(struct limit *l, const char *sid, int64_t now_ms)
{
    char id[RAND_ID_CHARS + 1];
    int64_t n, seq;

    rows_id(&l->rows, id);
    bind_text(l->find, 1, sid, RAND_ID_CHARS);
    must(sqlite3_step(l->find));
    n = sqlite3_column_int64(l->find, 0);
    seq = sqlite3_column_int64(l->find, 1) + 1;
    must(sqlite3_reset(l->find));
    must(sqlite3_bind_int64(l->count, 1, seq));
    must(sqlite3_bind_int64(l->count, 2, seq));
    must(sqlite3_bind_int64(l->count, 3, now_ms));
    must(sqlite3_bind_int64(l->count, 4, now_ms));
    must(sqlite3_bind_int64(l->count, 5, n));
    must(sqlite3_step(l->count));
    must(sqlite3_reset(l->count));
    must(sqlite3_bind_int64(l->insert, 1, n));
    bind_text(l->insert, 2, id, RAND_ID_CHARS);
    bind_text(l->insert, 3, sid, RAND_ID_CHARS);
    must(sqlite3_bind_int64(l->insert, 4, seq));
    bind_text(l->insert, 5, id, RAND_ID_CHARS);
    must(sqlite3_bind_int64(l->insert, 6, now_ms));
    bind_text(l->insert, 7, rows_content, ROWS_CONTENT_BYTES);
    must(sqlite3_step(l->insert));
    must(sqlite3_reset(l->insert));
}

static double
cpu_seconds(void)
{
    struct rusage u;

    CHECK(getrusage(RUSAGE_SELF, &u) == 0);
    return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void
run(struct limit *l, unsigned seconds)
{
    size_t group = l->rows.sessions < GROUP ? l->rows.sessions : GROUP;
    uint64_t begin_ms = clock_mono_ms(), until_ms = begin_ms + seconds * 1000;
    double cpu = cpu_seconds(), took;
    uint64_t done = 0;

    while (clock_mono_ms() < until_ms) {
        exec(l, "BEGIN IMMEDIATE");
        for (size_t i = 0; i < group; i++, l->turn++) {
            append(l, rows_session(&l->rows, l->turn % l->rows.sessions),
                   clock_wall_ms());
        }
        exec(l, "COMMIT");
        done += group;
    }
    took = (double)(clock_mono_ms() - begin_ms) / 1000;
    cpu = cpu_seconds() - cpu;
    printf("limit: %.0f rows/s, %.2f us CPU/row, %zu rows/commit\n",
           (double)done / took, cpu * 1e6 / (double)done, group);
}

int
main(int argc, char **argv)
{
    unsigned seconds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 5;
    size_t sessions = argc > 3 ? strtoul(argv[3], NULL, 10) : 1000;
    struct limit l = {0};

    if (argc < 2 || sessions == 0) {
        fprintf(stderr, "usage: sqlite_append FOLDER [SECONDS [SESSIONS]]\n");
        return 2;
    }
    rows_init(&l.rows, sessions, 1);
    open_database(&l, argv[1]);
    make_sessions(&l);
    run(&l, seconds);
    sqlite3_finalize(l.make);
    sqlite3_finalize(l.find);
    sqlite3_finalize(l.count);
    sqlite3_finalize(l.insert);
    CHECK(sqlite3_close(l.db) == SQLITE_OK);
    rows_fini(&l.rows);
    return 0;
}
