/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_OPENAI_PLACE_H
#define CHATBOX_GATE_OPENAI_PLACE_H

#include "gate/request.h"

#include <stdbool.h>
#include <stdint.h>

/* What the headers of a request at the OpenAI door say of it: the conversation
 * that the question belongs to, and the client's id for it. Empty: none. */
struct openai_place {
    struct str session;
    struct str key;
    uint64_t after; /* the last event that the client has; 0: none */
};

/* False: they are wrong, and that has been answered. Borrows from r. */
bool openai_place_read(struct request *r, struct openai_place *p);

/* False: the body is said to be something else than JSON, and that has been
 * answered. Nothing said is JSON. */
bool openai_place_takes(struct request *r);

#endif
