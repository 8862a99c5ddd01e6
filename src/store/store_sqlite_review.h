/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_SQLITE_REVIEW_H
#define CHATBOX_STORE_STORE_SQLITE_REVIEW_H

#include "store/backend.h"

struct sqlite_link;

/* The operators' operations of enum store_op; review.h says what each
 * answers. */
enum err store_sqlite_review_browse(struct store_link *, struct store_job *);
enum err store_sqlite_review_figures(struct store_link *, struct store_job *);
enum err store_sqlite_review_list(struct store_link *, struct store_job *);
enum err store_sqlite_review_put(struct store_link *, struct store_job *);

/* Adds an event inside the group's transaction. */
enum err store_sqlite_review_add(struct sqlite_link *link,
                                 const struct review_event *e) MUST_CHECK;

#endif
