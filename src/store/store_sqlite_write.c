/* SPDX-License-Identifier: MIT */
/* Writing jobs on sessions and questions, on the writer's connection; answers
 * are in store_sqlite_answer.c.
 *
 * There are no savepoints: within a job the statement that a unique key can
 * refuse comes first, and what follows cannot be refused. So a job that is
 * refused has written nothing, and the group's other jobs go on. */
#include "store/store_sqlite_write.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "store/store_sqlite_review.h"
#include "store/store_sqlite_rows.h"
#include "store/tally.h"

#include <string.h>

/* -- sessions -- */

static enum err
insert_session(struct sqlite_link *link, const struct session_record *r,
               int *changed)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_SESSION_INSERT);

    store_sqlite_put_text(&c, r->sid);
    store_sqlite_put_text(&c, r->user_id);
    store_sqlite_rows_put_name(&c, r);
    store_sqlite_put_text(&c, r->model_id);
    store_sqlite_put_int(&c, r->start_ms);
    store_sqlite_put_time(&c, r->end_ms);
    store_sqlite_put_int(&c, r->admin_assisted);
    store_sqlite_put_text(&c, r->assisting_admin_id);
    store_sqlite_put_text(&c, r->assisting_admin_name);
    store_sqlite_put_int(&c, r->help_requested);
    store_sqlite_put_int(&c, r->last_ms);
    store_sqlite_put_int(&c, r->archived);
    store_sqlite_put_int(&c, r->takeover_epoch);
    store_sqlite_put_text(&c, r->epoch);
    store_sqlite_put_int(&c, r->seq);
    store_sqlite_put_int(&c, r->message_count);
    store_sqlite_put_int(&c, store_sqlite_rows_duration_ms(r));
    return store_sqlite_run(&c, changed);
}

enum err
store_sqlite_write_session(struct store_link *base, struct store_job *job)
{
    int changed;
    enum err e;

    tally_begin(&job->session, clock_wall_ms());
    e = insert_session(store_sqlite_of(base), &job->session, &changed);
    return e == ERR_OK && changed == 0 ? ERR_CONFLICT : e;
}

static enum err
update_patched(struct sqlite_link *link, const struct session_row *row)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_SESSION_PATCH);
    const struct session_record *r = &row->record;

    store_sqlite_rows_put_kept_name(&c, r);
    store_sqlite_put_text(&c, r->model_id);
    store_sqlite_put_time(&c, r->end_ms);
    store_sqlite_put_int(&c, store_sqlite_rows_duration_ms(r));
    store_sqlite_put_int(&c, r->archived);
    store_sqlite_put_int(&c, r->help_requested);
    store_sqlite_put_int(&c, r->admin_assisted);
    store_sqlite_put_text(&c, r->assisting_admin_id);
    store_sqlite_put_text(&c, r->assisting_admin_name);
    store_sqlite_put_int(&c, r->takeover_epoch);
    store_sqlite_put_text(&c, r->share_token);
    store_sqlite_put_int(&c, row->n);
    return store_sqlite_run(&c, NULL);
}

enum err
store_sqlite_write_patch(struct store_link *base, struct store_job *job)
{
    struct sqlite_link *link = store_sqlite_of(base);
    struct session_row row;
    enum err e =
        store_sqlite_rows_find(link, job->session.sid, job->user_id, &row);

    if (e != ERR_OK || row.n == 0) {
        return e != ERR_OK ? e : ERR_NOT_FOUND;
    }
    job->duplicate = tally_patch(&row.record, &job->session, job->patch);
    e = update_patched(link, &row);
    store_sqlite_rows_give(job, &row);
    return e;
}

static enum err
delete_by(struct sqlite_link *link, enum sql which, int64_t n)
{
    struct sqlite_call c = store_sqlite_call(link, which);

    store_sqlite_put_int(&c, n);
    return store_sqlite_run(&c, NULL);
}

