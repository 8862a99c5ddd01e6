/* SPDX-License-Identifier: MIT */
/* The end of an answer as a numbered message, and what a crash left of those
 * that ran. store_sqlite_draft.c stores them while the model speaks. */
#include "store/store_sqlite_answer.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "store/store_sqlite_draft.h"
#include "store/store_sqlite_rows.h"
#include "store/store_sqlite_usage.h"
#include "store/tally.h"
#include "store/usage.h"

#include <string.h>

/* -- response times -- */

/* The last numbers of "[1,2,3]", at most `most` of them. */
static struct str
last_times(struct str json, size_t most)
{
    struct str list = {json.p, 0};
    size_t commas = 0;

    if (json.n >= 2) {
        list = (struct str){json.p + 1, json.n - 2};
    }
    for (size_t i = list.n; i > 0; i--) {
        if (list.p[i - 1] == ',' && ++commas == most) {
            return str_from_at(list, i);
        }
    }
    return most > 0 ? list : STR("");
}

static void
average(struct session_record *r, struct str list)
{
    struct str part;
    int64_t sum = 0, count = 0;
    uint64_t ms;

    while (str_split(&list, ',', &part)) {
        if (str_to_u64(part, INT64_MAX / 10000, &ms)) {
            sum += (int64_t)ms;
            count++;
        }
    }
    r->response_count = count;
    r->avg_response_ms = count > 0 ? (double)sum / (double)count : 0;
}

/* The session's list with one more time and without what is too old, also
 * into the record. Gives the JSON text. */
static char *
add_time(const struct sqlite_link *link, struct session_record *r,
         struct str old, int64_t ms)
{
    struct str kept = last_times(old, link->times_max - 1);
    struct buf json;

    buf_init(&json, (link->times_max + 1) * 24);
    buf_putc(&json, '[');
    buf_put_str(&json, kept);
    if (kept.n > 0) {
        buf_putc(&json, ',');
    }
    buf_put_i64(&json, ms);
    average(r, (struct str){json.p + 1, json.n - 1});
    buf_putc(&json, ']');
    r->max_response_ms = ms > r->max_response_ms ? ms : r->max_response_ms;
    return buf_give(&json);
}

/* Adds the answer's time, if it is known. Gives the list to store. */
static enum err
response_times(struct sqlite_link *link, struct session_row *row,
               int64_t duration_ms, char **json_out)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_RESP_TIMES);
    struct str old = STR("[]");

    *json_out = NULL;
    store_sqlite_put_int(&c, row->n);
    if (store_sqlite_row(&c)) {
        old.p = (const char *)sqlite3_column_text(c.stmt, 0);
        old.n = (size_t)sqlite3_column_bytes(c.stmt, 0);
        *json_out = duration_ms >= 0
                        ? add_time(link, &row->record, old, duration_ms)
                        : str_dup(old);
    }
    return store_sqlite_end(&c);
}

/* -- the end of an answer -- */

static enum err
put_numbered(struct sqlite_link *link, int64_t session_n,
             const struct message_record *m, int *changed)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_MESSAGE_FINISH);

    store_sqlite_put_int(&c, session_n);
    store_sqlite_rows_put_message(&c, m);
    return store_sqlite_run(&c, changed);
}

static enum err
supersede(struct sqlite_link *link, int64_t session_n,
          const struct message_record *m)
{
    struct sqlite_call c;

    if (m->replaces == NULL) {
        return ERR_OK;
    }
    c = store_sqlite_call(link, SQL_MESSAGE_SUPERSEDE);
    store_sqlite_put_text(&c, m->replaces);
    store_sqlite_put_int(&c, session_n);
    return store_sqlite_run(&c, NULL);
}

static enum err
update_answered(struct sqlite_link *link, const struct session_row *row,
                const char *times)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_SESSION_ANSWERED);
    const struct session_record *r = &row->record;

    store_sqlite_put_int(&c, r->last_ms);
    store_sqlite_put_int(&c, r->seq);
    store_sqlite_put_int(&c, r->message_count);
    store_sqlite_put_int(&c, store_sqlite_rows_duration_ms(r));
    store_sqlite_put_int(&c, r->total_tokens);
    store_sqlite_put_int(&c, r->cost_nanos);
    store_sqlite_put_int(&c, r->max_response_ms);
    store_sqlite_put_real(&c, r->avg_response_ms);
    store_sqlite_put_int(&c, r->response_count);
    store_sqlite_put_text(&c, times);
    store_sqlite_put_int(&c, row->n);
    return store_sqlite_run(&c, NULL);
}

/* The counters, after the message is in. */
static enum err
count_answer(struct sqlite_link *link, struct session_row *row,
             const struct message_record *m)
{
    char *times = NULL;
    enum err e;

    tally_message(&row->record, m);
    e = response_times(link, row, m->duration_ms, &times);
    if (e == ERR_OK) {
        e = update_answered(link, row, times);
    }
    xfree(times);
    return e;
}

/* Gives the answer the session's next number; *changed is 0 when it has had
 * one before, and then nothing was written. */
static enum err
finish(struct sqlite_link *link, struct message_record *m,
       struct session_row *row, int *changed)
{
    enum err e;

    m->seq = row->record.seq + 1;
    e = put_numbered(link, row->n, m, changed);
    if (e == ERR_OK && *changed > 0) {
        e = store_sqlite_draft_clear(link, m);
    }
    if (e == ERR_OK && *changed > 0) {
        e = supersede(link, row->n, m);
    }
    if (e == ERR_OK && *changed > 0) {
        e = count_answer(link, row, m);
    }
    if (e == ERR_OK && *changed > 0) {
        e = store_sqlite_usage_add(link, &row->record, m);
    }
    return e;
}

