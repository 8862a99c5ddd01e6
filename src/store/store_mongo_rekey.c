/* SPDX-License-Identifier: MIT */
/* Sealing everything with the first key: some documents at a time, in the order
 * of their ids. What is done is told from what is not by the key that each text
 * names, so an end in the middle costs nothing: the next run goes on. Running
 * answers need no care: their pieces are sealed with the first key if a server
 * runs, and closed by the open if none does. */
#include "store/store_mongo_rekey.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "store/store_mongo.h"
#include "store/store_mongo_batch.h"
#include "store/store_mongo_call.h"
#include "store/store_mongo_seals.h"

#include <stdio.h>
#include <time.h>

/* One command's. */
#define BATCH_DOCUMENTS 256
#define BATCH_BYTES ((size_t)256 << 10)

struct pass {
    enum mongo_collection of;
    const char *field; /* that has the text */
    uint64_t *count;
};

struct run {
    struct mongo_link *link;
    struct rekey *report;
    const struct pass *pass;
    struct mongo_batch batch;
    char *after;  /* the id of the last document that was looked at */
    size_t bytes; /* of texts in the batch */
};

/* -- one document -- */

static struct str
text_of(const struct run *r, const bson_t *doc, const char *name)
{
    struct str text = {NULL, 0};
    bson_iter_t it;

    if (mongo_bson_find(&r->link->db->lib, doc, name, &it)) {
        (void)mongo_bson_get_bytes(&r->link->db->lib, &it, &text);
    }
    return text;
}

/* What the document's text was put with; sid is the caller's memory. */
static struct seal_place
place_of(const struct run *r, const bson_t *doc, const char *sid)
{
    return r->pass->of == MONGO_SESSIONS
               ? vault_at_name(sid)
               : vault_at_message(sid, mongo_bson_find_int(&r->link->db->lib,
                                                           doc, "seq", 0));
}

/* A name changes, and then it has been sealed anew; a message with a number
 * does not. */
static void
put_query(const struct run *r, struct mongo_bson *statement, struct str stored)
{
    struct mongo_bson q;

    mongo_bson_open(statement, "q", &q);
    mongo_bson_text(&q, "_id", r->after);
    if (r->pass->of == MONGO_SESSIONS) {
        mongo_bson_bytes(&q, r->pass->field, stored);
    }
    mongo_bson_close(statement, &q);
}

static void
put_update(struct run *r, const struct seal_place *at, struct str stored,
           struct str text)
{
    struct mongo_item *item = store_mongo_batch_add(&r->batch, NULL);
    struct mongo_bson u, set;
    struct buf sealed;

    buf_init(&sealed, VAULT_SIZE(text.n));
    item->spoilt = vault_put(r->link->vault, at, text, &sealed) != ERR_OK;
    put_query(r, &item->doc, stored);
    mongo_bson_open(&item->doc, "u", &u);
    mongo_bson_open(&u, "$set", &set);
    mongo_bson_bytes(&set, r->pass->field, buf_str(&sealed));
    mongo_bson_close(&u, &set);
    mongo_bson_close(&item->doc, &u);
    buf_fini(&sealed);
}

static void
renew(struct run *r, const bson_t *doc)
{
    const char *owner = r->pass->of == MONGO_SESSIONS ? "_id" : "sid";
    struct str stored = text_of(r, doc, r->pass->field);
    char *sid = str_dup(text_of(r, doc, owner));
    struct seal_place at = place_of(r, doc, sid);
    struct buf text;

    buf_init(&text, stored.n);
    if (!vault_is_current(r->link->vault, stored)) {
        bool readable = vault_get(r->link->vault, &at, stored, &text);

        r->report->unreadable += !readable;
        if (readable) {
            put_update(r, &at, stored, buf_str(&text));
            r->bytes += stored.n;
        }
    }
    buf_fini(&text);
    xfree(sid);
}

static bool
on_document(void *cookie, const bson_t *doc)
{
    struct run *r = cookie;
    struct str id = text_of(r, doc, "_id");

    xfree(r->after);
    r->after = str_dup(id);
    renew(r, doc);
    return r->bytes < BATCH_BYTES;
}

/* -- some documents -- */

/* Texts that do not begin with the key's words, by the order of strings. */
static void
put_undone(struct mongo_bson *filter, const struct run *r)
{
    struct str key = vault_key(r->link->vault);
    struct mongo_bson any, one, range;
    char begin[SEAL_KEY_ID_MAX + 8];

    mongo_bson_open_array(filter, "$or", &any);
    for (int i = 0; i < 2; i++) {
        snprintf(begin, sizeof(begin), SEAL_PREFIX "%.*s%c", STR_ARG(key),
                 i == 0 ? '.' : '.' + 1);
        mongo_bson_open(&any, i == 0 ? "0" : "1", &one);
        mongo_bson_open(&one, r->pass->field, &range);
        mongo_bson_text(&range, i == 0 ? "$lt" : "$gte", begin);
        mongo_bson_close(&one, &range);
        mongo_bson_close(&any, &one);
    }
    mongo_bson_close_array(filter, &any);
}

