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

/* How many of u's connections a newcomer with this session and device (both may
 * be empty) would take the place of. Without a session: in that one of those in
 * memory which it would get; a later one that only the store knows is not
 * looked for, nobody can be there. */
size_t attach_replaced(const struct user *u, struct str session,
                       struct str device);

#endif
