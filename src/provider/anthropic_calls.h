/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_ANTHROPIC_CALLS_H
#define CHATBOX_PROVIDER_ANTHROPIC_CALLS_H

#include "provider/anthropic_event.h"
#include "provider/stream.h"

/* The tool_use blocks of one answer, as calls. They may be open side by side;
 * a block's pieces are those with its index. Arguments are never empty: a tool
 * without any is called with {}. A block that is PROVIDER_JSON_TOOL's is no
 * call but the answer's text, the first one of them. */
struct anthropic_calls_block;

struct anthropic_calls {
    struct anthropic_calls_block *open; /* of room for PROVIDER_CALLS_MAX; NULL
                                           before the first */
    size_t open_count;
    size_t given; /* calls so far */
    bool in_json; /* the text in JSON has begun */
};

void anthropic_calls_fini(struct anthropic_calls *c);

/* What an event has of them; nothing, mostly. */
void anthropic_calls_take(struct anthropic_calls *c,
                          const struct anthropic_event *e, struct stream *s,
                          const struct provider_sink *sink);

/* The answer is at its end: blocks that were not closed are. */
void anthropic_calls_end(struct anthropic_calls *c, struct stream *s,
                         const struct provider_sink *sink);

#endif
