/* SPDX-License-Identifier: MIT */
/* The command migrate: which sessions there are to be moved, one after the
 * other, and what is told of it. How one is moved is store_mongo_move.c's.
 *
 * A session that is deleted while it is moved leaves no messages behind, also
 * when this process is killed meanwhile: the ids of those that are about to be
 * moved stand in a note, and the next run looks at the notes first. */
#include "store/store_mongo_migrate.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "store/mongo_doc.h"
#include "store/mongo_old.h"
#include "store/store_mongo_batch.h"
#include "store/store_mongo_call.h"
#include "store/store_mongo_delete.h"
#include "store/store_mongo_meta.h"
#include "store/store_mongo_move.h"
#include "store/store_mongo_old.h"
#include "store/store_mongo_rows.h"
#include "store/store_mongo_seals.h"

#include <stdio.h>
#include <string.h>

/* Sessions of one note. */
#define NOTED 256

/* How far a swept session's messages are deleted some at a time; few are
 * longer. */
#define SWEPT 2000

/* Between two lines that say how far it is. */
#define PROGRESS_MS 2000

/* How the notes' ids begin. */
#define NOTES "moving."
#define NOTE_SIZE (sizeof(NOTES) + RAND_ID_CHARS)

#define SID_SIZE (RAND_ID_CHARS + 1)

/* Ids of sessions. */
struct sids {
    char (*items)[SID_SIZE];
    size_t count;
};

struct run {
    struct mongo_link *link;
    const struct migrate_wish *wish;
    struct migrate *out;
    char note[NOTE_SIZE];
    struct sids todo;
    size_t done;
    uint64_t told_ms;
};

static void
add_sid(struct sids *s, const char *sid)
{
    s->items = xrealloc(s->items, (s->count + 1) * sizeof(*s->items));
    snprintf(s->items[s->count++], SID_SIZE, "%s", sid);
}

/* -- telling -- */

static void
tell_problem(const char *sid, const char *word)
{
    log_warn(EVENT_MIGRATION, "A session cannot be moved, and stays as it is.",
             log_cstr("session_id", sid), log_cstr("code", word));
}

static void
tell_progress(struct run *r)
{
    uint64_t now_ms = clock_mono_ms();

    if (now_ms - r->told_ms < PROGRESS_MS) {
        return;
    }
    r->told_ms = now_ms;
    log_info(EVENT_MIGRATION, "Moving.", log_int("done", (int64_t)r->done),
             log_int("sessions", (int64_t)r->todo.count),
             log_int("messages", (int64_t)r->out->messages));
}

/* What is known of a document that is no session: its id, if that is text. */
static void
tell_stranger(struct run *r, const bson_t *doc)
{
    const struct mongo_lib *lib = &r->link->db->lib;
    struct str id = STR("");
    bson_iter_t it;
    bool text = mongo_bson_find(lib, doc, "_id", &it) &&
                mongo_bson_get_text(lib, &it, &id);

    r->out->strangers++;
    log_warn(EVENT_MIGRATION, "A document is no session, and stays as it is.",
             log_str("session_id", id),
             log_cstr("code", text && id.n == RAND_ID_CHARS ? "user" : "id"));
}

/* -- what there is to do -- */

static void
put_not_new(struct mongo_bson *filter)
{
    struct mongo_bson field, inner;

    mongo_bson_open(filter, "v", &field);
    mongo_bson_open(&field, "$not", &inner);
    mongo_bson_int(&inner, "$gte", MONGO_DOC_VERSION);
    mongo_bson_close(&field, &inner);
    mongo_bson_close(filter, &field);
}

static bool
on_candidate(void *cookie, const bson_t *doc)
{
    struct run *r = cookie;
    struct mongo_session s;
    uint64_t odd = 0;

    if (!mongo_doc_get_session(&r->link->db->lib, doc, &s, &odd)) {
        tell_stranger(r, doc);
        return true;
    }
    if (s.old) {
        add_sid(&r->todo, s.record.sid);
    }
    mongo_doc_session_fini(&s);
    return true;
}

