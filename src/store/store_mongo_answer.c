/* SPDX-License-Identifier: MIT */
/* Answers. While the model speaks there is a draft: a message with the status
 * "streaming" and without number or text, and its text in pieces, each a
 * document of its own, so that a checkpoint costs what is new. The end takes
 * the draft's place, with a number and all of the text; then the pieces go.
 *
 * A piece is known by its answer and its offset, the end by its answer: sent
 * again they are the same documents. Ends come here one by one, and when there
 * is something to be found out; mostly many go together
 * (store_mongo_finish.c). */
#include "store/store_mongo_answer.h"

#include "base/check.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "store/store_mongo_batch.h"
#include "store/store_mongo_call.h"
#include "store/store_mongo_known.h"
#include "store/store_mongo_move.h"
#include "store/store_mongo_pieces.h"
#include "store/store_mongo_rows.h"
#include "store/store_mongo_texts.h"
#include "store/store_mongo_usage.h"
#include "store/store_mongo_write.h"

#include <string.h>

#define TRIES 5

/* -- drafts -- */

/* The draft, unless it has a number. */
static enum err
delete_draft(struct mongo_link *link, const char *answer, const char *sid)
{
    struct mongo_item *item;
    struct mongo_batch b;
    struct mongo_bson q;
    enum err e = store_mongo_pieces_delete(link, answer, 0, true);

    if (e != ERR_OK) {
        return e;
    }
    store_mongo_batch_init(&b, link, MONGO_DELETE, MONGO_MESSAGES, 1);
    item = store_mongo_batch_add(&b, NULL);
    mongo_bson_open(&item->doc, "q", &q);
    mongo_bson_text(&q, "_id", answer);
    mongo_bson_text(&q, "sid", sid);
    mongo_bson_text(&q, "status", status_word(STATUS_STREAMING));
    mongo_bson_close(&item->doc, &q);
    mongo_bson_int(&item->doc, "limit", 1);
    e = store_mongo_batch_write(&b);
    store_mongo_batch_fini(&b);
    return e;
}

static enum err
own_draft(struct mongo_link *link, const struct mongo_item *item)
{
    const struct message_record *m = item->cookie;
    struct message_record stored;
    enum err e = store_mongo_rows_lookup(link, "_id", m->id, m->sid, &stored);

    if (e == ERR_OK) {
        e = stored.status == STATUS_STREAMING ? ERR_OK : ERR_CONFLICT;
        message_record_fini(&stored);
    }
    return e;
}

/* Only into a session that is there: one that was deleted in mid-answer must
 * not come back as a message of nobody. */
static enum err
insert_draft(struct mongo_link *link, const struct message_record *m)
{
    struct message_record row = *m; /* borrows */
    struct mongo_batch b;
    bool stored;
    enum err e;

    row.status = STATUS_STREAMING;
    row.seq = 0;
    row.content = NULL;
    row.content_n = 0;
    store_mongo_known_draft(link->known, m->sid);
    store_mongo_batch_init(&b, link, MONGO_INSERT, MONGO_MESSAGES, 1);
    b.own = own_draft;
    mongo_doc_put_message(&store_mongo_batch_add(&b, &row)->doc, &row);
    e = store_mongo_batch_write(&b);
    stored = store_mongo_batch_stored(&b.items[0]);
    store_mongo_batch_fini(&b);
    return e == ERR_OK && !stored ? ERR_CONFLICT : e;
}

static enum err
has_session(struct mongo_link *link, const char *sid)
{
    struct mongo_session s;
    enum err e = store_mongo_rows_find(link, sid, NULL, &s);

    if (e == ERR_OK) {
        mongo_doc_session_fini(&s);
    }
    return e;
}

/* No piece is there. The first one makes the draft; when that is there
 * already, its first piece was never stored. */
static enum err
begin_draft(struct mongo_link *link, const struct store_job *job)
{
    const struct message_record *m = &job->message;
    struct message_record there;
    bool running;
    enum err e = has_session(link, m->sid);

    if (e != ERR_OK || job->draft_offset != 0) {
        return e != ERR_OK ? e : ERR_CONFLICT;
    }
    e = store_mongo_rows_lookup(link, "_id", m->id, m->sid, &there);
    if (e == ERR_NOT_FOUND) {
        return insert_draft(link, m);
    }
    if (e != ERR_OK) {
        return e;
    }
    running = there.status == STATUS_STREAMING;
    message_record_fini(&there);
    return running ? ERR_OK : ERR_CONFLICT;
}

