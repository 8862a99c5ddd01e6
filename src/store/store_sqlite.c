/* SPDX-License-Identifier: MIT */
/* The SQLite backend's connections: opening them, transactions, and the log
 * file. What a job does is in store_sqlite_write.c and store_sqlite_read.c,
 * the operators' part in store_sqlite_review.c,
 * tables and migrations in store_sqlite_schema.c.
 *
 * The database is in WAL mode with synchronous=FULL: a commit is one write
 * and one fsync at the end of the log file, and readers go on beside it. The
 * log's pages are copied into the database (a checkpoint) by the writer after
 * it has answered, so that nobody waits for it. */
#include "store/store_sqlite.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "store/store_sqlite_answer.h"
#include "store/store_sqlite_backup.h"
#include "store/store_sqlite_draft.h"
#include "store/store_sqlite_erase.h"
#include "store/store_sqlite_folder.h"
#include "store/store_sqlite_read.h"
#include "store/store_sqlite_rekey.h"
#include "store/store_sqlite_review.h"
#include "store/store_sqlite_rows.h" /* the column lists */
#include "store/store_sqlite_schema.h"
#include "store/store_sqlite_seals.h"
#include "store/store_sqlite_secret.h"
#include "store/store_sqlite_sweep.h"
#include "store/store_sqlite_usage.h"
#include "store/store_sqlite_write.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TIMES_DEFAULT 100

/* How long a commit waits for another process (a backup, a shell). */
#define BUSY_MS 2000

/* Pages in the log (16 MiB) after which it is copied into the database. */
#define CHECKPOINT_PAGES 4096

/* Between two tries to empty the log when readers were in the way. */
#define SCRUB_MS 1000

static const char *const texts[SQL_COUNT] = {
#define SQL(NAME, text) text,
#include "store/store_sqlite_sql.def"
#undef SQL
};

const char *
store_sqlite_text(enum sql which)
{
    return texts[which];
}

struct sqlite_link *
store_sqlite_of(struct store_link *link)
{
    return CONTAINER_OF(link, struct sqlite_link, link);
}

/* -- failures -- */

static const struct store_fault faults[] = {
    {"SQLITE_FULL", SQLITE_FULL, false},
    {"SQLITE_IOERR", SQLITE_IOERR, false},
    {"SQLITE_READONLY", SQLITE_READONLY, false},
    {"SQLITE_BUSY", SQLITE_BUSY, false},
    {"SQLITE_LOCKED", SQLITE_LOCKED, false},
    {"SQLITE_CORRUPT", SQLITE_CORRUPT, true},
    {"SQLITE_NOTADB", SQLITE_NOTADB, true},
    {"SQLITE_CANTOPEN", SQLITE_CANTOPEN, false},
    {"SQLITE_NOMEM", SQLITE_NOMEM, false},
    {"SQLITE_TOOBIG", SQLITE_TOOBIG, false},
    {"SQLITE_SCHEMA", SQLITE_SCHEMA, false},
    {"SQLITE_PROTOCOL", SQLITE_PROTOCOL, false},
};

enum err
store_sqlite_failed(struct sqlite_link *link, int rc)
{
    link->fault = (struct store_fault){"SQLITE_ERROR", rc, false};
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        if (faults[i].code == (rc & 0xff)) {
            link->fault.name = faults[i].name;
            link->fault.damage = faults[i].damage;
        }
    }
    if (link->fault.damage) {
        /* The wrong page must not stay in the cache when the file is right
         * again. */
        (void)sqlite3_db_release_memory(link->db);
    }
    return ERR_DATABASE_ERROR;
}

static struct store_fault
fault(struct store_link *link)
{
    return store_sqlite_of(link)->fault;
}

/* -- statements -- */

struct sqlite_call
store_sqlite_call(struct sqlite_link *link, enum sql which)
{
    sqlite3_stmt **stmt = &link->statements[which];
    struct sqlite_call c = {.link = link, .next = 1, .rc = SQLITE_OK};

    if (*stmt == NULL) {
        c.rc = sqlite3_prepare_v3(link->db, texts[which], -1,
                                  SQLITE_PREPARE_PERSISTENT, stmt, NULL);
    }
    c.stmt = *stmt;
    return c;
}

static void
put_done(struct sqlite_call *c, int rc)
{
    CHECK(rc != SQLITE_RANGE);
    c->rc = c->rc == SQLITE_OK ? rc : c->rc;
    c->next++;
}

void
store_sqlite_put_bytes(struct sqlite_call *c, const char *p, size_t n)
{
    if (c->stmt != NULL) {
        put_done(c, sqlite3_bind_text64(c->stmt, c->next, p, n, SQLITE_STATIC,
                                        SQLITE_UTF8));
    }
}

