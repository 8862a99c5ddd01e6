/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GUARD_TOKEN_CLAIMS_H
#define CHATBOX_GUARD_TOKEN_CLAIMS_H

#include "guard/token.h"

/* What the claims of a token say; token.c decides whether it is enough. */
struct token_claims_read {
    bool has_user;
    bool has_exp;
    int64_t exp_ms;
    int64_t nbf_ms;        /* INT64_MIN: absent */
    bool issuer_matches;   /* `iss` is rules->issuer */
    bool audience_matches; /* `aud` is or contains rules->audience */
};

/* Reads a JSON text that is known to be valid: user id, name and admin into
 * *who, the rest into *out. False for anything but an object, for a claim
 * twice, for a known claim of a wrong type or beyond its bounds, and for more
 * than 128 claims. Allocates nothing unless a string has escapes. Borrows. */
bool token_claims_read(struct str json, const struct token_rules *rules,
                       struct identity *who, struct token_claims_read *out);

#endif
