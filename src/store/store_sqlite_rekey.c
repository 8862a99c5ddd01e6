/* SPDX-License-Identifier: MIT */
/* Sealing everything with the first key: a few rows a transaction, so that a
 * running server waits for none of them long. What is done is told from what is
 * not by the key that each text names, so an end in the middle costs nothing:
 * the next run goes on. Running answers need no care: their pieces are sealed
 * with the first key if a server runs, and closed by the open if none does. */
#include "store/store_sqlite_rekey.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "store/store_sqlite.h"
#include "store/store_sqlite_rows.h"
#include "store/store_sqlite_schema.h"
#include "store/store_sqlite_scrub.h"
#include "store/store_sqlite_seals.h"

#include <stdio.h>
#include <time.h>

/* One transaction: a commit's time for the server. */
#define BATCH_ROWS 64
#define BATCH_BYTES ((size_t)256 << 10)

/* Another process may hold the database for so long. */
#define PATIENCE_MS 60000

struct pass {
    enum sql list; /* n of what is not sealed with the key, behind a row */
    enum sql get;  /* text, sid (, seq) of a row */
    enum sql put;
    uint64_t *count;
};

struct run {
    struct sqlite_link *link;
    struct rekey *report;
    struct buf current; /* "v1.<first key>.": how a done text begins */
    struct buf text;    /* of the row that is being done, opened */
};

struct batch {
    int64_t rows[BATCH_ROWS];
    size_t count;
};

/* -- one row -- */

/* What a row's text was put with. */
static struct seal_place
place_of(const struct sqlite_call *c, enum sql get)
{
    const char *sid = (const char *)sqlite3_column_text(c->stmt, 1);

    return get == SQL_REKEY_NAME
               ? vault_at_name(sid)
               : vault_at_message(sid, sqlite3_column_int64(c->stmt, 2));
}

static bool
is_done(const struct run *r, const struct sqlite_call *c)
{
    struct str text = {(const char *)sqlite3_column_text(c->stmt, 0),
                       (size_t)sqlite3_column_bytes(c->stmt, 0)};

    return vault_is_current(r->link->vault, text);
}

/* The row may have gone or changed since it was listed. *bytes: of its text,
 * 0 when there is nothing to do. */
static enum err
renew(struct run *r, const struct pass *pass, int64_t n, size_t *bytes)
{
    struct sqlite_call get = store_sqlite_call(r->link, pass->get), put;
    char sid[RAND_ID_CHARS + 1];
    struct seal_place at = vault_at_name(NULL);
    enum err e;
    bool todo;

    *bytes = 0;
    store_sqlite_put_int(&get, n);
    todo = store_sqlite_row(&get) && !is_done(r, &get);
    if (todo) {
        at = place_of(&get, pass->get);
        snprintf(sid, sizeof(sid), "%.*s", STR_ARG(at.sid));
        todo = store_sqlite_rows_open(&get, 0, &at, &r->text);
        r->report->unreadable += !todo;
        at.sid = str_from(sid); /* the row's own goes with the row */
    }
    e = store_sqlite_end(&get);
    if (e == ERR_OK && todo) {
        put = store_sqlite_call(r->link, pass->put);
        store_sqlite_rows_put_sealed(&put, &at, buf_str(&r->text));
        store_sqlite_put_int(&put, n);
        e = store_sqlite_run(&put, NULL);
        *bytes = r->text.n + 1;
    }
    buf_fini(&r->text);
    return e;
}

/* -- a few rows -- */

static enum err
list(struct run *r, const struct pass *pass, int64_t after, struct batch *b)
{
    struct sqlite_call c = store_sqlite_call(r->link, pass->list);

    b->count = 0;
    store_sqlite_put_int(&c, after);
    store_sqlite_put_bytes(&c, r->current.p, r->current.n);
    store_sqlite_put_int(&c, BATCH_ROWS);
    while (store_sqlite_row(&c)) {
        b->rows[b->count++] = sqlite3_column_int64(c.stmt, 0);
    }
    return store_sqlite_end(&c);
}

/* Inside a transaction; *after is the last row that was looked at. */
static enum err
renew_some(struct run *r, const struct pass *pass, const struct batch *b,
           int64_t *after)
{
    enum err e = ERR_OK;
    size_t sum = 0, bytes;

    for (size_t i = 0; e == ERR_OK && i < b->count && sum < BATCH_BYTES; i++) {
        e = renew(r, pass, b->rows[i], &bytes);
        *pass->count += bytes > 0;
        *after = b->rows[i];
        sum += bytes;
    }
    return e;
}

