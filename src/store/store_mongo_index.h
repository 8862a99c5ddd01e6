/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_INDEX_H
#define CHATBOX_STORE_STORE_MONGO_INDEX_H

#include "store/store_mongo.h"

#include <stddef.h>

/* Private to the backend: what the database must have before the first job. */

/* Of the database as a whole; one with a greater number is refused. */
#define STORE_MONGO_SCHEMA 1

/* Refuses a database of a newer schema; nothing is written. On error one
 * sentence in why. */
enum err store_mongo_index_check(struct mongo_link *link, char *why,
                                 size_t why_size) MUST_CHECK;

/* Makes the indexes that are not there, and writes the number of this schema.
 * Again and again is fine. On error one sentence in why, which names the
 * index. */
enum err store_mongo_index_prepare(struct mongo_link *link, char *why,
                                   size_t why_size) MUST_CHECK;

/* Whether a server has ever used the database. ERR_NOT_FOUND: none has; on
 * error one sentence. */
enum err store_mongo_index_used(struct mongo_link *link, char *why,
                                size_t why_size) MUST_CHECK;

/* A small durable write that changes nothing. */
enum err store_mongo_index_touch(struct mongo_link *link) MUST_CHECK;

#endif
