/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_READ_H
#define CHATBOX_STORE_STORE_MONGO_READ_H

#include "store/store_mongo.h"

/* Private to the backend: what clients read. */
enum err store_mongo_read_session(struct store_link *base,
                                  struct store_job *job);
enum err store_mongo_read_shared(struct store_link *base,
                                 struct store_job *job);
enum err store_mongo_read_latest(struct store_link *base,
                                 struct store_job *job);
enum err store_mongo_read_list(struct store_link *base, struct store_job *job);
enum err store_mongo_read_messages(struct store_link *base,
                                   struct store_job *job);
enum err store_mongo_read_find(struct store_link *base, struct store_job *job);
enum err store_mongo_read_ping(struct store_link *base, struct store_job *job);

#endif
