/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GUARD_TOKEN_H
#define CHATBOX_GUARD_TOKEN_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who somebody is: protocol.md section 3, and RFC 8725 behind it. A pure
 * function of the token, the keys and the time. The key fixes the family of
 * algorithms, never the token. */

#define TOKEN_USER_ID_MAX 255
#define TOKEN_NAME_MAX 255
#define TOKEN_ROLES_MAX 32
#define TOKEN_ROLE_MAX 64
#define TOKEN_ROLES_BYTES (TOKEN_ROLES_MAX * (TOKEN_ROLE_MAX + 1))

/* Immutable after creation: any number of threads may verify with it. */
struct token_keys;

/* HS256, HS384, HS512. Borrows secret (copies what it needs). Gives; NULL: no
 * memory. */
struct token_keys *token_keys_secret(struct str secret);

/* One public key as PEM ("BEGIN PUBLIC KEY"): RSA of at least 2048 bits
 * (RS/PS 256, 384, 512), EC on P-256, P-384 or P-521 (ES256, ES384, ES512, by
 * the curve), Ed25519 (EdDSA). Anything else: ERR_INVALID_FORMAT, and *why_out
 * (static) says what is wrong. Gives. */
enum err token_keys_pem(struct str pem, struct token_keys **out,
                        const char **why_out) MUST_CHECK;

/* Wipes. NULL is fine. */
void token_keys_free(struct token_keys *k);

/* Immutable. Strings NULL or "" where nothing is configured. */
struct token_rules {
    const char *user_claim; /* "user_id" when NULL or "" */
    const char *issuer;     /* not configured: `iss` is not compared */
    const char *audience;   /* not configured: `aud` is not compared */
    bool require_exp;
    int64_t leeway_ms;              /* for `exp` and `nbf` */
    const char *const *admin_roles; /* NULL at the end; may be NULL */
};

/* No string of a known claim may contain a NUL. */
struct identity {
    int64_t exp_ms;                /* 0: never; without the leeway */
    bool admin;                    /* has one of rules->admin_roles */
    size_t roles_n;                /* bytes of roles */
    char roles[TOKEN_ROLES_BYTES]; /* as they stand, each with a NUL */
    char user_id[TOKEN_USER_ID_MAX + 1];
    char name[TOKEN_NAME_MAX + 1]; /* "" when absent */
};

static inline struct str
token_roles(const struct identity *who)
{
    return (struct str){who->roles, who->roles_n};
}

/* ERR_OK and *out filled; ERR_EXPIRED_TOKEN only for a token that is good in
 * every other respect; ERR_SERVICE_UNAVAILABLE: there was no memory to find
 * out; ERR_INVALID_TOKEN otherwise (*out undefined). Borrows everything.
 * now_ms: wall clock. Any thread. */
enum err token_verify(const struct token_keys *keys,
                      const struct token_rules *rules, struct str jwt,
                      int64_t now_ms, struct identity *out) MUST_CHECK;

/* The same with a published set: the token's `kid` names its keys, without one
 * every key that fits is tried. ERR_NOT_FOUND when the set has no key of this
 * name: a newer set might. */
struct jwks;
enum err token_verify_by_set(const struct jwks *set,
                             const struct token_rules *rules, struct str jwt,
                             int64_t now_ms, struct identity *out) MUST_CHECK;

/* What `chatbox token` and `chatbox dev` put into a token. NULL or "": left
 * out. */
struct token_claims {
    const char *user_claim; /* "user_id" when NULL or "" */
    const char *user_id;
    const char *name;
    const char *const *roles; /* NULL at the end; may be NULL */
    const char *issuer;
    const char *audience;
    int64_t issued_s;
    int64_t expires_s; /* 0: never */
};

/* Appends a compact HS256 token. Borrows. */
void token_sign_hs256(struct str secret, const struct token_claims *claims,
                      struct buf *out);

#endif