enum err
store_sqlite_write_delete(struct store_link *base, struct store_job *job)
{
    struct sqlite_link *link = store_sqlite_of(base);
    struct session_row row;
    enum err e =
        store_sqlite_rows_find(link, job->session.sid, job->user_id, &row);

    if (e != ERR_OK || row.n == 0) {
        return e != ERR_OK ? e : ERR_NOT_FOUND;
    }
    store_sqlite_rows_give(job, &row);
    e = delete_by(link, SQL_PIECES_DELETE, row.n);
    if (e == ERR_OK) {
        e = delete_by(link, SQL_MESSAGES_DELETE, row.n);
    }
    if (e == ERR_OK) {
        e = delete_by(link, SQL_SESSION_DELETE, row.n);
    }
    if (e == ERR_OK && job->review != NULL) {
        e = store_sqlite_review_add(link, &job->review->event);
    }
    link->scrub = link->scrub || e == ERR_OK;
    link->unswept = link->unswept || e == ERR_OK;
    return e;
}

/* -- questions -- */

static enum err
insert_message(struct sqlite_link *link, int64_t session_n,
               const struct message_record *m, int *changed)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_MESSAGE_INSERT);

    store_sqlite_put_int(&c, session_n);
    store_sqlite_rows_put_message(&c, m);
    return store_sqlite_run(&c, changed);
}

static enum err
update_appended(struct sqlite_link *link, const struct session_row *row)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_SESSION_APPENDED);
    const struct session_record *r = &row->record;

    store_sqlite_rows_put_kept_name(&c, r);
    store_sqlite_put_time(&c, r->end_ms);
    store_sqlite_put_int(&c, r->last_ms);
    store_sqlite_put_int(&c, r->seq);
    store_sqlite_put_int(&c, r->message_count);
    store_sqlite_put_int(&c, store_sqlite_rows_duration_ms(r));
    store_sqlite_put_int(&c, row->n);
    return store_sqlite_run(&c, NULL);
}

/* The row was refused: the client's id is there, or (which should not be) the
 * message's own. */
static enum err
find_first(struct sqlite_link *link, struct store_job *job)
{
    struct message_record first;
    enum err e = ERR_NOT_FOUND;

    if (job->message.client_id != NULL) {
        e = store_sqlite_rows_lookup(link, SQL_MESSAGE_BY_CID,
                                     job->message.client_id, job->message.sid,
                                     &first);
    }
    if (e == ERR_NOT_FOUND) {
        return ERR_CONFLICT;
    }
    if (e == ERR_OK) {
        job->duplicate = true;
        message_record_fini(&job->message);
        job->message = first;
        e = store_sqlite_rows_answers(link, job);
    }
    return e;
}

/* Into a session that is there; the message first: it is what can be
 * refused. */
static enum err
append(struct sqlite_link *link, struct store_job *job, struct session_row *row)
{
    struct message_record *m = &job->message;
    int changed;
    enum err e;

    m->seq = row->record.seq + 1;
    e = insert_message(link, row->n, m, &changed);
    if (e != ERR_OK) {
        return e;
    }
    if (changed == 0) {
        return find_first(link, job);
    }
    tally_message(&row->record, m);
    tally_name(&row->record, job->session.name, m);
    return update_appended(link, row);
}

/* A new session with its first message, which nothing can refuse. */
static enum err
append_first(struct sqlite_link *link, struct store_job *job)
{
    struct message_record *m = &job->message;
    int changed;
    enum err e;

    tally_begin(&job->session, m->at_ms);
    m->seq = 1;
    tally_message(&job->session, m);
    tally_name(&job->session, NULL, m);
    e = insert_session(link, &job->session, &changed);
    if (e != ERR_OK) {
        return e;
    }
    e = insert_message(link, sqlite3_last_insert_rowid(link->db), m, &changed);
    CHECK(e != ERR_OK || changed == 1);
    return e;
}

enum err
store_sqlite_write_append(struct store_link *base, struct store_job *job)
{
    struct sqlite_link *link = store_sqlite_of(base);
    struct session_row row;
    enum err e;

    CHECK(job->message.id[0] != '\0' && job->user_id != NULL);
    CHECK(job->message.status != STATUS_STREAMING);
    e = store_sqlite_rows_find(link, job->session.sid, NULL, &row);
    if (e != ERR_OK) {
        return e;
    }
    if (row.n == 0) {
        return job->session.seq == 0 ? append_first(link, job) : ERR_NOT_FOUND;
    }
    if (strcmp(row.record.user_id, job->user_id) != 0) {
        session_record_fini(&row.record);
        return ERR_NOT_FOUND;
    }
    e = append(link, job, &row);
    store_sqlite_rows_give(job, &row);
    return e;
}
