/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_FINISH_H
#define CHATBOX_STORE_STORE_MONGO_FINISH_H

#include "store/store_mongo.h"

#include <stddef.h>

/* Private to the backend: the ends of answers of as many different sessions
 * (ANSWER_FINISH), with one update for all of them; every job's result. At most
 * STORE_MONGO_GROUP (store_mongo_group.h). */
void store_mongo_finish_group(struct mongo_link *link, struct store_job **jobs,
                              size_t count);

#endif
