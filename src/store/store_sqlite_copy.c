/* SPDX-License-Identifier: MIT */
/* One moment of a database in another file. The source is read inside one
 * transaction, which stops nobody: the server goes on adding to its log file,
 * and only cannot begin that anew before the copy is done. SQLite's own backup
 * functions would begin again with every write of another process; inside of
 * our transaction they do not see any.
 *
 * The copy is not trusted because it was written: it is opened again, all of
 * it is checked, and what it holds is compared with what the source held. */
#include "store/store_sqlite_copy.h"

#include "base/check.h"
#include "base/clock.h"
#include "store/store_sqlite_schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STEP_PAGES 256 /* a mebibyte of most databases */
#define SYNC_STEPS 16  /* so that no sync has more than that to write */
#define BUSY_MS 10000
#define PATH_BYTES 4096

struct copying {
    const struct sqlite_copy *c;
    const struct newfile *to;
    sqlite3 *source;
    sqlite3 *copy;
    char *why;
    size_t why_size;
};

static enum err
fail(struct copying *k, const char *path, const char *what, const char *cause)
{
    snprintf(k->why, k->why_size, "The database %s %s: %s.", path, what, cause);
    return ERR_DATABASE_ERROR;
}

/* The system's own word, if it was the system. */
static const char *
cause_of(sqlite3 *db)
{
    int code = sqlite3_errcode(db) & 0xff;
    int error = sqlite3_system_errno(db);

    return error != 0 && (code == SQLITE_IOERR || code == SQLITE_CANTOPEN)
               ? strerror(error)
               : sqlite3_errmsg(db);
}

static bool
run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* -- what a database says of itself -- */

static bool
number(sqlite3 *db, const char *sql, int64_t *out)
{
    sqlite3_stmt *stmt = NULL;
    bool ok = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
              sqlite3_step(stmt) == SQLITE_ROW;

    if (ok) {
        *out = sqlite3_column_int64(stmt, 0);
    }
    sqlite3_finalize(stmt);
    return ok;
}

struct facts {
    int64_t version;
    int64_t sessions;
    int64_t messages;
};

static enum err
check_kind(struct copying *k, sqlite3 *db, const char *path,
           struct facts *facts)
{
    int64_t id;

    if (!number(db, "PRAGMA application_id", &id) ||
        !number(db, "PRAGMA user_version", &facts->version)) {
        return fail(k, path, "cannot be read", cause_of(db));
    }
    if (id != STORE_SQLITE_APPLICATION_ID || facts->version < 1) {
        snprintf(k->why, k->why_size, "The file %s is not a chatbox database.",
                 path);
        return ERR_CONFLICT;
    }
    if (facts->version > store_sqlite_schema_version) {
        snprintf(k->why, k->why_size,
                 "The database %s has schema version %" PRId64
                 ", made by a newer chatbox; this one knows versions up to "
                 "%d.",
                 path, facts->version, store_sqlite_schema_version);
        return ERR_CONFLICT;
    }
    return ERR_OK;
}

static enum err
learn(struct copying *k, sqlite3 *db, const char *path, struct facts *facts)
{
    enum err e = check_kind(k, db, path, facts);

    if (e != ERR_OK) {
        return e;
    }
    if (!number(db, "SELECT count(*) FROM sessions", &facts->sessions) ||
        !number(db, "SELECT count(*) FROM messages", &facts->messages)) {
        return fail(k, path, "cannot be read", cause_of(db));
    }
    return ERR_OK;
}

/* -- the source -- */

static enum err
open_source(struct copying *k, struct facts *facts)
{
    const char *from = k->c->from;
    int flags = SQLITE_OPEN_NOMUTEX |
                (k->c->beside ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);

    if (sqlite3_open_v2(from, &k->source, flags, NULL) != SQLITE_OK) {
        return fail(k, from, "cannot be opened", cause_of(k->source));
    }
    sqlite3_extended_result_codes(k->source, 1);
    sqlite3_busy_timeout(k->source, BUSY_MS);
    if (!run(k->source, "PRAGMA query_only=ON;"
                        "PRAGMA trusted_schema=OFF;"
                        "PRAGMA cell_size_check=ON;"
                        "BEGIN")) {
        return fail(k, from, "cannot be read", cause_of(k->source));
    }
    return learn(k, k->source, from, facts);
}

/* -- the pages -- */

static void
rest(uint64_t us)
{
    struct timespec t = {.tv_sec = (time_t)(us / 1000000),
                         .tv_nsec = (long)(us % 1000000) * 1000};

    (void)nanosleep(&t, NULL);
}

