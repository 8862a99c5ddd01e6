/* SPDX-License-Identifier: MIT */
/* The text of running answers, piece by piece; see store_mongo_pieces.h. */
#include "store/store_mongo_pieces.h"

#include "base/buf.h"
#include "base/xalloc.h"
#include "store/store_mongo_batch.h"
#include "store/store_mongo_call.h"
#include "store/store_mongo_texts.h"
#include "store/usage.h"

#include <inttypes.h>
#include <stdio.h>

/* The id of a piece: its answer, and in 16 digits where it begins; so they are
 * in the order of the text. */
#define ID_SIZE (RAND_ID_CHARS + 1 + 16 + 1)

static void
make_id(char out[static ID_SIZE], const char *answer, uint64_t at)
{
    snprintf(out, ID_SIZE, "%.*s.%016" PRIx64, RAND_ID_CHARS, answer, at);
}

/* The pieces of an answer that begin from `from` to `to`. */
static void
put_range(struct mongo_bson *filter, const char *answer, uint64_t from,
          uint64_t to)
{
    char first[ID_SIZE], last[ID_SIZE];
    struct mongo_bson range;

    make_id(first, answer, from);
    make_id(last, answer, to);
    mongo_bson_open(filter, "_id", &range);
    mongo_bson_text(&range, "$gte", first);
    mongo_bson_text(&range, "$lte", last);
    mongo_bson_close(filter, &range);
}

/* -- deleting -- */

/* answer: whose, from `at` on; NULL: all there are. */
static void
put_delete(struct mongo_batch *b, const char *answer, uint64_t at)
{
    struct mongo_item *item = store_mongo_batch_add(b, NULL);
    struct mongo_bson q;

    mongo_bson_open(&item->doc, "q", &q);
    if (answer != NULL) {
        put_range(&q, answer, at, UINT64_MAX);
    }
    mongo_bson_close(&item->doc, &q);
    mongo_bson_int(&item->doc, "limit", 0);
}

static enum err
delete_range(struct mongo_link *link, const char *answer, uint64_t at,
             bool lasting)
{
    struct mongo_batch b;
    enum err e;

    store_mongo_batch_init(&b, link, MONGO_DELETE, MONGO_PIECES, 1);
    b.lasting = lasting;
    put_delete(&b, answer, at);
    e = store_mongo_batch_write(&b);
    store_mongo_batch_fini(&b);
    return e;
}

enum err
store_mongo_pieces_delete_all(struct mongo_link *link,
                              const char *const *answers, size_t count)
{
    struct mongo_batch b;
    enum err e;

    if (count == 0) {
        return ERR_OK;
    }
    store_mongo_batch_init(&b, link, MONGO_DELETE, MONGO_PIECES, count);
    b.lasting = false;
    for (size_t i = 0; i < count; i++) {
        put_delete(&b, answers[i], 0);
    }
    e = store_mongo_batch_write(&b);
    store_mongo_batch_fini(&b);
    return e;
}

enum err
store_mongo_pieces_delete(struct mongo_link *link, const char *answer,
                          uint64_t at, bool lasting)
{
    return delete_range(link, answer, at, lasting);
}

enum err
store_mongo_pieces_clear(struct mongo_link *link)
{
    return delete_range(link, NULL, 0, true);
}

/* -- where the stored text ends -- */

struct tail {
    struct mongo_link *link;
    int64_t end;
};

static bool
on_last(void *cookie, const bson_t *doc)
{
    struct tail *t = cookie;

    t->end = mongo_bson_find_int(&t->link->db->lib, doc, "upto", 0);
    return false;
}

