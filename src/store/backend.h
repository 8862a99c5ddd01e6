/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_BACKEND_H
#define CHATBOX_STORE_BACKEND_H

#include "base/err.h"
#include "store/store.h"

#include <stddef.h>

/* What a database has to offer, as one table of blocking functions. A new one
 * is a table of its own and one row in store.c.
 *
 * A link is one thread's connection, made on the main thread and then used by
 * its worker only. The writer's link also owns what belongs to the database
 * as a whole; it is opened first and closed last. */
struct store_backend;

struct store_link {
    const struct store_backend *backend;
};

/* The cause of the last ERR_DATABASE_ERROR of a link, for the log. */
struct store_fault {
    const char *name; /* the driver's own word for it; static */
    int code;         /* the driver's number */
    bool damage;      /* the data is wrong, not the access to it */
};

struct store_backend {
    const char *kind;
    size_t group_max; /* most write jobs of one transaction */

    /* The writer's link: makes, migrates, recovers. On error one sentence. */
    enum err (*open)(const struct store_settings *settings,
                     struct store_link **out, char *why, size_t why_size);
    enum err (*open_reader)(const struct store_settings *settings,
                            struct store_link **out, char *why,
                            size_t why_size);
    void (*close)(struct store_link *link);

    /* Around the write jobs of a group. After begin has succeeded either
     * commit or rollback follows, rollback also after a commit that failed. */
    enum err (*begin)(struct store_link *link);
    enum err (*commit)(struct store_link *link);
    void (*rollback)(struct store_link *link);

    /* Whether the storage works: writer, a small durable write; reader, a
     * small read. */
    enum err (*probe)(struct store_link *link);

    /* The writer's housekeeping, after the answers of a group have been sent
     * and whenever tend_ms has passed. Returns the milliseconds until it
     * wants to run again though there was no job; -1: not before one. */
    int (*tend)(struct store_link *link);

    struct store_fault (*fault)(struct store_link *link);

    /* By enum store_op: does the job, fills its out members. The result is the
     * job's own; ERR_DATABASE_ERROR says that the transaction is lost. */
    enum err (*ops[STORE_OPS])(struct store_link *link, struct store_job *job);
};

#endif
