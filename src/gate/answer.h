/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_ANSWER_H
#define CHATBOX_GATE_ANSWER_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* The words of an answer, whoever sends it: reply.h for a request of the gate,
 * caller.c for a server that waits for the database. All append and borrow. */

/* How the client finds the end of the body (RFC 9112, 6.3). */
enum answer_framing {
    ANSWER_NO_BODY,
    ANSWER_BY_LENGTH,
    ANSWER_BY_CHUNKS,
    ANSWER_BY_CLOSE
};

#define ANSWER_JSON "application/json; charset=utf-8"

struct answer_head {
    int status;
    const char *type; /* NULL: none */
    const char *cache;
    const char *csp; /* NULL: the strictest one */
    const char *id;  /* of the request */
    enum answer_framing framing;
    size_t length; /* for ANSWER_BY_LENGTH */
};

/* From the status line to the headers that every answer carries: further ones,
 * Connection and the empty line follow. */
void answer_put_head(struct buf *out, const struct answer_head *head);

/* The headers that every answer carries; csp as above. */
void answer_put_common(struct buf *out, const char *csp, const char *id);

/* "Retry-After: seconds", rounded up, 1 at least. */
void answer_put_retry_after(struct buf *out, uint64_t wait_ms);

struct answer_error {
    enum err err;
    const char *field;   /* at fault, or NULL */
    const char *message; /* NULL: the error's own sentence */
    int64_t wait_ms;     /* -1: none */
    const char *id;      /* of the request */
    bool openai;         /* in the form of OpenAI's API */
};

/* The error body of protocol.md section 1. */
void answer_put_error(struct buf *out, const struct answer_error *what);

/* Counts a request that never got as far as a route. */
void answer_count_refused(int status);

#endif
