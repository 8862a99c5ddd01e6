/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_OPENAI_CHUNK_H
#define CHATBOX_PROVIDER_OPENAI_CHUNK_H

#include "codec/json.h"
#include "provider/stream.h"

/* What a chat.completion.chunk, a whole chat.completion or an error object
 * says. Texts borrow from what was read; raw.n == 0: none. */
struct openai_chunk {
    struct json_text content; /* of choice 0: delta or message */
    struct json_text refusal; /* the model's own words for not answering */
    struct str calls;         /* tool_calls, an array; empty: none */
    struct json_text finish;  /* finish_reason */
    struct json_text code;    /* of the error: its code, or its type */
    struct provider_usage usage;
    int64_t status; /* a numeric code of the error; 0: none */
    /* Of what the answer has beside content, refusal and calls: other choices,
     * what the model thought, a call of the first kind (function_call). By
     * estimate_quarters. */
    uint64_t aside_quarters;
    bool has_choice;
    bool has_others; /* choices beside the first one */
    bool has_more; /* its delta has more than a role and texts: tool calls, … */
    bool has_usage;
    bool has_error;
};

/* The next of the calls that the array is inside of, and its number in the
 * answer; false at the end, and where it has not this form. */
bool openai_chunk_call(struct json_scan *calls, struct stream_call *call,
                       int64_t *at);

/* False when text is not JSON, or has not this form. Borrows. */
bool openai_chunk_read(struct str text, struct openai_chunk *c);

#endif
