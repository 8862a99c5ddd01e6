/* SPDX-License-Identifier: MIT */
/* Questions, and whatever else comes whole; answers are in
 * store_mongo_answer.c.
 *
 * A question is one document, inserted under the session's next number, and
 * that insert is what is acknowledged. Its keys (_id, (sid, seq), (sid, cid))
 * tell what an attempt whose answer was lost has done: it is sent again until
 * that is known, if need be by a later group (store_worker.h). The session's
 * document follows; when a number is found to be taken it is brought up. It is
 * not read before if the writer knows it; whether the session is still there
 * is what its update says. */
#include "store/store_mongo_question.h"

#include "base/check.h"
#include "base/xalloc.h"
#include "store/store_mongo_batch.h"
#include "store/store_mongo_call.h"
#include "store/store_mongo_group.h"
#include "store/store_mongo_known.h"
#include "store/store_mongo_mark.h"
#include "store/store_mongo_move.h"
#include "store/store_mongo_rows.h"
#include "store/store_mongo_texts.h"
#include "store/store_mongo_write.h"
#include "store/tally.h"

#include <string.h>

/* How often a number that was taken meanwhile is replaced by the next one. */
#define TRIES 5

/* One question on its way. */
struct question {
    struct store_job *job;
    struct mongo_session s; /* owned once known */
    bool known;             /* its session is there */
    bool remembered;        /* and was not looked for */
    bool settled;           /* job->result is final */
    bool counted;           /* it is stored, and s has it */
};

struct group {
    struct mongo_link *link;
    struct question *questions;
    size_t count;
};

/* What an earlier round has left open stays open until it is known. */
static void
settle(struct question *q, enum err result)
{
    bool open = result == ERR_DATABASE_ERROR && q->job->open_ms != 0;

    q->job->result = open ? ERR_AGAIN : result;
    q->settled = true;
}

/* The sessions of those that are open; all of them, or what is not known. */
static size_t
list_sids(const struct group *g, bool all, const char *sids[STORE_MONGO_GROUP])
{
    size_t count = 0;

    for (size_t i = 0; i < g->count; i++) {
        if (!g->questions[i].settled && (all || !g->questions[i].known)) {
            sids[count++] = g->questions[i].job->session.sid;
        }
    }
    return count;
}

/* Gives the found session to the question that waits for it. */
static void
hand_out(struct group *g, struct mongo_session *s)
{
    for (size_t i = 0; i < g->count; i++) {
        struct question *q = &g->questions[i];

        if (!q->known && !q->settled &&
            strcmp(q->job->session.sid, s->record.sid) == 0) {
            q->s = *s;
            q->known = true;
            *s = (struct mongo_session){.times_ms = NULL};
            return;
        }
    }
}

static void
recall_sessions(struct group *g)
{
    for (size_t i = 0; i < g->count; i++) {
        struct question *q = &g->questions[i];

        if (!q->settled) {
            q->remembered = store_mongo_known_take(g->link->known,
                                                   q->job->session.sid, &q->s);
            q->known = q->remembered;
        }
    }
}

static enum err
find_sessions(struct group *g)
{
    struct mongo_found f = store_mongo_rows_none(g->link);
    const char *sids[STORE_MONGO_GROUP];
    size_t count = list_sids(g, false, sids);
    enum err e = ERR_OK;

    if (count > 0) {
        e = store_mongo_rows_many(&f, sids, count);
    }
    for (size_t i = 0; e == ERR_OK && i < f.count; i++) {
        hand_out(g, &f.sessions[i]);
    }
    store_mongo_rows_free(&f);
    return e;
}

/* Whether the question can be stored. One that an earlier round has left open
 * had a session then: it has been deleted since, is not made again, and what
 * that round may have stored goes as well. */
static enum err
judge_session(struct mongo_link *link, const struct question *q)
{
    const struct store_job *job = q->job;

    if (q->known) {
        return strcmp(q->s.record.user_id, job->user_id) == 0 ? ERR_OK
                                                              : ERR_NOT_FOUND;
    }
    if (job->open_ms != 0) {
        return store_mongo_write_withdraw(link, &job->message);
    }
    return job->session.seq == 0 ? ERR_OK : ERR_NOT_FOUND;
}

/* Those that must have a session, and those whose session is somebody
 * else's. */
static void
refuse_strangers(struct group *g)
{
    for (size_t i = 0; i < g->count; i++) {
        struct question *q = &g->questions[i];
        enum err e = q->settled ? ERR_OK : judge_session(g->link, q);

        if (e != ERR_OK) {
            settle(q, e);
        }
    }
}

/* A session of the older form gets its messages out of its document before it
 * gets another one. */