/* A repeat: the message as it was stored the first time. */
static enum err
find_finished(struct sqlite_link *link, struct store_job *job)
{
    struct message_record stored;
    enum err e = store_sqlite_rows_lookup(
        link, SQL_MESSAGE_BY_ID, job->message.id, job->message.sid, &stored);

    if (e != ERR_OK) {
        return e == ERR_NOT_FOUND ? ERR_CONFLICT : e;
    }
    job->duplicate = true;
    message_record_fini(&job->message);
    job->message = stored;
    return ERR_OK;
}

static enum err
run_on_question(struct sqlite_link *link, enum sql which, int64_t session_n,
                const char *question)
{
    struct sqlite_call c = store_sqlite_call(link, which);

    store_sqlite_put_int(&c, session_n);
    store_sqlite_put_text(&c, question);
    return store_sqlite_run(&c, NULL);
}

/* An answer whose end could not be stored leaves a draft. Once the question
 * has an answer, it must not become a second one at the next start. */
static enum err
drop_leftovers(struct sqlite_link *link, int64_t session_n,
               const struct message_record *m)
{
    enum err e;

    if (m->reply_to == NULL) {
        return ERR_OK;
    }
    e = run_on_question(link, SQL_PIECES_LEFT, session_n, m->reply_to);
    return e == ERR_OK
               ? run_on_question(link, SQL_DRAFTS_LEFT, session_n, m->reply_to)
               : e;
}

enum err
store_sqlite_answer_finish(struct store_link *base, struct store_job *job)
{
    struct sqlite_link *link = store_sqlite_of(base);
    struct session_row row;
    int changed;
    enum err e =
        store_sqlite_rows_find(link, job->session.sid, job->user_id, &row);

    CHECK(job->message.id[0] != '\0');
    CHECK(job->message.status != STATUS_STREAMING);
    if (e != ERR_OK || row.n == 0) {
        return e != ERR_OK ? e : ERR_NOT_FOUND;
    }
    e = finish(link, &job->message, &row, &changed);
    if (e == ERR_OK && changed > 0) {
        e = drop_leftovers(link, row.n, &job->message);
    }
    store_sqlite_rows_give(job, &row);
    return e == ERR_OK && changed == 0 ? find_finished(link, job) : e;
}

/* -- recovery -- */

static enum err
close_draft(struct sqlite_link *link, struct message_record *m)
{
    struct session_row row;
    int changed;
    enum err e = store_sqlite_rows_find(link, m->sid, NULL, &row);

    if (e == ERR_OK) {
        m->status = STATUS_INTERRUPTED;
        xfree(m->finish_reason);
        m->finish_reason = xstrdup("interrupted");
        e = finish(link, m, &row, &changed);
    }
    session_record_fini(&row.record);
    return e;
}

/* What it had used when its last piece was stored. */
static enum err
take_used(struct sqlite_link *link, struct message_record *m)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_PIECE_LAST_USED);

    store_sqlite_put_text(&c, m->id);
    store_sqlite_put_text(&c, m->sid);
    if (store_sqlite_row(&c)) {
        usage_so_far(&m->usage, sqlite3_column_int64(c.stmt, 0),
                     sqlite3_column_int64(c.stmt, 1));
    }
    return store_sqlite_end(&c);
}

/* One draft; *found false when there is none left. */
static enum err
close_next(struct sqlite_link *link, bool *found)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_DRAFT_NEXT);
    struct message_record m;
    enum err e;

    *found = store_sqlite_row(&c);
    if (*found) {
        store_sqlite_rows_message(&c, "", &m); /* no text to open */
    }
    e = store_sqlite_end(&c);
    if (*found) {
        e = store_sqlite_rows_join(link, &m);
        e = e == ERR_OK ? take_used(link, &m) : e;
        e = e == ERR_OK ? close_draft(link, &m) : e;
        message_record_fini(&m);
    }
    return e;
}

static enum err
run_alone(struct sqlite_link *link, enum sql which, int *changed)
{
    struct sqlite_call c = store_sqlite_call(link, which);

    return store_sqlite_run(&c, changed);
}

/* What is left of the drafts after the empty ones went has a session, so each
 * round makes one less. Pieces that are left then belonged to none of them. */
static enum err
close_drafts(struct sqlite_link *link, int *closed, int *dropped)
{
    enum err e = run_alone(link, SQL_DRAFTS_EMPTY, dropped);
    bool found = true;

    for (*closed = 0; e == ERR_OK; (*closed)++) {
        e = close_next(link, &found);
        if (!found) {
            break;
        }
    }
    return e == ERR_OK ? run_alone(link, SQL_PIECES_CLEAR, NULL) : e;
}

enum err
store_sqlite_answer_recover(struct store_link *base)
{
    int closed = 0, dropped = 0;
    enum err e = base->backend->begin(base);

    if (e != ERR_OK) {
        return e;
    }
    e = close_drafts(store_sqlite_of(base), &closed, &dropped);
    if (e == ERR_OK) {
        e = base->backend->commit(base);
    }
    if (e != ERR_OK) {
        base->backend->rollback(base);
    } else if (closed + dropped > 0) {
        log_warn(EVENT_STORE_RECOVERED,
                 "Answers that were cut were closed as interrupted.",
                 log_int("closed", closed), log_int("dropped", dropped));
    }
    return e;
}
