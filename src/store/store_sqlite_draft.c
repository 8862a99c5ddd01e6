/* SPDX-License-Identifier: MIT */
/* Drafts: what the store has of a running answer. The answer's row is written
 * once, without text; the text comes in pieces, each a row of its own, so
 * that a checkpoint costs what is new and not what has been said so far.
 * store_sqlite_rows.c joins them for readers, store_sqlite_answer.c when the
 * answer ends. A put is on the token path (once a second per running
 * answer). */
#include "store/store_sqlite_draft.h"

#include "base/check.h"
#include "store/store_sqlite_rows.h"

struct draft {
    int64_t n;   /* of its row; 0: there is none */
    int64_t end; /* bytes of its text */
};

static enum err
find_draft(struct sqlite_link *link, const struct message_record *m,
           struct draft *out)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_DRAFT_GET);

    *out = (struct draft){0, 0};
    store_sqlite_put_text(&c, m->id);
    store_sqlite_put_text(&c, m->sid);
    if (store_sqlite_row(&c)) {
        out->n = sqlite3_column_int64(c.stmt, 0);
        out->end = sqlite3_column_int64(c.stmt, 1); /* no piece: NULL, 0 */
    }
    return store_sqlite_end(&c);
}

/* Only into a session that is there: one that was deleted in mid-answer must
 * not come back as a row of nobody. */
static enum err
insert_draft(struct sqlite_link *link, const struct message_record *m,
             int *changed)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_DRAFT_INSERT);
    struct message_record row = *m; /* borrows */

    row.status = STATUS_STREAMING;
    row.seq = 0;
    row.content = NULL;
    row.content_n = 0;
    store_sqlite_rows_put_message(&c, &row);
    return store_sqlite_run(&c, changed);
}

/* Why there is no draft. */
static enum err
explain_refusal(struct sqlite_link *link, const struct message_record *m)
{
    struct session_row row;
    enum err e = store_sqlite_rows_find(link, m->sid, NULL, &row);

    session_record_fini(&row.record);
    if (e != ERR_OK) {
        return e;
    }
    return row.n == 0 ? ERR_NOT_FOUND : ERR_CONFLICT;
}

/* The first piece makes the row. */
static enum err
begin_draft(struct sqlite_link *link, const struct store_job *job,
            struct draft *d)
{
    int changed = 0;
    enum err e = ERR_OK;

    if (job->draft_offset == 0) {
        e = insert_draft(link, &job->message, &changed);
    }
    if (e == ERR_OK && changed == 0) {
        e = explain_refusal(link, &job->message);
    }
    if (changed > 0) {
        d->n = sqlite3_last_insert_rowid(link->db);
    }
    return e;
}

static enum err
has_piece(struct sqlite_link *link, const struct draft *d, int64_t at,
          bool *found)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_PIECE_AT);

    store_sqlite_put_int(&c, d->n);
    store_sqlite_put_int(&c, at);
    *found = store_sqlite_row(&c);
    return store_sqlite_end(&c);
}

/* A piece comes again: it takes the place of the first one and of all that
 * followed. What begins where no piece began is not the same text. */
static enum err
cut_back(struct sqlite_link *link, const struct draft *d, int64_t at)
{
    struct sqlite_call c;
    bool found;
    enum err e = has_piece(link, d, at, &found);

    if (e != ERR_OK || !found) {
        return e != ERR_OK ? e : ERR_CONFLICT;
    }
    c = store_sqlite_call(link, SQL_PIECES_CUT);
    store_sqlite_put_int(&c, d->n);
    store_sqlite_put_int(&c, at);
    return store_sqlite_run(&c, NULL);
}

static enum err
append_piece(struct sqlite_link *link, const struct draft *d,
             const struct store_job *job)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_PIECE_INSERT);
    const struct message_record *m = &job->message;
    struct seal_place at =
        vault_at_piece(m->sid, m->id, (int64_t)job->draft_offset);

    store_sqlite_put_int(&c, d->n);
    store_sqlite_put_int(&c, (int64_t)job->draft_offset);
    store_sqlite_put_int(&c, (int64_t)(job->draft_offset + m->content_n));
    store_sqlite_put_int(&c, m->usage.completion_tokens);
    store_sqlite_put_int(&c, m->usage.cost_nanos);
    store_sqlite_rows_put_sealed(&c, &at,
                                 (struct str){m->content, m->content_n});
    return store_sqlite_run(&c, NULL);
}

enum err
store_sqlite_draft_put(struct store_link *base, struct store_job *job)
{
    struct sqlite_link *link = store_sqlite_of(base);
    int64_t at = (int64_t)job->draft_offset;
    struct draft d;
    enum err e;

    CHECK(job->message.id[0] != '\0' && job->message.content_n > 0);
    e = find_draft(link, &job->message, &d);
    if (e == ERR_OK && d.n == 0) {
        e = begin_draft(link, job, &d);
    }
    if (e == ERR_OK && at != d.end) {
        e = cut_back(link, &d, at);
    }
    return e == ERR_OK ? append_piece(link, &d, job) : e;
}

static enum err
run_on(struct sqlite_link *link, enum sql which, const struct message_record *m)
{
    struct sqlite_call c = store_sqlite_call(link, which);

    store_sqlite_put_text(&c, m->id);
    store_sqlite_put_text(&c, m->sid);
    return store_sqlite_run(&c, NULL);
}

enum err
store_sqlite_draft_clear(struct sqlite_link *link,
                         const struct message_record *m)
{
    return run_on(link, SQL_PIECES_DROP, m);
}

enum err
store_sqlite_draft_drop(struct store_link *base, struct store_job *job)
{
    struct sqlite_link *link = store_sqlite_of(base);
    enum err e = store_sqlite_draft_clear(link, &job->message);

    return e == ERR_OK ? run_on(link, SQL_DRAFT_DROP, &job->message) : e;
}
