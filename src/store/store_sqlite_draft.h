/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_SQLITE_DRAFT_H
#define CHATBOX_STORE_STORE_SQLITE_DRAFT_H

#include "store/backend.h"

struct message_record;
struct sqlite_link;

/* STORE_DRAFT_PUT and STORE_DRAFT_DROP, under the rules of
 * store_sqlite_write.h. */
enum err store_sqlite_draft_put(struct store_link *, struct store_job *);
enum err store_sqlite_draft_drop(struct store_link *, struct store_job *);

/* The message (by id and sid) holds its whole text from now on, or goes: its
 * pieces are deleted. None there is fine. On the writer's connection. */
enum err store_sqlite_draft_clear(struct sqlite_link *link,
                                  const struct message_record *m) MUST_CHECK;

#endif
