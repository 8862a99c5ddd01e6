/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_HEALTH_H
#define CHATBOX_GATE_HEALTH_H

#include "gate/request.h"

/* Route handlers for those who watch the server. */
void health_live(struct request *r);    /* the loop turns */
void health_ready(struct request *r);   /* send me traffic */
void health_metrics(struct request *r); /* Prometheus' text */

#endif
