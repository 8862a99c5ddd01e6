/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_OPENAI_MESSAGE_H
#define CHATBOX_GATE_OPENAI_MESSAGE_H

#include "base/buf.h"
#include "codec/json.h"
#include "gate/openai_error.h"
#include "provider/provider.h"

#include <jansson.h>

/* One of the messages of a request at the OpenAI door. Pure; all borrow. Most
 * are plain and read where they lie, all others as documents. */
struct openai_role {
    const char *word;
    enum provider_role role;
    bool system;  /* not a message to providers that do not relay */
    bool relayed; /* means something to those that relay alone */
    bool result;  /* of a call; as that, if it says of which one */
    bool silent;  /* may be without content */
};

/* Whether json, a checked text, is a message with a known role and a content
 * that is a string, and with nothing else. */
bool openai_message_plain(struct str json, const struct openai_role **role,
                          struct json_text *content);

/* NULL: a role that nobody knows. */
const struct openai_role *openai_message_role(const json_t *message);

/* False: it is wrong, and fault says how; at is its place in the request. What
 * is in a content of parts is the model's to judge, but pictures by an address
 * must be at a public one, so that nobody is sent to look at what is private.
 */
bool openai_message_check(const json_t *message, size_t at,
                          struct openai_fault *fault);

/* It says something that only a provider that relays can be told. */
bool openai_message_relayed(const json_t *message);

/* How many tools it calls; -1: some of them in a way that only a provider that
 * relays can be told. */
int openai_message_count_calls(const json_t *message);

/* Up to room of them, as many as there are. Borrows. */
size_t openai_message_calls(const json_t *message, struct provider_call *out,
                            size_t room);

/* Their estimated tokens. */
uint64_t openai_message_call_tokens(const json_t *message);

/* The id of the call whose result it is; empty: it is none. Borrows. */
struct str openai_message_result(const json_t *message);

/* How many pictures are in a content; -1: some of them, or something else in
 * it, is of a kind that only a provider that relays can be told. */
int openai_message_pictures(const json_t *content);

/* The next picture of a content, from part *at on, which is moved behind it;
 * false: there is none left. Borrows. */
bool openai_message_picture(const json_t *content, size_t *at,
                            struct picture *out);

/* Estimated tokens of a content, or of an input of embeddings. */
uint64_t openai_message_tokens(const json_t *content);

/* Appends the texts of a content, a line each when there are several. */
void openai_message_words(const json_t *content, struct buf *out);

#endif
