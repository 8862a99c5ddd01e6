/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GUARD_TOKEN_KEYS_H
#define CHATBOX_GUARD_TOKEN_KEYS_H

#include "guard/token.h"

#include <openssl/types.h>

/* What token.c knows of keys; everybody else uses token.h. */

/* The largest signature: RSA with 16384 bits. */
#define TOKEN_SIGNATURE_MAX 2048

enum token_family {
    TOKEN_HMAC,
    TOKEN_RSA,
    TOKEN_EC256,
    TOKEN_EC384,
    TOKEN_EC512,
    TOKEN_ED25519
};

struct token_algorithm {
    const char *name; /* "RS256" */
    enum token_family family;
    const char *digest; /* OpenSSL's name; NULL for Ed25519 */
    bool pss;
};

/* NULL for everything that is not in the table: "none" is not. */
const struct token_algorithm *token_keys_algorithm(struct str name);

/* One public key, as strictly as token_keys_pem: takes it when ERR_OK, gives.
 */
enum err token_keys_public(EVP_PKEY *key, struct token_keys **out,
                           const char **why_out) MUST_CHECK;

/* Whether the key is of the algorithm's family. */
bool token_keys_fit(const struct token_keys *keys,
                    const struct token_algorithm *algorithm);

/* ERR_OK: a key of the algorithm's family made signature over text.
 * ERR_INVALID_TOKEN: it did not. ERR_SERVICE_UNAVAILABLE: there was no memory
 * to find out. Any thread. */
enum err token_keys_check(const struct token_keys *keys,
                          const struct token_algorithm *algorithm,
                          struct str text, struct str signature) MUST_CHECK;

/* HMAC with SHA-256. */
void token_keys_hs256(struct str secret, struct str text,
                      unsigned char out[static 32]);

#endif
