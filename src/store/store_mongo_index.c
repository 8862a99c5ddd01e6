/* SPDX-License-Identifier: MIT */
/* Indexes and the schema's number: see store_mongo_index.h. The unique ones
 * are what the promises rest on: a message is there once, and has a number
 * that no other one has. They are partial, so that what has no such field is
 * in nobody's way. */
#include "store/store_mongo_index.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/store_mongo_call.h"
#include "store/store_mongo_meta.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* How long the start waits for one index. */
#define BUILD_MS (10 * 60 * 1000)

/* Before it asks for it again. */
#define BUILD_AGAIN_MS 100

#define KEYS_MAX 3

struct index {
    enum mongo_collection of;
    const char *name;
    struct {
        const char *field; /* NULL: no more */
        int way;
    } keys[KEYS_MAX];
    const char *present; /* only documents that have this field, or NULL */
    const char *status;  /* only documents of this status, or NULL */
    bool unique;
};

static const struct index indexes[] = {
    {MONGO_MESSAGES,
     "chatbox_seq",
     {{"sid", 1}, {"seq", 1}},
     "seq",
     NULL,
     true},
    {MONGO_MESSAGES,
     "chatbox_cid",
     {{"sid", 1}, {"cid", 1}},
     "cid",
     NULL,
     true},
    {MONGO_MESSAGES,
     "chatbox_answers",
     {{"sid", 1}, {"replyTo", 1}},
     "replyTo",
     NULL,
     false},
    {MONGO_MESSAGES,
     "chatbox_drafts",
     {{"status", 1}, {"sid", 1}},
     NULL,
     "streaming",
     false},
    {MONGO_PIECES, "chatbox_session", {{"sid", 1}}, NULL, NULL, false},
    {MONGO_SESSIONS,
     "chatbox_user",
     {{"uid", 1}, {"lastActivity", -1}, {"_id", -1}},
     NULL,
     NULL,
     false},
    {MONGO_SESSIONS, "chatbox_start", {{"ts", 1}}, NULL, NULL, false},
    {MONGO_SESSIONS,
     "chatbox_share",
     {{"shareToken", 1}},
     "shareToken",
     NULL,
     true},
    {MONGO_SESSIONS,
     "chatbox_gone",
     {{STORE_MONGO_GONE, 1}},
     STORE_MONGO_GONE,
     NULL,
     false},
    {MONGO_AUDIT,
     "chatbox_session",
     {{"sid", 1}, {"_id", -1}},
     "sid",
     NULL,
     false},
    {MONGO_AUDIT,
     "chatbox_actor",
     {{"actor", 1}, {"_id", -1}},
     NULL,
     NULL,
     false},
    {MONGO_USAGE, "chatbox_user", {{"uid", 1}, {"ts", 1}}, NULL, NULL, false},
    {MONGO_USAGE, "chatbox_time", {{"ts", 1}}, NULL, NULL, false},
};

static void
put_condition(struct mongo_bson *index, const struct index *i)
{
    struct mongo_bson only, exists;

    if (i->present == NULL && i->status == NULL) {
        return;
    }
    mongo_bson_open(index, "partialFilterExpression", &only);
    if (i->present != NULL) {
        mongo_bson_open(&only, i->present, &exists);
        mongo_bson_bool(&exists, "$exists", true);
        mongo_bson_close(&only, &exists);
    }
    mongo_bson_text(&only, "status", i->status);
    mongo_bson_close(index, &only);
}

static void
put_index(struct mongo_bson *list, const struct index *i)
{
    struct mongo_bson index, keys;

    mongo_bson_open(list, "0", &index);
    mongo_bson_open(&index, "key", &keys);
    for (int k = 0; k < KEYS_MAX && i->keys[k].field != NULL; k++) {
        mongo_bson_int(&keys, i->keys[k].field, i->keys[k].way);
    }
    mongo_bson_close(&index, &keys);
    mongo_bson_text(&index, "name", i->name);
    if (i->unique) {
        mongo_bson_bool(&index, "unique", true);
    }
    put_condition(&index, i);
    mongo_bson_close(list, &index);
}

/* A connection waits for no answer as long as it may take to make an index of
 * many documents. The database goes on making it, and whoever asks for the
 * same one again waits for the end of that. */
