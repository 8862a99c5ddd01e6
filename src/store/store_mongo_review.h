/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_REVIEW_H
#define CHATBOX_STORE_STORE_MONGO_REVIEW_H

#include "store/store_mongo.h"

/* Private to the backend: the operators' part (store/review.h). A list and its
 * total are two reads, so a session that comes or goes between them is in one
 * of them only. */
enum err store_mongo_review_browse(struct store_link *base,
                                   struct store_job *job);
enum err store_mongo_review_figures(struct store_link *base,
                                    struct store_job *job);
enum err store_mongo_review_list(struct store_link *base,
                                 struct store_job *job);
enum err store_mongo_review_put(struct store_link *base, struct store_job *job);

/* Adds an event, as part of another job. */
enum err store_mongo_review_add(struct mongo_link *link,
                                const struct review_event *e) MUST_CHECK;

#endif
