/* SPDX-License-Identifier: MIT */
/* One session out of the older form: see store_mongo_move.h. Who wants it moved
 * is a writer that has a new message for it, or the command
 * (store_mongo_migrate.c). */
#include "store/store_mongo_move.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "store/mongo_old.h"
#include "store/store_mongo_batch.h"
#include "store/store_mongo_call.h"
#include "store/store_mongo_delete.h"
#include "store/store_mongo_mark.h"
#include "store/store_mongo_rows.h"
#include "store/store_mongo_texts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Of one insert: small enough for a slow database to answer in time. */
#define ROOM 128
#define BYTES ((size_t)2 << 20)

/* Messages that one query looks at, for the same reason. */
#define CHECKED 1000

/* Of one document; a little is left for what the database adds. */
#define DOCUMENT_BYTES (((size_t)16 << 20) - 1024)

/* How often a document that changes meanwhile is read again. */
#define TRIES 5

const char *
store_mongo_move_word(enum mongo_move_problem p)
{
    static const char *const words[MONGO_MOVE_PROBLEMS] = {
        [MONGO_MOVE_FINE] = "fine",       [MONGO_MOVE_NO_KEY] = "no_key",
        [MONGO_MOVE_DAMAGED] = "damaged", [MONGO_MOVE_TOO_BIG] = "too_big",
        [MONGO_MOVE_TAKEN] = "taken",     [MONGO_MOVE_GROWS] = "grows"};

    return words[p];
}

struct moving {
    struct mongo_link *link;
    struct mongo_move *out;
    bool dry;
    bool known; /* doc and s are there */
    bson_t *doc;
    struct mongo_session s;
    int64_t present; /* the first ones, which are there already */
    bool met;        /* some of the keys were there already */
};

/* -- the document -- */

/* Copied: what follows wants the connection. */
static bool
on_document(void *cookie, const bson_t *doc)
{
    struct moving *m = cookie;
    const struct mongo_lib *lib = &m->link->db->lib;

    m->known = mongo_doc_get_session(lib, doc, &m->s, &m->link->odd_fields);
    if (m->known) {
        lib->bson_copy_to(doc, m->doc);
    }
    return false;
}

static enum err
read_document(struct moving *m, const char *sid)
{
    const struct mongo_lib *lib = &m->link->db->lib;
    struct mongo_bson filter;
    enum err e;

    mongo_bson_init(&filter, lib);
    mongo_bson_text(&filter, "_id", sid);
    e = store_mongo_call_query(m->link,
                               &(struct mongo_query){.from = MONGO_SESSIONS,
                                                     .filter = &filter,
                                                     .row = on_document,
                                                     .cookie = m});
    mongo_bson_fini(&filter);
    return e;
}

static void
forget_document(struct moving *m)
{
    if (m->known) {
        m->link->db->lib.bson_destroy(m->doc);
        mongo_doc_session_fini(&m->s);
    }
    m->known = false;
}

/* -- looking at what is there -- */

struct checking {
    struct mongo_link *link;
    const char *sid;
    int64_t first; /* of those that were asked for */
    int64_t next;
};

static bool
on_message(void *cookie, const bson_t *doc)
{
    struct checking *c = cookie;
    const struct mongo_lib *lib = &c->link->db->lib;
    char id[RAND_ID_CHARS + 1];
    struct str text;
    bson_iter_t it;

    mongo_old_id(c->sid, c->next, id);
    if (mongo_bson_find_int(lib, doc, "seq", 0) != c->next ||
        !mongo_bson_find(lib, doc, "_id", &it) ||
        !mongo_bson_get_text(lib, &it, &text) || !str_is(text, id)) {
        return false;
    }
    c->next++;
    return true;
}

static void
on_message_again(void *cookie)
{
    struct checking *c = cookie;

    c->next = c->first;
}

static void
put_numbers(struct mongo_bson *filter, struct mongo_bson *options,
            const char *sid, int64_t first, int64_t last)
{
    struct mongo_bson inner;

    mongo_bson_text(filter, "sid", sid);
    mongo_bson_open(filter, "seq", &inner);
    mongo_bson_int(&inner, "$gte", first);
    mongo_bson_int(&inner, "$lte", last);
    mongo_bson_close(filter, &inner);
    mongo_bson_open(options, "sort", &inner);
    mongo_bson_int(&inner, "seq", 1);
    mongo_bson_close(options, &inner);
    mongo_bson_open(options, "projection", &inner);
    mongo_bson_int(&inner, "seq", 1);
    mongo_bson_close(options, &inner);
}

