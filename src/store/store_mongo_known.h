/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_KNOWN_H
#define CHATBOX_STORE_STORE_MONGO_KNOWN_H

#include "store/mongo_doc.h"

#include <stdbool.h>

/* Private to the backend: what a writer still knows of what it has stored, so
 * that it need not ask. It may: all jobs of a session are one writer's, and
 * nobody else writes to sessions (docs/decisions/0033, 0034). Commands beside
 * the server delete them, which the update that follows notices, and seal their
 * names anew.
 *
 * Sessions as they are stored: those that were kept last, MONGO_KNOWN at most.
 * What is known is taken out by who uses it, and put back only when all went
 * as it mostly does: so after any failure, and after any other job of the
 * session, the document is read again.
 *
 * Used by the writer's thread only. */
#define MONGO_KNOWN 256

struct mongo_known;

/* Gives. */
struct mongo_known *store_mongo_known_new(void);
void store_mongo_known_free(struct mongo_known *k); /* NULL is fine */

/* The session as it is stored, if that is known; then it is not any more.
 * Gives. */
bool store_mongo_known_take(struct mongo_known *k, const char *sid,
                            struct mongo_session *out);

/* It is stored like this. One with documents of the older form is not kept.
 * Borrows. */
void store_mongo_known_keep(struct mongo_known *k,
                            const struct mongo_session *s);

/* What is stored of it may be something else now. */
void store_mongo_known_forget(struct mongo_known *k, const char *sid);

/* The same for all sessions. */
void store_mongo_known_clear(struct mongo_known *k);

/* A draft may be there from now on; one that was there has ended. */
void store_mongo_known_draft(struct mongo_known *k, const char *sid);
void store_mongo_known_ended(struct mongo_known *k, const char *sid);

/* Whether the session may have drafts of this process, those of earlier ones
 * being closed at the start. False is certain. */
bool store_mongo_known_has_drafts(const struct mongo_known *k, const char *sid);

#endif
