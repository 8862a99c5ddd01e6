/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_ATTACH_H
#define CHATBOX_CHAT_ATTACH_H

#include "chat/state.h"

/* How an outlet comes to its session: find or make it, replace what it
 * replaces, first frame, replay, join (protocol.md 2.5). */

/* o->user is set and counts it. Copies the request. */
void attach_start(struct outlet *o, const struct attach_request *request);

/* The outlet goes before it has joined. */
void attach_forget(struct outlet *o);

/* Whether a newcomer with this session (may be empty) and device would take
 * o's place. */
bool attach_replaces(const struct outlet *o, struct str session,
                     struct str device);

#endif
