/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_ERASE_H
#define CHATBOX_STORE_STORE_MONGO_ERASE_H

#include "store/erase.h"
#include "store/store_mongo.h"

/* The rows `open_tool`, `count` and `erase` of the backend's table. The tool's
 * link is a server's own when none runs, and stands beside it when one does.
 * Messages are counted by what the sessions' documents say. */
enum err store_mongo_erase_open(const struct store_settings *settings,
                                struct store_link **out, char *why,
                                size_t why_size);
enum err store_mongo_erase_count(struct store_link *base, struct erase *e);
enum err store_mongo_erase_run(struct store_link *base, struct erase *e);

#endif
