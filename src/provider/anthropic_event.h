/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_ANTHROPIC_EVENT_H
#define CHATBOX_PROVIDER_ANTHROPIC_EVENT_H

#include "codec/json.h"

#include <stdint.h>

/* Counts of tokens, -1 where none was said. What was read from a cache or put
 * into one is not in input. */
struct anthropic_usage {
    int64_t input;
    int64_t cache_written;
    int64_t cache_read;
    int64_t output;
};

/* What an event of a stream, a whole message or an error object says. Texts
 * borrow from what was read; raw.n == 0: none. */
struct anthropic_event {
    struct json_text type;   /* "content_block_delta" */
    struct json_text text;   /* of a text block or its delta; never thinking,
                                never a tool's input */
    struct json_text finish; /* stop_reason */
    struct json_text code;   /* the error's type */
    struct anthropic_usage usage;
    struct str
        content; /* a whole message's blocks, an array; p == NULL: none */
    bool has_error;
};

/* False when text is not JSON, or has not this form. Borrows. */
bool anthropic_event_read(struct str text, struct anthropic_event *e);

/* The next text block of the array that blocks is inside of; false at the end,
 * and where it has not this form (json_scan_end tells). */
bool anthropic_event_block(struct json_scan *blocks,
                           struct json_text *text_out);

/* What next says replaces what was said before of the same answer. */
void anthropic_event_count(struct anthropic_usage *sum,
                           const struct anthropic_usage *next);

#endif
