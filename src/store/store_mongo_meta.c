/* SPDX-License-Identifier: MIT */
/* A few small documents with names; see store_mongo_meta.h. */
#include "store/store_mongo_meta.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "store/store_mongo_batch.h"
#include "store/store_mongo_call.h"

#include <string.h>

/* Ids that begin with the prefix: from it up to where its last byte is one
 * more. */
static void
put_prefix(struct mongo_bson *filter, const char *prefix, const char *but)
{
    char *end = xstrdup(prefix);
    struct mongo_bson range;

    CHECK(prefix[0] != '\0');
    end[strlen(end) - 1]++;
    mongo_bson_open(filter, "_id", &range);
    mongo_bson_text(&range, "$gte", prefix);
    mongo_bson_text(&range, "$lt", end);
    mongo_bson_text(&range, "$ne", but);
    mongo_bson_close(filter, &range);
    xfree(end);
}

static enum err
run_query(struct mongo_link *link, const struct mongo_bson *filter,
          bool (*row)(void *cookie, const bson_t *doc), void *cookie)
{
    return store_mongo_call_query(link,
                                  &(struct mongo_query){.from = MONGO_META,
                                                        .filter = filter,
                                                        .row = row,
                                                        .cookie = cookie});
}

enum err
store_mongo_meta_list(struct mongo_link *link, const char *prefix,
                      bool (*row)(void *cookie, const bson_t *doc),
                      void *cookie)
{
    struct mongo_bson filter;
    enum err e;

    mongo_bson_init(&filter, &link->db->lib);
    put_prefix(&filter, prefix, NULL);
    e = run_query(link, &filter, row, cookie);
    mongo_bson_fini(&filter);
    return e;
}

enum err
store_mongo_meta_find(struct mongo_link *link, const char *id,
                      bool (*row)(void *cookie, const bson_t *doc),
                      void *cookie)
{
    struct mongo_bson filter;
    enum err e;

    mongo_bson_init(&filter, &link->db->lib);
    mongo_bson_text(&filter, "_id", id);
    e = run_query(link, &filter, row, cookie);
    mongo_bson_fini(&filter);
    return e;
}

void
store_mongo_meta_sids(const struct mongo_lib *lib, const bson_t *doc,
                      void (*take)(void *cookie, struct str sid), void *cookie)
{
    bson_iter_t it, list;
    struct str sid;

    if (!mongo_bson_find(lib, doc, "sids", &it) ||
        !mongo_bson_enter(lib, &it, true, &list)) {
        return;
    }
    while (lib->bson_iter_next(&list)) {
        if (mongo_bson_get_text(lib, &list, &sid) && sid.n == RAND_ID_CHARS) {
            take(cookie, sid);
        }
    }
}

enum err
store_mongo_meta_put(struct mongo_link *link, const char *id,
                     const struct mongo_bson *update, bool lasting)
{
    struct mongo_item *item;
    struct mongo_bson q;
    struct mongo_batch b;
    enum err e;

    store_mongo_batch_init(&b, link, MONGO_UPDATE, MONGO_META, 1);
    b.lasting = lasting;
    b.counted = true;
    item = store_mongo_batch_add(&b, NULL);
    mongo_bson_open(&item->doc, "q", &q);
    mongo_bson_text(&q, "_id", id);
    mongo_bson_close(&item->doc, &q);
    mongo_bson_doc(&item->doc, "u", update);
    mongo_bson_bool(&item->doc, "upsert", true);
    e = store_mongo_batch_write(&b);
    store_mongo_batch_fini(&b);
    return e;
}

enum err
store_mongo_meta_clear(struct mongo_link *link, const char *prefix,
                       const char *but)
{
    struct mongo_item *item;
    struct mongo_bson q;
    struct mongo_batch b;
    enum err e;

    store_mongo_batch_init(&b, link, MONGO_DELETE, MONGO_META, 1);
    item = store_mongo_batch_add(&b, NULL);
    mongo_bson_open(&item->doc, "q", &q);
    put_prefix(&q, prefix, but);
    mongo_bson_close(&item->doc, &q);
    mongo_bson_int(&item->doc, "limit", 0);
    e = store_mongo_batch_write(&b);
    store_mongo_batch_fini(&b);
    return e;
}
