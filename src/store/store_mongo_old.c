/* SPDX-License-Identifier: MIT */
/* Sessions of the older form are read from their documents: see
 * store_mongo_old.h. Moving them is store_mongo_move.c's. */
#include "store/store_mongo_old.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "store/store_mongo_batch.h"
#include "store/store_mongo_call.h"
#include "store/store_mongo_meta.h"
#include "store/store_mongo_texts.h"

#include <string.h>

/* Documents of one answer, where all are read. */
#define SCANNED 100

/* -- sessions, without their messages -- */

static void
leave_out(struct mongo_bson *options, const char *const *fields, size_t count)
{
    struct mongo_bson projection;

    mongo_bson_open(options, "projection", &projection);
    for (size_t i = 0; i < count; i++) {
        mongo_bson_int(&projection, fields[i], 0);
    }
    mongo_bson_close(options, &projection);
}

void
store_mongo_old_met(struct mongo_link *link)
{
    atomic_store(&link->db->old, true);
}

bool
store_mongo_old_any(const struct mongo_link *link)
{
    return atomic_load(&link->db->old);
}

bool
store_mongo_old_lighten(const struct mongo_link *link,
                        struct mongo_bson *options)
{
    static const char *const list[] = {"msgs"};
    bool light = store_mongo_old_any(link);

    if (light) {
        leave_out(options, list, 1);
    }
    return light;
}

void
store_mongo_old_portion(struct mongo_bson *options)
{
    mongo_bson_int(options, "batchSize", SCANNED);
}

void
store_mongo_old_slim(struct mongo_bson *options)
{
    /* what a message has beside its time and its sender */
    static const char *const heavy[] = {"msgs.content", "msgs.meta"};

    leave_out(options, heavy, COUNT_OF(heavy));
}

static bool
any_old(const struct mongo_found *f)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->sessions[i].old) {
            return true;
        }
    }
    return false;
}

static void
put_old_ids(struct mongo_bson *filter, const struct mongo_found *f)
{
    char index[MONGO_BSON_INDEX_SIZE];
    struct mongo_bson in, list;
    uint32_t n = 0;

    mongo_bson_open(filter, "_id", &in);
    mongo_bson_open_array(&in, "$in", &list);
    for (size_t i = 0; i < f->count; i++) {
        if (f->sessions[i].old) {
            mongo_bson_text(&list, mongo_bson_index(index, n++),
                            f->sessions[i].record.sid);
        }
    }
    mongo_bson_close_array(&in, &list);
    mongo_bson_close(filter, &in);
}

/* The session again, with its messages' times. It takes the place of the one
 * that was found; it may have been moved meanwhile, and is none then. */
static bool
on_listed(void *cookie, const bson_t *doc)
{
    struct mongo_found *f = cookie;
    struct mongo_session s;

    if (!store_mongo_texts_get_session(f->link, doc, &s)) {
        return true;
    }
    for (size_t i = 0; i < f->count; i++) {
        if (f->sessions[i].old &&
            strcmp(f->sessions[i].record.sid, s.record.sid) == 0) {
            struct mongo_session kept = f->sessions[i];

            f->sessions[i] = s;
            s = kept;
            break;
        }
    }
    mongo_doc_session_fini(&s);
    return true;
}

/* Each of them is as good a second time. */
static void
on_listed_again(void *cookie)
{
    (void)cookie;
}

enum err
store_mongo_old_complete(struct mongo_found *f, bool light)
{
    const struct mongo_lib *lib = &f->link->db->lib;
    struct mongo_bson filter, options;
    enum err e;

    if (!light || !any_old(f)) {
        return ERR_OK;
    }
    mongo_bson_init(&filter, lib);
    mongo_bson_init(&options, lib);
    put_old_ids(&filter, f);
    store_mongo_old_slim(&options);
    e = store_mongo_call_query(f->link,
                               &(struct mongo_query){.from = MONGO_SESSIONS,
                                                     .filter = &filter,
                                                     .options = &options,
                                                     .row = on_listed,
                                                     .again = on_listed_again,
                                                     .cookie = f});
    mongo_bson_fini(&filter);
    mongo_bson_fini(&options);
    return e;
}

/* -- messages -- */

/* A walk over one document's messages, which wants some of them. */
struct wish {
    struct mongo_link *link;
    bool moved; /* there is no such document any more */
    void (*walk)(struct wish *w, struct mongo_old *at);
    struct mongo_found *found;
    int64_t above, below; /* numbers between these */
    const char *id;       /* find: the question, then its answers */
    bool there;
    struct store_job *job;
    const struct mongo_old_reader *reader;
};

bool
store_mongo_old_open(struct mongo_link *link, struct message_record *m)
{
    struct seal_place at = vault_at_message(m->sid, m->seq);
    struct str stored = {m->content, m->content_n};
    struct buf text;

    buf_init(&text, m->content_n);
    m->unreadable = !vault_get_old(link->vault, &at, stored, &text);
    xfree(m->content);
    m->content_n = text.n;
    m->content = buf_give(&text);
    return !m->unreadable;
}

