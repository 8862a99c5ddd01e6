/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_SQLITE_READ_H
#define CHATBOX_STORE_STORE_SQLITE_READ_H

#include "store/backend.h"

/* The reading operations of enum store_op; store.h says what each answers. */
enum err store_sqlite_read_session(struct store_link *, struct store_job *);
enum err store_sqlite_read_shared(struct store_link *, struct store_job *);
enum err store_sqlite_read_latest(struct store_link *, struct store_job *);
enum err store_sqlite_read_list(struct store_link *, struct store_job *);
enum err store_sqlite_read_messages(struct store_link *, struct store_job *);
enum err store_sqlite_read_find(struct store_link *, struct store_job *);
enum err store_sqlite_read_ping(struct store_link *, struct store_job *);

#endif
