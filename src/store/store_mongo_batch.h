/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_BATCH_H
#define CHATBOX_STORE_STORE_MONGO_BATCH_H

#include "store/mongo_bson.h"
#include "store/store_mongo.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Private to the backend: every write. Statements are sent together and judged
 * one by one. All of it blocks, on the link's thread. */

/* How long a write waits for the majority before it counts as unconfirmed. */
#define STORE_MONGO_CONCERN_MS 5000

enum mongo_verb { MONGO_INSERT, MONGO_UPDATE, MONGO_DELETE };

/* One statement: a document to insert, {q, u, upsert} or {q, limit}. */
struct mongo_item {
    struct mongo_bson doc;
    enum mongo_outcome outcome; /* when the batch has run */
    uint32_t code;              /* of its last failure, or 0 */
    bool made;                  /* an update's: stored, where nothing was */
    void *cookie;               /* the caller's */
    bool spoilt;                /* by its maker: must not be sent */
    bool perhaps;             /* the caller's: an earlier batch may have stored
                               * it; until it is known it stays UNKNOWN */
    struct mongo_retry retry; /* private from here */
    bool open;
};

/* Statements that do not depend on each other; as few commands as their sizes
 * allow. */
struct mongo_batch {
    struct mongo_link *link;
    enum mongo_collection into;
    enum mongo_verb verb;

    /* Acknowledged when it is on the journals of the majority; else by the
     * primary's memory: only for what can be made again from the rest. */
    bool lasting;

    /* Each statement that is done counts in the answer's n: so do inserts,
     * and updates that make what they do not find. An answer with another n
     * is not believed. */
    bool counted;

    /* Asked about a statement that was perhaps stored by an earlier attempt
     * and whose key is taken now: ERR_OK, what holds the key is what it says;
     * ERR_DATABASE_ERROR, that could not be learned; anything else, it is
     * not. NULL: it is not. */
    enum err (*own)(struct mongo_link *link, const struct mongo_item *item);

    struct mongo_item *items;
    void *memory; /* of the items, which are aligned as the documents are */
    size_t count;
    size_t room;
    int64_t matched; /* documents that the statements found, when it has run
                      * in one command; updates only */
};

/* room: most statements. */
void store_mongo_batch_init(struct mongo_batch *b, struct mongo_link *link,
                            enum mongo_verb verb, enum mongo_collection into,
                            size_t room);
void store_mongo_batch_fini(struct mongo_batch *b);

/* One more statement, to be written by the caller; at most room of them. The
 * batch frees it. */
struct mongo_item *store_mongo_batch_add(struct mongo_batch *b, void *cookie);

/* Runs until every outcome is known, or will not be known in time. One that is
 * spoilt is NOT_EVER stored, and not sent. ERR_OK:
 * every item is STORED or DELIVERED, or its key is taken (code
 * STORE_MONGO_DUPLICATE) by what is on the majority, too. Otherwise
 * ERR_DATABASE_ERROR, and the items say which. */
#define STORE_MONGO_DUPLICATE 11000
enum err store_mongo_batch_write(struct mongo_batch *b) MUST_CHECK;

/* Whether the item is stored as its batch wanted it. */
bool store_mongo_batch_stored(const struct mongo_item *item);

#endif