enum err
store_mongo_pieces_last(struct mongo_link *link, const char *answer,
                        uint64_t from, uint64_t to, int64_t *end_out)
{
    struct tail t = {link, -1};
    struct mongo_bson filter, options, sort;
    enum err e;

    mongo_bson_init(&filter, &link->db->lib);
    put_range(&filter, answer, from, to);
    mongo_bson_init(&options, &link->db->lib);
    mongo_bson_open(&options, "sort", &sort);
    mongo_bson_int(&sort, "_id", -1);
    mongo_bson_close(&options, &sort);
    mongo_bson_int(&options, "limit", 1);
    e = store_mongo_call_query(link, &(struct mongo_query){.from = MONGO_PIECES,
                                                           .filter = &filter,
                                                           .options = &options,
                                                           .row = on_last,
                                                           .cookie = &t});
    mongo_bson_fini(&filter);
    mongo_bson_fini(&options);
    *end_out = t.end;
    return e;
}

/* -- one more -- */

/* A piece that is there comes again only as a repeat of itself: what differs
 * was cut away before. */
static enum err
own_piece(struct mongo_link *link, const struct mongo_item *item)
{
    (void)link;
    (void)item;
    return ERR_OK;
}

enum err
store_mongo_pieces_insert(struct mongo_link *link, const struct store_job *job)
{
    const struct message_record *m = &job->message;
    char id[ID_SIZE];
    struct mongo_item *item;
    struct mongo_bson *doc;
    struct mongo_batch b;
    bool stored;
    enum err e;

    make_id(id, m->id, job->draft_offset);
    store_mongo_batch_init(&b, link, MONGO_INSERT, MONGO_PIECES, 1);
    b.own = own_piece;
    item = store_mongo_batch_add(&b, NULL);
    doc = &item->doc;
    mongo_bson_text(doc, "_id", id);
    mongo_bson_text(doc, "sid", m->sid);
    mongo_bson_int(doc, "at", (int64_t)job->draft_offset);
    mongo_bson_int(doc, "upto", (int64_t)(job->draft_offset + m->content_n));
    mongo_bson_int(doc, "tokens", m->usage.completion_tokens);
    mongo_bson_int(doc, "cost", m->usage.cost_nanos);
    store_mongo_texts_put_piece(link, item, m, job->draft_offset);
    e = store_mongo_batch_write(&b);
    stored = store_mongo_batch_stored(&b.items[0]);
    store_mongo_batch_fini(&b);
    return e == ERR_OK && !stored ? ERR_CONFLICT : e;
}

/* -- the whole text -- */

struct joining {
    struct mongo_link *link;
    struct message_record *answer;
    struct buf text;
};

static void
join_again(void *cookie)
{
    struct joining *j = cookie;

    buf_reset(&j->text, SIZE_MAX);
}

static bool
on_piece(void *cookie, const bson_t *doc)
{
    struct joining *j = cookie;
    const struct mongo_lib *lib = &j->link->db->lib;
    int64_t at = mongo_bson_find_int(lib, doc, "at", -1);

    if (at != (int64_t)j->text.n ||
        !store_mongo_texts_get_piece(j->link, doc, j->answer, &j->text)) {
        return false;
    }
    usage_so_far(&j->answer->usage, mongo_bson_find_int(lib, doc, "tokens", 0),
                 mongo_bson_find_int(lib, doc, "cost", 0));
    return true;
}

enum err
store_mongo_pieces_join(struct mongo_link *link, struct message_record *m)
{
    struct joining j = {.link = link, .answer = m};
    struct mongo_bson filter, options, sort;
    enum err e;

    if (m->seq != 0) {
        return ERR_OK;
    }
    buf_init(&j.text, SIZE_MAX / 2);
    mongo_bson_init(&filter, &link->db->lib);
    put_range(&filter, m->id, 0, UINT64_MAX);
    mongo_bson_init(&options, &link->db->lib);
    mongo_bson_open(&options, "sort", &sort);
    mongo_bson_int(&sort, "_id", 1);
    mongo_bson_close(&options, &sort);
    e = store_mongo_call_query(link, &(struct mongo_query){.from = MONGO_PIECES,
                                                           .filter = &filter,
                                                           .options = &options,
                                                           .row = on_piece,
                                                           .again = join_again,
                                                           .cookie = &j});
    mongo_bson_fini(&filter);
    mongo_bson_fini(&options);
    xfree(m->content);
    m->content_n = j.text.n;
    m->content = buf_give(&j.text);
    return e;
}
