/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_SQLITE_ANSWER_H
#define CHATBOX_STORE_STORE_SQLITE_ANSWER_H

#include "store/backend.h"

struct sqlite_link;

/* STORE_ANSWER_FINISH, under the rules of store_sqlite_write.h. */
enum err store_sqlite_answer_finish(struct store_link *, struct store_job *);

/* Once, at open: running answers were cut by a crash. Those with text become
 * interrupted messages of what of it is there from its beginning, the others
 * go; logs how many. */
enum err store_sqlite_answer_recover(struct store_link *link) MUST_CHECK;

#endif
