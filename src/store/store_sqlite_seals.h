/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_SQLITE_SEALS_H
#define CHATBOX_STORE_STORE_SQLITE_SEALS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct sqlite_link;

/* The check values of the keys that texts of this database are sealed with. */

/* Whether the link's keys open every one of them; else ERR_CONFLICT and one
 * sentence in why. */
enum err store_sqlite_seals_check(struct sqlite_link *link, char *why,
                                  size_t why_size) MUST_CHECK;

/* The same at the writer's open, before anything is read; and puts down that
 * the link's first key is the one that seals from now on. */
enum err store_sqlite_seals_admit(struct sqlite_link *link, char *why,
                                  size_t why_size) MUST_CHECK;

/* Whether the process that has the database open for writing seals with the
 * link's first key. */
enum err store_sqlite_seals_current(struct sqlite_link *link,
                                    bool *current_out) MUST_CHECK;

/* Nothing is sealed with any other key: their check values go. */
enum err store_sqlite_seals_forget(struct sqlite_link *link) MUST_CHECK;

#endif
