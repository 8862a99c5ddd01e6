/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_ROWS_H
#define CHATBOX_STORE_STORE_MONGO_ROWS_H

#include "store/mongo_doc.h"
#include "store/store_mongo.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Private to the backend: finding sessions and messages, as every job does. A
 * document that is no record is skipped and counted, as if it were not there;
 * a field that is odd counts as absent. A session that is being deleted
 * (store_mongo_delete.h) is not there. */

/* Sessions or messages as they come from a query. */
struct mongo_found {
    struct mongo_link *link;
    struct mongo_session *sessions;
    struct message_record *messages;
    size_t count;
    size_t seen;      /* documents that came, also what is no record */
    size_t bytes;     /* of the messages' content */
    int64_t last_seq; /* the highest number, also of what is no record */

    /* After which nothing is taken any more; then more is true. A page of
     * messages takes at least one. */
    size_t most;
    size_t most_bytes;
    bool more;

    int64_t newest; /* a number that the session has reached, or 0 */
    bool gone_too;  /* sessions that are being deleted are taken, too */
};

/* Nothing found yet; everything will be taken. */
struct mongo_found store_mongo_rows_none(struct mongo_link *link);
void store_mongo_rows_free(struct mongo_found *f);

/* One more member of a filter: the field is one of these words. */
void store_mongo_rows_put_any(struct mongo_bson *filter, const char *field,
                              const char *const *words, size_t count);

/* For mongo_query.row and again, with a mongo_found for cookie. */
bool store_mongo_rows_session(void *cookie, const bson_t *doc);
bool store_mongo_rows_message(void *cookie, const bson_t *doc);
void store_mongo_rows_again(void *cookie);

/* A query for so many documents may give fewer records, though there are
 * others behind: what is no record takes up room, too. True: that was so, and
 * the query has to be made again, with the limit as it is now. */
bool store_mongo_rows_short(struct mongo_found *f, size_t *limit);

/* One more message; false when there are enough. Takes m either way. */
bool store_mongo_rows_take(struct mongo_found *f, struct message_record *m);

/* The sessions that the filter finds. options have no projection, and get
 * one: what sessions of the older form bring along is not read. */
enum err store_mongo_rows_sessions(struct mongo_found *f,
                                   const struct mongo_bson *filter,
                                   struct mongo_bson *options) MUST_CHECK;

/* Those of these ids that are there, in any order. */
enum err store_mongo_rows_many(struct mongo_found *f, const char *const *sids,
                               size_t count) MUST_CHECK;

/* The session by id: ERR_NOT_FOUND when it is not there, or when owner is not
 * NULL and not its owner. Gives. */
enum err store_mongo_rows_find(struct mongo_link *link, const char *sid,
                               const char *owner,
                               struct mongo_session *out) MUST_CHECK;

/* The same for who only asks whose it is and of which form: of one of the
 * older form the messages are not looked at. */
enum err store_mongo_rows_peek(struct mongo_link *link, const char *sid,
                               const char *owner,
                               struct mongo_session *out) MUST_CHECK;

/* The same, also while it is being deleted. */
enum err store_mongo_rows_find_gone(struct mongo_link *link, const char *sid,
                                    const char *owner,
                                    struct mongo_session *out) MUST_CHECK;

/* The record takes the place of the caller's. Takes s. */
void store_mongo_rows_give(struct store_job *job, struct mongo_session *s);

/* Messages of the session by number: those above `after`, oldest first; or, if
 * before is not 0, those below it, newest first. At most f->most. As numbers
 * follow one another, the newest are looked for among so many of them; only
 * where some are missing, below those, too. */
enum err store_mongo_rows_range(struct mongo_found *f, const char *sid,
                                int64_t after, int64_t before) MUST_CHECK;

/* Counts what was stored and not counted, because the process or the database
 * ended in between, into the session (which is not written). One of the older
 * form is complete as it is. */
enum err store_mongo_rows_catch_up(struct mongo_link *link,
                                   struct mongo_session *s) MUST_CHECK;

/* The message has been numbered: counters, name, response times. */
void store_mongo_rows_count(const struct mongo_link *link,
                            struct mongo_session *s,
                            const struct message_record *m);

/* A message of the session whose field ("_id", "cid") is key, a running one
 * with its text. Gives. ERR_NOT_FOUND. */
enum err store_mongo_rows_lookup(struct mongo_link *link, const char *field,
                                 const char *key, const char *sid,
                                 struct message_record *out) MUST_CHECK;

/* The answers to job->message, in order, the running one with its text last,
 * into job->messages and count. */
enum err store_mongo_rows_answers(struct mongo_link *link,
                                  struct store_job *job) MUST_CHECK;

#endif
