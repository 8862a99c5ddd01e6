/* SPDX-License-Identifier: MIT */
/* Many answers that end at once. Whatever is not as it mostly is (a number that
 * is taken, an end that comes again) is left to store_mongo_answer.c, one by
 * one; the keys are the same. */
#include "store/store_mongo_finish.h"

#include "base/check.h"
#include "base/xalloc.h"
#include "store/store_mongo_answer.h"
#include "store/store_mongo_batch.h"
#include "store/store_mongo_call.h"
#include "store/store_mongo_group.h"
#include "store/store_mongo_known.h"
#include "store/store_mongo_mark.h"
#include "store/store_mongo_move.h"
#include "store/store_mongo_pieces.h"
#include "store/store_mongo_rows.h"
#include "store/store_mongo_texts.h"
#include "store/store_mongo_usage.h"
#include "store/store_mongo_write.h"

#include <string.h>

/* One answer on its way. */
struct end {
    struct store_job *job;
    struct mongo_session s; /* owned once known */
    bool known;             /* its session is there */
    bool settled;           /* job->result is final */
    bool drafted;           /* there may be a draft, whose place it takes */
    bool made;              /* there was no draft, and so no pieces */
};

struct ends {
    struct mongo_link *link;
    struct end *all;
    size_t count;
};

static void
settle(struct end *end, enum err result)
{
    end->job->result = result;
    end->settled = true;
}

static void
settle_all(struct ends *g, enum err result)
{
    for (size_t i = 0; i < g->count; i++) {
        if (!g->all[i].settled) {
            settle(&g->all[i], result);
        }
    }
}

/* The sessions of those that are open; all of them, or what is not known. */
static size_t
list_sids(const struct ends *g, bool all, const char *sids[STORE_MONGO_GROUP])
{
    size_t count = 0;

    for (size_t i = 0; i < g->count; i++) {
        if (!g->all[i].settled && (all || !g->all[i].known)) {
            sids[count++] = g->all[i].job->session.sid;
        }
    }
    return count;
}

/* -- their sessions -- */

static void
hand_out(struct ends *g, struct mongo_session *s)
{
    for (size_t i = 0; i < g->count; i++) {
        struct end *end = &g->all[i];

        if (!end->known && strcmp(end->job->session.sid, s->record.sid) == 0) {
            end->s = *s;
            end->known = true;
            *s = (struct mongo_session){.times_ms = NULL};
            return;
        }
    }
}

/* From memory, or from the database. */
static enum err
find_sessions(struct ends *g)
{
    struct mongo_found f = store_mongo_rows_none(g->link);
    const char *sids[STORE_MONGO_GROUP];
    enum err e = ERR_OK;
    size_t count;

    for (size_t i = 0; i < g->count; i++) {
        g->all[i].known = store_mongo_known_take(
            g->link->known, g->all[i].job->session.sid, &g->all[i].s);
    }
    count = list_sids(g, false, sids);
    if (count > 0) {
        e = store_mongo_rows_many(&f, sids, count);
    }
    for (size_t i = 0; e == ERR_OK && i < f.count; i++) {
        hand_out(g, &f.sessions[i]);
    }
    store_mongo_rows_free(&f);
    return e;
}

static bool
is_strange(const struct end *end)
{
    const char *owner = end->job->user_id;

    return owner != NULL && owner[0] != '\0' &&
           strcmp(owner, end->s.record.user_id) != 0;
}

/* An answer without a session goes: an earlier attempt, which did not learn
 * that the session had been deleted, may have stored it. */
static enum err
admit(struct mongo_link *link, struct end *end)
{
    if (!end->known) {
        return store_mongo_write_withdraw(link, &end->job->message);
    }
    return is_strange(end) ? ERR_NOT_FOUND
                           : store_mongo_move_session(link, &end->s);
}

/* As before any message gets a number. */
static enum err
make_ready(struct ends *g)
{
    const char *sids[STORE_MONGO_GROUP];
    size_t count;

    for (size_t i = 0; i < g->count; i++) {
        struct end *end = &g->all[i];
        enum err e = admit(g->link, end);

        if (e != ERR_OK) {
            settle(end, e);
        }
    }
    count = list_sids(g, true, sids);
    return count > 0 ? store_mongo_mark_add(g->link, sids, count) : ERR_OK;
}

/* -- the answers -- */

/* Its own number is taken, or it has one: whoever does one at a time finds out
 * which. */
static void
finish_alone(struct ends *g, struct end *end)
{
    enum err e = store_mongo_answer_finish(&g->link->link, end->job);

    if (e == ERR_NOT_FOUND) { /* meanwhile */
        e = store_mongo_write_withdraw(g->link, &end->job->message);
    }
    settle(end, e);
    mongo_doc_session_fini(&end->s);
    end->known = false;
}

static void
judge(struct ends *g, const struct mongo_item *item)
{
    struct end *end = item->cookie;

    if (store_mongo_batch_stored(item)) {
        end->made = item->made || !end->drafted;
        if (item->outcome == MONGO_STORED && !end->made) {
            store_mongo_known_ended(g->link->known, end->job->message.sid);
        }
    } else if (item->code == STORE_MONGO_DUPLICATE) {
        finish_alone(g, end);
    } else {
        settle(end, ERR_DATABASE_ERROR);
    }
}

static enum err
own_end(struct mongo_link *link, const struct mongo_item *item)
{
    const struct end *end = item->cookie;

    return store_mongo_answer_is_stored(link, &end->job->message);
}

