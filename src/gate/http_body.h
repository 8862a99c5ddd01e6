/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_HTTP_BODY_H
#define CHATBOX_GATE_HTTP_BODY_H

#include "gate/request.h"

/* The body of a request: read into r->body, or given to r->on_body as it comes;
 * then the handler runs. 30 s without progress end it. */
struct http;

/* From on_body: no more of the body comes until http_body_more, which is called
 * later, while the request is there. The client's time does not run. */
static inline void
http_body_hold(struct request *r)
{
    r->held = true;
}
void http_body_more(struct request *r);

/* Refuses a request whose body is still coming, or has come. Frees r. */
void http_body_refuse(struct request *r, enum err e, const char *field);

/* For http.c. "Content-Length: 0" is as good as no body: no byte of it will
 * ever come. */
bool http_body_comes(const struct http1_head *head);

/* The request is allowed: its body comes next. */
void http_body_begin(struct http *h);

/* Takes what belongs to the body; returns how much. */
size_t http_body_take(struct http *h, char *bytes, size_t n);

#endif
