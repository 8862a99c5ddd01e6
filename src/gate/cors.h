/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_CORS_H
#define CHATBOX_GATE_CORS_H

#include "gate/request.h"

/* Cross-origin requests (the Fetch standard, section 3.2), when origins are
 * configured. */

/* What an answer to r carries: nothing unless its origin is listed. */
void cors_headers(const struct request *r, struct buf *out);

/* Answers OPTIONS: a preflight, or the plain question what path allows. path
 * is behind the prefix, or "*". */
void cors_options(struct request *r, struct str path);

#endif
