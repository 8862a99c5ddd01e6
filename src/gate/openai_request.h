/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_OPENAI_REQUEST_H
#define CHATBOX_GATE_OPENAI_REQUEST_H

#include "gate/openai_error.h"
#include "provider/provider.h"

#include <jansson.h>

/* A request at the OpenAI door, read and checked: what decides whom to ask and
 * how, the form that is passed on to providers that speak it, and the same in
 * words for those that do not. What nobody here knows is passed on, too. Pure.
 */
struct openai_request {
    struct str model; /* a model's id, as asked for */
    struct buf name;  /* that model borrows from, if it had escapes */
    struct str raw_messages;
    json_t *root; /* raw_messages as a document, once it is needed */
    bool stream;
    bool embeds;            /* embeddings are asked for */
    uint64_t prompt_tokens; /* by estimate; pictures do not count */
    bool include_usage;     /* the client wants a last chunk with it */
    /* Why only a provider that relays can answer it, as the name of a member
     * ("tools"), or NULL. */
    const char *relays_only;
    const char *calls_only; /* likewise: … that relays or takes tools */
    const char
        *beyond_text; /* likewise: what a conversation has no place for */
    struct provider_relay relay; /* borrows the text */
    struct buf options;          /* relay's stream_options */

    /* For providers that do not relay; one of a text at least. */
    struct buf system;
    struct provider_message *messages;
    size_t count;
    size_t picture_count; /* in all messages */
    struct picture *pictures;
    struct buf words; /* that messages borrow from, where parts were joined */
    struct str temperature, top_p; /* numbers as written; empty: not given */
    struct buf stop;               /* a JSON array; empty: not given */
    int64_t max_tokens;            /* 0: not given */
    struct provider_wishes wishes; /* its tools once they are told */
    struct str raw_tools;          /* an array of tool_room functions */
    struct provider_tool *tools;
    size_t tool_room;
    struct provider_call *calls; /* of all messages */
    size_t call_count, call_room;
};

/* Reads a completion's request, or an embedding's. Borrows text for the
 * request's life; it is to be given to fini also when this fails: fault then
 * says why. */
bool openai_request_completion(struct openai_request *q, struct str text,
                               struct openai_fault *fault);
bool openai_request_embeddings(struct openai_request *q, struct str text,
                               struct openai_fault *fault);
void openai_request_fini(struct openai_request *q);

#endif
