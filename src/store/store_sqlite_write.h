/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_SQLITE_WRITE_H
#define CHATBOX_STORE_STORE_SQLITE_WRITE_H

#include "store/backend.h"

/* The writing operations on sessions and questions, inside the group's
 * transaction; store.h says what each answers. Each either does all of its job
 * or, with any result but ERR_OK, nothing of it; after ERR_DATABASE_ERROR the
 * caller rolls back. */
enum err store_sqlite_write_session(struct store_link *, struct store_job *);
enum err store_sqlite_write_patch(struct store_link *, struct store_job *);
enum err store_sqlite_write_delete(struct store_link *, struct store_job *);
enum err store_sqlite_write_append(struct store_link *, struct store_job *);

#endif
