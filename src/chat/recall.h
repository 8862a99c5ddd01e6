/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_RECALL_H
#define CHATBOX_CHAT_RECALL_H

#include "store/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The newest messages of a session as they were stored, kept for the next
 * prompt where reading them again would be a round trip (store_is_far). They
 * follow one another without a gap up to the newest that was noted; who notes
 * one that does not follow begins anew, so what somebody else has stored in
 * between is never passed over. Pure: no session, no store.
 *
 * A session's are at most RECALL_MAX and RECALL_BYTES, the oldest go first; all
 * of a shard's RECALL_ALL_BYTES, beyond which a session keeps none. Bytes are
 * those of contents and of the records themselves. */
#define RECALL_MAX 64
#define RECALL_BYTES ((size_t)48 << 10)
#define RECALL_ALL_BYTES ((size_t)32 << 20)

struct recall {
    struct message_record *records; /* oldest first; owned */
    size_t bytes;                   /* of all of them */
    uint32_t count;
    bool whole; /* nothing stands before the first one */
};

/* Of all sessions of a shard. */
struct recalls {
    size_t bytes;
};

/* m was stored as the session's newest under its number. Copies what a prompt
 * needs. */
void recall_note(struct recall *r, struct recalls *all,
                 const struct message_record *m);

/* These, newest first, were read; whole: nothing stands before them. What is
 * older than what is kept goes before it, if it follows. Copies. */
void recall_older(struct recall *r, struct recalls *all,
                  const struct message_record *records, size_t count,
                  bool whole);

/* All of them, newest first. Gives; NULL when there are none. */
struct message_record *recall_copy(const struct recall *r);

void recall_forget(struct recall *r, struct recalls *all);

#endif
