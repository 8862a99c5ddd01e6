/* SPDX-License-Identifier: MIT */
/* Tokens by their SHA-256, each at the one place that its digest has: nobody
 * can choose a place, and whoever finds a digest has no token. See
 * token_known.h. */
#include "guard/token_known.h"

#include "base/check.h"
#include "base/xalloc.h"

#include <openssl/evp.h>
#include <string.h>

#define DIGEST_BYTES 32

struct known {
    unsigned char digest[DIGEST_BYTES];
    int64_t since_ms;
    struct identity who;
};

struct token_known {
    EVP_MD *sha256;
    EVP_MD_CTX *context;
    struct known *places[TOKEN_KNOWN_MAX]; /* NULL: nobody */
};

_Static_assert(TOKEN_KNOWN_MAX == 256, "a place is a byte of the digest");

struct token_known *
token_known_new(void)
{
    struct token_known *k = xcalloc(1, sizeof(*k));

    k->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    k->context = EVP_MD_CTX_new();
    CHECK(k->sha256 != NULL && k->context != NULL);
    return k;
}

void
token_known_clear(struct token_known *k)
{
    for (size_t i = 0; i < TOKEN_KNOWN_MAX; i++) {
        xfree(k->places[i]);
        k->places[i] = NULL;
    }
}

void
token_known_free(struct token_known *k)
{
    if (k != NULL) {
        token_known_clear(k);
        EVP_MD_CTX_free(k->context);
        EVP_MD_free(k->sha256);
        xfree(k);
    }
}

/* False: no memory. */
static bool
digest_of(struct token_known *k, struct str jwt,
          unsigned char out[static DIGEST_BYTES])
{
    return EVP_DigestInit_ex2(k->context, k->sha256, NULL) == 1 &&
           EVP_DigestUpdate(k->context, jwt.p, jwt.n) == 1 &&
           EVP_DigestFinal_ex(k->context, out, NULL) == 1;
}

static bool
is_good(const struct known *known, int64_t now_ms, int64_t leeway_ms)
{
    int64_t exp_ms = known->who.exp_ms;

    return now_ms >= known->since_ms &&
           now_ms - known->since_ms < TOKEN_KNOWN_MS &&
           (exp_ms == 0 || now_ms < exp_ms + leeway_ms);
}

bool
token_known_get(struct token_known *k, struct str jwt, int64_t now_ms,
                int64_t leeway_ms, struct identity *out)
{
    unsigned char digest[DIGEST_BYTES];
    const struct known *known;

    if (!digest_of(k, jwt, digest)) {
        return false;
    }
    known = k->places[digest[0]];
    if (known == NULL || memcmp(known->digest, digest, sizeof(digest)) != 0 ||
        !is_good(known, now_ms, leeway_ms)) {
        return false;
    }
    *out = known->who;
    return true;
}

void
token_known_put(struct token_known *k, struct str jwt, int64_t now_ms,
                const struct identity *who)
{
    unsigned char digest[DIGEST_BYTES];
    struct known **place;

    if (!digest_of(k, jwt, digest)) {
        return;
    }
    place = &k->places[digest[0]];
    if (*place == NULL) {
        *place = xcalloc(1, sizeof(**place));
    }
    memcpy((*place)->digest, digest, sizeof(digest));
    (*place)->since_ms = now_ms;
    (*place)->who = *who;
}