static void
get_open(struct wish *w, const struct mongo_old *at, struct message_record *out)
{
    mongo_old_get(at, out, &w->link->odd_fields);
    (void)store_mongo_old_open(w->link, out);
}

static bool
on_document(void *cookie, const bson_t *doc)
{
    struct wish *w = cookie;
    const struct mongo_lib *lib = &w->link->db->lib;
    struct mongo_session s;
    struct mongo_old at;

    if (mongo_doc_get_session(lib, doc, &s, &w->link->odd_fields)) {
        w->moved = !s.old;
        mongo_old_begin(&at, lib, doc, s.record.sid, s.record.start_ms);
        if (s.old) {
            w->walk(w, &at);
        }
        mongo_doc_session_fini(&s);
    }
    return false;
}

static enum err
walk_session(struct wish *w, const char *sid)
{
    struct mongo_bson filter;
    enum err e;

    mongo_bson_init(&filter, &w->link->db->lib);
    mongo_bson_text(&filter, "_id", sid);
    e = store_mongo_call_query(w->link,
                               &(struct mongo_query){.from = MONGO_SESSIONS,
                                                     .filter = &filter,
                                                     .row = on_document,
                                                     .cookie = w});
    mongo_bson_fini(&filter);
    return e;
}

/* -- ranges -- */

/* Those between above and below, until there are enough of them. */
static void
collect(struct wish *w, struct mongo_old *at, struct mongo_found *into)
{
    struct message_record m;
    bool wanted = true;

    while (wanted && mongo_old_next(at) && at->seq < w->below) {
        if (at->seq > w->above) {
            get_open(w, at, &m);
            wanted = store_mongo_rows_take(into, &m);
        }
    }
}

static void
walk_up(struct wish *w, struct mongo_old *at)
{
    collect(w, at, w->found);
}

/* The newest first: as many as may be wanted are made, and taken from the
 * end. */
static void
walk_down(struct wish *w, struct mongo_old *at)
{
    struct mongo_found all = store_mongo_rows_none(w->link);
    struct mongo_old end = *at;
    int64_t most;

    while (mongo_old_next(&end)) {
    }
    w->below = end.seq < w->below ? end.seq + 1 : w->below;
    most = w->found->most < INT32_MAX ? (int64_t)w->found->most + 1 : end.seq;
    w->above = w->below - 1 > most ? w->below - 1 - most : 0;
    collect(w, at, &all);
    while (all.count > 0 &&
           store_mongo_rows_take(w->found, &all.messages[all.count - 1])) {
        all.count--;
    }
    all.count -= all.count > 0; /* the one that was too many is gone */
    store_mongo_rows_free(&all);
}

enum err
store_mongo_old_range(struct mongo_found *f, const char *sid, int64_t after,
                      int64_t before)
{
    struct wish w = {.link = f->link,
                     .walk = before > 0 ? walk_down : walk_up,
                     .found = f,
                     .above = before > 0 ? 0 : after,
                     .below = before > 0 ? before : INT64_MAX};
    enum err e = walk_session(&w, sid);

    return e == ERR_OK && w.moved
               ? store_mongo_rows_range(f, sid, after, before)
               : e;
}

/* -- one message and its answers -- */

static void
walk_to(struct wish *w, struct mongo_old *at)
{
    struct mongo_found answers = store_mongo_rows_none(w->link);
    struct message_record m;
    char id[RAND_ID_CHARS + 1];
    int64_t question = 0;

    while (mongo_old_next(at)) {
        bool answers_it = question > 0 && at->question == question;

        mongo_old_id(at->sid, at->seq, id);
        if (!answers_it && (w->there || strcmp(id, w->id) != 0)) {
            continue;
        }
        get_open(w, at, &m);
        if (answers_it) {
            (void)store_mongo_rows_take(&answers, &m);
            continue;
        }
        w->there = true;
        question = at->seq;
        message_record_fini(&w->job->message);
        w->job->message = m;
        w->id = w->job->message.id;
    }
    w->job->messages = answers.messages;
    w->job->count = answers.count;
}

enum err
store_mongo_old_find(struct mongo_link *link, struct store_job *job, bool *old)
{
    char id[RAND_ID_CHARS + 1];
    struct wish w = {.link = link, .walk = walk_to, .id = id, .job = job};
    enum err e;

    memcpy(id, job->message.id, sizeof(id));
    e = walk_session(&w, job->session.sid);
    *old = !w.moved;
    return e == ERR_OK && *old && !w.there ? ERR_NOT_FOUND : e;
}

/* -- texts -- */

static void
walk_texts(struct wish *w, struct mongo_old *at)
{
    struct message_record m;
    bool wanted = true;

    while (wanted && mongo_old_next(at)) {
        get_open(w, at, &m);
        wanted = w->reader->text(w->reader->cookie,
                                 (struct str){m.content, m.content_n});
        message_record_fini(&m);
    }
}

enum err
store_mongo_old_texts(struct mongo_link *link, const char *sid,
                      const struct mongo_old_reader *reader, bool *old)
{
    struct wish w = {.link = link, .walk = walk_texts, .reader = reader};
    enum err e = walk_session(&w, sid);

    *old = !w.moved;
    return e;
}

