/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_OLD_H
#define CHATBOX_STORE_STORE_MONGO_OLD_H

#include "store/mongo_old.h"
#include "store/store_mongo.h"
#include "store/store_mongo_rows.h"

#include <stdbool.h>
#include <stdint.h>

/* Private to the backend: reading sessions whose messages are inside of their
 * document (mongo_old.h), as long as nobody has moved them. Such a document may
 * have 16 MB, so it is read whole only for its messages. */

/* A document with messages inside was met; whether one ever was. */
void store_mongo_old_met(struct mongo_link *link);
bool store_mongo_old_any(const struct mongo_link *link);

/* For a query of sessions that gives no messages: leaves them out if there are
 * such sessions at all. Says whether it did. */
bool store_mongo_old_lighten(const struct mongo_link *link,
                             struct mongo_bson *options);

/* For a query that only counts messages: leaves out what they say. */
void store_mongo_old_slim(struct mongo_bson *options);

/* For a query of all sessions: in answers of a few documents each. What is left
 * out makes an answer small and the documents no smaller; one that is full
 * might take longer than a connection waits for it. */
void store_mongo_old_portion(struct mongo_bson *options);

/* Completes those of the found sessions that are of the older form; light is
 * what lighten said. */
enum err store_mongo_old_complete(struct mongo_found *f, bool light) MUST_CHECK;

/* As their namesakes in store_mongo_rows.h, of such a session. One that was
 * moved meanwhile is read in its new form. */
enum err store_mongo_old_range(struct mongo_found *f, const char *sid,
                               int64_t after, int64_t before) MUST_CHECK;

/* STORE_MESSAGE_FIND. *old turns false, and nothing was read, when it was moved
 * meanwhile. */
enum err store_mongo_old_find(struct mongo_link *link, struct store_job *job,
                              bool *old) MUST_CHECK;

/* Who is given texts, until it returns false. */
struct mongo_old_reader {
    bool (*text)(void *cookie, struct str text);
    void *cookie;
};

/* The texts of the messages, in order. *old as above. */
enum err store_mongo_old_texts(struct mongo_link *link, const char *sid,
                               const struct mongo_old_reader *reader,
                               bool *old) MUST_CHECK;

/* The content of a message of such a session, opened. False: it does not
 * open; m->unreadable, and the content is empty. */
bool store_mongo_old_open(struct mongo_link *link, struct message_record *m);

/* Once for each collection, at the start: sessions without a time of their
 * latest activity, by which lists are sorted, get one. */
enum err store_mongo_old_prepare(struct mongo_link *link) MUST_CHECK;

#endif
