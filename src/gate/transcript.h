/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_TRANSCRIPT_H
#define CHATBOX_GATE_TRANSCRIPT_H

#include "gate/request.h"

/* Route handlers that answer with a whole session, however long it is: the
 * user's export, and what a share's token shows. */
void transcript_export(struct request *r);
void transcript_shared(struct request *r);

#endif
