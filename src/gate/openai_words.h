/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_OPENAI_WORDS_H
#define CHATBOX_GATE_OPENAI_WORDS_H

#include "gate/openai_request.h"

/* What a provider that does not relay is to see of a completion's request
 * without relays_only. Borrows from q. Pure. */
void openai_words_turn(struct openai_request *q, struct provider_turn *out);

#endif
