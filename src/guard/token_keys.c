/* SPDX-License-Identifier: MIT */
/* Keys and signatures, on OpenSSL's EVP alone (docs/decisions says why not
 * cjose). token.c decides what a token may ask for; here is only arithmetic.
 * Everything is made once and then only read, so all shards share it: an
 * EVP_PKEY counts its references atomically, and a prepared HMAC is copied
 * for each use. */
#include "guard/token_keys.h"

#include "base/xalloc.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

enum { DIGESTS = 3, RSA_BITS_MIN = 2048, RSA_BITS_MAX = 16384 };

static const char *const digests[DIGESTS] = {"SHA256", "SHA384", "SHA512"};

static const struct token_algorithm algorithms[] = {
    {"HS256", TOKEN_HMAC, "SHA256", false},
    {"HS384", TOKEN_HMAC, "SHA384", false},
    {"HS512", TOKEN_HMAC, "SHA512", false},
    {"RS256", TOKEN_RSA, "SHA256", false},
    {"RS384", TOKEN_RSA, "SHA384", false},
    {"RS512", TOKEN_RSA, "SHA512", false},
    {"PS256", TOKEN_RSA, "SHA256", true},
    {"PS384", TOKEN_RSA, "SHA384", true},
    {"PS512", TOKEN_RSA, "SHA512", true},
    {"ES256", TOKEN_EC256, "SHA256", false},
    {"ES384", TOKEN_EC384, "SHA384", false},
    {"ES512", TOKEN_EC512, "SHA512", false},
    {"EdDSA", TOKEN_ED25519, NULL, false},
};

struct token_keys {
    enum token_family family;
    EVP_PKEY *public_key;      /* NULL when HMAC */
    EVP_MAC_CTX *mac[DIGESTS]; /* keyed, by digest; NULL unless HMAC */
};

const struct token_algorithm *
token_keys_algorithm(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        if (str_is(name, algorithms[i].name)) {
            return &algorithms[i];
        }
    }
    return NULL;
}

/* --- HMAC --------------------------------------------------------------- */

static bool
mac_begin(EVP_MAC_CTX *ctx, struct str secret, const char *digest)
{
    char name[16];
    OSSL_PARAM params[2];

    CHECK(strlen(digest) < sizeof(name));
    memcpy(name, digest, strlen(digest) + 1);
    params[0] =
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0);
    params[1] = OSSL_PARAM_construct_end();
    return EVP_MAC_init(ctx, (const unsigned char *)secret.p, secret.n,
                        params) == 1;
}

/* NULL: no memory. OpenSSL takes no key of length 0; configuration asks for 32
 * bytes. */
static EVP_MAC_CTX *
mac_new(struct str secret, const char *digest)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;

    CHECK(secret.n > 0);
    if (ctx != NULL && !mac_begin(ctx, secret, digest)) {
        EVP_MAC_CTX_free(ctx);
        ctx = NULL;
    }
    EVP_MAC_free(hmac);
    ERR_clear_error();
    return ctx;
}

/* The bytes of out; 0: no memory. */
static size_t
mac_of(EVP_MAC_CTX *ctx, struct str text, unsigned char out[EVP_MAX_MD_SIZE])
{
    size_t n = 0;

    if (EVP_MAC_update(ctx, (const unsigned char *)text.p, text.n) != 1 ||
        EVP_MAC_final(ctx, out, &n, EVP_MAX_MD_SIZE) != 1) {
        return 0;
    }
    return n;
}

static enum err
hmac_check(const struct token_keys *k, const char *digest, struct str text,
           struct str signature)
{
    unsigned char expected[EVP_MAX_MD_SIZE];
    EVP_MAC_CTX *ctx;
    size_t i = 0, n = 0;

    while (i < DIGESTS && strcmp(digests[i], digest) != 0) {
        i++;
    }
    CHECK(i < DIGESTS);
    ctx = EVP_MAC_CTX_dup(k->mac[i]);
    if (ctx != NULL) {
        n = mac_of(ctx, text, expected);
        EVP_MAC_CTX_free(ctx);
    }
    if (n == 0) {
        ERR_clear_error();
        return ERR_SERVICE_UNAVAILABLE;
    }
    return str_eq_secret(signature, (struct str){(const char *)expected, n})
               ? ERR_OK
               : ERR_INVALID_TOKEN;
}

