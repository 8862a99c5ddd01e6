/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_SEALS_H
#define CHATBOX_STORE_STORE_MONGO_SEALS_H

#include "store/store_mongo.h"

#include <stdbool.h>
#include <stddef.h>

/* Private to the backend: the check values of the keys that texts of this
 * database are sealed with; in `meta` {_id: "seal.<key>", value}, and
 * {_id: "sealing", key}. */

/* Whether the link's keys open every one of them; else ERR_CONFLICT and one
 * sentence in why. */
enum err store_mongo_seals_check(struct mongo_link *link, char *why,
                                 size_t why_size) MUST_CHECK;

/* The same at the start, before any text is read; and puts down that the
 * link's first key is the one that seals from now on. */
enum err store_mongo_seals_admit(struct mongo_link *link, char *why,
                                 size_t why_size) MUST_CHECK;

/* Whether the process that writes to the database seals with the link's first
 * key. */
enum err store_mongo_seals_current(struct mongo_link *link,
                                   bool *current_out) MUST_CHECK;

/* For a command beside a server that runs: it must seal with the link's first
 * key, if there is one; else ERR_CONFLICT and one sentence in why. */
enum err store_mongo_seals_beside(struct mongo_link *link, char *why,
                                  size_t why_size) MUST_CHECK;

/* Nothing is sealed with any other key: their check values go. */
enum err store_mongo_seals_forget(struct mongo_link *link) MUST_CHECK;

#endif
