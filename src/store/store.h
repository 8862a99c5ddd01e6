/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_H
#define CHATBOX_STORE_STORE_H

#include "base/err.h"
#include "base/str.h"
#include "loop/mailbox.h"
#include "store/record.h"
#include "store/review.h"
#include "store/store_settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The asynchronous front of the storage. A shard fills a job, submits it, and
 * gets it back by letter with its result. Blocking drivers run on threads of
 * this room: one writer that commits the waiting jobs of all shards as one
 * transaction (group commit), and some readers. Write jobs of one session are
 * carried out in the order in which they were submitted. A job that was
 * answered with ERR_OK is durable. A read that is submitted after a write's
 * done sees that write. */
struct shard;
struct store;

/* What each needs and answers. "sid" is session.sid (or message.sid; they are
 * made equal), "owner" is user_id (or session.user_id; made equal): where an
 * owner is given, a session of somebody else is ERR_NOT_FOUND exactly as one
 * that is not there. Only with ERR_OK, the other out members mean something.
 *
 * SESSION_GET     sid, owner or none → session.
 * SESSION_SHARED  share_token → session: the one that is shared by it now.
 * SESSION_LATEST  owner, since_ms → session: the latest activity among those
 *                 that are active, not archived and have last_ms >= since_ms;
 *                 else NOT_FOUND.
 * SESSION_LIST    owner, limit (>= 1), cursor or NULL, query or NULL (part of
 *                 a name or a message, as match.h says; at most
 *                 STORE_QUERY_BYTES) → sessions by latest activity first,
 *                 archived and ended ones too; next_cursor. A query looks at
 *                 STORE_SEARCH_BYTES of text, or the one session that has more;
 *                 then the page ends, however few it has. BAD_REQUEST: a
 *                 cursor that is not ours, a query too long.
 * MESSAGES        sid, owner or none, share_token or none (then it must be the
 *                 session's), limit (>= 1), after_seq or before_seq → messages
 *                 with numbers, oldest first, superseded ones too; never the
 *                 running answer. session.seq: a number that is reached, or 0:
 *                 a hint. more: there are others beyond the limit (or beyond
 *                 limit_bytes of content, at which a page ends early): ask
 *                 again from the last number.
 * MESSAGE_FIND    sid, owner or none, message.id or else message.client_id →
 *                 message, and in messages its answers in order, all versions,
 *                 the running one (with the text that is stored) last.
 * PING            can it read?
 * SESSION_PUT     session → session. CONFLICT: the sid is taken.
 * SESSION_PATCH   sid, owner or none, patch → session. Ending an ended
 *                 session keeps the first end.
 * SESSION_DELETE  sid, owner or none: the rows are overwritten with zeros where
 *                 they lie (what lay elsewhere before: tool.h, erasing).
 * MESSAGE_APPEND  session (as it shall be if it is not there yet; with a seq
 *                 above 0 it was there, and is NOT_FOUND if it is deleted),
 *                 message (id, at_ms, …) → message.seq, session as it is now:
 *                 made, counted, renamed if it had no name (to session.name,
 *                 else to the first line of a user's message), reopened if it
 *                 had ended (not by SENDER_SYSTEM). With a client_id that is
 *                 there: duplicate, message is the first one, messages its
 *                 answers as in FIND, nothing was written. CONFLICT: the
 *                 message's id is taken in this session.
 * DRAFT_PUT       sid, message, draft_offset: the next piece of a running
 *                 answer. message.content is the piece (not empty),
 *                 draft_offset how much of the text lies before it: as much
 *                 as is there; or as lay before an earlier piece, which it
 *                 then takes the place of, and of all behind that (a retry).
 *                 The first piece makes the message, later ones need its id
 *                 and its usage so far. NOT_FOUND: the session is gone.
 *                 CONFLICT: it has a number, or the piece does not follow what
 *                 is there. Unless urgent it waits STORE_LINGER_MS for company,
 *                 so that one fsync serves the checkpoints of many answers; so
 *                 does USAGE_PUT.
 * DRAFT_DROP      sid, message.id: it ended without anything; may be absent.
 * ANSWER_FINISH   sid, owner or none, message with a final status → a
 *                 numbered message (from the draft or from nothing; content is
 *                 all of the text, the pieces go), session with its counters;
 *                 message.replaces is superseded. Repeated: duplicate, and
 *                 message as stored the first time. NOT_FOUND: no session.
 * BROWSE, FIGURES, AUDIT, USAGE: store/review.h.
 * DATABASE_ERROR from any of them: the storage failed; nothing is half kept. */
