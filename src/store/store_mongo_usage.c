/* SPDX-License-Identifier: MIT */
/* The entries of usage.h as documents: see store_mongo_usage.h. */
#include "store/store_mongo_usage.h"

#include "base/check.h"
#include "base/xalloc.h"
#include "store/mongo_doc.h"
#include "store/store_mongo_batch.h"
#include "store/store_mongo_call.h"
#include "store/store_mongo_delete.h"
#include "store/store_mongo_rows.h"

/* Whoever has the id of an answer is its entry. */
static enum err
own_entry(struct mongo_link *link, const struct mongo_item *item)
{
    (void)link;
    (void)item;
    return ERR_OK;
}

enum err
store_mongo_usage_put(struct mongo_link *link,
                      const struct usage_entry *entries, size_t count)
{
    struct mongo_batch b;
    enum err e;

    if (count == 0) {
        return ERR_OK;
    }
    store_mongo_batch_init(&b, link, MONGO_INSERT, MONGO_USAGE, count);
    b.own = own_entry;
    for (size_t i = 0; i < count; i++) {
        mongo_doc_put_usage(&store_mongo_batch_add(&b, NULL)->doc, &entries[i]);
    }
    e = store_mongo_batch_write(&b);
    store_mongo_batch_fini(&b);
    return e;
}

enum err
store_mongo_usage_put_one(struct mongo_link *link,
                          const struct session_record *s,
                          const struct message_record *m)
{
    struct usage_entry e = usage_entry_of(s, m);

    return store_mongo_usage_put(link, &e, m->usage.present ? 1 : 0);
}

/* Whatever is there of the answer. */
static enum err
replace(struct mongo_link *link, const struct usage_entry *entry)
{
    struct mongo_item *item;
    struct mongo_bson inner;
    struct mongo_batch b;
    enum err e;

    store_mongo_batch_init(&b, link, MONGO_UPDATE, MONGO_USAGE, 1);
    item = store_mongo_batch_add(&b, NULL);
    mongo_bson_open(&item->doc, "q", &inner);
    mongo_bson_text(&inner, "_id", entry->id);
    mongo_bson_close(&item->doc, &inner);
    mongo_bson_open(&item->doc, "u", &inner);
    mongo_doc_put_usage(&inner, entry);
    mongo_bson_close(&item->doc, &inner);
    mongo_bson_bool(&item->doc, "upsert", true);
    e = store_mongo_batch_write(&b);
    store_mongo_batch_fini(&b);
    return e;
}

enum err
store_mongo_usage_put_job(struct store_link *base, struct store_job *job)
{
    struct mongo_link *link = store_mongo_of(base);
    const struct usage_entry *entry = &job->review->entry;

    CHECK(entry->user_id != NULL);
    return entry->was_ms != 0 ? replace(link, entry)
                              : store_mongo_usage_put(link, entry, 1);
}

enum err
store_mongo_usage_recover(struct mongo_link *link,
                          const struct session_record *s, int64_t above)
{
    struct mongo_found f = store_mongo_rows_none(link);
    struct usage_entry *entries;
    size_t count = 0;
    enum err e = store_mongo_rows_range(&f, s->sid, above, 0);

    entries = xcalloc(f.count + 1, sizeof(*entries));
    for (size_t i = 0; i < f.count; i++) {
        if (f.messages[i].usage.present) {
            entries[count++] = usage_entry_of(s, &f.messages[i]);
        }
    }
    if (e == ERR_OK) {
        e = store_mongo_usage_put(link, entries, count);
    }
    xfree(entries);
    store_mongo_rows_free(&f);
    return e;
}

enum err
store_mongo_usage_withdraw(struct mongo_link *link,
                           const struct message_record *m)
{
    return m->usage.present
               ? store_mongo_delete_all(link, MONGO_USAGE, "_id", m->id)
               : ERR_OK;
}

/* -- reading -- */

struct listing {
    struct mongo_link *link;
    struct usage_list *list;
    const char *role; /* or NULL */
};

static bool
on_entry(void *cookie, const bson_t *doc)
{
    struct listing *l = cookie;
    struct usage_entry e;

    if (mongo_doc_get_usage(&l->link->db->lib, doc, &e, &l->link->odd_fields)) {
        if (l->role == NULL || usage_has_role(e.budget_roles, l->role)) {
            usage_list_add(l->list, e.at_ms, e.model_id, &e.usage);
        }
        xfree(e.user_id);
        xfree(e.model_id);
        xfree(e.budget_roles);
    } else {
        l->link->odd_documents++;
    }
    return true;
}

static void
list_again(void *cookie)
{
    struct listing *l = cookie;

    usage_list_fini(l->list);
}

enum err
store_mongo_usage_list(struct store_link *base, struct store_job *job)
{
    struct listing l = {store_mongo_of(base), &job->review->usage,
                        job->review->role};
    struct mongo_bson filter, options, sort;
    enum err e;

    mongo_bson_init(&filter, &l.link->db->lib);
    mongo_bson_init(&options, &l.link->db->lib);
    if (job->user_id != NULL) {
        mongo_bson_text(&filter, "uid", job->user_id);
    }
    mongo_bson_between(&filter, "ts", job->review->from_ms, job->review->to_ms);
    mongo_bson_open(&options, "sort", &sort);
    mongo_bson_int(&sort, "ts", 1);
    mongo_bson_close(&options, &sort);
    e = store_mongo_call_query(l.link,
                               &(struct mongo_query){.from = MONGO_USAGE,
                                                     .filter = &filter,
                                                     .options = &options,
                                                     .row = on_entry,
                                                     .again = list_again,
                                                     .cookie = &l});
    mongo_bson_fini(&filter);
    mongo_bson_fini(&options);
    return e;
}
