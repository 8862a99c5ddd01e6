/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_MONGO_OLD_H
#define CHATBOX_STORE_MONGO_OLD_H

#include "base/err.h"
#include "store/mongo_doc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The older form of a session (docs/migration.md): its messages are an array,
 * `msgs`, in the session's own document, without ids and numbers. Here they get
 * both, always the same ones: the number is the place in the array, from 1, and
 * id and epoch are digests of the session's id and that number. So a message is
 * the same one before it was moved and after, and however often it is moved.
 *
 * Pure: documents in, records out. Reading expects anything, as mongo_doc.h
 * says. An element that is no document is an empty message of the system, so
 * that the others keep their numbers. */

/* A walk over the messages of a document. */
struct mongo_old {
    const struct mongo_lib *lib;
    char sid[RAND_ID_CHARS + 1];
    bson_iter_t list;
    bool listed;
    int64_t seq; /* of the message that it stands on; 0 before the first */
    int64_t at_ms;
    int64_t question; /* which this one answers, or 0 */
    bool damaged;     /* the bytes of the array end in the middle */
    enum sender sender;
    int64_t open; /* private: the last question without an answer */
};

/* Stands before the first message. What has no time has that of the one before
 * it; the first one start_ms. Borrows lib and doc. */
void mongo_old_begin(struct mongo_old *w, const struct mongo_lib *lib,
                     const bson_t *doc, const char *sid, int64_t start_ms);

/* To the next message; false behind the last one. */
bool mongo_old_next(struct mongo_old *w);

/* The message that it stands on, complete and with its number; the content as
 * it is stored (store/seal.h knows its forms). *odd is raised by one for each
 * field that counts as absent because of what it is. Overwrites *out; gives. */
void mongo_old_get(const struct mongo_old *w, struct message_record *out,
                   uint64_t *odd);

/* Completes a session with what its messages show: number and count of
 * messages, epoch, last activity, response times. doc has them; it may lack
 * their contents. Borrows. */
void mongo_old_complete(struct mongo_session *s, const struct mongo_lib *lib,
                        const bson_t *doc);

/* An empty text is how the older form says that there is none; a session that
 * was moved still has it. */
void mongo_old_drop_empty(struct session_record *r);

/* The id of a message. */
void mongo_old_id(const char *sid, int64_t seq,
                  char out[static RAND_ID_CHARS + 1]);

/* Whether the document's list, if it has one, is an array. */
bool mongo_old_is_list(const struct mongo_lib *lib, const bson_t *doc);

#endif
