/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_USAGE_H
#define CHATBOX_STORE_STORE_MONGO_USAGE_H

#include "store/store_mongo.h"
#include "store/usage.h"

#include <stdint.h>

/* Private to the backend: what answers have used (usage.h), a document an
 * answer under the answer's id: put down again it is the same one. */

/* The operation of enum store_op. */
enum err store_mongo_usage_list(struct store_link *base, struct store_job *job);
enum err store_mongo_usage_put_job(struct store_link *base,
                                   struct store_job *job);

/* Those that are not there, durably. Before the session's document counts the
 * answers, so that a start can tell whose are missing. Borrows. */
enum err store_mongo_usage_put(struct mongo_link *link,
                               const struct usage_entry *entries,
                               size_t count) MUST_CHECK;

/* The answer's, if it has a usage. */
enum err store_mongo_usage_put_one(struct mongo_link *link,
                                   const struct session_record *s,
                                   const struct message_record *m) MUST_CHECK;

/* At the start: those of the session's answers above the number. */
enum err store_mongo_usage_recover(struct mongo_link *link,
                                   const struct session_record *s,
                                   int64_t above) MUST_CHECK;

/* The answer's goes; nothing there is fine. */
enum err store_mongo_usage_withdraw(struct mongo_link *link,
                                    const struct message_record *m) MUST_CHECK;

#endif
