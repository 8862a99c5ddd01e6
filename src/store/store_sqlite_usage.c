/* SPDX-License-Identifier: MIT */
/* The entries of usage.h as rows. They need no key of their own to be there
 * once: an answer gets its number once, in the same transaction. */
#include "store/store_sqlite_usage.h"

#include "base/check.h"
#include "store/store_sqlite_rows.h"
#include "store/usage.h"

static enum err
insert(struct sqlite_link *link, const struct usage_entry *e)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_USAGE_PUT);

    store_sqlite_put_text(&c, e->id);
    store_sqlite_put_text(&c, e->user_id);
    store_sqlite_put_text(&c, e->model_id);
    store_sqlite_put_int(&c, e->at_ms);
    store_sqlite_rows_put_usage(&c, &e->usage);
    store_sqlite_put_text(&c, e->budget_roles);
    return store_sqlite_run(&c, NULL);
}

enum err
store_sqlite_usage_add(struct sqlite_link *link, const struct session_record *s,
                       const struct message_record *m)
{
    struct usage_entry e = usage_entry_of(s, m);

    return m->usage.present ? insert(link, &e) : ERR_OK;
}

/* What was put of it before. */
static enum err
take_back(struct sqlite_link *link, const struct usage_entry *e)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_USAGE_TAKE_BACK);

    store_sqlite_put_text(&c, e->user_id);
    store_sqlite_put_int(&c, e->was_ms);
    store_sqlite_put_text(&c, e->id);
    return store_sqlite_run(&c, NULL);
}

enum err
store_sqlite_usage_put(struct store_link *base, struct store_job *job)
{
    struct sqlite_link *link = store_sqlite_of(base);
    const struct usage_entry *entry = &job->review->entry;
    enum err e = ERR_OK;

    CHECK(entry->user_id != NULL);
    if (entry->was_ms != 0) {
        e = take_back(link, entry);
    }
    return e == ERR_OK ? insert(link, entry) : e;
}

static bool
is_wanted(const struct review *r, sqlite3_stmt *stmt)
{
    return r->role == NULL ||
           usage_has_role((const char *)sqlite3_column_text(stmt, 9), r->role);
}

static void
add_row(sqlite3_stmt *stmt, struct usage_list *l)
{
    const struct usage u = {.prompt_tokens = sqlite3_column_int64(stmt, 2),
                            .completion_tokens = sqlite3_column_int64(stmt, 3),
                            .total_tokens = sqlite3_column_int64(stmt, 4),
                            .estimated = sqlite3_column_int(stmt, 5) != 0,
                            .cached_tokens = sqlite3_column_int64(stmt, 6),
                            .reasoning_tokens = sqlite3_column_int64(stmt, 7),
                            .cost_nanos = sqlite3_column_int64(stmt, 8)};

    usage_list_add(l, sqlite3_column_int64(stmt, 0),
                   (const char *)sqlite3_column_text(stmt, 1), &u);
}

enum err
store_sqlite_usage_list(struct store_link *base, struct store_job *job)
{
    bool all = job->user_id == NULL;
    struct sqlite_call c = store_sqlite_call(
        store_sqlite_of(base), all ? SQL_USAGE_LIST_ALL : SQL_USAGE_LIST);

    if (!all) {
        store_sqlite_put_text(&c, job->user_id);
    }
    store_sqlite_put_int(&c, job->review->from_ms);
    store_sqlite_put_int(&c, job->review->to_ms);
    while (store_sqlite_row(&c)) {
        if (is_wanted(job->review, c.stmt)) {
            add_row(c.stmt, &job->review->usage);
        }
    }
    return store_sqlite_end(&c);
}

enum err
store_sqlite_usage_thin(struct sqlite_link *link, const char *user_id,
                        int *changed)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_USAGE_THIN);

    store_sqlite_put_text(&c, user_id);
    return store_sqlite_run(&c, changed);
}
