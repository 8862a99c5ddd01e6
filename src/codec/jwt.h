/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CODEC_JWT_H
#define CHATBOX_CODEC_JWT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

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

/* What of a header decides anything. */
struct jwt_header {
    char algorithm[16]; /* "" when absent */
    char type[16];      /* "" when absent; has_type tells the difference */
    bool has_type;
    bool critical; /* has `crit`, whatever it holds */
};

/* The header inside a part, read without a document: it is seen before the
 * signature, so it may cost nothing. As strict as jwt_text; at most 32
 * members, no escapes in their names, none twice; alg and typ are strings of
 * at most 15 bytes without NUL. */
bool jwt_header(struct str part, struct jwt_header *out);

/* The header's `kid`, appended unescaped. Only for a part that jwt_header has
 * taken. ERR_NOT_FOUND when there is none, ERR_INVALID_FORMAT when it is not a
 * string or does not fit into out. */
enum err jwt_key_id(struct str part, struct buf *out) MUST_CHECK;

/* The JSON text inside a part: base64url without padding, canonical; valid as
 * codec/json.h has it, nesting at most JWT_DEPTH_MAX. *n becomes its length. */
bool jwt_text(struct str part, char out[static JWT_MAX_BYTES], size_t *n);

/* Decodes at most *n bytes; *n becomes how many. False if it is not
 * base64url or is longer. */
bool jwt_bytes(struct str part, unsigned char *out, size_t *n);

/* Appends bytes as base64url without padding. */
void jwt_put_part(struct buf *b, struct str bytes);

#endif
