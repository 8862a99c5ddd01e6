/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_CALL_H
#define CHATBOX_STORE_STORE_MONGO_CALL_H

#include "store/mongo_bson.h"
#include "store/store_mongo.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Private to the backend: reads, and the attempts of every operation, with
 * their pauses and their lines in the log. All of it blocks, on the link's
 * thread. */

/* No attempt of an operation begins so long after its first one. */
#define STORE_MONGO_DEADLINE_MS 10000

/* Between two looks whether a database that is away has come back. */
#define STORE_MONGO_LOOK_MS 500

/* -- a database that is away --
 *
 * An operation whose attempts are used up because nobody was reached, and
 * whose link cannot ping either, closes the gate for all links: what comes
 * then fails at once instead of waiting for attempts of its own. One thread at
 * a time looks, by a ping, whether it may be opened. */

/* Whether an operation may begin. Blocks while this thread looks. */
bool store_mongo_call_may(struct mongo_link *link);

/* The same by a look, whatever is known: for what may be left undone. */
bool store_mongo_call_look(struct mongo_link *link);

/* After an operation that failed: closes the gate if that is why. */
void store_mongo_call_settle(struct mongo_link *link);

/* -- reads, always of the primary -- */

struct mongo_query {
    enum mongo_collection from;
    const struct mongo_bson *filter;
    const struct mongo_bson *options; /* of find: sort, limit …; or NULL */

    /* Each document, borrowed; false: that was enough. */
    bool (*row)(void *cookie, const bson_t *doc);

    /* A read that is cut in the middle begins anew: forgets the rows that were
     * given. NULL: then it has failed. */
    void (*again)(void *cookie);
    void *cookie;
};

/* ERR_DATABASE_ERROR. */
enum err store_mongo_call_query(struct mongo_link *link,
                                const struct mongo_query *q) MUST_CHECK;

/* -- attempts, for store_mongo_batch.c and the start -- */

/* Somebody else writes to the same session, again and again: what ends the
 * tries. */
enum err store_mongo_call_contended(struct mongo_link *link);

/* What one call of the driver showed. */
struct mongo_result {
    struct mongo_attempt attempt;
    bson_error_t error;
    bson_t reply; /* to be destroyed, however it went */
};

/* Makes one attempt with a command, and fills *out. True: it went well. */
bool store_mongo_call_once(struct mongo_link *link,
                           const struct mongo_bson *command, bool write,
                           struct mongo_result *out);

/* One attempt at a ping; the reply is gone already. */
bool store_mongo_call_ping(struct mongo_link *link, struct mongo_result *out);

/* One command that reads, with its retries. The caller destroys the reply
 * when it is ERR_OK. */
enum err store_mongo_call_read(struct mongo_link *link,
                               const struct mongo_bson *command,
                               struct mongo_result *out) MUST_CHECK;

/* What is around the attempts of an operation. */
void store_mongo_call_begin(const struct mongo_link *link,
                            struct mongo_retry *r);
struct mongo_step store_mongo_call_after(struct mongo_retry *r,
                                         const struct mongo_attempt *a);
void store_mongo_call_pause(const struct mongo_attempt *a,
                            const struct mongo_retry *r,
                            const struct mongo_step *step);

/* Remembers the cause; ERR_DATABASE_ERROR. */
enum err store_mongo_call_failed(struct mongo_link *link,
                                 const struct mongo_attempt *a);

/* For the pool: counts the commands that go out. */
void store_mongo_call_watch(struct mongo_db *db);

#endif
