/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_H
#define CHATBOX_STORE_STORE_H

#include "base/err.h"
#include "base/str.h"
#include "loop/mailbox.h"
#include "store/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The asynchronous front of the storage. A shard fills a job, submits it, and
 * gets it back by letter with its result. Blocking drivers run on threads of
 * this room: one writer that commits the waiting jobs of all shards as one
 * transaction (group commit), and some readers. Write jobs of one session are
 * carried out in the order in which they were submitted. A job that was
 * answered with ERR_OK is durable. */
struct shard;
struct store;

enum store_op {
    /* reads */
    STORE_SESSION_GET,    /* by sid; of user_id unless that is empty */
    STORE_SESSION_LATEST, /* active, not archived, last_ms >= since_ms */
    STORE_SESSION_LIST,   /* of user_id, newest first: limit, cursor, query */
    STORE_MESSAGES,       /* of sid: a range of numbers, oldest first */
    STORE_MESSAGE_FIND,   /* by message_id or client_id, and its answers */
    STORE_PING,           /* can it read? (readiness) */
    /* writes */
    STORE_SESSION_PUT,    /* a new session without messages */
    STORE_SESSION_PATCH,  /* the members named in patch */
    STORE_SESSION_DELETE, /* with all its messages */
    STORE_MESSAGE_APPEND, /* gives the next number; makes the session */
    STORE_DRAFT_PUT,      /* insert or replace the running answer, no number */
    STORE_DRAFT_DROP,     /* the running answer ended without anything */
    STORE_ANSWER_FINISH,  /* draft or nothing → numbered message; counters */
    STORE_OPS
};

/* Which members STORE_SESSION_PATCH sets, from job->session. */
enum store_patch {
    STORE_PATCH_NAME = 1 << 0,
    STORE_PATCH_MODEL = 1 << 1,
    STORE_PATCH_ARCHIVED = 1 << 2,
    STORE_PATCH_END = 1 << 3, /* end_ms; 0 reopens */
    STORE_PATCH_HELP = 1 << 4,
    STORE_PATCH_ASSIST =
        1 << 5 /* admin_assisted, assisting_*, takeover_epoch */
};

/* Filled by the caller, answered by the store. Everything in it belongs to
 * the job; store_job_free frees all. */
struct store_job {
    struct letter letter; /* private */
    struct shard *home;   /* where done runs */
    void (*done)(
        struct store_job *job); /* on home's thread, exactly once; takes */
    void *cookie;               /* the caller's */
    enum store_op op;

    /* in */
    char *user_id;
    char *query;        /* LIST: part of a name or a message, or NULL */
    char *cursor;       /* LIST: from next_cursor, or NULL */
    int64_t since_ms;   /* LATEST */
    int64_t after_seq;  /* MESSAGES: numbers > this (from the oldest) … */
    int64_t before_seq; /* … or, if > 0, the newest below this */
    size_t limit;       /* LIST, MESSAGES: most records */
    unsigned patch;     /* PATCH: enum store_patch */
    struct session_record session; /* in: sid etc.; out: as stored now */
    struct message_record message; /* in; out: as stored (seq, and for a
                                      duplicate client_id the first one) */

    /* out */
    enum err result; /* OK, NOT_FOUND, BAD_REQUEST (cursor), DATABASE_ERROR,
                        CONFLICT (number taken by somebody else) */
    bool duplicate;  /* APPEND: client_id was there; nothing was written */
    struct session_record *sessions; /* LIST */
    struct message_record *messages; /* MESSAGES; FIND: the answers, in order */
    size_t count;                    /* of the one that is there */
    char *next_cursor;               /* LIST; NULL: that was all */
    bool more;                       /* MESSAGES: older (newer) ones exist */
};

struct store_settings {
    const char *data_dir;
    size_t queue_max; /* jobs waiting at most; more are refused */
    unsigned readers; /* reader threads, >= 1 */
};

/* Opens (makes, migrates) the database, closes answers that a crash left
 * unfinished as interrupted, starts the threads. Borrows settings during the
 * call. On error one sentence in why. Main thread. */
enum err store_open(const struct store_settings *settings,
                    struct store **store_out, char *why,
                    size_t why_size) MUST_CHECK;

/* Finishes what is queued, stops the threads, closes. Main thread, after the
 * last submit. NULL is fine. */
void store_close(struct store *s);

/* A zeroed job. Gives. */
struct store_job *store_job_new(enum store_op op, struct shard *home,
                                void (*done)(struct store_job *), void *cookie);
void store_job_free(struct store_job *job);

/* Takes the job until done. When the queue is full done still runs (later),
 * with ERR_DATABASE_ERROR. Any shard's thread. */
void store_submit(struct store *s, struct store_job *job);

/* The last state that the threads saw: false while writes or reads fail.
 * Any thread. */
bool store_healthy(const struct store *s);

/* For readiness and logs: "sqlite". */
const char *store_kind(const struct store *s);

#endif