void
token_keys_hs256(struct str secret, struct str text,
                 unsigned char out[static 32])
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    EVP_MAC_CTX *ctx = mac_new(secret, "SHA256");

    CHECK(ctx != NULL && mac_of(ctx, text, mac) == 32);
    memcpy(out, mac, 32);
    EVP_MAC_CTX_free(ctx);
}

/* --- public keys -------------------------------------------------------- */

/* What OpenSSL has come to. Empties its list of errors. */
static enum err
verdict(bool ok)
{
    enum err e = ok ? ERR_OK : ERR_INVALID_TOKEN;
    unsigned long code;

    while ((code = ERR_get_error()) != 0) {
        if (!ok && ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) {
            e = ERR_SERVICE_UNAVAILABLE;
        }
    }
    return e;
}

/* RFC 7518, section 3.4: r and s as two numbers of fixed width; OpenSSL wants
 * them as DER. False: no memory. Gives der. */
static bool
der_signature(struct str raw, struct buf *der)
{
    const unsigned char *p = (const unsigned char *)raw.p;
    int half = (int)(raw.n / 2), n;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(p, half, NULL), *s = BN_bin2bn(p + half, half, NULL);
    unsigned char *to;

    if (sig == NULL || r == NULL || s == NULL) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(sig);
        return false;
    }
    CHECK(ECDSA_SIG_set0(sig, r, s) == 1);
    n = i2d_ECDSA_SIG(sig, NULL);
    CHECK(n > 0);
    buf_init(der, (size_t)n);
    to = (unsigned char *)buf_reserve(der, (size_t)n);
    der->n = (size_t)i2d_ECDSA_SIG(sig, &to);
    ECDSA_SIG_free(sig);
    return true;
}

/* The salt is as long as the digest, the mask's digest is the same (RFC 7518,
 * section 3.5). */
static bool
set_pss(EVP_PKEY_CTX *ctx)
{
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static enum err
evp_check(EVP_PKEY *key, const struct token_algorithm *a, struct str text,
          struct str signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_ctx; /* ctx owns it */
    bool ok;

    if (ctx == NULL) {
        ERR_clear_error();
        return ERR_SERVICE_UNAVAILABLE;
    }
    ok = EVP_DigestVerifyInit_ex(ctx, &key_ctx, a->digest, NULL, NULL, key,
                                 NULL) == 1 &&
         (!a->pss || set_pss(key_ctx)) &&
         EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.n,
                          (const unsigned char *)text.p, text.n) == 1;
    EVP_MD_CTX_free(ctx);
    return verdict(ok);
}

/* Bytes that a signature of this key has, in its JWS form. */
static size_t
signature_size(const struct token_keys *k)
{
    switch (k->family) {
    case TOKEN_EC256:
        return 64;
    case TOKEN_EC384:
        return 96;
    case TOKEN_EC512:
        return 132;
    default:
        return (size_t)EVP_PKEY_get_size(k->public_key);
    }
}

static enum err
public_check(const struct token_keys *k, const struct token_algorithm *a,
             struct str text, struct str signature)
{
    struct buf der;
    enum err e;

    if (signature.n != signature_size(k)) {
        return ERR_INVALID_TOKEN;
    }
    if (k->family == TOKEN_RSA || k->family == TOKEN_ED25519) {
        return evp_check(k->public_key, a, text, signature);
    }
    if (!der_signature(signature, &der)) {
        ERR_clear_error();
        return ERR_SERVICE_UNAVAILABLE;
    }
    e = evp_check(k->public_key, a, text, buf_str(&der));
    buf_fini(&der);
    return e;
}

bool
token_keys_fit(const struct token_keys *k, const struct token_algorithm *a)
{
    return a->family == k->family;
}

enum err
token_keys_check(const struct token_keys *k, const struct token_algorithm *a,
                 struct str text, struct str signature)
{
    if (!token_keys_fit(k, a)) {
        return ERR_INVALID_TOKEN;
    }
    return k->family == TOKEN_HMAC ? hmac_check(k, a->digest, text, signature)
                                   : public_check(k, a, text, signature);
}

/* --- birth and death ---------------------------------------------------- */

struct token_keys *
token_keys_secret(struct str secret)
{
    struct token_keys *k = xcalloc(1, sizeof(*k));

    k->family = TOKEN_HMAC;
    for (size_t i = 0; i < DIGESTS; i++) {
        k->mac[i] = mac_new(secret, digests[i]);
        if (k->mac[i] == NULL) {
            token_keys_free(k);
            return NULL;
        }
    }
    return k;
}

