/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_TALLY_H
#define CHATBOX_STORE_TALLY_H

#include "store/record.h"

#include <stdint.h>

/* How a session's record follows what happens in it: the same for every
 * database. Pure; any thread. */

/* A new session: without counters, with the times and the epoch that it was
 * not given. at_ms: now. */
void tally_begin(struct session_record *r, int64_t at_ms);

/* The message has been numbered: the session's number, counters and last
 * activity; somebody who speaks reopens an ended one (the model and the system
 * do not). Response times are the backend's. */
void tally_message(struct session_record *r, const struct message_record *m);

/* A session without a name takes the proposed one (may be NULL), or the first
 * line of a user's message. */
void tally_name(struct session_record *r, const char *proposed,
                const struct message_record *m);

/* The members that the patch (enum store_patch) names; their strings move.
 * True: it should end a session that had ended before. */
bool tally_patch(struct session_record *to, struct session_record *from,
                 unsigned patch);

#endif