static bool
build(struct mongo_link *link, const struct mongo_bson *command,
      const char *name, struct mongo_result *result)
{
    const struct timespec again = {.tv_nsec = BUILD_AGAIN_MS * 1000000};
    uint64_t until_ms = clock_mono_ms() + BUILD_MS;
    struct mongo_result there;

    while (!store_mongo_call_once(link, command, true, result)) {
        if (result->attempt.domain != MONGO_DOMAIN_STREAM ||
            clock_mono_ms() >= until_ms ||
            !store_mongo_call_ping(link, &there)) {
            return false;
        }
        link->db->lib.bson_destroy(&result->reply);
        log_warn(EVENT_STORE_RETRY, "An index is not made yet; once more.",
                 log_cstr("code", name), log_int("wait_ms", BUILD_AGAIN_MS));
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &again, NULL);
    }
    return true;
}

/* One command for each, so that it is known which one is refused. */
static enum err
make_index(struct mongo_link *link, const struct index *i, char *why,
           size_t why_size)
{
    struct mongo_bson command, list;
    struct mongo_result result;
    bool ok;

    mongo_bson_init(&command, &link->db->lib);
    mongo_bson_text(&command, "createIndexes", link->db->collections[i->of]);
    mongo_bson_open_array(&command, "indexes", &list);
    put_index(&list, i);
    mongo_bson_close_array(&command, &list);
    ok = build(link, &command, i->name, &result);
    link->db->lib.bson_destroy(&result.reply);
    mongo_bson_fini(&command);
    if (!ok) {
        snprintf(why, why_size,
                 "The index %s of the collection %s.%s cannot be made: %s.",
                 i->name, link->db->database, link->db->collections[i->of],
                 result.error.message[0] != '\0' ? result.error.message
                                                 : "no connection");
        return ERR_DATABASE_ERROR;
    }
    return ERR_OK;
}

/* -- the schema's number: {_id: "schema", v: …} -- */

struct reading {
    struct mongo_link *link;
    int64_t version;
};

static bool
on_version(void *cookie, const bson_t *doc)
{
    struct reading *r = cookie;

    r->version = mongo_bson_find_int(&r->link->db->lib, doc, "v", INT64_MAX);
    return false;
}

static enum err
read_version(struct mongo_link *link, int64_t *out)
{
    struct reading r = {link, 0};
    enum err e = store_mongo_meta_find(link, "schema", on_version, &r);

    *out = r.version;
    return e;
}

enum err
store_mongo_index_touch(struct mongo_link *link)
{
    struct mongo_bson update, max;
    enum err e;

    mongo_bson_init(&update, &link->db->lib);
    mongo_bson_open(&update, "$max", &max);
    mongo_bson_int(&max, "v", STORE_MONGO_SCHEMA);
    mongo_bson_close(&update, &max);
    e = store_mongo_meta_put(link, "schema", &update, true);
    mongo_bson_fini(&update);
    return e;
}

static enum err
explain(const struct mongo_link *link, char *why, size_t why_size)
{
    snprintf(why, why_size, "The database %s cannot be used: %s (%d).",
             link->db->database, link->fault.name, link->fault.code);
    return ERR_DATABASE_ERROR;
}

enum err
store_mongo_index_check(struct mongo_link *link, char *why, size_t why_size)
{
    int64_t version;

    if (read_version(link, &version) != ERR_OK) {
        return explain(link, why, why_size);
    }
    if (version > STORE_MONGO_SCHEMA) {
        snprintf(why, why_size,
                 "The database %s has schema version %" PRId64
                 ", made by a newer chatbox; this one knows versions up to "
                 "%d.",
                 link->db->database, version, STORE_MONGO_SCHEMA);
        return ERR_DATABASE_ERROR;
    }
    return ERR_OK;
}

enum err
store_mongo_index_used(struct mongo_link *link, char *why, size_t why_size)
{
    int64_t version;

    if (read_version(link, &version) != ERR_OK) {
        return explain(link, why, why_size);
    }
    if (version <= 0) {
        snprintf(why, why_size, "No server has used the database %s yet.",
                 link->db->database);
        return ERR_NOT_FOUND;
    }
    return ERR_OK;
}

enum err
store_mongo_index_prepare(struct mongo_link *link, char *why, size_t why_size)
{
    for (size_t i = 0; i < COUNT_OF(indexes); i++) {
        enum err e = make_index(link, &indexes[i], why, why_size);

        if (e != ERR_OK) {
            return e;
        }
    }
    return store_mongo_index_touch(link) == ERR_OK
               ? ERR_OK
               : explain(link, why, why_size);
}
