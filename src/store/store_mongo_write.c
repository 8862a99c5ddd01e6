/* SPDX-License-Identifier: MIT */
/* Writing jobs on sessions. A session's document carries nothing that could
 * not be counted again from its messages, which are store_mongo_question.c's
 * and store_mongo_answer.c's. */
#include "store/store_mongo_write.h"

#include "base/clock.h"
#include "store/store_mongo_batch.h"
#include "store/store_mongo_call.h"
#include "store/store_mongo_rows.h"
#include "store/store_mongo_texts.h"
#include "store/store_mongo_usage.h"
#include "store/tally.h"

#include <string.h>

/* How often a document that was written meanwhile is read again. */
#define TRIES 5

/* -- the session's document -- */

/* q: the session, at this number unless it is negative, and not while it is
 * being deleted. */
static void
put_session_filter(struct mongo_bson *statement, const char *sid, int64_t seq)
{
    struct mongo_bson q;

    mongo_bson_open(statement, "q", &q);
    mongo_bson_text(&q, "_id", sid);
    if (seq >= 0) {
        mongo_bson_int(&q, "seq", seq);
    }
    mongo_bson_null(&q, STORE_MONGO_GONE);
    mongo_bson_close(statement, &q);
}

void
store_mongo_write_put_update(struct mongo_batch *b,
                             const struct mongo_session *s, int64_t seq,
                             enum mongo_change change, void *cookie)
{
    struct mongo_item *item = store_mongo_batch_add(b, cookie);
    struct mongo_bson u;

    put_session_filter(&item->doc, s->record.sid, seq);
    mongo_bson_open(&item->doc, "u", &u);
    store_mongo_texts_put_change(b->link, item, &u, s, change);
    mongo_bson_close(&item->doc, &u);
}

static enum err
update_session(struct mongo_link *link, const struct mongo_session *s,
               int64_t seq, enum mongo_change change, bool *found)
{
    struct mongo_batch b;
    enum err e;

    store_mongo_batch_init(&b, link, MONGO_UPDATE, MONGO_SESSIONS, 1);
    b.lasting = change == MONGO_PATCH;
    store_mongo_write_put_update(&b, s, seq, change, NULL);
    e = store_mongo_batch_write(&b);
    *found = b.matched > 0;
    store_mongo_batch_fini(&b);
    return e;
}

/* The session as it is stored, and what is missing in it counted; *before is
 * the number that its document has. */
static enum err
read_again(struct mongo_link *link, struct mongo_session *s, int64_t *before)
{
    struct mongo_session now;
    enum err e = store_mongo_rows_find(link, s->record.sid, NULL, &now);

    if (e != ERR_OK) {
        return e;
    }
    mongo_doc_session_fini(s);
    *s = now;
    *before = s->record.seq;
    return store_mongo_rows_catch_up(link, s);
}

enum err
store_mongo_write_progress(struct mongo_link *link, struct mongo_session *s,
                           int64_t before)
{
    bool found = false;
    enum err e = update_session(link, s, before, MONGO_PROGRESS, &found);

    for (int i = 0; e == ERR_OK && !found && i < TRIES; i++) {
        e = read_again(link, s, &before);
        if (e != ERR_OK || s->record.seq == before) {
            return e; /* it has everything, or is gone */
        }
        e = update_session(link, s, before, MONGO_PROGRESS, &found);
    }
    return e == ERR_OK && !found ? store_mongo_call_contended(link) : e;
}

/* If one of them was not at the number that it should be at, each by
 * itself. */
void
store_mongo_write_progress_all(struct mongo_link *link,
                               struct mongo_session *const *sessions,
                               enum err *results, size_t count)
{
    struct mongo_batch b;
    enum err e;

    if (count == 0) {
        return;
    }
    store_mongo_batch_init(&b, link, MONGO_UPDATE, MONGO_SESSIONS, count);
    b.lasting = false;
    for (size_t i = 0; i < count; i++) {
        store_mongo_write_put_update(
            &b, sessions[i], sessions[i]->record.seq - 1, MONGO_PROGRESS, NULL);
    }
    e = store_mongo_batch_write(&b);
    for (size_t i = 0; i < count; i++) {
        results[i] = e;
        if (e == ERR_OK && b.matched < (int64_t)count) {
            results[i] = store_mongo_write_progress(
                link, sessions[i], sessions[i]->record.seq - 1);
        }
    }
    store_mongo_batch_fini(&b);
}

enum err
store_mongo_write_withdraw(struct mongo_link *link,
                           const struct message_record *m)
{
    struct mongo_item *item;
    struct mongo_batch b;
    struct mongo_bson q;
    enum err e;

    store_mongo_batch_init(&b, link, MONGO_DELETE, MONGO_MESSAGES, 1);
    item = store_mongo_batch_add(&b, NULL);
    mongo_bson_open(&item->doc, "q", &q);
    mongo_bson_text(&q, "_id", m->id);
    mongo_bson_text(&q, "sid", m->sid);
    mongo_bson_close(&item->doc, &q);
    mongo_bson_int(&item->doc, "limit", 1);
    e = store_mongo_batch_write(&b);
    store_mongo_batch_fini(&b);
    if (e == ERR_OK) {
        e = store_mongo_usage_withdraw(link, m);
    }
    return e == ERR_OK ? ERR_NOT_FOUND : e;
}

enum err
store_mongo_write_own_session(struct mongo_link *link,
                              const struct mongo_item *item)
{
    const struct mongo_session *wanted = item->cookie;
    struct mongo_session stored;
    enum err e = store_mongo_rows_find(link, wanted->record.sid, NULL, &stored);

    if (e == ERR_OK) {
        e = strcmp(stored.record.epoch, wanted->record.epoch) == 0
                ? ERR_OK
                : ERR_CONFLICT;
        mongo_doc_session_fini(&stored);
    }
    return e;
}

void
store_mongo_write_put_session(struct mongo_batch *b, struct mongo_session *s)
{
    struct mongo_item *item = store_mongo_batch_add(b, s);

    store_mongo_texts_put_session(b->link, item, &item->doc, s);
}

enum err
store_mongo_write_session(struct store_link *base, struct store_job *job)
{
    struct mongo_link *link = store_mongo_of(base);
    struct mongo_session s; /* borrows the job's strings */
    struct mongo_batch b;
    bool taken;
    enum err e;

    tally_begin(&job->session, clock_wall_ms());
    s = (struct mongo_session){.record = job->session};
    store_mongo_batch_init(&b, link, MONGO_INSERT, MONGO_SESSIONS, 1);
    b.own = store_mongo_write_own_session;
    store_mongo_write_put_session(&b, &s);
    e = store_mongo_batch_write(&b);
    taken = !store_mongo_batch_stored(&b.items[0]);
    store_mongo_batch_fini(&b);
    return e == ERR_OK && taken ? ERR_CONFLICT : e;
}

enum err
store_mongo_write_patch(struct store_link *base, struct store_job *job)
{
    struct mongo_link *link = store_mongo_of(base);
    struct mongo_session s;
    bool found;
    enum err e =
        store_mongo_rows_find(link, job->session.sid, job->user_id, &s);

    if (e != ERR_OK) {
        return e;
    }
    /* One that comes again has ended it itself, perhaps. */
    job->duplicate =
        tally_patch(&s.record, &job->session, job->patch) && job->open_ms == 0;
    e = update_session(link, &s, -1, MONGO_PATCH, &found);
    store_mongo_rows_give(job, &s);
    return e == ERR_OK && !found ? ERR_NOT_FOUND : e;
}