/* From c->next on, up to the number last. */
static enum err
check_some(struct checking *c, int64_t last)
{
    struct mongo_bson filter, options;
    enum err e;

    mongo_bson_init(&filter, &c->link->db->lib);
    mongo_bson_init(&options, &c->link->db->lib);
    c->first = c->next;
    put_numbers(&filter, &options, c->sid, c->first, last);
    e = store_mongo_call_query(c->link,
                               &(struct mongo_query){.from = MONGO_MESSAGES,
                                                     .filter = &filter,
                                                     .options = &options,
                                                     .row = on_message,
                                                     .again = on_message_again,
                                                     .cookie = c});
    mongo_bson_fini(&filter);
    mongo_bson_fini(&options);
    return e;
}

/* How many of the first `count` are there, without a gap. */
static enum err
count_present(struct mongo_link *link, const char *sid, int64_t count,
              int64_t *present)
{
    struct checking c = {link, sid, 1, 1};
    int64_t last = 0;
    enum err e = ERR_OK;

    while (e == ERR_OK && c.next == last + 1 && last < count) {
        last = count - last < CHECKED ? count : last + CHECKED;
        e = check_some(&c, last);
    }
    *present = c.next - 1;
    return e;
}

enum err
store_mongo_move_check(struct mongo_link *link, const char *sid, int64_t count,
                       bool *good)
{
    int64_t present = 0;
    enum err e = count_present(link, sid, count, &present);

    *good = present == count;
    return e;
}

/* -- inserting -- */

/* The content, opened. False: it does not open, and stays as it is stored;
 * without keys that cannot be told from a text later. */
static bool
open_text(struct moving *m, struct message_record *r)
{
    struct seal_place at = vault_at_message(r->sid, r->seq);
    struct str stored = {r->content, r->content_n};
    struct buf text;
    bool open;

    buf_init(&text, r->content_n);
    open = vault_get_old(m->link->vault, &at, stored, &text);
    if (open) {
        m->out->opened += !str_eq(stored, buf_str(&text));
        xfree(r->content);
        r->content_n = text.n;
        r->content = buf_give(&text);
        return true;
    }
    buf_fini(&text);
    m->out->unreadable++;
    if (!vault_seals(m->link->vault)) {
        m->out->problem = MONGO_MOVE_NO_KEY;
    }
    return false;
}

static size_t
add_message(struct moving *m, const struct message_record *r, bool open,
            struct mongo_batch *b)
{
    struct mongo_item *item = store_mongo_batch_add(b, NULL);

    if (open) {
        store_mongo_texts_put_message(m->link, item, &item->doc, r);
    } else {
        mongo_doc_put_message(&item->doc, r);
    }
    if (item->spoilt || item->doc.b.len > DOCUMENT_BYTES) {
        m->out->problem = MONGO_MOVE_TOO_BIG;
    }
    return item->doc.b.len;
}

/* The message that the walk stands on: counted, and into the batch unless it is
 * there; its size. */
static size_t
take_message(struct moving *m, const struct mongo_old *at,
             struct mongo_batch *b)
{
    struct message_record r;
    uint64_t odd = 0;
    size_t bytes = 0;
    bool open;

    mongo_old_get(at, &r, &odd);
    m->out->odd += odd > 0;
    m->out->messages++;
    open = open_text(m, &r);
    if (at->seq > m->present) {
        bytes = add_message(m, &r, open, b);
    }
    message_record_fini(&r);
    return bytes;
}

static enum err
write_messages(struct moving *m, struct mongo_batch *b)
{
    enum err e = store_mongo_batch_write(b);

    for (size_t i = 0; i < b->count; i++) {
        m->met = m->met || !store_mongo_batch_stored(&b->items[i]);
    }
    return e;
}

/* The next messages; *more while there may be others. */
static enum err
move_some(struct moving *m, struct mongo_old *at, bool *more)
{
    struct mongo_batch b;
    size_t bytes = 0;
    enum err e = ERR_OK;

    store_mongo_batch_init(&b, m->link, MONGO_INSERT, MONGO_MESSAGES, ROOM);
    *more = true;
    while (*more && b.count < ROOM && bytes < BYTES &&
           m->out->problem == MONGO_MOVE_FINE) {
        *more = mongo_old_next(at);
        if (*more) {
            bytes += take_message(m, at, &b);
        }
    }
    if (!m->dry && b.count > 0 && m->out->problem == MONGO_MOVE_FINE) {
        e = write_messages(m, &b);
    }
    store_mongo_batch_fini(&b);
    return e;
}

