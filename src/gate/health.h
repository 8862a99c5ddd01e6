/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_HEALTH_H
#define CHATBOX_GATE_HEALTH_H

#include "gate/request.h"

/* Route handlers for those who watch the server. */
void health_live(struct request *r);    /* the loop turns */
void health_ready(struct request *r);   /* send me traffic */
void health_metrics(struct request *r); /* Prometheus' text */

/* What they say, for whoever answers without a gate: the body of health_live;
 * the first members of health_ready's; the page. */
#define HEALTH_PAGE_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define HEALTH_PAGE_BYTES ((size_t)16 << 20)
void health_put_live(struct buf *out);
void health_put_status(struct buf *out, bool ready);

#endif
