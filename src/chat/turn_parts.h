/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_TURN_PARTS_H
#define CHATBOX_CHAT_TURN_PARTS_H

#include "chat/turn.h"

/* The steps of turn.def and what the files of the turn ask of one another. */
#define STEP(NAME, function, text) void function(struct turn *t);
#include "chat/turn.def"
#undef STEP

/* Who is asked from now on, by these terms; the old asking is none or was given
 * back. */
void turn_ask_choose(struct turn *t, struct terms *terms, uint16_t provider);

/* The prompt is read: reserves it with the user's budgets, and asks, or ends
 * the turn. */
void turn_budget_claim(struct turn *t);

/* More of the answer has come. False: a budget is used up by it, and the turn
 * has ended. */
bool turn_budget_spend(struct turn *t, struct str text);

/* A provider is asked: the first that is heard, or one that goes on. */
void turn_budget_asked(struct turn *t);

/* No more work for the answer, and no callbacks of it. */
void turn_ask_stop(struct turn *t);

/* The one way to an end, from any step; nothing from STORE on. */
void turn_end(struct turn *t, enum turn_ending ending);

/* Tells everybody of the session how the turn ended, once. */
void turn_end_tell(struct turn *t);

/* Hands the answer with its end to the store; done gets the job. */
void turn_end_submit(struct turn *t, void (*done)(struct store_job *));

/* The job has stored the answer. */
void turn_end_stored(struct turn *t, const struct store_job *job);

/* Between two looks whether the storage works again, for an answer whose end
 * it could not take; doubles with each attempt that fails. */
#define TURN_LATE_MS 250

/* An answer that the storage refuses so often though it works: the next start
 * closes its draft. */
#define TURN_LATE_TRIES 8

/* The storage failed under the running turn and still does: what wants to
 * begin behind it would wait without a word. */
bool turn_late_blocks(const struct session *s);

/* Shutdown: one more attempt, now. */
void turn_late_hurry(struct session *s);

/* Text that the store does not have yet goes there, all of it as one piece,
 * unless a piece is on its way; then as soon as that has arrived. */
void turn_draft_check(struct turn *t);

/* The store is too far behind: the provider has to wait. */
bool turn_draft_behind(const struct turn *t);

/* Bytes a client may lose by a crash: text beyond the last durable
 * checkpoint is not shown further than this (protocol.md 2.6). */
#define TURN_UNSAVED_MAX 2048

/* A checkpoint is sent off at the latest this long after new text … */
#define TURN_DRAFT_MS 900

/* … or once this much of it is not in a checkpoint: half of what may be lost,
 * so that the stream does not stall for the disk. */
#define TURN_DRAFT_BYTES 1024

/* The provider waits while the store is behind by this much: a fast one would
 * else be done long before its text is shown, and all of the rest would come
 * at once, more than a client's queue takes. Large enough that the disk has
 * enough to do: a piece has about half of it. */
#define TURN_BEHIND_MAX ((size_t)32 * 1024)

/* The outlet gets the running answer as it stands, then live. */
void turn_show(struct session *s, struct outlet *o);

/* The session's running answer has text that outlets have not seen. */
void turn_show_later(struct session *s);

/* All of it to everyone now, whatever their queues hold (before the end). */
void turn_show_rest(struct turn *t);

/* The provider waits while nobody can take more or the store is behind, and
 * goes on when that is over. */
void turn_show_balance(struct turn *t);

/* SHARD_PHASE_CHAT: what is dirty becomes frames. cookie is the chat. */
void turn_show_dirty(void *cookie);

#endif
