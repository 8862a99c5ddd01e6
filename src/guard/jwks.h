/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GUARD_JWKS_H
#define CHATBOX_GUARD_JWKS_H

#include "base/err.h"
#include "guard/token_keys.h"

/* A published set of public keys (RFC 7517, RFC 7518 section 6, RFC 8037) and
 * the choice among them. A pure function of the document; who fetches it is
 * gate/keys. */

/* Larger documents and longer lists are refused as a whole. */
#define JWKS_BYTES_MAX ((size_t)256 << 10)
#define JWKS_KEYS_MAX 64

/* Immutable after creation: any number of threads may check with it. */
struct jwks;

/* Takes the keys that can check a signature: RSA of 2048..16384 bits, EC on
 * P-256, P-384 or P-521, Ed25519; `use` absent or "sig", `key_ops` absent or
 * with "verify", `alg` absent or one of ours that fits the key. Other members
 * of the list are passed over, also those with a private part: such a key is
 * nobody's secret any more. ERR_INVALID_FORMAT when the text is no key set or
 * no key remains; *why_out (static) says which. Borrows text. Gives. */
enum err jwks_parse(struct str text, struct jwks **out,
                    const char **why_out) MUST_CHECK;

/* NULL is fine. */
void jwks_free(struct jwks *set);

/* Usable keys; at least one. */
size_t jwks_count(const struct jwks *set);

/* Whether a key of the set made signature over text: one named kid, or any
 * when kid is NULL. A key that names an algorithm serves no other.
 * ERR_NOT_FOUND when no key has this name, ERR_INVALID_TOKEN when those that
 * have it did not sign. Any thread. */
enum err jwks_check(const struct jwks *set, const struct str *kid,
                    const struct token_algorithm *algorithm, struct str text,
                    struct str signature) MUST_CHECK;

#endif
