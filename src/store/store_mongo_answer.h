/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_ANSWER_H
#define CHATBOX_STORE_STORE_MONGO_ANSWER_H

#include "store/store_mongo.h"
#include "store/store_mongo_batch.h"

#include <stddef.h>

/* Private to the backend: running answers, and their end. */
enum err store_mongo_answer_put(struct store_link *base, struct store_job *job);
enum err store_mongo_answer_drop(struct store_link *base,
                                 struct store_job *job);
enum err store_mongo_answer_finish(struct store_link *base,
                                   struct store_job *job);

/* -- for store_mongo_finish.c -- */

/* One more statement of a batch of updates that make what they do not find: the
 * answer takes the place of its draft, or, if there is none, is a new document;
 * when there is one with a number the new document is refused. */
void store_mongo_answer_put_end(struct mongo_batch *b,
                                const struct message_record *m, void *cookie);

/* Whether it is there under this number: ERR_OK; ERR_CONFLICT, ERR_NOT_FOUND:
 * it is not. */
enum err
store_mongo_answer_is_stored(struct mongo_link *link,
                             const struct message_record *m) MUST_CHECK;

/* Marks the answer that m replaces, if it does. */
enum err
store_mongo_answer_supersede(struct mongo_link *link,
                             const struct message_record *m) MUST_CHECK;

/* An answer whose end could not be stored leaves a draft. Once its question,
 * one of these in one of these sessions, has an answer, it must not become a
 * second one at the next start. */
enum err store_mongo_answer_drop_leftovers(struct mongo_link *link,
                                           const char *const *sids,
                                           const char *const *questions,
                                           size_t count) MUST_CHECK;

/* Closes what a crash left running, as interrupted, and drops what nothing is
 * left of. At the start. */
enum err store_mongo_answer_recover(struct mongo_link *link) MUST_CHECK;

#endif