static void
settle_old(struct group *g)
{
    for (size_t i = 0; i < g->count; i++) {
        struct question *q = &g->questions[i];
        enum err e = ERR_OK;

        if (!q->settled && q->known) {
            e = store_mongo_move_session(g->link, &q->s);
        }
        if (e != ERR_OK) {
            settle(q, e);
        }
    }
}

/* A new session is stored before its first message, without counters. When
 * somebody else has made it meanwhile the next try finds it. */
static enum err
make_sessions(struct group *g)
{
    struct mongo_batch b;
    enum err e;

    store_mongo_batch_init(&b, g->link, MONGO_INSERT, MONGO_SESSIONS, g->count);
    b.own = store_mongo_write_own_session;
    for (size_t i = 0; i < g->count; i++) {
        struct question *q = &g->questions[i];

        if (!q->settled && !q->known) {
            session_record_copy(&q->s.record, &q->job->session);
            tally_begin(&q->s.record, q->job->message.at_ms);
            q->known = true;
            store_mongo_write_put_session(&b, &q->s);
        }
    }
    e = b.count == 0 ? ERR_OK : store_mongo_batch_write(&b);
    store_mongo_batch_fini(&b);
    return e;
}

/* The question itself, perhaps under the number that an earlier round had for
 * it. */
static enum err
own_question(struct mongo_link *link, const struct mongo_item *item)
{
    struct question *q = item->cookie;
    struct message_record *m = &q->job->message, stored;
    enum err e = store_mongo_rows_lookup(link, "_id", m->id, m->sid, &stored);

    if (e == ERR_OK) {
        m->seq = stored.seq;
        message_record_fini(&stored);
    }
    return e;
}

/* The client's id is there: the first message, with its answers. */
static enum err
give_first(struct mongo_link *link, struct store_job *job)
{
    struct message_record *m = &job->message, first;
    enum err e = ERR_NOT_FOUND;

    if (m->client_id != NULL) {
        e = store_mongo_rows_lookup(link, "cid", m->client_id, m->sid, &first);
    }
    if (e == ERR_OK) {
        struct message_record mine = *m;

        *m = first;
        e = store_mongo_rows_answers(link, job);
        job->duplicate = e == ERR_OK;
        if (e != ERR_OK) { /* it may be sent again */
            first = mine;
            mine = *m;
            *m = first;
        }
        message_record_fini(&mine);
    }
    return e;
}

/* Which of the keys was taken? The client's id: a repeat. The message's own:
 * a conflict. Otherwise the number: the session's document was behind, is
 * brought up, and the question waits for the next try. */
static void
resolve_taken(struct mongo_link *link, struct question *q)
{
    struct store_job *job = q->job;
    int64_t before = q->s.record.seq;
    struct message_record other;
    enum err e = give_first(link, job);

    if (e == ERR_NOT_FOUND) {
        e = store_mongo_rows_lookup(link, "_id", job->message.id,
                                    job->message.sid, &other);
        if (e == ERR_OK) {
            message_record_fini(&other);
            e = ERR_CONFLICT;
        }
    }
    if (e != ERR_NOT_FOUND) {
        settle(q, e);
        return;
    }
    e = store_mongo_rows_catch_up(link, &q->s);
    if (e == ERR_OK && q->s.record.seq > before) {
        e = store_mongo_write_progress(link, &q->s, before);
    } else if (e == ERR_OK) {
        e = ERR_CONFLICT; /* the id is another session's */
    }
    if (e != ERR_OK) {
        settle(q, e);
    }
}

/* The next number is counted with those of the others; another one shows that
 * the session's document is behind, or ahead. */
static void
count_question(struct mongo_link *link, struct question *q)
{
    int64_t before = q->s.record.seq;
    enum err e = ERR_OK;

    q->counted = q->job->message.seq == before + 1;
    if (q->counted) {
        store_mongo_rows_count(link, &q->s, &q->job->message);
    } else if (q->job->message.seq > before) {
        e = store_mongo_rows_catch_up(link, &q->s);
    }
    if (e == ERR_OK && !q->counted && q->s.record.seq > before) {
        e = store_mongo_write_progress(link, &q->s, before);
    }
    settle(q, e);
}

static bool
is_open(const struct mongo_item *item)
{
    return item->outcome == MONGO_UNKNOWN || item->outcome == MONGO_UNCONFIRMED;
}

static void
judge_question(struct mongo_link *link, const struct mongo_item *item)
{
    struct question *q = item->cookie;

    if (store_mongo_batch_stored(item)) {
        count_question(link, q);
    } else if (item->code == STORE_MONGO_DUPLICATE) {
        resolve_taken(link, q);
    } else {
        settle(q, is_open(item) ? ERR_AGAIN : ERR_DATABASE_ERROR);
    }
}

