/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_OPENAI_REPLAY_H
#define CHATBOX_GATE_OPENAI_REPLAY_H

#include "base/buf.h"
#include "base/err.h"
#include "gate/request.h"

#include <stdbool.h>
#include <stdint.h>

/* Answers at the OpenAI door that have a key of the client's (the header
 * Idempotency-Key): whoever comes again with it gets the same answer, as much
 * as there is of it and then the rest. Kept in the memory of the user's shard
 * for REPLAY_KEEP_MS after their end, at most REPLAY_BYTES and REPLAY_COUNT of
 * them: the one that ended longest ago goes first. */
#define REPLAY_KEEP_MS 600000
#define REPLAY_BYTES ((size_t)32 << 20)
#define REPLAY_COUNT 4096

struct replay;
struct replays;

struct replays *openai_replay_open(struct gate *g);

/* Ends those that run (their owners hear of it), and frees all. */
void openai_replay_close(struct replays *all);

/* The answer to this request, if there is one under the key; *same is false
 * when it was made to another request. Borrows. */
struct replay *openai_replay_find(struct replays *all, const struct request *r,
                                  struct str key, bool *same);

/* A new one, which r follows. stop(owner) runs when it must end before its
 * owner has ended it. NULL: there is no room. */
struct replay *openai_replay_begin(struct replays *all, struct request *r,
                                   struct str key, void (*stop)(void *owner),
                                   void *owner);

/* r gets what there is, behind event number after (0: all), then what comes.
 * False: there is no such event, and r is still to be answered. */
bool openai_replay_follow(struct replay *p, struct request *r, uint64_t after);

/* What was numbered, and is not in the log yet, is void. */
void openai_replay_restart(struct replay *p);

/* The number of the next event. */
uint64_t openai_replay_next(struct replay *p);

/* Whole events of a stream; borrows. */
void openai_replay_events(struct replay *p, struct str events);

/* Its last event was given: the answer is kept, or, when it failed, forgotten.
 * p is the owner's no more. */
void openai_replay_end(struct replay *p, bool kept);

/* The same for an answer in one piece; wait_ms -1: no Retry-After. */
void openai_replay_whole(struct replay *p, int status, struct str json,
                         int64_t wait_ms);

#endif