static enum err
move_messages(struct moving *m)
{
    struct mongo_old at;
    bool more = true;
    enum err e = ERR_OK;

    if (!m->dry) {
        e = count_present(m->link, m->s.record.sid, m->s.record.seq,
                          &m->present);
    }
    mongo_old_begin(&at, &m->link->db->lib, m->doc, m->s.record.sid,
                    m->s.record.start_ms);
    while (e == ERR_OK && more && m->out->problem == MONGO_MOVE_FINE) {
        e = move_some(m, &at, &more);
    }
    if (at.damaged) {
        m->out->problem = MONGO_MOVE_DAMAGED;
    }
    return e;
}

/* -- the session's document -- */

static bool
has_name(const struct session_record *r)
{
    return r->name != NULL && r->name[0] != '\0';
}

/* A session is named after its first message: with keys, the name is sealed as
 * well. */
static bool
put_name(struct mongo_bson *set, const struct moving *m)
{
    const struct session_record *r = &m->s.record;
    struct vault *v = m->link->vault;
    struct seal_place at = vault_at_name(r->sid);
    struct buf name, sealed;
    bool ok = true;

    if (!vault_seals(v) || !has_name(r)) {
        return true;
    }
    buf_init(&name, strlen(r->name));
    buf_init(&sealed, VAULT_SIZE(strlen(r->name)));
    if (vault_get(v, &at, str_from(r->name), &name)) {
        ok = vault_put(v, &at, buf_str(&name), &sealed) == ERR_OK;
        mongo_bson_bytes(set, "nm", buf_str(&sealed));
    }
    buf_fini(&name);
    buf_fini(&sealed);
    return ok;
}

/* Without any message that we have not seen. What is no array has none; should
 * it have become one, it was not this document. */
static void
put_end_of_list(struct mongo_bson *q, const struct moving *m)
{
    struct mongo_bson field, inner;
    char next[32];

    if (mongo_old_is_list(&m->link->db->lib, m->doc)) {
        snprintf(next, sizeof(next), "msgs.%" PRId64, m->s.record.seq);
        mongo_bson_open(q, next, &field);
        mongo_bson_bool(&field, "$exists", false);
    } else {
        mongo_bson_open(q, "msgs", &field);
        mongo_bson_open(&field, "$not", &inner);
        mongo_bson_text(&inner, "$type", "array");
        mongo_bson_close(&field, &inner);
    }
    mongo_bson_close(q, &field);
}

/* Still of the older form, with the same name and the same messages. */
static void
put_filter(struct mongo_bson *statement, const struct moving *m)
{
    const struct session_record *r = &m->s.record;
    struct mongo_bson q, field, inner;

    mongo_bson_open(statement, "q", &q);
    mongo_bson_text(&q, "_id", r->sid);
    mongo_bson_open(&q, "v", &field);
    mongo_bson_open(&field, "$not", &inner);
    mongo_bson_int(&inner, "$gte", MONGO_DOC_VERSION);
    mongo_bson_close(&field, &inner);
    mongo_bson_close(&q, &field);
    put_end_of_list(&q, m);
    if (has_name(r)) {
        mongo_bson_text(&q, "nm", r->name);
    }
    mongo_bson_close(statement, &q);
}

/* The last ones that a session may have. */
static void
put_times(struct mongo_bson *set, const struct moving *m)
{
    const struct mongo_session *s = &m->s;
    size_t most = m->link->times_max;
    size_t first = s->time_count > most ? s->time_count - most : 0;
    char index[MONGO_BSON_INDEX_SIZE];
    struct mongo_bson list;

    mongo_bson_open_array(set, "respTimes", &list);
    for (size_t i = first; i < s->time_count; i++) {
        mongo_bson_int(&list, mongo_bson_index(index, (uint32_t)(i - first)),
                       s->times_ms[i]);
    }
    mongo_bson_close_array(set, &list);
}