/* -- times -- */

/* Of one update: they may have messages in their megabytes. */
#define BATCH 100

struct times {
    struct mongo_link *link;
    struct when {
        char sid[RAND_ID_CHARS + 1];
        int64_t last_ms;
    } * items;
    size_t count;
};

static bool
on_timeless(void *cookie, const bson_t *doc)
{
    struct times *t = cookie;
    struct mongo_session s;
    struct when *one;

    if (mongo_doc_get_session(&t->link->db->lib, doc, &s,
                              &t->link->odd_fields)) {
        t->items = xrealloc(t->items, (t->count + 1) * sizeof(*t->items));
        one = &t->items[t->count++];
        memcpy(one->sid, s.record.sid, sizeof(one->sid));
        one->last_ms = s.record.last_ms;
        mongo_doc_session_fini(&s);
    }
    return true;
}

static void
on_timeless_again(void *cookie)
{
    struct times *t = cookie;

    t->count = 0;
}

/* No date: not there, or of another type. */
static void
put_timeless(struct mongo_bson *filter)
{
    struct mongo_bson field, inner;

    mongo_bson_open(filter, "lastActivity", &field);
    mongo_bson_open(&field, "$not", &inner);
    mongo_bson_text(&inner, "$type", "date");
    mongo_bson_close(&field, &inner);
    mongo_bson_close(filter, &field);
}

static enum err
find_timeless(struct times *t)
{
    const struct mongo_lib *lib = &t->link->db->lib;
    struct mongo_bson filter, options;
    enum err e;

    mongo_bson_init(&filter, lib);
    mongo_bson_init(&options, lib);
    put_timeless(&filter);
    store_mongo_old_slim(&options);
    store_mongo_old_portion(&options);
    e = store_mongo_call_query(t->link,
                               &(struct mongo_query){.from = MONGO_SESSIONS,
                                                     .filter = &filter,
                                                     .options = &options,
                                                     .row = on_timeless,
                                                     .again = on_timeless_again,
                                                     .cookie = t});
    mongo_bson_fini(&filter);
    mongo_bson_fini(&options);
    return e;
}

/* With nothing to go by it is 1970: then at least lists can be read on behind
 * it. */
static void
put_time(struct mongo_bson *statement, const struct when *one)
{
    struct mongo_bson inner, set;

    mongo_bson_open(statement, "q", &inner);
    mongo_bson_text(&inner, "_id", one->sid);
    put_timeless(&inner);
    mongo_bson_close(statement, &inner);
    mongo_bson_open(statement, "u", &inner);
    mongo_bson_open(&inner, "$set", &set);
    mongo_bson_moment(&set, "lastActivity", one->last_ms);
    mongo_bson_close(&inner, &set);
    mongo_bson_close(statement, &inner);
}

static enum err
write_times(const struct times *t, size_t from)
{
    size_t end = t->count - from < BATCH ? t->count : from + BATCH;
    struct mongo_batch b;
    enum err e;

    store_mongo_batch_init(&b, t->link, MONGO_UPDATE, MONGO_SESSIONS, BATCH);
    for (size_t i = from; i < end; i++) {
        put_time(&store_mongo_batch_add(&b, NULL)->doc, &t->items[i]);
    }
    e = store_mongo_batch_write(&b);
    store_mongo_batch_fini(&b);
    return e;
}

/* {_id: "activity.<collection>"} in `meta` says that all have one. */
static char *
note_of(const struct mongo_link *link)
{
    struct buf id;

    buf_init(&id, SIZE_MAX / 2);
    buf_printf(&id, "activity.%s", link->db->collections[MONGO_SESSIONS]);
    return buf_give(&id);
}

static bool
on_note(void *cookie, const bson_t *doc)
{
    (void)doc;
    *(bool *)cookie = true;
    return false;
}

static enum err
write_note(struct mongo_link *link, const char *id)
{
    struct mongo_bson update, set;
    enum err e;

    mongo_bson_init(&update, &link->db->lib);
    mongo_bson_open(&update, "$set", &set);
    mongo_bson_int(&set, "v", 1);
    mongo_bson_close(&update, &set);
    e = store_mongo_meta_put(link, id, &update, true);
    mongo_bson_fini(&update);
    return e;
}

static enum err
give_times(struct mongo_link *link)
{
    struct times t = {.link = link};
    enum err e = find_timeless(&t);

    for (size_t i = 0; e == ERR_OK && i < t.count; i += BATCH) {
        e = write_times(&t, i);
    }
    if (e == ERR_OK && t.count > 0) {
        log_info(EVENT_MIGRATION,
                 "Sessions of the older form got the time of their latest "
                 "activity.",
                 log_int("sessions", (int64_t)t.count));
    }
    xfree(t.items);
    return e;
}

enum err
store_mongo_old_prepare(struct mongo_link *link)
{
    char *note = note_of(link);
    bool done = false;
    enum err e = store_mongo_meta_find(link, note, on_note, &done);

    if (e == ERR_OK && !done) {
        e = give_times(link);
        e = e == ERR_OK ? write_note(link, note) : e;
    }
    xfree(note);
    return e;
}
