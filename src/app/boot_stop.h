/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_BOOT_STOP_H
#define CHATBOX_APP_BOOT_STOP_H

#include "app/boot_state.h"

/* After the first SIGTERM or SIGINT: not ready, drain, no listeners, running
 * answers may finish until the deadline, sockets are told, what is left is
 * cut. A second signal ends the waiting. The shards are still there when it
 * returns: whether something was cut. */
bool boot_stop(struct boot *b);

#endif
