/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_PROVIDER_TOOLS_H
#define CHATBOX_PROVIDER_PROVIDER_TOOLS_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* Tools of a client's, which a model may call, and what else a client at the
 * OpenAI door may wish of an answer: for providers that do not relay but take
 * it (provider.h, ops->calls). */

/* A call: in a message of the assistant's, or in an answer, where the arguments
 * come in pieces and only the first has the id and the name. */
struct provider_call {
    struct str id;
    struct str name;
    struct str arguments; /* the text of a JSON object, if the model was right
                             about it */
};

/* JSON as it was written; empty: not given. */
struct provider_tool {
    struct str name;        /* a string */
    struct str description; /* a string */
    struct str parameters;  /* an object: a JSON schema */
    struct str strict;      /* true or false */
};

enum provider_choice {
    PROVIDER_CHOICE_OPEN, /* not said: the provider's default */
    PROVIDER_CHOICE_AUTO,
    PROVIDER_CHOICE_NONE,
    PROVIDER_CHOICE_ANY,
    PROVIDER_CHOICE_ONE /* the one that is named */
};

/* How a tool of the provider's own may be called, by which it is made to answer
 * in JSON: a client's must not be. */
#define PROVIDER_JSON_TOOL STR("answer_in_json")

struct provider_wishes {
    const struct provider_tool *tools;
    size_t tool_count;
    enum provider_choice choice;
    struct str choice_name; /* of CHOICE_ONE: a JSON string */
    bool one_call;          /* not several of them at once */
    bool json;              /* the answer's text is a JSON object … */
    struct str schema;      /* … or has this schema, an object as it was
                               written; empty: none */
    struct str effort;      /* a JSON string: OpenAI's word for how long to
                               think; empty: not said */
    bool names_user;        /* turn->user is to be passed on */
};

#endif