static const char *
rsa_family(const EVP_PKEY *key, enum token_family *out)
{
    int bits = EVP_PKEY_get_bits(key);

    *out = TOKEN_RSA;
    if (bits < RSA_BITS_MIN) {
        return "the RSA key has fewer than 2048 bits";
    }
    return bits > RSA_BITS_MAX ? "the RSA key has more than 16384 bits" : NULL;
}

static const char *
ec_family(const EVP_PKEY *key, enum token_family *out)
{
    static const struct {
        const char *curve;
        enum token_family family;
    } curves[] = {
        {SN_X9_62_prime256v1, TOKEN_EC256},
        {SN_secp384r1, TOKEN_EC384},
        {SN_secp521r1, TOKEN_EC512},
    };
    char name[64];

    if (EVP_PKEY_get_group_name(key, name, sizeof(name), NULL) != 1) {
        name[0] = '\0';
    }
    for (size_t i = 0; i < COUNT_OF(curves); i++) {
        if (strcmp(name, curves[i].curve) == 0) {
            *out = curves[i].family;
            return NULL;
        }
    }
    return "the EC key is not on P-256, P-384 or P-521";
}

/* NULL, or what is wrong with it. */
static const char *
family_of(const EVP_PKEY *key, enum token_family *out)
{
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
        return rsa_family(key, out);
    case EVP_PKEY_EC:
        return ec_family(key, out);
    case EVP_PKEY_ED25519:
        *out = TOKEN_ED25519;
        return NULL;
    default:
        return "the key is not RSA, EC or Ed25519";
    }
}

static EVP_PKEY *
read_pem(struct str pem, const char **why)
{
    BIO *bio;
    EVP_PKEY *key = NULL;

    if (str_contains_nocase(pem, STR("PRIVATE KEY"))) {
        *why = "this is a private key; give the public one";
    } else if (pem.n > 1 << 20) {
        *why = "the file is too large for a key";
    } else {
        *why = "there is no PEM public key in it";
        bio = BIO_new_mem_buf(pem.n > 0 ? pem.p : "", (int)pem.n);
        CHECK(bio != NULL);
        key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
        BIO_free(bio);
    }
    ERR_clear_error();
    return key;
}

static bool
is_odd_beyond_one(const EVP_PKEY *key, const char *name)
{
    BIGNUM *number = NULL;
    bool ok = EVP_PKEY_get_bn_param(key, name, &number) == 1 &&
              BN_is_odd(number) && !BN_is_one(number);

    BN_free(number);
    return ok;
}

/* A point off the curve or a broken modulus must not get this far. Whether an
 * RSA modulus is composite is its owner's affair: OpenSSL would find out by
 * seconds of work, and a set is read on a thread that serves others. */
static bool
is_sound(EVP_PKEY *key)
{
    EVP_PKEY_CTX *ctx;
    bool ok;

    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
        return is_odd_beyond_one(key, OSSL_PKEY_PARAM_RSA_N) &&
               is_odd_beyond_one(key, OSSL_PKEY_PARAM_RSA_E);
    }
    ctx = EVP_PKEY_CTX_new(key, NULL);
    CHECK(ctx != NULL);
    ok = EVP_PKEY_public_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

enum err
token_keys_public(EVP_PKEY *key, struct token_keys **out, const char **why_out)
{
    enum token_family family = TOKEN_RSA;

    *out = NULL;
    *why_out = family_of(key, &family);
    if (*why_out == NULL && !is_sound(key)) {
        *why_out = "the key is not sound";
    }
    if (*why_out != NULL) {
        return ERR_INVALID_FORMAT;
    }
    *out = xcalloc(1, sizeof(**out));
    (*out)->family = family;
    (*out)->public_key = key;
    return ERR_OK;
}

enum err
token_keys_pem(struct str pem, struct token_keys **out, const char **why_out)
{
    EVP_PKEY *key = read_pem(pem, why_out);
    enum err e;

    *out = NULL;
    if (key == NULL) {
        return ERR_INVALID_FORMAT;
    }
    e = token_keys_public(key, out, why_out);
    if (e != ERR_OK) {
        EVP_PKEY_free(key);
    }
    return e;
}

void
token_keys_free(struct token_keys *k)
{
    if (k == NULL) {
        return;
    }
    for (size_t i = 0; i < DIGESTS; i++) {
        EVP_MAC_CTX_free(k->mac[i]);
    }
    EVP_PKEY_free(k->public_key);
    xfree(k);
}
