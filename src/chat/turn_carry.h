/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_TURN_CARRY_H
#define CHATBOX_CHAT_TURN_CARRY_H

#include "chat/turn.h"

/* A turn whose answer was begun by one provider and is gone on with by
 * another: what was shown stays, what the next one says of it again is left
 * out (codec/overlap.h), usage is added up, and the answer names them all.
 * Nothing of it (t->carry is NULL) costs anything before the first break;
 * every function may be called all the same. */

/* The provider that is being asked failed after it spoke, which alone would
 * have ended the answer as `ending`; another one is asked next. */
void turn_carry_break(struct turn *t, enum turn_ending ending);

/* Adds what has been shown to what the next provider sees. Borrowed until
 * there is more of it. */
void turn_carry_prompt(struct turn *t, struct provider_turn *prompt);

/* What of the provider's text is new; perhaps nothing, yet. Borrowed as of
 * overlap_feed. */
struct str turn_carry_text(struct turn *t, struct str text);

/* No more text comes: what was held back of it. Borrowed likewise. */
struct str turn_carry_rest(struct turn *t);

/* How the answer ends when the last provider has ended so: as it broke off
 * before, if that one could add nothing. */
enum turn_ending turn_carry_ending(const struct turn *t,
                                   enum turn_ending ending);

/* At the end of the answer: its usage, of all that had a part in it, by
 * estimate where one told none; its model, the last one whose text it has; and
 * metadata.providers when that is of several. Counts the last one's in the
 * metrics; those of the others were. */
void turn_carry_settle(struct turn *t);

void turn_carry_free(struct turn *t);

#endif
