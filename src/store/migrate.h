/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_MIGRATE_H
#define CHATBOX_STORE_MIGRATE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store_settings;

/* Moves the sessions of a MongoDB collection whose messages are inside of
 * their documents to one document a message (docs/migration.md). */
struct migrate_wish {
    bool dry;    /* only look: nothing is written */
    bool finish; /* afterwards drop the arrays that messages were moved from */
};

/* What was done, or would be. */
struct migrate {
    uint64_t sessions;   /* moved */
    uint64_t messages;   /* of these */
    uint64_t opened;     /* of these: sealed in the older form */
    uint64_t unreadable; /* of these: do not open; moved as they are stored */
    uint64_t odd;        /* of these: something in it is none of ours */
    uint64_t cleared;    /* sessions whose array was dropped */
    uint64_t refused;    /* sessions that cannot be moved */
    uint64_t kept;       /* sessions whose array was not dropped */
    uint64_t strangers;  /* documents that are no sessions */
};

/* Can be ended at any point and run again, beside servers and beside itself.
 * Every problem is a line in the log, with the session's id and a word, without
 * contents. On error one sentence in why; *out has what was done until then.
 * Main thread, no store open in this process. */
enum err store_migrate(const struct store_settings *settings,
                       const struct migrate_wish *wish, struct migrate *out,
                       char *why, size_t why_size) MUST_CHECK;

#endif
