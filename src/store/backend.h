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
 * its worker only. The first writer's link also owns what belongs to the
 * database as a whole; it is opened first and closed last. */
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

struct backup;
struct erase;
struct rekey;

struct store_backend {
    const char *kind;
    size_t group_max; /* most write jobs of one group */

    bool far; /* store_is_far */

    /* The first reader probes as often when it has nothing to do, so that a
     * storage that goes away is seen without traffic; 0: never. */
    int watch_ms;

    /* The first writer's link: makes, migrates, refuses keys that do not open
     * what is there (vault.h), recovers. On error one sentence. ERR_CONFLICT:
     * another process has it, or the keys are the wrong ones. */
    enum err (*open)(const struct store_settings *settings,
                     struct store_link **out, char *why, size_t why_size);
    enum err (*open_reader)(const struct store_settings *settings,
                            struct store_link *first, struct store_link **out,
                            char *why, size_t why_size);

    /* Another writer's link, beside the first one; NULL: there is one writer.
     * Jobs of one session always go to the same writer. */
    enum err (*open_writer)(struct store_link *first, struct store_link **out);
    void (*close)(struct store_link *link);

    /* Around the write jobs of a group. After begin has succeeded either
     * commit or rollback follows, rollback also after a commit that failed. */
    enum err (*begin)(struct store_link *link);
    enum err (*commit)(struct store_link *link);
    void (*rollback)(struct store_link *link);

    /* Instead of these three and the write jobs' ops, where jobs succeed and
     * fail one by one: does the jobs of a group, linked by their letters, in
     * the order of each session, durably; every one's result. ERR_AGAIN: it
     * went out, and what became of it was not learned; then the job comes
     * again, with open_ms, in front of the next group. Returns
     * ERR_DATABASE_ERROR when it, or ERR_AGAIN, is one of them. */
    enum err (*write)(struct store_link *link, struct store_job *chain);

    /* Whether the storage works: writer, a small durable write; reader, a
     * small read. */
    enum err (*probe)(struct store_link *link);

    /* Whether the database is still this process's; NULL: nobody can take it.
     * Once false it stays so, and every write fails. Any thread. */
    bool (*ours)(const struct store_link *first);

    /* The writer's housekeeping, after the answers of a group have been sent
     * and whenever tend_ms has passed. Returns the milliseconds until it
     * wants to run again though there was no job; -1: not before one. */
    int (*tend)(struct store_link *link);

    struct store_fault (*fault)(struct store_link *link);

    /* A value that is kept under a name: fresh, if there was none yet. The
     * first writer's link, on the main thread right after open. Gives *out;
     * NULL: there is none though all went well. */
    enum err (*secret)(struct store_link *first, const char *name,
                       const char *fresh, char **out);

    /* Seals every text anew that is not sealed with the first key (there is
     * one), also beside a running server if that seals with it. An end at any
     * point loses nothing: another run does the rest. Afterwards no key but the
     * first is needed. On error one sentence. */
    enum err (*rekey)(const struct store_settings *settings, struct rekey *out,
                      char *why, size_t why_size);

    /* backup.h; NULL: the database has tools of its own. */
    enum err (*backup)(const struct store_settings *settings, struct backup *b,
                       char *why, size_t why_size);
    enum err (*restore)(const struct store_settings *settings, struct backup *b,
                        char *why, size_t why_size);

    /* tool.h. The link does reading jobs, and these two. */
    enum err (*open_tool)(const struct store_settings *settings,
                          struct store_link **out, char *why, size_t why_size);
    enum err (*count)(struct store_link *link, struct erase *e);
    enum err (*erase)(struct store_link *link, struct erase *e);

    /* By enum store_op: does the job, fills its out members. The result is the
     * job's own; ERR_DATABASE_ERROR says that the transaction is lost. */
    enum err (*ops[STORE_OPS])(struct store_link *link, struct store_job *job);
};

#endif
