/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_MOVE_H
#define CHATBOX_STORE_STORE_MONGO_MOVE_H

#include "store/mongo_doc.h"
#include "store/store_mongo.h"

#include <stdbool.h>
#include <stdint.h>

/* Private to the backend: a session of the older form (mongo_old.h) becomes one
 * of the new form. Its messages are inserted under the ids and numbers that
 * they always get, and then one update of its document says that they are
 * there. Until that update its own array is what counts, from then on the
 * collection of messages; so it may be cut off anywhere and begun again, also
 * by somebody else at the same time. The array stays where it is. */

/* Why a session cannot be moved: a word for the log, or MONGO_MOVE_FINE. */
enum mongo_move_problem {
    MONGO_MOVE_FINE,
    MONGO_MOVE_NO_KEY,  /* it has sealed texts, and there are no keys */
    MONGO_MOVE_DAMAGED, /* its bytes end in the middle */
    MONGO_MOVE_TOO_BIG, /* a message is too large for a document */
    MONGO_MOVE_TAKEN,   /* other messages have its numbers */
    MONGO_MOVE_GROWS,   /* somebody goes on writing in the older form */
    MONGO_MOVE_PROBLEMS
};

const char *store_mongo_move_word(enum mongo_move_problem p);

/* What one session had. */
struct mongo_move {
    int64_t messages;
    int64_t opened;     /* of these: sealed in the older form */
    int64_t unreadable; /* do not open; moved as they are stored */
    int64_t odd;        /* something in it is none of ours, and is not moved */
    bool there;         /* there was such a session, not moved yet */
    bool gone;          /* it was deleted meanwhile */
    enum mongo_move_problem problem;
};

/* Moves it, or (dry) only looks; overwrites *out. A problem is no error:
 * nothing has changed for anybody then. ERR_DATABASE_ERROR. */
enum err store_mongo_move(struct mongo_link *link, const char *sid, bool dry,
                          struct mongo_move *out) MUST_CHECK;

/* Before a message gets a number: a session of the older form is moved, and *s
 * is as it is then. Any other stays as it is. ERR_CONFLICT: it cannot be. */
enum err store_mongo_move_session(struct mongo_link *link,
                                  struct mongo_session *s) MUST_CHECK;

/* The same, and the session is on the writer's list (store_mongo_mark.h). */
enum err store_mongo_move_ready(struct mongo_link *link,
                                struct mongo_session *s) MUST_CHECK;

/* Whether the first `count` numbers are all there, and are those messages. */
enum err store_mongo_move_check(struct mongo_link *link, const char *sid,
                                int64_t count, bool *good) MUST_CHECK;

#endif
