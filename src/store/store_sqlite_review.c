/* SPDX-License-Identifier: MIT */
/* What operators ask for. A list may be filtered and ordered in many ways, so
 * its statement is composed: of texts that stand here, and only of these;
 * every value is a parameter. Flags are written out, because SQLite uses a
 * partial index only where it sees its condition. */
#include "store/store_sqlite_review.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/xalloc.h"
#include "store/store_sqlite_read.h"
#include "store/store_sqlite_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define STATEMENT_BYTES 2048

static bool
has_text(const char *s)
{
    return s != NULL && s[0] != '\0';
}

/* A statement for this one call; finish_call ends it. */
static struct sqlite_call
composed_call(struct sqlite_link *link, const struct buf *sql)
{
    struct sqlite_call c = {.link = link, .next = 1};

    CHECK(!sql->failed);
    c.rc = sqlite3_prepare_v2(link->db, sql->p, (int)sql->n, &c.stmt, NULL);
    return c;
}

static enum err
finish_call(struct sqlite_call *c)
{
    enum err e = store_sqlite_end(c);

    sqlite3_finalize(c->stmt);
    return e;
}

/* -- the list of sessions -- */

static const char *const order_columns[] = {
    [REVIEW_START] = "ts",
    [REVIEW_END] = "endTs",
    [REVIEW_MESSAGES] = "msgCount",
    [REVIEW_TOKENS] = "totalTokens",
    [REVIEW_USER] = "uid",
    [REVIEW_DURATION] = "dur",
    [REVIEW_ACTIVITY] = "lastActivity",
};

static void
put_choice(struct buf *sql, enum review_choice choice, const char *yes,
           const char *no)
{
    if (choice != REVIEW_ANY) {
        buf_puts(sql, " AND ");
        buf_puts(sql, choice == REVIEW_YES ? yes : no);
    }
}

/* Bounds that let everything pass are left out: counting is then a walk over
 * an index. */
static void
put_filters(struct buf *sql, const struct store_job *job)
{
    const struct review *r = job->review;

    buf_puts(sql, " FROM sessions WHERE true");
    if (has_text(job->user_id)) {
        buf_puts(sql, " AND uid=?");
    }
    if (r->from_ms > 0) {
        buf_puts(sql, " AND ts>=?");
    }
    if (r->to_ms < INT64_MAX) {
        buf_puts(sql, " AND ts<=?");
    }
    put_choice(sql, r->active, "endTs IS NULL", "endTs IS NOT NULL");
    put_choice(sql, r->assisted, "adminAssisted=1", "adminAssisted=0");
    put_choice(sql, r->help, "helpRequested=1", "helpRequested=0");
}

/* The parameters of put_filters, in its order. */
static void
bind_filters(struct sqlite_call *c, const struct store_job *job)
{
    const struct review *r = job->review;

    if (has_text(job->user_id)) {
        store_sqlite_put_text(c, job->user_id);
    }
    if (r->from_ms > 0) {
        store_sqlite_put_int(c, r->from_ms);
    }
    if (r->to_ms < INT64_MAX) {
        store_sqlite_put_int(c, r->to_ms);
    }
}

static enum err
count_sessions(struct sqlite_link *link, struct store_job *job)
{
    struct sqlite_call c;
    struct buf sql;

    buf_init(&sql, STATEMENT_BYTES);
    buf_puts(&sql, "SELECT count(*)");
    put_filters(&sql, job);
    c = composed_call(link, &sql);
    bind_filters(&c, job);
    if (store_sqlite_row(&c)) {
        job->review->total = sqlite3_column_int64(c.stmt, 0);
    }
    buf_fini(&sql);
    return finish_call(&c);
}

static void
put_order(struct buf *sql, const struct review *r)
{
    const char *way = r->ascending ? "ASC" : "DESC";

    CHECK(r->order < COUNT_OF(order_columns));
    buf_printf(sql, " ORDER BY %s %s,n %s", order_columns[r->order], way, way);
}

/* What is sorted is numbers of rows alone: long rows would be carried about,
 * and an index that has the column need not be left. */
static void
put_page(struct buf *sql, const struct store_job *job)
{
    buf_puts(sql, "SELECT " SESSION_COLUMNS " FROM sessions"
                  " WHERE n IN (SELECT n");
    put_filters(sql, job);
    put_order(sql, job->review);
    buf_puts(sql, " LIMIT ? OFFSET ?)");
    put_order(sql, job->review);
}

static enum err
collect_page(struct sqlite_link *link, struct store_job *job)
{
    struct sqlite_call c;
    struct buf sql;

    buf_init(&sql, STATEMENT_BYTES);
    put_page(&sql, job);
    c = composed_call(link, &sql);
    bind_filters(&c, job);
    store_sqlite_put_int(&c, (int64_t)job->limit);
    store_sqlite_put_int(&c, (int64_t)job->review->offset);
    job->sessions = xcalloc(job->limit, sizeof(*job->sessions));
    while (store_sqlite_row(&c)) {
        struct session_row row;

        store_sqlite_rows_session(&c, &row);
        job->sessions[job->count++] = row.record;
    }
    buf_fini(&sql);
    return finish_call(&c);
}

static enum err
browse(struct sqlite_link *link, struct store_job *job)
{
    enum err e = count_sessions(link, job);

    return e == ERR_OK ? collect_page(link, job) : e;
}