/* A piece comes again: it takes the place of the first one and of all that
 * followed. What begins where no piece began is not the same text. */
static enum err
cut_back(struct mongo_link *link, const struct store_job *job)
{
    const char *answer = job->message.id;
    uint64_t at = job->draft_offset;
    int64_t end;
    enum err e = store_mongo_pieces_last(link, answer, at, at, &end);

    if (e != ERR_OK || end < 0) {
        return e != ERR_OK ? e : ERR_CONFLICT;
    }
    return store_mongo_pieces_delete(link, answer, at, true);
}

/* Pieces are there as long as the draft is, and go after it: so while there
 * is one, neither the session nor the draft is looked at. */
enum err
store_mongo_answer_put(struct store_link *base, struct store_job *job)
{
    struct mongo_link *link = store_mongo_of(base);
    int64_t end;
    enum err e;

    CHECK(job->message.id[0] != '\0' && job->message.content_n > 0);
    e = store_mongo_pieces_last(link, job->message.id, 0, UINT64_MAX, &end);
    if (e != ERR_OK) {
        return e;
    }
    if (end < 0) {
        e = begin_draft(link, job);
    } else if (end != (int64_t)job->draft_offset) {
        e = cut_back(link, job);
    }
    return e == ERR_OK ? store_mongo_pieces_insert(link, job) : e;
}

enum err
store_mongo_answer_drop(struct store_link *base, struct store_job *job)
{
    return delete_draft(store_mongo_of(base), job->message.id,
                        job->message.sid);
}

/* -- the end, of one; of many: store_mongo_finish.c -- */

enum err
store_mongo_answer_is_stored(struct mongo_link *link,
                             const struct message_record *m)
{
    struct message_record stored;
    enum err e = store_mongo_rows_lookup(link, "_id", m->id, m->sid, &stored);

    if (e == ERR_OK) {
        e = stored.seq == m->seq ? ERR_OK : ERR_CONFLICT;
        message_record_fini(&stored);
    }
    return e;
}

static enum err
own_end(struct mongo_link *link, const struct mongo_item *item)
{
    return store_mongo_answer_is_stored(link, item->cookie);
}

void
store_mongo_answer_put_end(struct mongo_batch *b,
                           const struct message_record *m, void *cookie)
{
    struct mongo_item *item = store_mongo_batch_add(b, cookie);
    struct mongo_bson inner;

    mongo_bson_open(&item->doc, "q", &inner);
    mongo_bson_text(&inner, "_id", m->id);
    mongo_bson_text(&inner, "status", status_word(STATUS_STREAMING));
    mongo_bson_close(&item->doc, &inner);
    mongo_bson_open(&item->doc, "u", &inner);
    store_mongo_texts_put_message(b->link, item, &inner, m);
    mongo_bson_close(&item->doc, &inner);
    mongo_bson_bool(&item->doc, "upsert", true);
}

static enum err
replace_draft(struct mongo_link *link, struct message_record *m, bool *taken)
{
    struct mongo_batch b;
    enum err e;

    store_mongo_batch_init(&b, link, MONGO_UPDATE, MONGO_MESSAGES, 1);
    b.own = own_end;
    b.counted = true;
    store_mongo_answer_put_end(&b, m, m);
    e = store_mongo_batch_write(&b);
    *taken = e == ERR_OK && !store_mongo_batch_stored(&b.items[0]);
    store_mongo_batch_fini(&b);
    return e;
}

/* *again: the number was another message's; s is brought up. Otherwise the
 * answer itself has one. */
static enum err
resolve_taken(struct mongo_link *link, struct mongo_session *s,
              const struct message_record *m, bool *again)
{
    struct message_record stored;
    int64_t before = s->record.seq;
    enum err e = store_mongo_rows_lookup(link, "_id", m->id, m->sid, &stored);

    *again = true;
    if (e == ERR_OK) {
        *again = stored.seq == 0;
        message_record_fini(&stored);
    }
    if ((e != ERR_OK && e != ERR_NOT_FOUND) || !*again) {
        return e;
    }
    e = store_mongo_rows_catch_up(link, s);
    if (e == ERR_OK && s->record.seq == before) {
        return ERR_CONFLICT; /* the id is another session's */
    }
    return e == ERR_OK ? store_mongo_write_progress(link, s, before) : e;
}

