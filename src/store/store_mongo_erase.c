/* SPDX-License-Identifier: MIT */
/* Erasing one user's documents. Nothing here stops a server: each session goes
 * as if its user had deleted it. A message that a server was just inserting
 * into a session that has gone would be nobody's, so the messages are deleted
 * once more when all sessions have gone. */
#include "store/store_mongo_erase.h"

#include "base/check.h"
#include "base/xalloc.h"
#include "store/store_mongo_batch.h"
#include "store/store_mongo_call.h"
#include "store/store_mongo_delete.h"
#include "store/store_mongo_index.h"
#include "store/store_mongo_old.h"
#include "store/store_mongo_review.h"
#include "store/store_mongo_rows.h"
#include "store/store_mongo_seals.h"

#include <string.h>

/* Sessions that are looked up at a time. */
#define PAGE 100

/* -- opening -- */

/* As a server it would make a database that is not there. */
static enum err
check_used(const struct store_settings *settings, char *why, size_t why_size)
{
    struct store_link *link = NULL;
    enum err e = store_mongo_open_beside(settings, &link, why, why_size);

    if (e == ERR_OK) {
        e = store_mongo_index_used(store_mongo_of(link), why, why_size);
        store_mongo.close(link);
    }
    return e;
}

enum err
store_mongo_erase_open(const struct store_settings *settings,
                       struct store_link **out, char *why, size_t why_size)
{
    enum err e = check_used(settings, why, why_size);

    if (e != ERR_OK) {
        return e;
    }
    e = store_mongo.open(settings, out, why, why_size);
    if (e != ERR_CONFLICT) {
        return e;
    }
    e = store_mongo_open_beside(settings, out, why, why_size);
    if (e == ERR_OK) {
        e = store_mongo_seals_check(store_mongo_of(*out), why, why_size);
        if (e != ERR_OK) {
            store_mongo.close(*out);
            *out = NULL;
        }
    }
    return e;
}

/* -- counting -- */

struct counting {
    struct mongo_link *link;
    struct erase *e;
};

/* A document of the older form is as long as its messages. What is no session
 * goes all the same. */
static bool
on_counted(void *cookie, const bson_t *doc)
{
    struct counting *c = cookie;
    struct mongo_session s;
    uint64_t odd = 0;

    c->e->sessions++;
    if (mongo_doc_get_session(&c->link->db->lib, doc, &s, &odd)) {
        c->e->messages += (uint64_t)s.record.message_count;
        mongo_doc_session_fini(&s);
    }
    return true;
}

static void
on_count_again(void *cookie)
{
    struct counting *c = cookie;

    c->e->sessions = c->e->messages = 0;
}

static enum err
count_sessions(struct mongo_link *link, struct erase *e)
{
    struct counting c = {link, e};
    struct mongo_bson filter, options;
    enum err result;

    e->sessions = e->messages = 0;
    mongo_bson_init(&filter, &link->db->lib);
    mongo_bson_init(&options, &link->db->lib);
    mongo_bson_text(&filter, "uid", e->user_id);
    store_mongo_old_slim(&options);
    result = store_mongo_call_query(
        link, &(struct mongo_query){.from = MONGO_SESSIONS,
                                    .filter = &filter,
                                    .options = &options,
                                    .row = on_counted,
                                    .again = on_count_again,
                                    .cookie = &c});
    mongo_bson_fini(&filter);
    mongo_bson_fini(&options);
    return result;
}

/* Of the audit: what the user did with sessions of their own. */
static void
put_own_events(struct mongo_bson *filter, const char *user)
{
    char index[MONGO_BSON_INDEX_SIZE];
    struct mongo_bson in, list;

    mongo_bson_text(filter, "actor", user);
    mongo_bson_open(filter, "action", &in);
    mongo_bson_open_array(&in, "$in", &list);
    for (uint32_t i = 0; erase_own_actions[i] != NULL; i++) {
        mongo_bson_text(&list, mongo_bson_index(index, i),
                        erase_own_actions[i]);
    }
    mongo_bson_close_array(&in, &list);
    mongo_bson_close(filter, &in);
}

static void
put_user(struct mongo_bson *filter, const char *user)
{
    mongo_bson_text(filter, "uid", user);
}

static enum err
count_of(struct mongo_link *link, enum mongo_collection of,
         void (*put)(struct mongo_bson *filter, const char *user),
         const char *user, uint64_t *out)
{
    struct mongo_bson command, query;
    struct mongo_result result;
    enum err answer;

    mongo_bson_init(&command, &link->db->lib);
    mongo_bson_text(&command, "count", link->db->collections[of]);
    mongo_bson_open(&command, "query", &query);
    put(&query, user);
    mongo_bson_close(&command, &query);
    answer = store_mongo_call_read(link, &command, &result);
    mongo_bson_fini(&command);
    if (answer == ERR_OK) {
        *out = (uint64_t)mongo_bson_find_int(&link->db->lib, &result.reply, "n",
                                             0);
        link->db->lib.bson_destroy(&result.reply);
    }
    return answer;
}

