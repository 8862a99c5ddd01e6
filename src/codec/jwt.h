/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CODEC_JWT_H
#define CHATBOX_CODEC_JWT_H

#include "base/buf.h"
#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* The form of a compact JWS (RFC 7515, section 3.1) whose payload is a JSON
 * object. What it says, and whether the signature holds, is guard/token's. */

#define JWT_MAX_BYTES 8192
#define JWT_DEPTH_MAX 32

/* The parts as they stand, without their dots. Borrowed from the token. */
struct jwt {
    struct str header;
    struct str claims;
    struct str signature;
    struct str signed_text; /* header.claims: what the signature is over */
};

/* At most JWT_MAX_BYTES, exactly three parts, none empty. */
bool jwt_split(struct str token, struct jwt *out);

/* The JSON object inside a part: base64url without padding, canonical; JSON
 * as strict as codec/json.h, nesting at most JWT_DEPTH_MAX, no NUL in any
 * string, no member twice at any level. Numbers are reals. NULL if refused.
 * Gives. */
json_t *jwt_object(struct str part);

/* Decodes at most *n bytes; *n becomes how many. False if it is not
 * base64url or is longer. */
bool jwt_bytes(struct str part, unsigned char *out, size_t *n);

/* Appends bytes as base64url without padding. */
void jwt_put_part(struct buf *b, struct str bytes);

#endif
