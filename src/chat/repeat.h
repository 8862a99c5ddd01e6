/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_REPEAT_H
#define CHATBOX_CHAT_REPEAT_H

#include "chat/turn.h"

/* A message that was sent before, and an answer that is wanted again. */

/* job found t's client_id in the store: the sender gets the first message's
 * ack and its answer as it stands; what was never asked is asked now. Frees
 * t; the job stays the caller's. */
void repeat_answer(struct turn *t, struct store_job *job);

/* What to tell a connection that has asked as much as it may: an answer takes
 * seconds. */
#define REPEAT_FULL_MS 2000

/* The same for a connection that has no room for another turn: a client_id that
 * the store knows gets what repeat_answer gives; any other one, and what was
 * never asked, is SERVICE_ERROR. Borrows. */
void repeat_only(struct outlet *o, struct str client_id);

/* Another answer to the question of message_id (an answer or a question of
 * o's session); o is told when there is none. Borrows. */
void repeat_regenerate(struct outlet *o, struct str message_id);

#endif