enum err
store_mongo_erase_count(struct store_link *base, struct erase *e)
{
    struct mongo_link *link = store_mongo_of(base);
    enum err result = count_sessions(link, e);

    if (result == ERR_OK) {
        result = count_of(link, MONGO_USAGE, put_user, e->user_id, &e->entries);
    }
    return result == ERR_OK ? count_of(link, MONGO_AUDIT, put_own_events,
                                       e->user_id, &e->events)
                            : result;
}

/* -- the audit -- */

static enum err
rename_events(struct mongo_link *link, const char *user, const char *word)
{
    struct mongo_item *item;
    struct mongo_bson inner, set;
    struct mongo_batch b;
    enum err e;

    store_mongo_batch_init(&b, link, MONGO_UPDATE, MONGO_AUDIT, 1);
    item = store_mongo_batch_add(&b, NULL);
    mongo_bson_open(&item->doc, "q", &inner);
    put_own_events(&inner, user);
    mongo_bson_close(&item->doc, &inner);
    mongo_bson_open(&item->doc, "u", &inner);
    mongo_bson_open(&inner, "$set", &set);
    mongo_bson_text(&set, "actor", word);
    mongo_bson_close(&inner, &set);
    mongo_bson_close(&item->doc, &inner);
    mongo_bson_bool(&item->doc, "multi", true);
    e = store_mongo_batch_write(&b);
    store_mongo_batch_fini(&b);
    return e;
}

/* -- sessions -- */

struct gone {
    char (*sids)[RAND_ID_CHARS + 1];
    size_t count;
};

static void
note(struct gone *g, const char *sid)
{
    g->sids = xrealloc(g->sids, (g->count + 1) * sizeof(*g->sids));
    memcpy(g->sids[g->count++], sid, RAND_ID_CHARS + 1);
}

/* One that somebody else deletes meanwhile has gone as well. */
static enum err
delete_one(struct mongo_link *link, const char *sid)
{
    struct store_job *job =
        store_job_new(STORE_SESSION_DELETE, NULL, NULL, NULL);
    enum err e;

    memcpy(job->session.sid, sid, RAND_ID_CHARS + 1);
    e = store_mongo_delete_session(&link->link, job);
    store_job_free(job);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err
find_some(struct mongo_found *f, const char *user)
{
    struct mongo_bson filter, options;
    enum err e;

    f->most = PAGE;
    f->gone_too = true;
    mongo_bson_init(&filter, &f->link->db->lib);
    mongo_bson_init(&options, &f->link->db->lib);
    mongo_bson_text(&filter, "uid", user);
    e = store_mongo_rows_sessions(f, &filter, &options);
    mongo_bson_fini(&filter);
    mongo_bson_fini(&options);
    return e;
}

/* *left: there were some, and there may be more. */
static enum err
delete_some(struct mongo_link *link, const char *user, struct gone *g,
            bool *left)
{
    struct mongo_found f = store_mongo_rows_none(link);
    enum err e = find_some(&f, user);

    *left = f.count > 0;
    for (size_t i = 0; e == ERR_OK && i < f.count; i++) {
        note(g, f.sessions[i].record.sid);
        e = delete_one(link, f.sessions[i].record.sid);
    }
    store_mongo_rows_free(&f);
    return e;
}

/* What came behind a session that was just being deleted. */
static enum err
delete_late(struct mongo_link *link, const struct gone *g)
{
    enum err e = ERR_OK;

    for (size_t i = 0; e == ERR_OK && i < g->count; i++) {
        e = store_mongo_delete_all(link, MONGO_PIECES, "sid", g->sids[i]);
        if (e == ERR_OK) {
            e = store_mongo_delete_all(link, MONGO_MESSAGES, "sid", g->sids[i]);
        }
    }
    return e;
}

/* Last the documents that have the user's name and are no sessions otherwise:
 * nobody else would ever find them. */
static enum err
delete_sessions(struct mongo_link *link, const char *user)
{
    struct gone g = {NULL, 0};
    bool left = true;
    enum err e = ERR_OK;

    while (e == ERR_OK && left) {
        e = delete_some(link, user, &g, &left);
    }
    if (e == ERR_OK) {
        e = delete_late(link, &g);
    }
    if (e == ERR_OK) {
        e = store_mongo_delete_all(link, MONGO_SESSIONS, "uid", user);
    }
    xfree(g.sids);
    return e;
}

/* -- all -- */

/* The event first: nothing is erased without a trace. The audit once more at
 * the end, for what the user did meanwhile. */
static enum err
erase(struct mongo_link *link, const struct erase *e)
{
    char word[ERASE_WORD_SIZE];
    struct erase_note note;
    enum err result;

    erase_word(word);
    erase_note(&note, e, word);
    result = store_mongo_review_add(link, &note.event);
    if (result == ERR_OK) {
        result = delete_sessions(link, e->user_id);
    }
    if (result == ERR_OK) {
        result = store_mongo_delete_all(link, MONGO_USAGE, "uid", e->user_id);
    }
    return result == ERR_OK ? rename_events(link, e->user_id, word) : result;
}

enum err
store_mongo_erase_run(struct store_link *base, struct erase *e)
{
    enum err result = store_mongo_erase_count(base, e);

    e->remains = false;
    if (result == ERR_OK && erase_found(e)) {
        result = erase(store_mongo_of(base), e);
    }
    return result;
}
