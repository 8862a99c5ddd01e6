/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_SOCKET_H
#define CHATBOX_GATE_SOCKET_H

#include "chat/chat.h"
#include "codec/ws.h"
#include "gate/gate_state.h"
#include "guard/token.h"

/* A WebSocket of a user: frames in to chat, chat's frames out. */
struct conn;
struct watch;

/* Takes conn (paused, its 101 queued), which counts in settings->websockets
 * already, and does so until it begins to close; and watch (may be NULL).
 * identity and attach are borrowed. */
void socket_start(struct gate *g, struct conn *conn, struct watch *watch,
                  const struct identity *identity,
                  const struct attach_request *attach);

/* For the gate's ws_rules. Static. */
const struct ws_events *socket_events(void);

/* Starts the closing handshake of every one. */
void socket_close_all(struct gate *g, int code, const char *reason);

#endif