enum err
store_sqlite_review_browse(struct store_link *base, struct store_job *job)
{
    CHECK(job->limit > 0 && job->limit < INT32_MAX);

    return store_sqlite_read_snapshot(base, job, browse);
}

/* -- figures -- */

static struct figures_session
lived(sqlite3_stmt *stmt)
{
    return (struct figures_session){
        .start_ms = sqlite3_column_int64(stmt, 0),
        .until_ms = sqlite3_column_int64(stmt, 1),
        .active = sqlite3_column_int(stmt, 2) != 0,
        .assisted = sqlite3_column_int(stmt, 3) != 0,
        .tokens = sqlite3_column_int64(stmt, 4),
        .max_ms = sqlite3_column_int64(stmt, 5),
        .avg_ms = sqlite3_column_double(stmt, 6),
        .answers = sqlite3_column_int64(stmt, 7),
    };
}

enum err
store_sqlite_review_figures(struct store_link *base, struct store_job *job)
{
    struct review *r = job->review;
    struct sqlite_call c =
        store_sqlite_call(store_sqlite_of(base), SQL_SESSION_FIGURES);
    struct figures_sum sum;

    figures_begin(&sum, r->from_ms, r->to_ms);
    store_sqlite_put_int(&c, r->to_ms);
    store_sqlite_put_int(&c, r->from_ms);
    store_sqlite_put_int(&c, r->idle_ms);
    store_sqlite_put_int(&c, r->now_ms);
    while (store_sqlite_row(&c)) {
        struct figures_session s = lived(c.stmt);

        figures_add(&sum, &s);
    }
    r->figures = figures_end(&sum);
    return store_sqlite_end(&c);
}

/* -- the audit -- */

static void
put_events(struct buf *sql, const struct store_job *job)
{
    buf_puts(sql, "SELECT n,ts,actor,action,sid,detail FROM audit WHERE n<?");
    if (has_text(job->session.sid)) {
        buf_puts(sql, " AND sid=?");
    }
    if (has_text(job->user_id)) {
        buf_puts(sql, " AND actor=?");
    }
    buf_puts(sql, " ORDER BY n DESC LIMIT ?");
}

static void
bind_events(struct sqlite_call *c, const struct store_job *job, int64_t below)
{
    store_sqlite_put_int(c, below);
    if (has_text(job->session.sid)) {
        store_sqlite_put_text(c, job->session.sid);
    }
    if (has_text(job->user_id)) {
        store_sqlite_put_text(c, job->user_id);
    }
    store_sqlite_put_int(c, (int64_t)job->limit + 1);
}

static void
take_event(sqlite3_stmt *stmt, struct review *r)
{
    r->events[r->event_count++] = (struct review_event){
        .at_ms = sqlite3_column_int64(stmt, 1),
        .actor = store_sqlite_text_at(stmt, 2),
        .action = store_sqlite_text_at(stmt, 3),
        .sid = store_sqlite_text_at(stmt, 4),
        .detail = store_sqlite_text_at(stmt, 5),
    };
}

/* One more than the limit is asked for, to know whether there is more. */
static enum err
collect_events(struct sqlite_call *c, struct store_job *job)
{
    struct review *r = job->review;
    int64_t last = 0;

    r->events = xcalloc(job->limit, sizeof(*r->events));
    while (store_sqlite_row(c)) {
        if (r->event_count == job->limit) {
            char cursor[STORE_SQLITE_NUMBER_CHARS + 1];

            snprintf(cursor, sizeof(cursor), "%016" PRIx64, (uint64_t)last);
            job->next_cursor = xstrdup(cursor);
            break;
        }
        last = sqlite3_column_int64(c->stmt, 0);
        take_event(c->stmt, r);
    }
    return finish_call(c);
}

enum err
store_sqlite_review_list(struct store_link *base, struct store_job *job)
{
    struct sqlite_call c;
    int64_t below = INT64_MAX;
    struct buf sql;

    CHECK(job->limit > 0 && job->limit < INT32_MAX);
    if (job->cursor != NULL &&
        (strlen(job->cursor) != STORE_SQLITE_NUMBER_CHARS ||
         !store_sqlite_read_number(job->cursor, &below))) {
        return ERR_BAD_REQUEST;
    }
    buf_init(&sql, STATEMENT_BYTES);
    put_events(&sql, job);
    c = composed_call(store_sqlite_of(base), &sql);
    bind_events(&c, job, below);
    buf_fini(&sql);
    return collect_events(&c, job);
}

enum err
store_sqlite_review_add(struct sqlite_link *link, const struct review_event *e)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_AUDIT_INSERT);

    CHECK(e->actor != NULL && e->action != NULL);
    store_sqlite_put_int(&c, e->at_ms);
    store_sqlite_put_text(&c, e->actor);
    store_sqlite_put_text(&c, e->action);
    store_sqlite_put_text(&c, e->sid);
    store_sqlite_put_text(&c, e->detail != NULL ? e->detail : "");
    return store_sqlite_run(&c, NULL);
}

enum err
store_sqlite_review_put(struct store_link *base, struct store_job *job)
{
    return store_sqlite_review_add(store_sqlite_of(base), &job->review->event);
}
