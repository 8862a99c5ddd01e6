/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_AUDIT_H
#define CHATBOX_GATE_AUDIT_H

#include "gate/request.h"
#include "store/review.h"

/* What is put down about who read or changed what, and the route that shows
 * it. The storage keeps the events; each also goes to the log. */

/* An event of now, for a job's review. action is one of REVIEW_…; sid is NULL
 * when it is about no session. All are borrowed. Gives. */
struct review *audit_by(const char *actor, const char *action, const char *sid,
                        const char *detail);

/* The same of the request's user. */
struct review *audit_of(const struct request *r, const char *action,
                        const char *sid, const char *detail);

/* To the log, once it is stored. */
void audit_log(const struct review_event *e);

/* GET admin/audit. */
void audit_list(struct request *r);

#endif