static enum err
renew_batch(struct run *r, const struct pass *pass, const struct batch *b,
            int64_t *after)
{
    const struct store_backend *backend = r->link->link.backend;
    enum err e = backend->begin(&r->link->link);

    if (e != ERR_OK) {
        return e;
    }
    e = renew_some(r, pass, b, after);
    if (e == ERR_OK) {
        e = backend->commit(&r->link->link);
    }
    if (e != ERR_OK) {
        backend->rollback(&r->link->link);
    }
    return e;
}

/* A server that waits for the database asks for it again and again; it has to
 * find it free as often as not. */
static void
pause_for(uint64_t ms)
{
    struct timespec t = {.tv_sec = (time_t)(ms / 1000),
                         .tv_nsec = (long)(ms % 1000 + 1) * 1000000};

    (void)nanosleep(&t, NULL);
}

static enum err
run_pass(struct run *r, const struct pass *pass)
{
    struct batch b;
    int64_t after = 0;
    enum err e = list(r, pass, after, &b);

    while (e == ERR_OK && b.count > 0) {
        uint64_t begin_ms = clock_mono_ms();

        e = renew_batch(r, pass, &b, &after);
        if (e == ERR_OK && r->report->beside) {
            pause_for(clock_mono_ms() - begin_ms);
        }
        if (e == ERR_OK) {
            (void)r->link->link.backend->tend(&r->link->link);
            e = list(r, pass, after, &b);
        }
    }
    return e;
}

/* -- all -- */

/* What the texts were before is overwritten in the database, but stands in the
 * log until that is emptied, and in what rearranged pages have left. */
static void
scrub(struct run *r)
{
    r->report->remains = !store_sqlite_scrub_run(
        sqlite3_db_filename(r->link->db, NULL), STORE_SQLITE_SCRUB_PATIENCE_MS);
}

static enum err
run_all(struct run *r)
{
    const struct pass passes[] = {
        {SQL_REKEY_MESSAGES, SQL_REKEY_MESSAGE, SQL_REKEY_MESSAGE_PUT,
         &r->report->messages},
        {SQL_REKEY_NAMES, SQL_REKEY_NAME, SQL_REKEY_NAME_PUT,
         &r->report->names},
    };
    struct str key = vault_key(r->link->vault);
    enum err e = ERR_OK;

    buf_init(&r->current, VAULT_SIZE(0));
    buf_printf(&r->current, SEAL_PREFIX "%.*s.", STR_ARG(key));
    for (size_t i = 0; e == ERR_OK && i < COUNT_OF(passes); i++) {
        e = run_pass(r, &passes[i]);
    }
    if (e == ERR_OK) {
        e = store_sqlite_seals_forget(r->link);
    }
    if (e == ERR_OK) {
        scrub(r);
    }
    buf_fini(&r->current);
    return e;
}

/* A server runs: it must seal with the key that everything is to be sealed
 * with, or there would be no end of it. */
static enum err
admit_beside(struct sqlite_link *link, char *why, size_t why_size)
{
    bool current = false;
    enum err e = store_sqlite_seals_check(link, why, why_size);

    if (e == ERR_OK) {
        e = store_sqlite_seals_current(link, &current);
    }
    if (e == ERR_OK && !current) {
        snprintf(why, why_size,
                 "The server that runs on %s seals with another key: restart "
                 "it with the new key as the first one.",
                 sqlite3_db_filename(link->db, NULL));
        e = ERR_CONFLICT;
    }
    return e;
}

static enum err
open_for(const struct store_settings *settings, struct rekey *report,
         struct store_link **out, char *why, size_t why_size)
{
    enum err e = store_sqlite.open(settings, out, why, why_size);

    report->beside = e == ERR_CONFLICT;
    if (report->beside) {
        e = store_sqlite_open_beside(settings, out, why, why_size);
    }
    if (e == ERR_OK && report->beside) {
        e = admit_beside(store_sqlite_of(*out), why, why_size);
    }
    return e;
}

enum err
store_sqlite_rekey_run(const struct store_settings *settings, struct rekey *out,
                       char *why, size_t why_size)
{
    struct store_link *base = NULL;
    struct run r = {.report = out};
    enum err e;

    CHECK(settings->keys != NULL);
    *out = (struct rekey){0};
    e = open_for(settings, out, &base, why, why_size);
    if (e == ERR_OK) {
        r.link = store_sqlite_of(base);
        store_sqlite_busy_wait(r.link->db, &r.link->busy, PATIENCE_MS);
        e = run_all(&r);
        if (e != ERR_OK) {
            snprintf(why, why_size,
                     "The database cannot be written: %s. What was done so far "
                     "is kept; run it again.",
                     sqlite3_errmsg(r.link->db));
        }
    }
    if (base != NULL) {
        store_sqlite.close(base);
    }
    return e;
}