static void
on_candidate_again(void *cookie)
{
    struct run *r = cookie;

    r->todo.count = 0;
    r->out->strangers = 0;
}

static enum err
find_candidates(struct run *r)
{
    const struct mongo_lib *lib = &r->link->db->lib;
    struct mongo_bson filter, options;
    enum err e;

    mongo_bson_init(&filter, lib);
    mongo_bson_init(&options, lib);
    put_not_new(&filter);
    store_mongo_old_met(r->link);
    (void)store_mongo_old_lighten(r->link, &options);
    store_mongo_old_portion(&options);
    e = store_mongo_call_query(
        r->link, &(struct mongo_query){.from = MONGO_SESSIONS,
                                       .filter = &filter,
                                       .options = &options,
                                       .row = on_candidate,
                                       .again = on_candidate_again,
                                       .cookie = r});
    mongo_bson_fini(&filter);
    mongo_bson_fini(&options);
    return e;
}

/* -- notes -- */

/* Of the sessions from r->done on, in the place of what it said before. */
static enum err
write_note(struct run *r)
{
    char index[MONGO_BSON_INDEX_SIZE];
    struct mongo_bson doc, list;
    enum err e;

    mongo_bson_init(&doc, &r->link->db->lib);
    mongo_bson_open_array(&doc, "sids", &list);
    for (size_t i = 0; i < NOTED && r->done + i < r->todo.count; i++) {
        mongo_bson_text(&list, mongo_bson_index(index, (uint32_t)i),
                        r->todo.items[r->done + i]);
    }
    mongo_bson_close_array(&doc, &list);
    e = store_mongo_meta_put(r->link, r->note, &doc, true);
    mongo_bson_fini(&doc);
    return e;
}

struct noted {
    struct mongo_link *link;
    struct sids sids;
};

static void
add_noted(void *cookie, struct str sid)
{
    struct noted *n = cookie;

    add_sid(&n->sids, sid.p);
}

static bool
on_note(void *cookie, const bson_t *doc)
{
    struct noted *n = cookie;

    store_mongo_meta_sids(&n->link->db->lib, doc, add_noted, n);
    return true;
}

/* Messages of a session that was deleted while a run that was cut off moved
 * it. */
static enum err
sweep(struct mongo_link *link, const char *sid)
{
    struct mongo_session s;
    enum err e = store_mongo_rows_find(link, sid, NULL, &s);

    if (e == ERR_OK) {
        mongo_doc_session_fini(&s);
    }
    return e == ERR_NOT_FOUND ? store_mongo_delete_messages(link, sid, SWEPT)
                              : e;
}

static enum err
sweep_notes(struct mongo_link *link)
{
    struct noted n = {.link = link};
    enum err e = store_mongo_meta_list(link, NOTES, on_note, &n);

    for (size_t i = 0; e == ERR_OK && i < n.sids.count; i++) {
        e = sweep(link, n.sids.items[i]);
    }
    if (e == ERR_OK && n.sids.count > 0) {
        e = store_mongo_meta_clear(link, NOTES, NULL);
    }
    xfree(n.sids.items);
    return e;
}

/* -- moving -- */

static void
count_move(struct run *r, const char *sid, const struct mongo_move *m)
{
    struct migrate *out = r->out;

    if (!m->there || m->gone) {
        return;
    }
    if (m->problem != MONGO_MOVE_FINE) {
        out->refused++;
        tell_problem(sid, store_mongo_move_word(m->problem));
        return;
    }
    out->sessions++;
    out->messages += (uint64_t)m->messages;
    out->opened += (uint64_t)m->opened;
    out->unreadable += (uint64_t)m->unreadable;
    out->odd += (uint64_t)m->odd;
    if (m->odd > 0 || m->unreadable > 0) {
        log_warn(EVENT_MIGRATION, "Not everything of a session can be read.",
                 log_cstr("session_id", sid), log_int("odd", m->odd),
                 log_int("unreadable", m->unreadable));
    }
}

