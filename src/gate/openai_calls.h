/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_OPENAI_CALLS_H
#define CHATBOX_GATE_OPENAI_CALLS_H

#include "base/buf.h"
#include "provider/provider.h"

/* The calls of tools in an answer that is told whole, out of their pieces,
 * which may come side by side. Pure. */
struct openai_calls {
    struct openai_calls_one *all; /* of room for PROVIDER_CALLS_MAX; NULL before
                                     the first piece */
    size_t count;
    size_t max_bytes; /* of each one's arguments; set by the owner */
};

void openai_calls_fini(struct openai_calls *c); /* may be used again */

/* The next piece of the call number at. Borrows. */
void openai_calls_take(struct openai_calls *c, unsigned at,
                       const struct provider_call *piece);

/* Appends them as a JSON array in OpenAI's form; nothing when there are none.
 */
void openai_calls_put(const struct openai_calls *c, struct buf *out);

#endif
