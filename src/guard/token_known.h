/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GUARD_TOKEN_KNOWN_H
#define CHATBOX_GUARD_TOKEN_KNOWN_H

#include "base/str.h"
#include "guard/token.h"

#include <stdbool.h>
#include <stdint.h>

/* Who the bearers of tokens are that were found good a moment ago: a program
 * sends the same one with each of its requests, and a signature and its claims
 * cost more than what many of them ask for. Holds digests, never tokens. One
 * thread. Times are of the wall clock. */
struct token_known;

/* As long as one is good without another look. */
#define TOKEN_KNOWN_MS 60000

/* Most of them; the next one takes the place of another. At most 3 KB each. */
#define TOKEN_KNOWN_MAX 256

/* Gives. */
struct token_known *token_known_new(void);

/* NULL is fine. */
void token_known_free(struct token_known *k);

/* Whether this very token was found good with the same keys and rules, not
 * long ago, and has not expired since; then *out is what it says. Borrows. */
bool token_known_get(struct token_known *k, struct str jwt, int64_t now_ms,
                     int64_t leeway_ms, struct identity *out);

/* It was just found good. Borrows. */
void token_known_put(struct token_known *k, struct str jwt, int64_t now_ms,
                     const struct identity *who);

/* The keys are others now. */
void token_known_clear(struct token_known *k);

#endif
