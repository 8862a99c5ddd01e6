/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_SQLITE_READ_H
#define CHATBOX_STORE_STORE_SQLITE_READ_H

#include "store/backend.h"

#include <stdbool.h>
#include <stdint.h>

struct sqlite_link;

/* The reading operations of enum store_op; store.h says what each answers. */
enum err store_sqlite_read_session(struct store_link *, struct store_job *);
enum err store_sqlite_read_shared(struct store_link *, struct store_job *);
enum err store_sqlite_read_latest(struct store_link *, struct store_job *);
enum err store_sqlite_read_list(struct store_link *, struct store_job *);
enum err store_sqlite_read_messages(struct store_link *, struct store_job *);
enum err store_sqlite_read_find(struct store_link *, struct store_job *);
enum err store_sqlite_read_ping(struct store_link *, struct store_job *);

/* Runs read between the beginning and the end of a transaction: whatever it
 * asks for is of one moment. */
enum err store_sqlite_read_snapshot(
    struct store_link *base, struct store_job *job,
    enum err (*read)(struct sqlite_link *, struct store_job *)) MUST_CHECK;

/* A number of a cursor: so many lower-case hexadecimal digits, the first of
 * what p points to; not above INT64_MAX. */
#define STORE_SQLITE_NUMBER_CHARS 16
bool store_sqlite_read_number(const char *p, int64_t *out);

#endif