void
store_sqlite_give_bytes(struct sqlite_call *c, char *p, size_t n)
{
    if (c->stmt != NULL) {
        put_done(
            c, sqlite3_bind_text64(c->stmt, c->next, p, n, xfree, SQLITE_UTF8));
    } else {
        xfree(p);
    }
}

void
store_sqlite_put_text(struct sqlite_call *c, const char *text)
{
    if (text == NULL) {
        store_sqlite_put_null(c);
    } else {
        store_sqlite_put_bytes(c, text, strlen(text));
    }
}

void
store_sqlite_put_int(struct sqlite_call *c, int64_t value)
{
    if (c->stmt != NULL) {
        put_done(c, sqlite3_bind_int64(c->stmt, c->next, value));
    }
}

void
store_sqlite_put_time(struct sqlite_call *c, int64_t value)
{
    if (value == 0) {
        store_sqlite_put_null(c);
    } else {
        store_sqlite_put_int(c, value);
    }
}

void
store_sqlite_put_real(struct sqlite_call *c, double value)
{
    if (c->stmt != NULL) {
        put_done(c, sqlite3_bind_double(c->stmt, c->next, value));
    }
}

void
store_sqlite_put_null(struct sqlite_call *c)
{
    if (c->stmt != NULL) {
        put_done(c, sqlite3_bind_null(c->stmt, c->next));
    }
}

bool
store_sqlite_row(struct sqlite_call *c)
{
    int rc;

    if (c->rc != SQLITE_OK) {
        return false;
    }
    rc = sqlite3_step(c->stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        c->rc = rc;
    }
    return rc == SQLITE_ROW;
}

enum err
store_sqlite_end(struct sqlite_call *c)
{
    if (c->stmt != NULL) {
        sqlite3_reset(c->stmt);
    }
    if (c->rc == SQLITE_OK) {
        return ERR_OK;
    }
    if ((c->rc & 0xff) == SQLITE_CONSTRAINT) {
        return ERR_CONFLICT;
    }
    return store_sqlite_failed(c->link, c->rc);
}

enum err
store_sqlite_run(struct sqlite_call *c, int *changed_out)
{
    enum err e;

    (void)store_sqlite_row(c);
    e = store_sqlite_end(c);
    if (changed_out != NULL) {
        *changed_out = e == ERR_OK ? sqlite3_changes(c->link->db) : 0;
    }
    return e;
}

char *
store_sqlite_text_at(sqlite3_stmt *stmt, int column)
{
    const unsigned char *p = sqlite3_column_text(stmt, column);

    return p == NULL ? NULL
                     : xmemdup(p, (size_t)sqlite3_column_bytes(stmt, column));
}

static enum err
run_plain(struct sqlite_link *link, enum sql which)
{
    struct sqlite_call c = store_sqlite_call(link, which);

    return store_sqlite_run(&c, NULL);
}

/* -- the log file -- */

static int
on_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
    struct sqlite_link *link = arg;

    (void)db;
    (void)name;
    link->wal_pages = pages;
    return SQLITE_OK;
}

/* What was deleted is overwritten in the database, but its old pages stand in
 * the log until that starts again from its beginning: so it is emptied. A
 * reader in the middle of a job prevents that; then it is tried later. */
