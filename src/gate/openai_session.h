/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_OPENAI_SESSION_H
#define CHATBOX_GATE_OPENAI_SESSION_H

#include "gate/openai_request.h"
#include "gate/request.h"

/* A completion that belongs to a conversation (the header X-Session-Id): the
 * last message is its next question, asked as any device of the user would
 * ask it, and the answer is the conversation's: stored, and shown on its open
 * sockets. Whoever goes does not end it. What the model sees is what the
 * client's request says. */

/* Answers r, later. Takes what in and r->body hold; session_id and key (the
 * client's id for the message, or empty) are borrowed. */
void openai_session_start(struct request *r, struct openai_request *in,
                          struct str session_id, struct str key);

#endif
