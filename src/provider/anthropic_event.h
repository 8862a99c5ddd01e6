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

/* A tool_use block, or a piece of one's input. */
struct anthropic_call {
    bool begins;  /* it is the block, with id and name */
    bool goes_on; /* it is a piece, with json */
    struct json_text id;
    struct json_text name;
    struct json_text json; /* more of the text of the input */
    struct str input;      /* what the block has of it, an object */
};

/* What an event of a stream, a whole message or an error object says. Texts
 * borrow from what was read; raw.n == 0: none. */
struct anthropic_event {
    struct json_text type; /* "content_block_delta" */
    struct json_text text; /* of a text block or its delta; never thinking,
                              never a tool's input */
    struct anthropic_call call;
    int64_t index;           /* of the block; -1: not said */
    struct json_text finish; /* stop_reason */
    struct json_text code;   /* the error's type */
    struct anthropic_usage usage;
    struct str
        content; /* a whole message's blocks, an array; p == NULL: none */
    bool has_error;
};

/* False when text is not JSON, or has not this form. Borrows. */
bool anthropic_event_read(struct str text, struct anthropic_event *e);

/* The next text or tool_use block of the array that blocks is inside of, into
 * e's text or call; false at the end, and where it has not this form
 * (json_scan_end tells). */
bool anthropic_event_block(struct json_scan *blocks, struct anthropic_event *e);

/* What next says replaces what was said before of the same answer. */
void anthropic_event_count(struct anthropic_usage *sum,
                           const struct anthropic_usage *next);

#endif
