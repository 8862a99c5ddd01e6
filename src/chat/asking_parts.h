/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_ASKING_PARTS_H
#define CHATBOX_CHAT_ASKING_PARTS_H

#include "chat/asking.h"

/* What the files of the asking ask of one another. */

/* The n-th of those that may be asked: the chosen one, then its fallbacks; the
 * next one behind it that could answer, and the next that has not been asked
 * yet (0: there is none). */
uint16_t asking_nth(const struct asking *a, size_t n);
size_t asking_after(const struct asking *a, size_t n);
size_t asking_next(const struct asking *a);

/* By its breaker; who is admitted is asked. */
bool asking_admits(const struct asking *a, size_t n);

/* Whether somebody may be asked once more, after a wait: nothing has been
 * shown, and it fits before the deadline. */
bool asking_may_ask(const struct asking *a, int64_t wait_ms);

void asking_log_failure(const struct asking *a,
                        const struct upstream_failure *why);

/* What asking does with what its provider says; the cookie is the asking. */
extern const struct upstream_events asking_heard;

/* --- asking_rival.c ------------------------------------------------------ */

void asking_rival_init(struct asking *a);

/* a's provider was asked just now: in a while another one will be, too. */
void asking_rival_plan(struct asking *a);

/* a's provider has spoken, or is done: if there is a rival, it is stopped. */
void asking_rival_lost(struct asking *a);

/* The rival takes its place: a->upstream is over. */
void asking_rival_won(struct asking *a);

/* Whether the event, of a's provider, has to wait until the race is decided;
 * it is kept then, and told by asking_rival_tell with all like it. */
bool asking_rival_keeps(struct asking *a, const struct provider_raw *raw);
void asking_rival_tell(struct asking *a);

void asking_rival_fini(struct asking *a);

#endif
