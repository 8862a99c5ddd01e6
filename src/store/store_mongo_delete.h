/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_DELETE_H
#define CHATBOX_STORE_STORE_MONGO_DELETE_H

#include "store/store_mongo.h"

#include <stdint.h>

/* Private to the backend: deleting sessions. The session's document is marked
 * first, and from then on the session is not there for anybody who reads; so
 * nobody takes a part of it for the whole. */

/* The job STORE_SESSION_DELETE. One that failed in the middle may be done
 * again. */
enum err store_mongo_delete_session(struct store_link *base,
                                    struct store_job *job) MUST_CHECK;

/* At the start: ends what a crash cut. */
enum err store_mongo_delete_recover(struct mongo_link *link) MUST_CHECK;

/* The session's messages, whether the session is there or not; seq is the last
 * one's number, or a guess. */
enum err store_mongo_delete_messages(struct mongo_link *link, const char *sid,
                                     int64_t seq) MUST_CHECK;

/* Every document of the collection whose field has this value, at once. */
enum err store_mongo_delete_all(struct mongo_link *link,
                                enum mongo_collection of, const char *field,
                                const char *value) MUST_CHECK;

#endif
