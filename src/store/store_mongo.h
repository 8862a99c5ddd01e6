/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_H
#define CHATBOX_STORE_STORE_MONGO_H

#include "store/backend.h"
#include "store/mongo_lib.h"
#include "store/mongo_retry.h"
#include "store/vault.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Private to the files store_mongo*.c (and their tests): what the links of a
 * store share, and what each has. */

/* What is kept where; the name of the first is a setting. */
enum mongo_collection {
    MONGO_SESSIONS,
    MONGO_MESSAGES,
    MONGO_PIECES, /* of running answers' texts */
    MONGO_AUDIT,
    MONGO_USAGE, /* of answers: store_mongo_usage.h */
    MONGO_META,  /* store_mongo_meta.h */
    MONGO_COLLECTIONS
};

/* The field of a session's document that is being deleted. */
#define STORE_MONGO_GONE "gone"

struct mongo_known;
struct mongo_lease;

/* Made by the first link, which is closed last. Everything in it may be used
 * by any thread. */
struct mongo_db {
    struct mongo_lib lib;
    mongoc_client_pool_t *pool;
    mongoc_read_prefs_t *primary;
    char *database;
    char *collections[MONGO_COLLECTIONS];
    struct mongo_retry_rules rules;  /* without a deadline */
    const struct seal_ring *keys;    /* borrowed; NULL: plain text */
    const struct store_peers *peers; /* borrowed; NULL: alone */
    unsigned writers;                /* links made; main thread */
    struct mongo_lease *lease;       /* store_mongo_lease.h; NULL: not taken */

    /* It was not reached, and until somebody has reached it again nothing is
     * asked of it; at look_ms (monotonic) somebody may look. */
    atomic_bool away;
    _Atomic uint64_t look_ms;

    /* Documents with messages inside were met (store_mongo_old.h): from then on
     * sessions are read without those, which may be many. */
    atomic_bool old;
};

/* Sessions on a writer's list (store_mongo_mark.h), at most so many. */
#define MONGO_MARKS 256

struct mongo_marks {
    char sids[MONGO_MARKS][RAND_ID_CHARS + 1];
    size_t count;
    bool astray; /* what is stored may be another list */
};

/* Whether a failure says that the database is there. */
enum mongo_reach {
    MONGO_REACHED,
    MONGO_CUT,   /* a connection ended, or was not to be had */
    MONGO_NOBODY /* there was no primary */
};

struct mongo_link {
    struct store_link link;
    struct mongo_db *db;
    bool owns_db;
    bool writes;     /* a writer's */
    unsigned number; /* of the writer; the first one's is 0 */
    struct mongo_marks marks;
    struct mongo_known *known; /* a writer's; else NULL */
    struct vault *vault;       /* of this thread */
    struct store_fault fault;
    enum mongo_reach reach; /* what the last failure says of it */
    size_t times_max;       /* response times kept per session */
    uint64_t last_event;    /* the number in the last event's id */
    /* What was read and is none of ours, until the metrics have it. */
    uint64_t odd_fields;    /* counted as absent */
    uint64_t odd_documents; /* skipped */
};

extern const struct store_backend store_mongo;

/* A link beside the process that has the database, if there is one: nothing is
 * made, recovered or taken. ERR_DATABASE_ERROR and one sentence in why. Main
 * thread; to be closed like a first one. */
enum err store_mongo_open_beside(const struct store_settings *settings,
                                 struct store_link **out, char *why,
                                 size_t why_size) MUST_CHECK;

struct mongo_link *store_mongo_of(struct store_link *link);

#endif
