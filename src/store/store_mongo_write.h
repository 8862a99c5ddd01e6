/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_WRITE_H
#define CHATBOX_STORE_STORE_MONGO_WRITE_H

#include "store/mongo_doc.h"
#include "store/store_mongo.h"
#include "store/store_mongo_batch.h"

#include <stdint.h>

/* Private to the backend: jobs on sessions. */
enum err store_mongo_write_session(struct store_link *base,
                                   struct store_job *job);
enum err store_mongo_write_patch(struct store_link *base,
                                 struct store_job *job);

/* One more statement of a batch of updates: brings the session's document, at
 * number seq unless that is negative, to what s says. */
void store_mongo_write_put_update(struct mongo_batch *b,
                                  const struct mongo_session *s, int64_t seq,
                                  enum mongo_change change, void *cookie);

/* One more statement of a batch of inserts, with s for cookie; and for its
 * `own`: ours if it has the epoch that was drawn for it. */
void store_mongo_write_put_session(struct mongo_batch *b,
                                   struct mongo_session *s);
enum err store_mongo_write_own_session(struct mongo_link *link,
                                       const struct mongo_item *item);

/* For the session's document as it was at number `before`: brings it to what s
 * says. Not awaited by the majority: it can be made again from the messages.
 * When the document is at another number (an earlier attempt, or another
 * process) it is read, caught up with and written again; *s is then what is
 * stored. */
enum err store_mongo_write_progress(struct mongo_link *link,
                                    struct mongo_session *s,
                                    int64_t before) MUST_CHECK;

/* The same for many sessions in one command, each one number further than its
 * document was. The results are each one's own. ERR_NOT_FOUND: the session has
 * been deleted, so that the message is nobody's (store_mongo_write_withdraw).
 */
void store_mongo_write_progress_all(struct mongo_link *link,
                                    struct mongo_session *const *sessions,
                                    enum err *results, size_t count);

/* The message, which was just stored, goes again, and what it used: its session
 * was deleted before, by whoever did not know of it. ERR_NOT_FOUND: it has
 * gone. */
enum err store_mongo_write_withdraw(struct mongo_link *link,
                                    const struct message_record *m) MUST_CHECK;

#endif
