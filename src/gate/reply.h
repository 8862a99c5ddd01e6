/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_REPLY_H
#define CHATBOX_GATE_REPLY_H

#include "gate/request.h"

/* Answers. Each queues one whole response with the headers that every answer
 * carries, and ends the request: r is void afterwards. All borrow the rest. */

/* A JSON body. */
void reply_json(struct request *r, int status, struct str body);

/* The same with Retry-After, unless wait_ms is below 0. */
void reply_json_after(struct request *r, int status, struct str body,
                      int64_t wait_ms);

/* A body of another type; cache is the Cache-Control; extra are further header
 * lines ("Name: value\r\n…") or empty. */
struct reply_content {
    const char *type;
    const char *cache;
    struct str extra;
    struct str body;
};
void reply_content(struct request *r, int status,
                   const struct reply_content *what);

/* The same in parts, of unknown length: the head (what->body does not count),
 * then any number of parts, then the end, which ends the request; http_cut
 * does when it cannot be completed. A HEAD request gets the head alone. An
 * error: the client is gone, or beyond what may be queued; nothing else may be
 * written then. */
enum err reply_begin(struct request *r, int status,
                     const struct reply_content *what) MUST_CHECK;
enum err reply_part(struct request *r, struct str bytes) MUST_CHECK;
void reply_end(struct request *r);

/* The same, but of known length: nothing marks the parts. */
enum err reply_begin_sized(struct request *r, int status,
                           const struct reply_content *what,
                           uint64_t length) MUST_CHECK;

/* reply_begin with 200, for an event stream that nobody on the way may hold
 * back. */
enum err reply_begin_events(struct request *r) MUST_CHECK;

/* 204 and the like; extra as above. */
void reply_empty(struct request *r, int status, struct str extra);

/* The error body of protocol.md section 1. field may be NULL. */
void reply_error(struct request *r, enum err e, const char *field);

/* The same with a sentence of its own. */
void reply_error_text(struct request *r, enum err e, const char *field,
                      const char *message);

/* 429 with retry_after_ms and Retry-After. */
void reply_limited(struct request *r, enum err e, uint64_t wait_ms);

/* 405 with Allow. */
void reply_not_allowed(struct request *r, struct str allow);

/* The headers that every answer carries, the 101 too. */
void reply_common_headers(const struct request *r, struct buf *out);

#endif
