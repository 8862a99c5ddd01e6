/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_ROUTER_H
#define CHATBOX_CHAT_ROUTER_H

#include "chat/state.h"
#include "proto/encode.h"

/* From a client's frame to the function that handles its type, and the two
 * ways to answer that one client. */

/* See chat_on_frame. */
void router_on_frame(struct outlet *o, struct str text);

/* One frame to one outlet; counts it. Borrows. */
void router_send(struct outlet *o, struct str frame);

/* An error frame to one outlet; counts it. Empty ids are left out. */
void router_tell(struct outlet *o, const struct proto_error *what,
                 struct str message_id, struct str client_id);

#endif
