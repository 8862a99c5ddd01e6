/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_SQLITE_USAGE_H
#define CHATBOX_STORE_STORE_SQLITE_USAGE_H

#include "store/backend.h"

struct sqlite_link;

/* The operations of enum store_op. */
enum err store_sqlite_usage_list(struct store_link *, struct store_job *);
enum err store_sqlite_usage_put(struct store_link *, struct store_job *);

/* Adds the answer's entry, if it has a usage, inside of the transaction that
 * numbers it. */
enum err store_sqlite_usage_add(struct sqlite_link *link,
                                const struct session_record *s,
                                const struct message_record *m) MUST_CHECK;

/* Deletes some of a user's entries; *changed is 0 when there are none left. */
enum err store_sqlite_usage_thin(struct sqlite_link *link, const char *user_id,
                                 int *changed) MUST_CHECK;

#endif
