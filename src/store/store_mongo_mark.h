/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_MARK_H
#define CHATBOX_STORE_STORE_MONGO_MARK_H

#include "store/store_mongo.h"

#include <stddef.h>

/* Private to the backend: which sessions may be behind their messages after a
 * crash. Before a writer numbers a message, the session is on its list, a
 * document {_id: "writing.<writer>", sids}. A list begins anew when it is
 * full: what stood on it has been counted by then. */

/* Puts the sessions on the link's list; no write when they are there. */
enum err store_mongo_mark_add(struct mongo_link *link, const char *const *sids,
                              size_t count) MUST_CHECK;

/* A deleted session leaves no trace on the link's list. */
enum err store_mongo_mark_remove(struct mongo_link *link,
                                 const char *sid) MUST_CHECK;

/* Everything is counted: the list goes. At the end; when it cannot, the next
 * start looks in vain. */
void store_mongo_mark_clear(struct mongo_link *link);

/* At the start: counts what the lists of those before us have left uncounted,
 * and removes them. */
enum err store_mongo_mark_recover(struct mongo_link *link) MUST_CHECK;

#endif