/* The answer under the session's next number; *repeat when it has had one
 * before, and then nothing was written. */
static enum err
number_answer(struct mongo_link *link, struct mongo_session *s,
              struct message_record *m, bool *repeat)
{
    bool taken = true, again = true;
    enum err e = store_mongo_move_ready(link, s);

    for (int i = 0; i < TRIES && e == ERR_OK && taken && again; i++) {
        m->seq = s->record.seq + 1;
        e = replace_draft(link, m, &taken);
        if (e == ERR_OK && taken) {
            e = resolve_taken(link, s, m, &again);
        }
    }
    if (e == ERR_OK && taken && again) {
        return store_mongo_call_contended(link);
    }
    *repeat = taken;
    return e;
}

enum err
store_mongo_answer_supersede(struct mongo_link *link,
                             const struct message_record *m)
{
    struct mongo_bson inner, set;
    struct mongo_item *item;
    struct mongo_batch b;
    enum err e;

    if (m->replaces == NULL) {
        return ERR_OK;
    }
    store_mongo_batch_init(&b, link, MONGO_UPDATE, MONGO_MESSAGES, 1);
    item = store_mongo_batch_add(&b, NULL);
    mongo_bson_open(&item->doc, "q", &inner);
    mongo_bson_text(&inner, "_id", m->replaces);
    mongo_bson_text(&inner, "sid", m->sid);
    mongo_bson_close(&item->doc, &inner);
    mongo_bson_open(&item->doc, "u", &inner);
    mongo_bson_open(&inner, "$set", &set);
    mongo_bson_bool(&set, "superseded", true);
    mongo_bson_close(&inner, &set);
    mongo_bson_close(&item->doc, &inner);
    e = store_mongo_batch_write(&b);
    store_mongo_batch_fini(&b);
    return e;
}

static enum err
find_drafts(struct mongo_found *f, const char *const *sids,
            const char *const *questions, size_t count)
{
    struct mongo_bson filter;
    enum err e;

    mongo_bson_init(&filter, &f->link->db->lib);
    store_mongo_rows_put_any(&filter, "sid", sids, count);
    store_mongo_rows_put_any(&filter, "replyTo", questions, count);
    mongo_bson_text(&filter, "status", status_word(STATUS_STREAMING));
    e = store_mongo_call_query(
        f->link, &(struct mongo_query){.from = MONGO_MESSAGES,
                                       .filter = &filter,
                                       .row = store_mongo_rows_message,
                                       .again = store_mongo_rows_again,
                                       .cookie = f});
    mongo_bson_fini(&filter);
    return e;
}

enum err
store_mongo_answer_drop_leftovers(struct mongo_link *link,
                                  const char *const *sids,
                                  const char *const *questions, size_t count)
{
    struct mongo_found f = store_mongo_rows_none(link);
    enum err e = ERR_OK;

    if (count > 0) {
        e = find_drafts(&f, sids, questions, count);
    }
    for (size_t i = 0; e == ERR_OK && i < f.count; i++) {
        e = delete_draft(link, f.messages[i].id, f.messages[i].sid);
    }
    store_mongo_rows_free(&f);
    return e;
}

static enum err
drop_leftovers(struct mongo_link *link, const struct message_record *m)
{
    const char *sid = m->sid, *question = m->reply_to;

    return store_mongo_answer_drop_leftovers(link, &sid, &question,
                                             question != NULL ? 1 : 0);
}

/* What follows an answer that is stored. */
static enum err
settle_answer(struct mongo_link *link, struct mongo_session *s,
              const struct message_record *m)
{
    int64_t before = s->record.seq;
    enum err e = store_mongo_answer_supersede(link, m);

    if (e == ERR_OK) {
        e = store_mongo_pieces_delete(link, m->id, 0, false);
    }
    if (e == ERR_OK) {
        e = store_mongo_usage_put_one(link, &s->record, m);
    }
    if (e == ERR_OK) {
        store_mongo_rows_count(link, s, m);
        e = store_mongo_write_progress(link, s, before);
    }
    return e;
}

/* A repeat: the message as it was stored the first time. What should have
 * followed it may have been cut off. */
