/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_OPENAI_VALUE_H
#define CHATBOX_GATE_OPENAI_VALUE_H

#include "codec/json.h"

#include <jansson.h>

/* The members of a request at the OpenAI door as they were written, in a text
 * that has been checked (json_valid). Empty: the member is not there. Pure; all
 * borrow. */

/* Its first byte, which tells what it is, is one of these. */
bool openai_value_begins(struct str value, const char *one_of);

/* It is there, and not null. */
bool openai_value_given(struct str value);

bool openai_value_is_number(struct str value);
double openai_value_number(struct str value); /* of a number */
bool openai_value_is_whole(struct str value, double min, double max);

/* False: it is no string. */
bool openai_value_text(struct str value, struct json_text *out);

/* The member of an object; empty: there is none, or no object. */
struct str openai_value_member(struct str object, struct str name);

/* Any value. NULL: there is in it what only a whole reading finds, as a member
 * that stands twice; *e tells where. Gives. */
json_t *openai_value_document(struct str text, json_error_t *e);

struct openai_member {
    struct str name;
    struct str value;
};

/* Fills the values of those members that the object has. False: one stands
 * twice, whatever its name: two readers would see two requests. */
bool openai_value_split(struct str object, struct openai_member *members,
                        size_t count);

#endif
