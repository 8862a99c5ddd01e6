/* SPDX-License-Identifier: MIT */
/* JSON to keys: jwks.h. The document is read rarely and never on a request's
 * way, so jansson reads it. What a single key must be like is decided by
 * token_keys.c for this and for PEM files alike. */
#include "guard/jwks.h"

#include "base/xalloc.h"
#include "codec/base64.h"
#include "codec/json.h"

#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>

/* Nesting of the document; the known members need three. */
#define DEPTH_MAX 16

/* The longest number: a modulus of 16384 bits, and some zeros before it. */
enum { NUMBER_BYTES = 2056, POINT_BYTES = 1 + 2 * 66, ED25519_BYTES = 32 };

struct key {
    char *kid; /* NULL: it has none; kid_n bytes */
    size_t kid_n;
    const struct token_algorithm *only; /* NULL: all of its family */
    struct token_keys *key;
};

struct jwks {
    size_t count;
    struct key keys[JWKS_KEYS_MAX];
};

struct number {
    unsigned char bytes[NUMBER_BYTES];
    size_t n;
};

/* --- members ------------------------------------------------------------ */

static struct str
text_of(const json_t *value)
{
    return json_is_string(value) ? (struct str){json_string_value(value),
                                                json_string_length(value)}
                                 : (struct str){NULL, 0};
}

static struct str
member(const json_t *jwk, const char *name)
{
    return text_of(json_object_get(jwk, name));
}

static bool
get_number(const json_t *jwk, const char *name, struct number *out)
{
    return base64_decode_url(member(jwk, name), out->bytes, sizeof(out->bytes),
                             &out->n) == ERR_OK &&
           out->n > 0;
}

static bool
may_verify(const json_t *jwk)
{
    const json_t *use = json_object_get(jwk, "use");
    const json_t *ops = json_object_get(jwk, "key_ops");

    if (use != NULL && !str_is(text_of(use), "sig")) {
        return false;
    }
    for (size_t i = 0; i < json_array_size(ops); i++) {
        if (str_is(text_of(json_array_get(ops, i)), "verify")) {
            return true;
        }
    }
    return ops == NULL;
}

/* --- keys --------------------------------------------------------------- */

/* NULL when OpenSSL makes no key of it. Takes bld. */
static EVP_PKEY *
build(const char *type, OSSL_PARAM_BLD *bld)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    CHECK(ctx != NULL && params != NULL);
    if (EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        key = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    ERR_clear_error();
    return key;
}

static EVP_PKEY *
read_rsa(const json_t *jwk)
{
    struct number n, e;
    BIGNUM *modulus, *exponent;
    OSSL_PARAM_BLD *bld;
    EVP_PKEY *key;

    if (!get_number(jwk, "n", &n) || !get_number(jwk, "e", &e)) {
        return NULL;
    }
    modulus = BN_bin2bn(n.bytes, (int)n.n, NULL);
    exponent = BN_bin2bn(e.bytes, (int)e.n, NULL);
    bld = OSSL_PARAM_BLD_new();
    CHECK(modulus != NULL && exponent != NULL && bld != NULL);
    CHECK(OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
          OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, exponent) == 1);
    key = build("RSA", bld);
    BN_free(modulus);
    BN_free(exponent);
    return key;
}

static const struct curve {
    const char *name;
    const char *group;
    size_t bytes; /* of each coordinate, exactly (RFC 7518, 6.2.1.2) */
} curves[] = {
    {"P-256", SN_X9_62_prime256v1, 32},
    {"P-384", SN_secp384r1, 48},
    {"P-521", SN_secp521r1, 66},
};

static const struct curve *
curve_of(const json_t *jwk)
{
    for (size_t i = 0; i < COUNT_OF(curves); i++) {
        if (str_is(member(jwk, "crv"), curves[i].name)) {
            return &curves[i];
        }
    }
    return NULL;
}

static EVP_PKEY *
read_ec(const json_t *jwk)
{
    const struct curve *curve = curve_of(jwk);
    unsigned char point[POINT_BYTES];
    struct number x, y;
    OSSL_PARAM_BLD *bld;

    if (curve == NULL || !get_number(jwk, "x", &x) ||
        !get_number(jwk, "y", &y) || x.n != curve->bytes ||
        y.n != curve->bytes) {
        return NULL;
    }
    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    memcpy(point + 1, x.bytes, x.n);
    memcpy(point + 1 + x.n, y.bytes, y.n);
    bld = OSSL_PARAM_BLD_new();
    CHECK(bld != NULL);
    CHECK(OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
                                          curve->group, 0) == 1 &&
          OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point,
                                           1 + x.n + y.n) == 1);
    return build("EC", bld);
}

