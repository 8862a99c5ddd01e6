/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_FILTER_H
#define CHATBOX_GATE_FILTER_H

#include "gate/request.h"

/* What operators may ask for in a query. Each function that returns false has
 * answered the request with 400, naming the parameter. */
struct store_job;

/* Most sessions of one answer. */
#define FILTER_SESSIONS_MAX 1000

/* limit and offset of a list into job->limit and job->review. */
bool filter_page(struct request *r, uint64_t limit_default,
                 struct store_job *job);

/* Filters and order of the list of sessions, into job->user_id and
 * job->review. */
bool filter_sessions(struct request *r, struct store_job *job);

/* start_time and end_time of the figures; without them the day before now, or
 * before the end. */
bool filter_range(struct request *r, int64_t now_ms, int64_t *from_ms,
                  int64_t *to_ms);

#endif
