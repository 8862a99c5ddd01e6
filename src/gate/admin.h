/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_ADMIN_H
#define CHATBOX_GATE_ADMIN_H

#include "gate/request.h"

/* Route handlers for operators who read (protocol.md section 1). */
void admin_list(struct request *r);
void admin_read(struct request *r);
void admin_user(struct request *r);
void admin_metrics(struct request *r);

#endif