static int
copy_pages(struct copying *k, sqlite3_backup *pages)
{
    int rc = SQLITE_OK;

    for (unsigned n = 1; rc == SQLITE_OK; n++) {
        uint64_t begin_us = clock_mono_us();

        rc = sqlite3_backup_step(pages, STEP_PAGES);
        if (rc == SQLITE_OK && n % SYNC_STEPS == 0 &&
            fdatasync(k->to->fd) != 0) {
            rc = SQLITE_IOERR_FSYNC;
        }
        if (rc == SQLITE_OK && k->c->beside) {
            rest(clock_mono_us() - begin_us);
        }
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The connection of the copy has every failure; those of reading are the
 * source's all the same. */
static enum err
blame(struct copying *k, int rc)
{
    int code = rc & 0xff;
    bool reading = code == SQLITE_CORRUPT || code == SQLITE_NOTADB ||
                   rc == SQLITE_IOERR_READ || rc == SQLITE_IOERR_SHORT_READ;

    return reading ? fail(k, k->c->from, "cannot be read", sqlite3_errstr(rc))
                   : fail(k, k->to->partial, "cannot be written",
                          rc == SQLITE_IOERR_FSYNC ? sqlite3_errstr(rc)
                                                   : cause_of(k->copy));
}

static enum err
open_copy(struct copying *k, const char *pragmas)
{
    if (sqlite3_open_v2(k->to->partial, &k->copy,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK ||
        !run(k->copy, pragmas)) {
        return fail(k, k->to->partial, "cannot be opened", cause_of(k->copy));
    }
    sqlite3_extended_result_codes(k->copy, 1);
    return ERR_OK;
}

static void
close_copy(struct copying *k)
{
    CHECK(sqlite3_close(k->copy) == SQLITE_OK);
    k->copy = NULL;
}

/* Without journal and syncs: a copy that is not finished is thrown away. */
static enum err
write_copy(struct copying *k)
{
    sqlite3_backup *pages;
    int rc;
    enum err e = open_copy(k, "PRAGMA journal_mode=OFF;PRAGMA synchronous=OFF");

    if (e != ERR_OK) {
        close_copy(k);
        return e;
    }
    pages = sqlite3_backup_init(k->copy, "main", k->source, "main");
    rc = pages == NULL ? sqlite3_extended_errcode(k->copy)
                       : copy_pages(k, pages);
    if (pages != NULL) {
        int ended = sqlite3_backup_finish(pages);

        rc = rc == SQLITE_OK ? ended : rc;
    }
    e = rc == SQLITE_OK ? ERR_OK : blame(k, rc);
    close_copy(k);
    return e;
}

/* -- is it good? -- */

/* The first thing that is wrong, or "ok". */
static enum err
check_whole(struct copying *k)
{
    sqlite3_stmt *stmt = NULL;
    enum err e = ERR_OK;

    if (sqlite3_prepare_v2(k->copy, "PRAGMA integrity_check(1)", -1, &stmt,
                           NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW) {
        e = fail(k, k->c->from, "cannot be checked", cause_of(k->copy));
    } else if (strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") != 0) {
        e = fail(k, k->c->from, "is damaged",
                 (const char *)sqlite3_column_text(stmt, 0));
    }
    sqlite3_finalize(stmt);
    return e;
}

static enum err
compare(struct copying *k, const struct facts *source)
{
    struct facts copy;
    enum err e = learn(k, k->copy, k->to->partial, &copy);

    if (e != ERR_OK) {
        return e;
    }
    if (copy.version != source->version || copy.sessions != source->sessions ||
        copy.messages != source->messages) {
        return fail(k, k->to->partial, "is not what was copied",
                    "its records are others");
    }
    if (k->c->admit != NULL &&
        !k->c->admit(k->c->cookie, k->copy, k->why, k->why_size)) {
        return ERR_CONFLICT;
    }
    return ERR_OK;
}

static void
report(struct copying *k, const struct facts *facts)
{
    struct stat st;

    k->c->report->version = facts->version;
    k->c->report->sessions = (uint64_t)facts->sessions;
    k->c->report->messages = (uint64_t)facts->messages;
    if (fstat(k->to->fd, &st) == 0) {
        k->c->report->bytes = (uint64_t)st.st_size;
    }
}

/* The pages say that there is a log file beside them; from here on there is
 * none, so that the copy is one file. */
static enum err
verify_copy(struct copying *k, const struct facts *facts)
{
    enum err e = open_copy(k, "PRAGMA locking_mode=EXCLUSIVE;"
                              "PRAGMA journal_mode=DELETE;"
                              "PRAGMA trusted_schema=OFF;"
                              "PRAGMA cell_size_check=ON");

    if (e == ERR_OK) {
        e = check_whole(k);
    }
    if (e == ERR_OK) {
        e = compare(k, facts);
    }
    close_copy(k);
    if (e == ERR_OK) {
        report(k, facts);
    }
    return e;
}

/* What SQLite may have put beside the copy. */
static void
tidy(const struct newfile *to)
{
    static const char *const endings[] = {"-journal", "-wal", "-shm"};
    char path[PATH_BYTES + 16];

    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        snprintf(path, sizeof(path), "%s%s", to->partial, endings[i]);
        (void)unlink(path);
    }
}

enum err
store_sqlite_copy_run(const struct sqlite_copy *c, const struct newfile *to,
                      char *why, size_t why_size)
{
    struct copying k = {.c = c, .to = to, .why = why, .why_size = why_size};
    struct facts facts = {0};
    enum err e;

    tidy(to);
    e = open_source(&k, &facts);
    if (e == ERR_OK) {
        e = write_copy(&k);
    }
    CHECK(sqlite3_close(k.source) == SQLITE_OK);
    if (e == ERR_OK) {
        e = verify_copy(&k, &facts);
    }
    tidy(to);
    return e;
}
