/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_OPENAI_REFUSAL_H
#define CHATBOX_GATE_OPENAI_REFUSAL_H

#include "base/buf.h"
#include "chat/exchange.h"

#include <stdbool.h>

/* What a client of the OpenAI door is told of an answer that failed. Pure; all
 * append and borrow. */

/* Instead of an answer: the provider's own words where it is the client's
 * request that they are about, put into OpenAI's form if it has another one
 * (foreign). Gives the status. */
int openai_refusal_put(struct buf *out, const struct exchange_end *end,
                       bool foreign);

/* In mid-answer: in our words. */
void openai_refusal_put_own(struct buf *out, const struct exchange_end *end);

#endif