static enum err
give_stored(struct mongo_link *link, struct mongo_session *s,
            struct store_job *job)
{
    struct message_record stored;
    int64_t before = s->record.seq;
    enum err e = store_mongo_rows_lookup(link, "_id", job->message.id,
                                         job->message.sid, &stored);

    if (e != ERR_OK) {
        return e == ERR_NOT_FOUND ? ERR_CONFLICT : e;
    }
    job->duplicate = true;
    message_record_fini(&job->message);
    job->message = stored;
    e = store_mongo_answer_supersede(link, &job->message);
    if (e == ERR_OK) {
        e = store_mongo_pieces_delete(link, job->message.id, 0, false);
    }
    if (e == ERR_OK) {
        e = store_mongo_usage_put_one(link, &s->record, &job->message);
    }
    if (e == ERR_OK) {
        e = store_mongo_rows_catch_up(link, s);
    }
    return e == ERR_OK && s->record.seq > before
               ? store_mongo_write_progress(link, s, before)
               : e;
}

enum err
store_mongo_answer_finish(struct store_link *base, struct store_job *job)
{
    struct mongo_link *link = store_mongo_of(base);
    struct mongo_session s;
    bool repeat = false;
    enum err e =
        store_mongo_rows_find(link, job->session.sid, job->user_id, &s);

    CHECK(job->message.id[0] != '\0');
    CHECK(job->message.status != STATUS_STREAMING);
    if (e != ERR_OK) {
        return e;
    }
    e = number_answer(link, &s, &job->message, &repeat);
    if (e == ERR_OK && repeat) {
        e = give_stored(link, &s, job);
    } else if (e == ERR_OK) {
        e = settle_answer(link, &s, &job->message);
    }
    if (e == ERR_OK) {
        e = drop_leftovers(link, &job->message);
    }
    store_mongo_rows_give(job, &s);
    return e;
}

/* -- recovery -- */

/* Drafts without a text or a session go; the others end as interrupted. */
static enum err
close_draft(struct mongo_link *link, struct message_record *m, int *closed,
            int *dropped)
{
    struct mongo_session s;
    bool repeat = false;
    enum err e = store_mongo_pieces_join(link, m);

    if (e == ERR_OK) {
        e = store_mongo_rows_find(link, m->sid, NULL, &s);
    }
    if (e == ERR_NOT_FOUND || (e == ERR_OK && m->content_n == 0)) {
        if (e == ERR_OK) {
            mongo_doc_session_fini(&s);
        }
        ++*dropped;
        return delete_draft(link, m->id, m->sid);
    }
    if (e != ERR_OK) {
        return e;
    }
    m->status = STATUS_INTERRUPTED;
    xfree(m->finish_reason);
    m->finish_reason = xstrdup("interrupted");
    e = number_answer(link, &s, m, &repeat);
    if (e == ERR_OK) {
        ++*closed;
        e = settle_answer(link, &s, m);
    }
    mongo_doc_session_fini(&s);
    return e;
}

static enum err
find_running(struct mongo_found *f)
{
    struct mongo_bson filter;
    enum err e;

    mongo_bson_init(&filter, &f->link->db->lib);
    mongo_bson_text(&filter, "status", status_word(STATUS_STREAMING));
    e = store_mongo_call_query(
        f->link, &(struct mongo_query){.from = MONGO_MESSAGES,
                                       .filter = &filter,
                                       .row = store_mongo_rows_message,
                                       .again = store_mongo_rows_again,
                                       .cookie = f});
    mongo_bson_fini(&filter);
    return e;
}

enum err
store_mongo_answer_recover(struct mongo_link *link)
{
    struct mongo_found f = store_mongo_rows_none(link);
    int closed = 0, dropped = 0;
    enum err e = find_running(&f);

    for (size_t i = 0; e == ERR_OK && i < f.count; i++) {
        e = close_draft(link, &f.messages[i], &closed, &dropped);
    }
    store_mongo_rows_free(&f);
    if (e == ERR_OK) {
        e = store_mongo_pieces_clear(link);
    }
    if (closed + dropped > 0) {
        log_warn(EVENT_STORE_RECOVERED,
                 "Answers that were cut were closed as interrupted.",
                 log_int("closed", closed), log_int("dropped", dropped));
    }
    return e;
}