static enum err
move_next(struct run *r)
{
    const char *sid = r->todo.items[r->done];
    struct mongo_move move;
    enum err e = ERR_OK;

    if (!r->wish->dry && r->done % NOTED == 0) {
        e = write_note(r);
    }
    if (e == ERR_OK) {
        e = store_mongo_move(r->link, sid, r->wish->dry, &move);
    }
    if (e == ERR_OK) {
        count_move(r, sid, &move);
        r->done++;
        tell_progress(r);
    }
    return e;
}

static enum err
move_all(struct run *r)
{
    enum err e = find_candidates(r);

    while (e == ERR_OK && r->done < r->todo.count) {
        e = move_next(r);
    }
    if (e == ERR_OK && !r->wish->dry && r->todo.count > 0) {
        e = store_mongo_meta_clear(r->link, r->note, NULL);
    }
    return e;
}

/* -- the end: arrays that are not needed any more -- */

static bool
on_moved(void *cookie, const bson_t *doc)
{
    struct run *r = cookie;
    struct mongo_session s;
    uint64_t odd = 0;

    if (mongo_doc_get_session(&r->link->db->lib, doc, &s, &odd)) {
        add_sid(&r->todo, s.record.sid);
        mongo_doc_session_fini(&s);
    }
    return true;
}

static void
on_moved_again(void *cookie)
{
    struct run *r = cookie;

    r->todo.count = 0;
}

static enum err
find_moved(struct run *r)
{
    const struct mongo_lib *lib = &r->link->db->lib;
    struct mongo_bson filter, options, inner;
    enum err e;

    mongo_bson_init(&filter, lib);
    mongo_bson_init(&options, lib);
    mongo_bson_open(&filter, "moved", &inner);
    mongo_bson_bool(&inner, "$exists", true);
    mongo_bson_close(&filter, &inner);
    (void)store_mongo_old_lighten(r->link, &options);
    store_mongo_old_portion(&options);
    e = store_mongo_call_query(r->link,
                               &(struct mongo_query){.from = MONGO_SESSIONS,
                                                     .filter = &filter,
                                                     .options = &options,
                                                     .row = on_moved,
                                                     .again = on_moved_again,
                                                     .cookie = r});
    mongo_bson_fini(&filter);
    mongo_bson_fini(&options);
    return e;
}

/* What the move has left beside the array. */
struct left {
    struct mongo_link *link;
    int64_t moved;
    int64_t odd;
    int64_t listed;
};

static bool
on_left(void *cookie, const bson_t *doc)
{
    struct left *l = cookie;
    const struct mongo_lib *lib = &l->link->db->lib;
    struct mongo_old at;

    l->moved = mongo_bson_find_int(lib, doc, "moved", -1);
    l->odd = mongo_bson_find_int(lib, doc, "movedOdd", 1);
    mongo_old_begin(&at, lib, doc, "", 0);
    while (mongo_old_next(&at)) {
    }
    l->listed = at.damaged ? -1 : at.seq;
    return false;
}

static enum err
look_at(struct left *l, const char *sid)
{
    struct mongo_bson filter;
    enum err e;

    mongo_bson_init(&filter, &l->link->db->lib);
    mongo_bson_text(&filter, "_id", sid);
    e = store_mongo_call_query(l->link,
                               &(struct mongo_query){.from = MONGO_SESSIONS,
                                                     .filter = &filter,
                                                     .row = on_left,
                                                     .cookie = l});
    mongo_bson_fini(&filter);
    return e;
}

static enum err
drop_array(struct mongo_link *link, const char *sid)
{
    static const char *const fields[] = {"msgs", "moved", "movedOdd"};
    struct mongo_bson inner, unset;
    struct mongo_item *item;
    struct mongo_batch b;
    enum err e;

    store_mongo_batch_init(&b, link, MONGO_UPDATE, MONGO_SESSIONS, 1);
    item = store_mongo_batch_add(&b, NULL);
    mongo_bson_open(&item->doc, "q", &inner);
    mongo_bson_text(&inner, "_id", sid);
    mongo_bson_close(&item->doc, &inner);
    mongo_bson_open(&item->doc, "u", &inner);
    mongo_bson_open(&inner, "$unset", &unset);
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        mongo_bson_text(&unset, fields[i], "");
    }
    mongo_bson_close(&inner, &unset);
    mongo_bson_close(&item->doc, &inner);
    e = store_mongo_batch_write(&b);
    store_mongo_batch_fini(&b);
    return e;
}