enum store_op {
    /* reads */
    STORE_SESSION_GET,
    STORE_SESSION_SHARED,
    STORE_SESSION_LATEST,
    STORE_SESSION_LIST,
    STORE_MESSAGES,
    STORE_MESSAGE_FIND,
    STORE_PING,
    STORE_SESSION_BROWSE,
    STORE_SESSION_FIGURES,
    STORE_AUDIT_LIST,
    STORE_USAGE_LIST,
    /* writes */
    STORE_SESSION_PUT,
    STORE_SESSION_PATCH,
    STORE_SESSION_DELETE,
    STORE_MESSAGE_APPEND,
    STORE_DRAFT_PUT,
    STORE_DRAFT_DROP,
    STORE_ANSWER_FINISH,
    STORE_AUDIT_PUT,
    STORE_USAGE_PUT,
    STORE_OPS
};

#define STORE_LINGER_MS 50
#define STORE_QUERY_BYTES 1000
#define STORE_SEARCH_BYTES ((size_t)32 << 20)
#define STORE_PAGE_BYTES ((size_t)32 << 20)

/* Which members STORE_SESSION_PATCH sets, from job->session. */
enum store_patch {
    STORE_PATCH_NAME = 1 << 0,
    STORE_PATCH_MODEL = 1 << 1,
    STORE_PATCH_ARCHIVED = 1 << 2,
    STORE_PATCH_END = 1 << 3, /* end_ms; 0 reopens */
    STORE_PATCH_HELP = 1 << 4,
    STORE_PATCH_ASSIST = 1 << 5, /* *assist*, takeover_epoch */
    STORE_PATCH_SHARE = 1 << 6   /* share_token, unless there is one; or NULL */
};

/* Filled by the caller, answered by the store. All of it is the job's own. */
struct store_job {
    struct letter letter; /* private */
    struct shard *home;   /* where done runs */
    void (*done)(
        struct store_job *job); /* on home's thread, exactly once; takes */
    void *cookie;               /* the caller's */
    enum store_op op;

    /* in */
    char *user_id;       /* the owner */
    char *query;         /* LIST */
    char *cursor;        /* LIST: from next_cursor, or NULL */
    char *share_token;   /* SHARED; MESSAGES, or NULL */
    int64_t since_ms;    /* LATEST */
    int64_t after_seq;   /* MESSAGES: numbers > this (from the oldest) … */
    int64_t before_seq;  /* … or, if > 0, the newest below this */
    size_t limit;        /* LIST, MESSAGES: most records */
    size_t limit_bytes;  /* MESSAGES; 0 means STORE_PAGE_BYTES */
    unsigned patch;      /* PATCH: enum store_patch */
    size_t draft_offset; /* DRAFT_PUT: bytes of the text before the piece */
    bool urgent;         /* DRAFT_PUT: now, alone if need be */
    uint64_t open_ms;    /* private: since when (monotonic) it has not been
                          * known whether it is stored; 0: it is */
    struct session_record session; /* in: sid etc.; out: as stored now */
    struct message_record message; /* in; out: as stored, or the first one */
    struct review *review;         /* operators' jobs, DELETE; else NULL */

    /* out */
    enum err result; /* OK, or what stands above */
    bool duplicate;  /* APPEND, FINISH: was there; PATCH: had ended before */
    struct session_record *sessions; /* LIST, BROWSE */
    struct message_record *messages; /* MESSAGES; FIND: the answers, in order */
    size_t count;                    /* of the one that is there */
    char *next_cursor;               /* LIST; NULL: that was all */
    bool more;                       /* MESSAGES: older (newer) ones exist */
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

/* A zeroed job, but message.duration_ms and ttft_ms are -1. Gives. */
struct store_job *store_job_new(enum store_op op, struct shard *home,
                                void (*done)(struct store_job *), void *cookie);

/* NULL is fine. */
void store_job_free(struct store_job *job);

/* Takes the job until done. When the queue is full done still runs (later),
 * with ERR_DATABASE_ERROR. Any shard's thread. */
void store_submit(struct store *s, struct store_job *job);

/* The last state that the threads saw: false while writes or reads fail. It
 * turns true again without traffic, within about a second after the cause has
 * gone; within six after damaged data was last met. Any thread. */
bool store_healthy(const struct store *s);

/* Reading is a round trip to another process: what was just stored is worth
 * keeping. */
bool store_is_far(const struct store *s);

const char *store_kind(const struct store *s); /* "sqlite", for logs */

#endif
