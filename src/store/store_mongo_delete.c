/* SPDX-License-Identifier: MIT */
/* Deleting a session with all that belongs to it: a few steps, each of which
 * can be done again. */
#include "store/store_mongo_delete.h"

#include "store/store_mongo_batch.h"
#include "store/store_mongo_mark.h"
#include "store/store_mongo_review.h"
#include "store/store_mongo_rows.h"

/* Messages that one command deletes: so many take no longer than a command
 * may. */
#define AT_ONCE 100

/* What has the value; of messages the AT_ONCE up to the number upto (0: all,
 * also what has no number). */
static enum err
delete_some(struct mongo_link *link, enum mongo_collection of,
            const char *field, const char *value, int64_t upto)
{
    struct mongo_bson q, range;
    struct mongo_item *item;
    struct mongo_batch b;
    enum err e;

    store_mongo_batch_init(&b, link, MONGO_DELETE, of, 1);
    item = store_mongo_batch_add(&b, NULL);
    mongo_bson_open(&item->doc, "q", &q);
    mongo_bson_text(&q, field, value);
    if (upto > 0) {
        mongo_bson_open(&q, "seq", &range);
        mongo_bson_int(&range, "$gt", upto - AT_ONCE);
        mongo_bson_int(&range, "$lte", upto);
        mongo_bson_close(&q, &range);
    }
    mongo_bson_close(&item->doc, &q);
    mongo_bson_int(&item->doc, "limit", 0);
    e = store_mongo_batch_write(&b);
    store_mongo_batch_fini(&b);
    return e;
}

enum err
store_mongo_delete_all(struct mongo_link *link, enum mongo_collection of,
                       const char *field, const char *value)
{
    return delete_some(link, of, field, value, 0);
}

/* Some at a time; at last what is left, running answers too. */
enum err
store_mongo_delete_messages(struct mongo_link *link, const char *sid,
                            int64_t seq)
{
    enum err e = ERR_OK;

    for (int64_t upto = AT_ONCE; e == ERR_OK && upto <= seq; upto += AT_ONCE) {
        e = delete_some(link, MONGO_MESSAGES, "sid", sid, upto);
    }
    return e == ERR_OK ? delete_some(link, MONGO_MESSAGES, "sid", sid, 0) : e;
}

static enum err
mark(struct mongo_link *link, const char *sid)
{
    struct mongo_bson q, u, set;
    struct mongo_item *item;
    struct mongo_batch b;
    enum err e;

    store_mongo_batch_init(&b, link, MONGO_UPDATE, MONGO_SESSIONS, 1);
    item = store_mongo_batch_add(&b, NULL);
    mongo_bson_open(&item->doc, "q", &q);
    mongo_bson_text(&q, "_id", sid);
    mongo_bson_close(&item->doc, &q);
    mongo_bson_open(&item->doc, "u", &u);
    mongo_bson_open(&u, "$set", &set);
    mongo_bson_bool(&set, STORE_MONGO_GONE, true);
    mongo_bson_close(&u, &set);
    mongo_bson_close(&item->doc, &u);
    e = store_mongo_batch_write(&b);
    store_mongo_batch_fini(&b);
    return e;
}

/* What a marked session has. Its document goes last: while it is there, what
 * was cut can be found and ended. Somebody may just have moved it out of the
 * older form (store_mongo_move.h): who comes after this does not find it any
 * more. */
static enum err
delete_rest(struct mongo_link *link, const struct session_record *r, bool old)
{
    enum err e = delete_some(link, MONGO_PIECES, "sid", r->sid, 0);

    if (e == ERR_OK) {
        e = store_mongo_delete_messages(link, r->sid, r->seq);
    }
    if (e == ERR_OK) {
        e = store_mongo_mark_remove(link, r->sid);
    }
    if (e == ERR_OK) {
        e = delete_some(link, MONGO_SESSIONS, "_id", r->sid, 0);
    }
    return e == ERR_OK && old
               ? store_mongo_delete_messages(link, r->sid, r->seq)
               : e;
}

/* The event first: nothing is deleted without a trace. */
enum err
store_mongo_delete_session(struct store_link *base, struct store_job *job)
{
    struct mongo_link *link = store_mongo_of(base);
    struct mongo_session s;
    bool old;
    enum err e =
        store_mongo_rows_find_gone(link, job->session.sid, job->user_id, &s);

    if (e != ERR_OK) {
        return e;
    }
    old = s.old;
    store_mongo_rows_give(job, &s);
    if (job->review != NULL) {
        e = store_mongo_review_add(link, &job->review->event);
    }
    if (e == ERR_OK) {
        e = mark(link, job->session.sid);
    }
    return e == ERR_OK ? delete_rest(link, &job->session, old) : e;
}

enum err
store_mongo_delete_recover(struct mongo_link *link)
{
    struct mongo_found f = store_mongo_rows_none(link);
    struct mongo_bson filter, options;
    enum err e;

    f.gone_too = true;
    mongo_bson_init(&filter, &link->db->lib);
    mongo_bson_init(&options, &link->db->lib);
    mongo_bson_bool(&filter, STORE_MONGO_GONE, true);
    e = store_mongo_rows_sessions(&f, &filter, &options);
    mongo_bson_fini(&filter);
    mongo_bson_fini(&options);
    for (size_t i = 0; e == ERR_OK && i < f.count; i++) {
        e = delete_rest(link, &f.sessions[i].record, f.sessions[i].old);
    }
    store_mongo_rows_free(&f);
    return e;
}