static EVP_PKEY *
read_ed25519(const json_t *jwk)
{
    struct number x;

    if (!str_is(member(jwk, "crv"), "Ed25519") || !get_number(jwk, "x", &x) ||
        x.n != ED25519_BYTES) {
        return NULL;
    }
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x.bytes, x.n);
}

static EVP_PKEY *
read_key(const json_t *jwk)
{
    struct str type = member(jwk, "kty");

    if (json_object_get(jwk, "d") != NULL || !may_verify(jwk)) {
        return NULL;
    }
    if (str_is(type, "RSA")) {
        return read_rsa(jwk);
    }
    if (str_is(type, "EC")) {
        return read_ec(jwk);
    }
    return str_is(type, "OKP") ? read_ed25519(jwk) : NULL;
}

/* True when there is none, and when it is one that the key can serve. */
static bool
read_algorithm(const json_t *jwk, const struct token_keys *key,
               const struct token_algorithm **out)
{
    const json_t *alg = json_object_get(jwk, "alg");

    *out = NULL;
    if (alg == NULL) {
        return true;
    }
    *out = token_keys_algorithm(text_of(alg));
    return *out != NULL && token_keys_fit(key, *out);
}

/* --- the set ------------------------------------------------------------ */

static void
add(struct jwks *set, const json_t *jwk)
{
    struct key *k = &set->keys[set->count];
    const json_t *kid = json_object_get(jwk, "kid");
    EVP_PKEY *key = read_key(jwk);
    const char *why;

    if (key == NULL || (kid != NULL && !json_is_string(kid)) ||
        token_keys_public(key, &k->key, &why) != ERR_OK) {
        EVP_PKEY_free(key);
        return;
    }
    if (!read_algorithm(jwk, k->key, &k->only)) {
        token_keys_free(k->key);
        return;
    }
    k->kid_n = text_of(kid).n;
    k->kid = kid != NULL ? xmemdup(text_of(kid).p, k->kid_n) : NULL;
    set->count++;
}

static const char *
add_all(struct jwks *set, const json_t *list)
{
    if (!json_is_array(list)) {
        return "it has no list of keys";
    }
    if (json_array_size(list) > JWKS_KEYS_MAX) {
        return "it has too many keys";
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        add(set, json_array_get(list, i));
    }
    return set->count == 0 ? "it has no key that can check a token" : NULL;
}

enum err
jwks_parse(struct str text, struct jwks **out, const char **why_out)
{
    struct jwks *set;
    json_t *document = NULL;

    *out = NULL;
    *why_out = "it is not a JSON document";
    if (text.n > JWKS_BYTES_MAX) {
        *why_out = "it is too large";
    } else if (text.n > 0 && json_valid(text, DEPTH_MAX)) {
        document = json_loadb(text.p, text.n,
                              JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL |
                                  JSON_DECODE_INT_AS_REAL,
                              NULL);
    }
    if (document == NULL) {
        return ERR_INVALID_FORMAT;
    }
    set = xcalloc(1, sizeof(*set));
    *why_out = add_all(set, json_object_get(document, "keys"));
    json_decref(document);
    if (*why_out != NULL) {
        jwks_free(set);
        return ERR_INVALID_FORMAT;
    }
    *out = set;
    return ERR_OK;
}

void
jwks_free(struct jwks *set)
{
    if (set == NULL) {
        return;
    }
    for (size_t i = 0; i < set->count; i++) {
        xfree(set->keys[i].kid);
        token_keys_free(set->keys[i].key);
    }
    xfree(set);
}

size_t
jwks_count(const struct jwks *set)
{
    return set->count;
}

static bool
has_name(const struct key *k, struct str kid)
{
    return k->kid != NULL && str_eq((struct str){k->kid, k->kid_n}, kid);
}

enum err
jwks_check(const struct jwks *set, const struct str *kid,
           const struct token_algorithm *algorithm, struct str text,
           struct str signature)
{
    enum err e = kid == NULL ? ERR_INVALID_TOKEN : ERR_NOT_FOUND;

    for (size_t i = 0; i < set->count; i++) {
        const struct key *k = &set->keys[i];

        if (kid != NULL && !has_name(k, *kid)) {
            continue;
        }
        e = k->only == NULL || k->only == algorithm
                ? token_keys_check(k->key, algorithm, text, signature)
                : ERR_INVALID_TOKEN;
        if (e != ERR_INVALID_TOKEN) {
            return e;
        }
    }
    return e;
}