static void
put_end(struct mongo_batch *b, struct end *end)
{
    struct message_record *m = &end->job->message;
    struct mongo_item *item;

    m->seq = end->s.record.seq + 1;
    if (end->drafted) {
        store_mongo_answer_put_end(b, m, end);
    } else {
        item = store_mongo_batch_add(b, end);
        store_mongo_texts_put_message(b->link, item, &item->doc, m);
    }
}

/* Those that may have a draft, or those that have none: these are new
 * documents, and an insert costs the database a third of what an update that
 * may make one does. */
static void
store_ends(struct ends *g, bool drafted)
{
    struct mongo_batch b;

    store_mongo_batch_init(&b, g->link, drafted ? MONGO_UPDATE : MONGO_INSERT,
                           MONGO_MESSAGES, g->count);
    b.own = own_end;
    b.counted = true;
    for (size_t i = 0; i < g->count; i++) {
        if (!g->all[i].settled && g->all[i].drafted == drafted) {
            put_end(&b, &g->all[i]);
        }
    }
    if (b.count > 0) {
        (void)!store_mongo_batch_write(&b); /* each item says what it is */
    }
    for (size_t i = 0; i < b.count; i++) {
        judge(g, &b.items[i]);
    }
    store_mongo_batch_fini(&b);
}

/* -- what follows -- */

static enum err
supersede_all(struct ends *g)
{
    enum err e = ERR_OK;

    for (size_t i = 0; i < g->count && e == ERR_OK; i++) {
        if (!g->all[i].settled) {
            e = store_mongo_answer_supersede(g->link, &g->all[i].job->message);
        }
    }
    return e;
}

static enum err
delete_pieces(struct ends *g)
{
    const char *answers[STORE_MONGO_GROUP];
    size_t count = 0;

    for (size_t i = 0; i < g->count; i++) {
        if (!g->all[i].settled && !g->all[i].made) {
            answers[count++] = g->all[i].job->message.id;
        }
    }
    return store_mongo_pieces_delete_all(g->link, answers, count);
}

static enum err
put_usage(struct ends *g)
{
    struct usage_entry entries[STORE_MONGO_GROUP];
    size_t count = 0;

    for (size_t i = 0; i < g->count; i++) {
        const struct message_record *m = &g->all[i].job->message;

        if (!g->all[i].settled && m->usage.present) {
            entries[count++] = usage_entry_of(&g->all[i].s.record, m);
        }
    }
    return store_mongo_usage_put(g->link, entries, count);
}

/* An answer that is not counted comes again, one whose session was deleted
 * goes. */
static void
judge_progress(struct ends *g, struct end *end, enum err e)
{
    if (e == ERR_OK) {
        store_mongo_known_keep(g->link->known, &end->s);
        return;
    }
    if (e == ERR_NOT_FOUND) {
        e = store_mongo_write_withdraw(g->link, &end->job->message);
    }
    settle(end, e);
}

static void
count_ends(struct ends *g)
{
    struct mongo_session *sessions[STORE_MONGO_GROUP];
    enum err results[STORE_MONGO_GROUP];
    size_t count = 0;

    for (size_t i = 0; i < g->count; i++) {
        struct end *end = &g->all[i];

        if (!end->settled) {
            store_mongo_rows_count(g->link, &end->s, &end->job->message);
            sessions[count++] = &end->s;
        }
    }
    store_mongo_write_progress_all(g->link, sessions, results, count);
    count = 0;
    for (size_t i = 0; i < g->count; i++) {
        if (!g->all[i].settled) {
            judge_progress(g, &g->all[i], results[count++]);
        }
    }
}

static enum err
drop_leftovers(struct ends *g)
{
    const char *sids[STORE_MONGO_GROUP], *questions[STORE_MONGO_GROUP];
    size_t count = 0;

    for (size_t i = 0; i < g->count; i++) {
        const struct message_record *m = &g->all[i].job->message;

        if (!g->all[i].settled && m->reply_to != NULL &&
            store_mongo_known_has_drafts(g->link->known, m->sid)) {
            sids[count] = m->sid;
            questions[count++] = m->reply_to;
        }
    }
    return store_mongo_answer_drop_leftovers(g->link, sids, questions, count);
}

/* Those that are stored and not settled. What fails here is done when the job
 * comes again, as a repeat. */
static void
follow_up(struct ends *g)
{
    enum err e = supersede_all(g);

    if (e == ERR_OK) {
        e = delete_pieces(g);
    }
    if (e == ERR_OK) {
        e = put_usage(g);
    }
    if (e == ERR_OK) {
        count_ends(g);
        e = drop_leftovers(g);
    }
    settle_all(g, e);
}

void
store_mongo_finish_group(struct mongo_link *link, struct store_job **jobs,
                         size_t count)
{
    struct ends g = {link, xcalloc(count, sizeof(*g.all)), count};
    enum err e;

    for (size_t i = 0; i < count; i++) {
        CHECK(jobs[i]->message.id[0] != '\0');
        CHECK(jobs[i]->message.status != STATUS_STREAMING);
        g.all[i].job = jobs[i];
        g.all[i].drafted =
            store_mongo_known_has_drafts(link->known, jobs[i]->message.sid);
    }
    e = find_sessions(&g);
    if (e == ERR_OK) {
        e = make_ready(&g);
    }
    if (e == ERR_OK) {
        store_ends(&g, true);
        store_ends(&g, false);
        follow_up(&g);
    }
    settle_all(&g, e);
    for (size_t i = 0; i < count; i++) {
        if (g.all[i].known && jobs[i]->result == ERR_OK) {
            store_mongo_rows_give(jobs[i], &g.all[i].s);
        }
        mongo_doc_session_fini(&g.all[i].s);
    }
    xfree(g.all);
}
