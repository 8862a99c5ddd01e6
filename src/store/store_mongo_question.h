/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_QUESTION_H
#define CHATBOX_STORE_STORE_MONGO_QUESTION_H

#include "store/store_mongo.h"

#include <stddef.h>

/* Private to the backend: the job MESSAGE_APPEND. Its result may be ERR_AGAIN
 * (backend.h): then the message may be stored, and job->message and session
 * are as they were but for the number. */
enum err store_mongo_question_append(struct store_link *base,
                                     struct store_job *job);

/* Questions of as many different sessions, with one insert for all of them;
 * every job's result. At most STORE_MONGO_GROUP (store_mongo_group.h). */
void store_mongo_question_group(struct mongo_link *link,
                                struct store_job **jobs, size_t count);

#endif