/* `moved` and `movedOdd` are for --finish: what may be dropped. */
static bool
put_update(struct mongo_bson *statement, const struct moving *m)
{
    const struct session_record *r = &m->s.record;
    struct mongo_bson u, set, inner;
    bool ok;

    mongo_bson_open(statement, "u", &u);
    mongo_bson_open(&u, "$set", &set);
    ok = put_name(&set, m);
    if (r->start_ms != 0) {
        mongo_bson_moment(&set, "ts", r->start_ms);
    }
    mongo_bson_int(&set, "seq", r->seq);
    mongo_bson_int(&set, "msgCount", r->seq);
    mongo_bson_text(&set, "epoch", r->epoch);
    mongo_bson_int(&set, "dur", mongo_doc_duration_ms(r));
    put_times(&set, m);
    mongo_bson_int(&set, "moved", r->seq);
    mongo_bson_int(&set, "movedOdd", m->out->odd);
    mongo_bson_int(&set, "v", MONGO_DOC_VERSION);
    mongo_bson_close(&u, &set);
    mongo_bson_open(&u, "$max", &inner);
    mongo_bson_moment(&inner, "lastActivity", r->last_ms);
    mongo_bson_close(&u, &inner);
    mongo_bson_close(statement, &u);
    return ok;
}

static enum err
mark_moved(struct moving *m, bool *done)
{
    struct mongo_item *item;
    struct mongo_batch b;
    enum err e;

    store_mongo_batch_init(&b, m->link, MONGO_UPDATE, MONGO_SESSIONS, 1);
    item = store_mongo_batch_add(&b, NULL);
    put_filter(&item->doc, m);
    item->spoilt = !put_update(&item->doc, m);
    e = store_mongo_batch_write(&b);
    *done = b.matched > 0;
    store_mongo_batch_fini(&b);
    return e;
}

/* -- one session -- */

/* Everything once; *done when the session is of the new form. */
static enum err
try_move(struct moving *m, bool *done)
{
    bool good = true;
    enum err e = move_messages(m);

    m->out->odd += !mongo_old_is_list(&m->link->db->lib, m->doc);
    *done = m->dry || m->out->problem != MONGO_MOVE_FINE;
    if (e != ERR_OK || *done) {
        return e;
    }
    if (m->met) {
        e = store_mongo_move_check(m->link, m->s.record.sid, m->s.record.seq,
                                   &good);
    }
    if (e == ERR_OK && !good) {
        m->out->problem = MONGO_MOVE_TAKEN;
        *done = true;
    }
    return e == ERR_OK && good ? mark_moved(m, done) : e;
}

/* One that was deleted while it was moved leaves no message behind. */
static enum err
end_move(struct moving *m, const char *sid)
{
    m->out->gone = m->out->there && !m->known;
    return m->out->gone
               ? store_mongo_delete_messages(m->link, sid, m->out->messages)
               : ERR_OK;
}

enum err
store_mongo_move(struct mongo_link *link, const char *sid, bool dry,
                 struct mongo_move *out)
{
    struct mongo_bson copy;
    struct moving m = {.link = link, .out = out, .dry = dry, .doc = &copy.b};
    bool done = false;
    enum err e = ERR_OK;

    *out = (struct mongo_move){.messages = 0};
    for (int i = 0; e == ERR_OK && !done && i < TRIES; i++) {
        e = read_document(&m, sid);
        if (e == ERR_OK && m.known && m.s.old) {
            *out = (struct mongo_move){.there = true};
            e = try_move(&m, &done);
        } else if (e == ERR_OK) {
            done = true;
            e = end_move(&m, sid);
        }
        forget_document(&m);
    }
    if (e == ERR_OK && !done) {
        out->problem = MONGO_MOVE_GROWS;
    }
    return e;
}

/* -- for writers -- */

enum err
store_mongo_move_session(struct mongo_link *link, struct mongo_session *s)
{
    struct mongo_move move;
    struct mongo_session now;
    enum err e;

    if (!s->old) {
        return ERR_OK;
    }
    e = store_mongo_move(link, s->record.sid, false, &move);
    if (e == ERR_OK && move.problem != MONGO_MOVE_FINE) {
        log_error(EVENT_MIGRATION,
                  "A session of the older form cannot be moved; it takes no "
                  "messages.",
                  log_cstr("session_id", s->record.sid),
                  log_cstr("code", store_mongo_move_word(move.problem)));
        e = ERR_CONFLICT;
    }
    if (e == ERR_OK) {
        e = store_mongo_rows_find(link, s->record.sid, NULL, &now);
    }
    if (e == ERR_OK) {
        mongo_doc_session_fini(s);
        *s = now;
    }
    return e;
}

enum err
store_mongo_move_ready(struct mongo_link *link, struct mongo_session *s)
{
    const char *sid = s->record.sid;
    enum err e = store_mongo_move_session(link, s);

    return e == ERR_OK ? store_mongo_mark_add(link, &sid, 1) : e;
}
