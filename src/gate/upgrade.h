/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_UPGRADE_H
#define CHATBOX_GATE_UPGRADE_H

#include "gate/request.h"

/* Route handler: from an HTTP request to a WebSocket (protocol.md 2.1). */
void upgrade_handle(struct request *r);

#endif