static void
scrub(struct sqlite_link *link)
{
    uint64_t now_ms = clock_mono_ms();
    int patience_ms = link->busy.patience_ms, rc;

    if (link->scrubbed_ms != 0 && now_ms - link->scrubbed_ms < SCRUB_MS) {
        return;
    }
    store_sqlite_busy_wait(link->db, &link->busy, 0);
    rc = sqlite3_wal_checkpoint_v2(link->db, NULL, SQLITE_CHECKPOINT_TRUNCATE,
                                   NULL, NULL);
    store_sqlite_busy_wait(link->db, &link->busy, patience_ms);
    if ((rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_LOCKED) {
        store_sqlite_sweep_note(&link->scrub_fails, rc,
                                STORE_SQLITE_FILE "-wal");
    }
    link->scrub = rc != SQLITE_OK;
    link->scrubbed_ms = link->scrub ? now_ms : 0;
    link->wal_pages = link->scrub ? link->wal_pages : 0;
}

/* -- transactions -- */

static enum err
begin(struct store_link *link)
{
    return run_plain(store_sqlite_of(link), SQL_BEGIN_WRITE);
}

/* Whoever hears that something is deleted may look for it in the files. */
static enum err
commit(struct store_link *base)
{
    struct sqlite_link *link = store_sqlite_of(base);
    enum err e = run_plain(link, SQL_COMMIT);

    if (e == ERR_OK && link->scrub) {
        scrub(link);
    }
    return e;
}

/* After some failures (a full disk) SQLite has rolled back by itself. */
static void
rollback(struct store_link *base)
{
    struct sqlite_link *link = store_sqlite_of(base);
    struct store_fault first = link->fault;

    if (!sqlite3_get_autocommit(link->db)) {
        (void)!run_plain(link, SQL_ROLLBACK);
    }
    CHECK(sqlite3_get_autocommit(link->db));
    link->fault = first;
}

static enum err
probe(struct store_link *base)
{
    struct sqlite_link *link = store_sqlite_of(base);
    bool writer = link->lock_fd >= 0;
    int rc;

    if (!writer) {
        return run_plain(link, SQL_PING);
    }
    rc = store_sqlite_schema_touch(link->db);
    return rc == SQLITE_OK ? ERR_OK : store_sqlite_failed(link, rc);
}

static int
tend(struct store_link *base)
{
    struct sqlite_link *link = store_sqlite_of(base);
    int sweep_ms = store_sqlite_sweep_tend(link);

    if (link->scrub) {
        scrub(link);
    } else if (link->wal_pages >= CHECKPOINT_PAGES) {
        link->wal_pages = 0;
        /* When it cannot, the log grows and the next commit tries again. */
        (void)sqlite3_wal_checkpoint_v2(link->db, NULL,
                                        SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    }
    return link->scrub && (sweep_ms < 0 || sweep_ms > SCRUB_MS) ? SCRUB_MS
                                                                : sweep_ms;
}

/* -- opening, closing -- */

static void
close_link(struct store_link *base)
{
    struct sqlite_link *link = store_sqlite_of(base);

    for (int i = 0; i < SQL_COUNT; i++) {
        sqlite3_finalize(link->statements[i]);
    }
    store_sqlite_sweep_end(link);
    /* The last connection copies the log into the database and removes it. */
    CHECK(sqlite3_close(link->db) == SQLITE_OK);
    if (link->lock_fd >= 0) {
        close(link->lock_fd);
    }
    vault_free(link->vault);
    xfree(link);
}

static enum err
explain(char *why, size_t why_size, const char *what, const char *cause)
{
    snprintf(why, why_size, "%s: %s.", what, cause);
    return ERR_DATABASE_ERROR;
}

static enum err
connect_to(struct sqlite_link *link, const char *path, char *why,
           size_t why_size)
{
    bool writer = link->lock_fd >= 0 || link->beside;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    int rc = sqlite3_open_v2(path, &link->db, flags, NULL);

    if (rc == SQLITE_OK) {
        sqlite3_extended_result_codes(link->db, 1);
        store_sqlite_busy_wait(link->db, &link->busy, BUSY_MS);
        rc = store_sqlite_schema_configure(link->db, writer);
    }
    if (rc != SQLITE_OK) {
        char what[STORE_SQLITE_PATH_BYTES + 64];

        snprintf(what, sizeof(what), "The database %s cannot be opened", path);
        return explain(why, why_size, what, sqlite3_errmsg(link->db));
    }
    return ERR_OK;
}

static struct sqlite_link *
new_link(const struct store_settings *settings)
{
    struct sqlite_link *link = xcalloc(1, sizeof(*link));

    link->link.backend = &store_sqlite;
    link->lock_fd = -1;
    link->vault = vault_new(settings->keys);
    link->times_max =
        settings->response_times > 0 ? settings->response_times : TIMES_DEFAULT;
    return link;
}

static enum err
path_of(const struct store_settings *settings,
        char path[static STORE_SQLITE_PATH_BYTES], char *why, size_t why_size)
{
    return store_sqlite_folder_path(settings->data_dir, STORE_SQLITE_FILE, path,
                                    why, why_size);
}

/* What the connection says last is that all was rolled back. */
static enum err
recover(struct sqlite_link *link, char *why, size_t why_size)
{
    enum err e = store_sqlite_answer_recover(&link->link);

    if (e == ERR_OK) {
        return ERR_OK;
    }
    return explain(why, why_size, "Unfinished answers cannot be closed",
                   e == ERR_DATABASE_ERROR ? sqlite3_errstr(link->fault.code)
                                           : "they contradict other rows");
}

static enum err
prepare_database(struct sqlite_link *link, const char *path, char *why,
                 size_t why_size)
{
    enum err e = store_sqlite_folder_make(path, why, why_size);
    bool due = store_sqlite_sweep_due(path);

    if (e == ERR_OK) {
        e = connect_to(link, path, why, why_size);
    }
    if (e == ERR_OK) {
        e = store_sqlite_schema_migrate(link->db, path, why, why_size);
    }
    if (e == ERR_OK) {
        e = store_sqlite_seals_admit(link, why, why_size);
    }
    if (e == ERR_OK) {
        e = recover(link, why, why_size);
    }
    link->unswept = e == ERR_OK && due;
    if (e != ERR_OK && due) {
        store_sqlite_sweep_keep(link);
    }
    return e;
}

static enum err
open_writer(const struct store_settings *settings, struct store_link **out,
            char *why, size_t why_size)
{
    char path[STORE_SQLITE_PATH_BYTES];
    struct sqlite_link *link = new_link(settings);
    enum err e = path_of(settings, path, why, why_size);

    /* Counting every allocation takes a lock that all threads share. Refused,
     * and then without meaning, once SQLite is in use. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (e == ERR_OK) {
        e = store_sqlite_folder_lock(settings->data_dir, &link->lock_fd, why,
                                     why_size);
    }
    if (e == ERR_OK) {
        e = store_sqlite_folder_settle(settings->data_dir, link->lock_fd, why,
                                       why_size);
    }
    if (e == ERR_OK) {
        e = prepare_database(link, path, why, why_size);
    }
    if (e != ERR_OK) {
        close_link(&link->link);
        return e;
    }
    sqlite3_wal_hook(link->db, on_commit, link);
    *out = &link->link;
    return ERR_OK;
}

static enum err
open_reader(const struct store_settings *settings, struct store_link *first,
            struct store_link **out, char *why, size_t why_size)
{
    char path[STORE_SQLITE_PATH_BYTES];
    struct sqlite_link *link = new_link(settings);
    enum err e = path_of(settings, path, why, why_size);

    (void)first; /* a connection of its own */
    if (e == ERR_OK) {
        e = connect_to(link, path, why, why_size);
    }
    /* The first read opens the log's file. Later there may be no descriptor. */
    if (e == ERR_OK && store_sqlite_schema_version_of(link->db) < 0) {
        e = explain(why, why_size, "The database cannot be read",
                    sqlite3_errmsg(link->db));
    }
    if (e != ERR_OK) {
        close_link(&link->link);
        return e;
    }
    *out = &link->link;
    return ERR_OK;
}

enum err
store_sqlite_open_beside(const struct store_settings *settings,
                         struct store_link **out, char *why, size_t why_size)
{
    char path[STORE_SQLITE_PATH_BYTES];
    struct sqlite_link *link = new_link(settings);
    enum err e = path_of(settings, path, why, why_size);

    link->beside = true;
    if (e == ERR_OK) {
        e = connect_to(link, path, why, why_size);
    }
    if (e == ERR_OK && !store_sqlite_schema_is_current(link->db)) {
        e = explain(why, why_size, "The database cannot be used",
                    "the server that runs on it is of another version");
    }
    if (e != ERR_OK) {
        close_link(&link->link);
        return e;
    }
    sqlite3_wal_hook(link->db, on_commit, link);
    *out = &link->link;
    return ERR_OK;
}

const struct store_backend store_sqlite = {
    .kind = "sqlite",
    .group_max = 512,
    .open = open_writer,
    .open_reader = open_reader,
    .close = close_link,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .probe = probe,
    .tend = tend,
    .fault = fault,
    .secret = store_sqlite_secret_keep,
    .rekey = store_sqlite_rekey_run,
    .backup = store_sqlite_backup_run,
    .restore = store_sqlite_backup_restore,
    .open_tool = store_sqlite_erase_open,
    .count = store_sqlite_erase_count,
    .erase = store_sqlite_erase_run,
    .ops =
        {
            [STORE_SESSION_GET] = store_sqlite_read_session,
            [STORE_SESSION_SHARED] = store_sqlite_read_shared,
            [STORE_SESSION_LATEST] = store_sqlite_read_latest,
            [STORE_SESSION_LIST] = store_sqlite_read_list,
            [STORE_MESSAGES] = store_sqlite_read_messages,
            [STORE_MESSAGE_FIND] = store_sqlite_read_find,
            [STORE_PING] = store_sqlite_read_ping,
            [STORE_SESSION_BROWSE] = store_sqlite_review_browse,
            [STORE_SESSION_FIGURES] = store_sqlite_review_figures,
            [STORE_AUDIT_LIST] = store_sqlite_review_list,
            [STORE_USAGE_LIST] = store_sqlite_usage_list,
            [STORE_SESSION_PUT] = store_sqlite_write_session,
            [STORE_SESSION_PATCH] = store_sqlite_write_patch,
            [STORE_SESSION_DELETE] = store_sqlite_write_delete,
            [STORE_MESSAGE_APPEND] = store_sqlite_write_append,
            [STORE_DRAFT_PUT] = store_sqlite_draft_put,
            [STORE_DRAFT_DROP] = store_sqlite_draft_drop,
            [STORE_ANSWER_FINISH] = store_sqlite_answer_finish,
            [STORE_AUDIT_PUT] = store_sqlite_review_put,
            [STORE_USAGE_PUT] = store_sqlite_usage_put,
        },
};
