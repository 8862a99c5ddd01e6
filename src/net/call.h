/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_NET_CALL_H
#define CHATBOX_NET_CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One HTTP request whose caller waits for it: for threads that may block
 * (loop/work.h), and for commands. By libcurl, by the policy of all requests
 * (net/policy.h), after fetch_pool_prepare. Any thread. */

/* Connections that were used, for the next ones; shared by all threads. */
struct call_pool;
struct call_pool *call_pool_new(void);
void call_pool_free(struct call_pool *p); /* NULL is fine; nothing runs */

/* AWS' signature, version 4. Borrowed. */
struct call_signature {
    const char *scheme; /* "aws:amz:REGION:SERVICE", CURLOPT_AWS_SIGV4 */
    const char *key_id;
    const char *secret;
};

/* Whether this libcurl signs what S3 wants signed (since 7.88). */
bool call_can_sign(void);

struct call_request {
    const char *method; /* "GET", "HEAD", "PUT", "DELETE" */
    const char *url;
    const char *const *headers;             /* "Name: value"; NULL at the end */
    const struct call_signature *signature; /* NULL: none */
    int body_fd;                            /* of PUT: read from its start */
    uint64_t body_bytes;
    char *room; /* for the body of an answer that is none of refusal */
    size_t room_bytes;
    uint64_t connect_timeout_ms; /* with name and TLS */
    uint64_t idle_timeout_ms;    /* nothing goes either way; to a second */
    uint64_t total_timeout_ms;
    const atomic_bool *stop; /* true: ends within about a second; or NULL */
};

#define CALL_FAULT_BYTES 1024
struct call_answer {
    int status;      /* 0: no answer, or not all of it */
    uint64_t length; /* Content-Length, of HEAD as well; 0: none */
    size_t n;        /* in room */
    size_t fault_n;  /* in fault: how the body of a refusal begins */
    const char *why; /* with status 0: a fixed sentence */
    char fault[CALL_FAULT_BYTES];
};

/* Waits. An answer that room has no place for is none. Nothing is sent again
 * but, once and by libcurl, what a kept connection lost by being closed in that
 * moment. */
void call_make(struct call_pool *p, const struct call_request *request,
               struct call_answer *out);

#endif
