/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_BASE_ERR_H
#define CHATBOX_BASE_ERR_H

#include "base/check.h"

#include <stdbool.h>

/* Every function that can fail returns one of these; ERR_OK is 0. What a peer
 * can be told stands in err.def; the three after it never leave the process. */
enum err {
    ERR_OK = 0,
#define ERR(NAME, slug, http, close, retryable, sentence) ERR_##NAME,
#include "base/err.def"
#undef ERR
    ERR_TOO_BIG, /* a cap given at birth was reached */
    ERR_AGAIN,   /* not now: more input or room is needed */
    ERR_IO,      /* the operating system or a peer's socket failed */
    ERR_COUNT
};

struct err_info {
    const char *code;     /* "NOT_FOUND" */
    const char *slug;     /* "not_found" */
    const char *sentence; /* for people */
    int http;
    int close;
    bool retryable;
};

/* Static; valid for every enum value. The process-internal ones read as
 * INTERNAL_ERROR, so that nothing internal leaks. */
const struct err_info *err_info(enum err e);

/* The HTTP CODE of protocol.md section 1: like info->code, but the size
 * errors share PAYLOAD_TOO_LARGE, 426 is BAD_REQUEST and what is only a
 * WebSocket code takes the code of its status. */
const char *err_http_code(enum err e);

#endif
