/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_OPENAI_DOOR_H
#define CHATBOX_GATE_OPENAI_DOOR_H

/* The OpenAI door: what programs that speak OpenAI's API ask of our models
 * (protocol.md section 1). Handlers of routes.def. */
struct request;

void openai_door_completion(struct request *r);
void openai_door_embeddings(struct request *r);

#endif
