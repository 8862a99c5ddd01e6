/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_API_H
#define CHATBOX_GATE_API_H

#include "gate/request.h"

/* Route handlers of the user's REST interface (protocol.md section 1). */
void api_list(struct request *r);
void api_create(struct request *r);
void api_read(struct request *r);
void api_patch(struct request *r);
void api_delete(struct request *r);
void api_end(struct request *r);
void api_share(struct request *r);
void api_unshare(struct request *r);
void api_models(struct request *r);

#endif