static void
put_question(struct mongo_batch *b, struct question *q)
{
    struct mongo_item *item = store_mongo_batch_add(b, q);

    tally_name(&q->s.record, q->job->session.name, &q->job->message);
    q->job->message.seq = q->s.record.seq + 1;
    store_mongo_texts_put_message(b->link, item, &item->doc, &q->job->message);
    item->perhaps = q->job->open_ms != 0;
}

static void
insert_questions(struct group *g)
{
    struct mongo_batch b;

    store_mongo_batch_init(&b, g->link, MONGO_INSERT, MONGO_MESSAGES, g->count);
    b.own = own_question;
    for (size_t i = 0; i < g->count; i++) {
        struct question *q = &g->questions[i];

        if (!q->settled) {
            put_question(&b, q);
        }
    }
    if (b.count > 0) {
        (void)!store_mongo_batch_write(&b); /* each item says what it is */
    }
    for (size_t i = 0; i < b.count; i++) {
        judge_question(g->link, &b.items[i]);
    }
    store_mongo_batch_fini(&b);
}

static void
settle_open(struct group *g, enum err result)
{
    for (size_t i = 0; i < g->count; i++) {
        if (!g->questions[i].settled) {
            settle(&g->questions[i], result);
        }
    }
}

/* Before the first of them gets a number. */
static enum err
mark_sessions(struct group *g)
{
    const char *sids[STORE_MONGO_GROUP];
    size_t count = list_sids(g, true, sids);

    return store_mongo_mark_add(g->link, sids, count);
}

/* One try of what is open. */
static void
try_questions(struct group *g)
{
    enum err e;

    recall_sessions(g);
    e = find_sessions(g);
    if (e == ERR_OK) {
        refuse_strangers(g);
        settle_old(g);
        e = make_sessions(g);
    }
    if (e == ERR_OK) {
        e = mark_sessions(g);
    }
    if (e != ERR_OK) {
        settle_open(g, e);
        return;
    }
    insert_questions(g);
}

/* What is open begins anew. */
static bool
forget_sessions(struct group *g)
{
    bool open = false;

    for (size_t i = 0; i < g->count; i++) {
        struct question *q = &g->questions[i];

        if (!q->settled) {
            open = true;
            mongo_doc_session_fini(&q->s);
            q->known = false;
        }
    }
    return open;
}

/* A message that is stored and not counted is no failure: it will be counted.
 * But when nobody has looked whether its session is there, somebody has to. As
 * long as one cannot be taken back its sender is told nothing. */
static void
judge_progress(struct mongo_link *link, struct question *q, enum err e)
{
    struct mongo_session found;

    if (e == ERR_DATABASE_ERROR && q->remembered) {
        e = store_mongo_rows_peek(link, q->s.record.sid, NULL, &found);
        if (e == ERR_OK) {
            mongo_doc_session_fini(&found);
        }
    } else if (e == ERR_OK) {
        store_mongo_known_keep(link->known, &q->s);
    }
    if (e == ERR_NOT_FOUND) {
        e = store_mongo_write_withdraw(link, &q->job->message);
        q->job->result = e == ERR_DATABASE_ERROR ? ERR_AGAIN : e;
    }
}

static void
count_questions(struct group *g)
{
    struct mongo_session *sessions[STORE_MONGO_GROUP];
    enum err results[STORE_MONGO_GROUP];
    size_t count = 0;

    for (size_t i = 0; i < g->count; i++) {
        if (g->questions[i].counted) {
            sessions[count++] = &g->questions[i].s;
        }
    }
    store_mongo_write_progress_all(g->link, sessions, results, count);
    count = 0;
    for (size_t i = 0; i < g->count; i++) {
        if (g->questions[i].counted) {
            judge_progress(g->link, &g->questions[i], results[count++]);
        }
    }
}

void
store_mongo_question_group(struct mongo_link *link, struct store_job **jobs,
                           size_t count)
{
    struct group g = {link, xcalloc(count, sizeof(*g.questions)), count};

    for (size_t i = 0; i < count; i++) {
        CHECK(jobs[i]->message.id[0] != '\0' && jobs[i]->user_id != NULL);
        CHECK(jobs[i]->message.status != STATUS_STREAMING);
        g.questions[i].job = jobs[i];
    }
    for (int i = 0; i < TRIES && forget_sessions(&g); i++) {
        try_questions(&g);
    }
    if (forget_sessions(&g)) {
        settle_open(&g, store_mongo_call_contended(link));
    }
    count_questions(&g);
    for (size_t i = 0; i < count; i++) {
        if (jobs[i]->result == ERR_OK) {
            store_mongo_rows_give(jobs[i], &g.questions[i].s);
        }
        mongo_doc_session_fini(&g.questions[i].s);
    }
    xfree(g.questions);
}

enum err
store_mongo_question_append(struct store_link *base, struct store_job *job)
{
    store_mongo_question_group(store_mongo_of(base), &job, 1);
    return job->result;
}