/* Why the array has to stay, or NULL. */
static enum err
judge(struct mongo_link *link, const char *sid, const char **why)
{
    struct left l = {.link = link, .moved = -1};
    bool good = false;
    enum err e = look_at(&l, sid);

    *why = l.odd > 0 ? "odd" : l.listed != l.moved ? "grows" : NULL;
    if (e == ERR_OK && *why == NULL) {
        e = store_mongo_move_check(link, sid, l.moved, &good);
        *why = good ? NULL : "missing";
    }
    return e;
}

static enum err
finish_one(struct run *r, const char *sid)
{
    const char *why;
    enum err e = judge(r->link, sid, &why);

    if (e != ERR_OK) {
        return e;
    }
    if (why == NULL) {
        r->out->cleared++;
        return drop_array(r->link, sid);
    }
    r->out->kept++;
    log_warn(EVENT_MIGRATION, "A session keeps what was moved out of it.",
             log_cstr("session_id", sid), log_cstr("code", why));
    return ERR_OK;
}

static enum err
finish_all(struct run *r)
{
    enum err e = find_moved(r);

    for (r->done = 0; e == ERR_OK && r->done < r->todo.count; r->done++) {
        e = finish_one(r, r->todo.items[r->done]);
        tell_progress(r);
    }
    return e;
}

/* -- the command -- */

static enum err
run_steps(struct run *r)
{
    enum err e = r->wish->dry ? ERR_OK : sweep_notes(r->link);

    if (e == ERR_OK) {
        e = move_all(r);
    }
    r->todo.count = 0;
    return e == ERR_OK && r->wish->finish && !r->wish->dry ? finish_all(r) : e;
}

/* A start prepares the database and leaves it. When a server has it, that has
 * prepared it. A look needs nothing of that. */
static enum err
open_beside(const struct store_settings *settings, bool dry,
            struct store_link **out, char *why, size_t why_size)
{
    enum err e =
        dry ? ERR_CONFLICT : store_mongo.open(settings, out, why, why_size);

    if (e == ERR_OK) {
        store_mongo.close(*out);
    }
    *out = NULL;
    if (e != ERR_OK && e != ERR_CONFLICT) {
        return e;
    }
    e = store_mongo_open_beside(settings, out, why, why_size);
    if (e != ERR_OK) {
        return e;
    }
    return dry ? store_mongo_seals_check(store_mongo_of(*out), why, why_size)
               : store_mongo_seals_beside(store_mongo_of(*out), why, why_size);
}

enum err
store_mongo_migrate(const struct store_settings *settings,
                    const struct migrate_wish *wish, struct migrate *out,
                    char *why, size_t why_size)
{
    struct run r = {.wish = wish, .out = out, .told_ms = clock_mono_ms()};
    char random[RAND_ID_CHARS + 1];
    struct store_link *base;
    enum err e;

    *out = (struct migrate){.sessions = 0};
    rand_id(random);
    snprintf(r.note, sizeof(r.note), NOTES "%s", random);
    e = open_beside(settings, wish->dry, &base, why, why_size);
    if (e == ERR_OK) {
        r.link = store_mongo_of(base);
        e = run_steps(&r);
        if (e != ERR_OK) {
            snprintf(why, why_size,
                     "The database %s cannot be written: %s (%d). What was "
                     "done so far is kept; run it again.",
                     r.link->db->database, r.link->fault.name,
                     r.link->fault.code);
        }
    }
    xfree(r.todo.items);
    if (base != NULL) {
        store_mongo.close(base);
    }
    return e;
}