static void
put_filter(struct mongo_bson *filter, const struct run *r)
{
    struct mongo_bson range;

    mongo_bson_open(filter, "_id", &range);
    mongo_bson_text(&range, "$gt", r->after);
    mongo_bson_close(filter, &range);
    if (r->pass->of == MONGO_MESSAGES) {
        mongo_bson_open(filter, "seq", &range);
        mongo_bson_int(&range, "$gt", 0);
        mongo_bson_close(filter, &range);
    }
    put_undone(filter, r);
}

static void
put_options(struct mongo_bson *options, const struct run *r)
{
    struct mongo_bson inner;

    mongo_bson_open(options, "sort", &inner);
    mongo_bson_int(&inner, "_id", 1);
    mongo_bson_close(options, &inner);
    mongo_bson_int(options, "limit", BATCH_DOCUMENTS);
    mongo_bson_open(options, "projection", &inner);
    mongo_bson_int(&inner, "sid", 1);
    mongo_bson_int(&inner, "seq", 1);
    mongo_bson_int(&inner, r->pass->field, 1);
    mongo_bson_close(options, &inner);
}

static enum err
fill_batch(struct run *r)
{
    struct mongo_bson filter, options;
    enum err e;

    mongo_bson_init(&filter, &r->link->db->lib);
    mongo_bson_init(&options, &r->link->db->lib);
    put_filter(&filter, r);
    put_options(&options, r);
    e = store_mongo_call_query(r->link,
                               &(struct mongo_query){.from = r->pass->of,
                                                     .filter = &filter,
                                                     .options = &options,
                                                     .row = on_document,
                                                     .cookie = r});
    mongo_bson_fini(&filter);
    mongo_bson_fini(&options);
    return e;
}

/* What a lost answer made go twice is counted once. */
static enum err
write_batch(struct run *r)
{
    struct mongo_batch *b = &r->batch;
    enum err e = b->count == 0 ? ERR_OK : store_mongo_batch_write(b);

    if (e == ERR_OK) {
        *r->pass->count +=
            (uint64_t)b->matched < b->count ? (uint64_t)b->matched : b->count;
    }
    return e;
}

/* A server beside it is to find the database free as often as not. */
static void
pause_for(uint64_t ms)
{
    struct timespec t = {.tv_sec = (time_t)(ms / 1000),
                         .tv_nsec = (long)(ms % 1000 + 1) * 1000000};

    (void)nanosleep(&t, NULL);
}

/* *any: there was a document to look at. */
static enum err
run_batch(struct run *r, bool *any)
{
    char *before = xstrdup(r->after);
    enum err e;

    r->bytes = 0;
    store_mongo_batch_init(&r->batch, r->link, MONGO_UPDATE, r->pass->of,
                           BATCH_DOCUMENTS);
    e = fill_batch(r);
    if (e == ERR_OK) {
        e = write_batch(r);
    }
    store_mongo_batch_fini(&r->batch);
    *any = !str_is(str_from(before), r->after);
    xfree(before);
    return e;
}

static enum err
run_pass(struct run *r, const struct pass *pass)
{
    bool any = true;
    enum err e = ERR_OK;

    r->pass = pass;
    r->after = xstrdup("");
    while (e == ERR_OK && any) {
        uint64_t begin_ms = clock_mono_ms();

        e = run_batch(r, &any);
        if (e == ERR_OK && any && r->report->beside) {
            pause_for(clock_mono_ms() - begin_ms);
        }
    }
    xfree(r->after);
    return e;
}

/* -- all -- */

static enum err
run_all(struct run *r)
{
    const struct pass passes[] = {
        {MONGO_MESSAGES, "content", &r->report->messages},
        {MONGO_SESSIONS, "nm", &r->report->names},
    };
    enum err e = ERR_OK;

    for (size_t i = 0; e == ERR_OK && i < COUNT_OF(passes); i++) {
        e = run_pass(r, &passes[i]);
    }
    return e == ERR_OK ? store_mongo_seals_forget(r->link) : e;
}

static enum err
open_for(const struct store_settings *settings, struct rekey *report,
         struct store_link **out, char *why, size_t why_size)
{
    enum err e = store_mongo.open(settings, out, why, why_size);

    report->beside = e == ERR_CONFLICT;
    if (report->beside) {
        e = store_mongo_open_beside(settings, out, why, why_size);
    }
    if (e == ERR_OK && report->beside) {
        e = store_mongo_seals_beside(store_mongo_of(*out), why, why_size);
    }
    return e;
}

enum err
store_mongo_rekey_run(const struct store_settings *settings, struct rekey *out,
                      char *why, size_t why_size)
{
    struct store_link *base = NULL;
    struct run r = {.report = out};
    enum err e;

    CHECK(settings->keys != NULL);
    *out = (struct rekey){0};
    e = open_for(settings, out, &base, why, why_size);
    if (e == ERR_OK) {
        r.link = store_mongo_of(base);
        e = run_all(&r);
        if (e != ERR_OK) {
            snprintf(why, why_size,
                     "The database %s cannot be written: %s (%d). What was "
                     "done so far is kept; run it again.",
                     r.link->db->database, r.link->fault.name,
                     r.link->fault.code);
        }
    }
    if (base != NULL) {
        store_mongo.close(base);
    }
    return e;
}
