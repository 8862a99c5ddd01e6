/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_SQLITE_H
#define CHATBOX_STORE_STORE_SQLITE_H

#include "store/backend.h"
#include "store/store_sqlite_busy.h"
#include "store/vault.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Private to the files store_sqlite*.c (and their tests): a connection, its
 * statements, and how they are bound, run and read. */

/* One place for a statement of store_sqlite_sql.def. */
enum sql {
#define SQL(NAME, text) SQL_##NAME,
#include "store/store_sqlite_sql.def"
#undef SQL
    SQL_COUNT
};

struct sqlite_link {
    struct store_link link;
    sqlite3 *db;
    sqlite3_stmt *statements[SQL_COUNT]; /* NULL until used */
    struct store_fault fault;
    struct vault *vault;
    struct sqlite_busy busy;
    int lock_fd;          /* writer: of the data folder; else -1 */
    bool beside;          /* a second writer: see store_sqlite_open_beside */
    size_t times_max;     /* response times kept per session */
    int wal_pages;        /* of the log file, after the last commit */
    bool scrub;           /* something was deleted for good: see tend */
    uint64_t scrubbed_ms; /* when that was last tried */
    bool scrub_fails;     /* and that is noted (store_sqlite_sweep.h) */

    /* Writer: the same for unused parts of pages (store_sqlite_sweep.h). */
    bool unswept; /* something was deleted since the sweep began */
    struct sqlite_scrub *sweep; /* NULL: none is on its way */
    uint64_t sweep_at_ms;       /* monotonic: the next slice */
    bool sweep_fails;           /* that is noted */
    int sweep_wait_ms;          /* after the last failure */
    bool too_large;             /* for a sweep; that is noted */
};

extern const struct store_backend store_sqlite;

/* A second writer's connection to a database that a server of this version has
 * open: nothing is migrated or recovered. On error one sentence. Gives. */
enum err store_sqlite_open_beside(const struct store_settings *settings,
                                  struct store_link **out, char *why,
                                  size_t why_size) MUST_CHECK;

struct sqlite_link *store_sqlite_of(struct store_link *link);

/* The text of a statement; static. */
const char *store_sqlite_text(enum sql which);

/* A statement with the parameters that follow, in order. */
struct sqlite_call {
    struct sqlite_link *link;
    sqlite3_stmt *stmt; /* NULL: it could not be prepared */
    int next;           /* parameter */
    int rc;             /* the first failure, or SQLITE_OK */
};

struct sqlite_call store_sqlite_call(struct sqlite_link *link, enum sql which);

/* Parameters; texts are borrowed until the call has run. NULL, and 0 for the
 * time, bind NULL. */
void store_sqlite_put_text(struct sqlite_call *c, const char *text);
void store_sqlite_put_bytes(struct sqlite_call *c, const char *p, size_t n);
void store_sqlite_give_bytes(struct sqlite_call *c, char *p,
                             size_t n); /* takes p */
void store_sqlite_put_int(struct sqlite_call *c, int64_t value);
void store_sqlite_put_time(struct sqlite_call *c, int64_t value);
void store_sqlite_put_real(struct sqlite_call *c, double value);
void store_sqlite_put_null(struct sqlite_call *c);

/* The next row: true while there is one. The caller ends with
 * store_sqlite_end, which says whether all went well. */
bool store_sqlite_row(struct sqlite_call *c);
enum err store_sqlite_end(struct sqlite_call *c) MUST_CHECK;

/* For statements without rows. *changed_out (may be NULL): rows touched.
 * ERR_CONFLICT: a unique key was in the way, nothing was written. */
enum err store_sqlite_run(struct sqlite_call *c, int *changed_out) MUST_CHECK;

/* Remembers the connection's error for the log; ERR_DATABASE_ERROR. */
enum err store_sqlite_failed(struct sqlite_link *link, int rc);

/* Columns of the row; a copy that the caller owns, or NULL. */
char *store_sqlite_text_at(sqlite3_stmt *stmt, int column);

#endif
