/* SPDX-License-Identifier: MIT */
/* The entries of usage.h as rows. They need no key of their own to be there
 * once: an answer gets its number once, in the same transaction. */
#include "store/store_sqlite_usage.h"

#include "store/store_sqlite_rows.h"
#include "store/usage.h"

enum err
store_sqlite_usage_put(struct sqlite_link *link, const char *user_id,
                       const struct message_record *m)
{
    struct sqlite_call c;

    if (!m->usage.present) {
        return ERR_OK;
    }
    c = store_sqlite_call(link, SQL_USAGE_PUT);
    store_sqlite_put_text(&c, m->id);
    store_sqlite_put_text(&c, user_id);
    store_sqlite_put_text(&c, m->model_id);
    store_sqlite_put_int(&c, m->at_ms);
    store_sqlite_rows_put_usage(&c, &m->usage);
    return store_sqlite_run(&c, NULL);
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
        add_row(c.stmt, &job->review->usage);
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
