/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_DIFY_EVENT_H
#define CHATBOX_PROVIDER_DIFY_EVENT_H

#include "codec/json.h"
#include "provider/provider.h"

/* What an event of Dify's stream, a whole answer or an error object says.
 * Texts borrow from what was read; raw.n == 0: none. */
struct dify_event {
    struct json_text event; /* "message", "workflow_started", … */
    struct json_text task;
    struct json_text conversation;
    struct json_text answer; /* a delta; of message_replace: all of it */
    struct json_text code;   /* of an error */
    struct provider_usage usage;
    int64_t status; /* of an error; 0: none */
    bool has_answer;
    bool has_usage;
};

/* False when text is not JSON, or has not this form. Borrows. */
bool dify_event_read(struct str text, struct dify_event *e);

/* What could be anything but an id, in a path or in a log, is none. */
bool dify_event_is_id(struct str s);

#endif
