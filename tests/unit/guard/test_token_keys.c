/* SPDX-License-Identifier: MIT */
/* Keys of every family against algorithms of every family. Keys are made here
 * and now: a signature of the right key is good under its own algorithms and
 * no other. */
#include "guard/token_keys.h"

#include "base/xalloc.h"
#include "codec/jwt.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECRET "0123456789abcdef0123456789abcdef"

enum { RSA_KEY, RSA_OTHER, P256, P384, P521, ED25519, KEYS };

static struct {
    EVP_PKEY *private_key;
    struct buf pem;
    struct token_keys *keys;
} made[KEYS];

static struct buf
pem_text(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *p = NULL;
    size_t n;
    struct buf pem;

    assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
    n = (size_t)BIO_get_mem_data(bio, &p);
    buf_init(&pem, 1 << 16);
    buf_put(&pem, p, n);
    BIO_free(bio);
    return pem;
}

static int
setup(void **state)
{
    (void)state;
    made[RSA_KEY].private_key = EVP_RSA_gen(2048);
    made[RSA_OTHER].private_key = EVP_RSA_gen(2049);
    made[P256].private_key = EVP_EC_gen("P-256");
    made[P384].private_key = EVP_EC_gen("P-384");
    made[P521].private_key = EVP_EC_gen("P-521");
    made[ED25519].private_key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    for (int i = 0; i < KEYS; i++) {
        const char *why;

        made[i].pem = pem_text(made[i].private_key);
        if (token_keys_pem(buf_str(&made[i].pem), &made[i].keys, &why) !=
            ERR_OK) {
            return 1;
        }
    }
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    for (int i = 0; i < KEYS; i++) {
        EVP_PKEY_free(made[i].private_key);
        buf_fini(&made[i].pem);
        token_keys_free(made[i].keys);
    }
    return 0;
}

/* --- signing, as a token's issuer would --------------------------------- */

/* DER to r and s of fixed width. */
static size_t
raw_signature(const unsigned char *der, size_t n, int half, unsigned char *out)
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);

    assert_non_null(sig);
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, half);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + half, half);
    ECDSA_SIG_free(sig);
    return 2 * (size_t)half;
}

struct signing {
    int key;
    const char *digest;
    bool pss;
    int salt;
};

static size_t
sign(const struct signing *how, struct str text, unsigned char *out)
{
    unsigned char made_signature[TOKEN_SIGNATURE_MAX];
    static const int halves[KEYS] = {[P256] = 32, [P384] = 48, [P521] = 66};
    size_t n = sizeof(made_signature);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_ctx;

    assert_int_equal(EVP_DigestSignInit_ex(ctx, &key_ctx, how->digest, NULL,
                                           NULL, made[how->key].private_key,
                                           NULL),
                     1);
    if (how->pss) {
        EVP_PKEY_CTX_set_rsa_padding(key_ctx, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(key_ctx, how->salt);
    }
    assert_int_equal(EVP_DigestSign(ctx, made_signature, &n,
                                    (const unsigned char *)text.p, text.n),
                     1);
    EVP_MD_CTX_free(ctx);
    if (halves[how->key] > 0) {
        return raw_signature(made_signature, n, halves[how->key], out);
    }
    memcpy(out, made_signature, n);
    return n;
}

static bool
check(int key, const char *algorithm, struct str text, struct str signature)
{
    const struct token_algorithm *a = token_keys_algorithm(str_from(algorithm));

    assert_non_null(a);
    return token_keys_check(made[key].keys, a, text, signature) == ERR_OK;
}

static const struct {
    const char *algorithm;
    struct signing how;
} families[] = {
    {"RS256", {RSA_KEY, "SHA256", false, 0}},
    {"RS384", {RSA_KEY, "SHA384", false, 0}},
    {"RS512", {RSA_KEY, "SHA512", false, 0}},
    {"PS256", {RSA_KEY, "SHA256", true, 32}},
    {"PS384", {RSA_KEY, "SHA384", true, 48}},
    {"PS512", {RSA_KEY, "SHA512", true, 64}},
    {"RS256", {RSA_OTHER, "SHA256", false, 0}},
    {"ES256", {P256, "SHA256", false, 0}},
    {"ES384", {P384, "SHA384", false, 0}},
    {"ES512", {P521, "SHA512", false, 0}},
    {"EdDSA", {ED25519, NULL, false, 0}},
};

static const char *const names[] = {"HS256", "HS384", "HS512", "RS256", "RS384",
                                    "RS512", "PS256", "PS384", "PS512", "ES256",
                                    "ES384", "ES512", "EdDSA"};

static void
a_signature_is_good_for_its_key_and_algorithm_alone(void **state)
{
    struct str text = STR("header.claims");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(families); i++) {
        unsigned char out[TOKEN_SIGNATURE_MAX];
        struct str sig = {(char *)out, sign(&families[i].how, text, out)};

        for (int key = 0; key < KEYS; key++) {
            for (size_t a = 0; a < COUNT_OF(names); a++) {
                assert_int_equal(check(key, names[a], text, sig),
                                 key == families[i].how.key &&
                                     strcmp(names[a], families[i].algorithm) ==
                                         0);
            }
        }
    }
}

static void
a_signature_with_any_bit_changed_cut_or_longer_is_bad(void **state)
{
    struct str text = STR("header.claims");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(families); i++) {
        unsigned char out[TOKEN_SIGNATURE_MAX + 1] = {0};
        size_t n = sign(&families[i].how, text, out);
        struct str sig = {(char *)out, n};
        int key = families[i].how.key;
        const char *a = families[i].algorithm;

        assert_true(check(key, a, text, sig));
        assert_false(check(key, a, STR("header.claimt"), sig));
        assert_false(check(key, a, STR(""), sig));
        assert_false(check(key, a, text, (struct str){sig.p, n + 1}));
        for (size_t cut = 0; cut < n; cut += 7) {
            assert_false(check(key, a, text, (struct str){sig.p, cut}));
        }
        for (size_t bit = 0; bit < 8 * n; bit += 37) {
            out[bit / 8] ^= (unsigned char)(1 << bit % 8);
            assert_false(check(key, a, text, sig));
            out[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
    }
}

static void
an_all_zero_signature_is_bad(void **state)
{
    unsigned char zero[TOKEN_SIGNATURE_MAX] = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(families); i++) {
        for (size_t n = 0; n < 300; n++) {
            assert_false(check(families[i].how.key, families[i].algorithm,
                               STR("x"), (struct str){(char *)zero, n}));
        }
    }
}

static void
a_der_signature_is_not_a_jws_signature(void **state)
{
    unsigned char der[200];
    size_t n = sizeof(der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    (void)state;
    EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL,
                          made[P256].private_key, NULL);
    EVP_DigestSign(ctx, der, &n, (const unsigned char *)"x", 1);
    EVP_MD_CTX_free(ctx);
    assert_false(check(P256, "ES256", STR("x"), (struct str){(char *)der, n}));
}

static void
a_pss_salt_of_another_length_is_refused(void **state)
{
    static const int salts[] = {0, 20, 31, 33, 64};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(salts); i++) {
        unsigned char out[TOKEN_SIGNATURE_MAX];
        struct signing how = {RSA_KEY, "SHA256", true, salts[i]};
        struct str sig = {(char *)out, sign(&how, STR("x"), out)};

        assert_false(check(RSA_KEY, "PS256", STR("x"), sig));
    }
}

/* --- whole tokens -------------------------------------------------------- */

static enum err
verify_signed(const struct token_keys *keys, const char *header,
              const struct signing *how, struct str mac_key)
{
    const struct token_rules rules = {0};
    unsigned char sig[TOKEN_SIGNATURE_MAX];
    struct identity who;
    struct buf token;
    size_t n = 32;
    enum err e;

    buf_init(&token, JWT_MAX_BYTES);
    jwt_put_part(&token, str_from(header));
    buf_putc(&token, '.');
    jwt_put_part(&token, STR("{\"user_id\":\"u\"}"));
    if (how != NULL) {
        n = sign(how, buf_str(&token), sig);
    } else {
        token_keys_hs256(mac_key, buf_str(&token), sig);
    }
    buf_putc(&token, '.');
    jwt_put_part(&token, (struct str){(char *)sig, n});
    e = token_verify(keys, &rules, buf_str(&token), 0, &who);
    buf_fini(&token);
    return e;
}

static void
whole_tokens_of_every_algorithm_are_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(families); i++) {
        char header[100];

        snprintf(header, sizeof(header), "{\"alg\":\"%s\"}",
                 families[i].algorithm);
        assert_int_equal(verify_signed(made[families[i].how.key].keys, header,
                                       &families[i].how, STR("")),
                         ERR_OK);
    }
}

/* The old attack: the public key, which everybody knows, taken as a secret. */
static void
the_public_key_is_not_a_secret(void **state)
{
    (void)state;
    for (int i = 0; i < KEYS; i++) {
        struct str pem = buf_str(&made[i].pem);

        assert_int_equal(
            verify_signed(made[i].keys, "{\"alg\":\"HS256\"}", NULL, pem),
            ERR_INVALID_TOKEN);
        assert_int_equal(verify_signed(made[i].keys, "{\"alg\":\"HS256\"}",
                                       NULL, str_trim(pem)),
                         ERR_INVALID_TOKEN);
    }
}

static void
a_key_inside_the_header_is_not_used(void **state)
{
    struct token_keys *secret = token_keys_secret(STR(SECRET));

    (void)state;
    assert_int_equal(
        verify_signed(secret,
                      "{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":"
                      "\"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE\"}}",
                      NULL, STR("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
        ERR_INVALID_TOKEN);
    assert_int_equal(
        verify_signed(secret, "{\"alg\":\"HS256\"}", NULL, STR(SECRET)),
        ERR_OK);
    token_keys_free(secret);
}

/* --- keys that are refused ----------------------------------------------- */

static void
expect_refused(struct str pem, const char *part_of_why)
{
    struct token_keys *keys;
    const char *why = NULL;

    assert_int_equal(token_keys_pem(pem, &keys, &why), ERR_INVALID_FORMAT);
    assert_null(keys);
    if (strstr(why, part_of_why) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", why, part_of_why);
    }
}

static void
expect_key_refused(EVP_PKEY *key, const char *part_of_why)
{
    struct buf pem;

    assert_non_null(key);
    pem = pem_text(key);
    expect_refused(buf_str(&pem), part_of_why);
    buf_fini(&pem);
    EVP_PKEY_free(key);
}

static void
weak_and_foreign_keys_are_refused_with_a_reason(void **state)
{
    (void)state;
    expect_key_refused(EVP_RSA_gen(1024), "2048 bits");
    expect_key_refused(EVP_RSA_gen(2047), "2048 bits");
    expect_key_refused(EVP_EC_gen("secp256k1"), "P-256");
    expect_key_refused(EVP_EC_gen("P-224"), "P-256");
    expect_key_refused(EVP_EC_gen("brainpoolP256r1"), "P-256");
    expect_key_refused(EVP_PKEY_Q_keygen(NULL, NULL, "ED448"), "Ed25519");
    expect_key_refused(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), "Ed25519");
}

static void
what_is_not_one_public_key_is_refused_with_a_reason(void **state)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *p = NULL;
    size_t n;
    struct str pem = buf_str(&made[P256].pem);
    char broken[1000];

    (void)state;
    PEM_write_bio_PrivateKey(bio, made[P256].private_key, NULL, NULL, 0, NULL,
                             NULL);
    n = (size_t)BIO_get_mem_data(bio, &p);
    expect_refused((struct str){p, n}, "private key");
    BIO_free(bio);
    expect_refused(STR(""), "no PEM");
    expect_refused(STR(SECRET), "no PEM");
    expect_refused((struct str){pem.p, pem.n / 2}, "no PEM");
    memcpy(broken, pem.p, pem.n);
    broken[pem.n / 2] ^= 1; /* a point off the curve */
    expect_refused((struct str){broken, pem.n}, "");
}

static void
only_names_of_the_table_are_algorithms(void **state)
{
    static const char *const none[] = {"",      "none",   "NONE",    "HS256 ",
                                       "hs256", "ES256K", "RS1",     "Ed25519",
                                       "eddsa", "HS2567", "RSA-OAEP"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        assert_null(token_keys_algorithm(str_from(none[i])));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signature_is_good_for_its_key_and_algorithm_alone),
        cmocka_unit_test(a_signature_with_any_bit_changed_cut_or_longer_is_bad),
        cmocka_unit_test(an_all_zero_signature_is_bad),
        cmocka_unit_test(a_der_signature_is_not_a_jws_signature),
        cmocka_unit_test(a_pss_salt_of_another_length_is_refused),
        cmocka_unit_test(whole_tokens_of_every_algorithm_are_accepted),
        cmocka_unit_test(the_public_key_is_not_a_secret),
        cmocka_unit_test(a_key_inside_the_header_is_not_used),
        cmocka_unit_test(weak_and_foreign_keys_are_refused_with_a_reason),
        cmocka_unit_test(what_is_not_one_public_key_is_refused_with_a_reason),
        cmocka_unit_test(only_names_of_the_table_are_algorithms),
    };

    return cmocka_run_group_tests_name("guard/token_keys", tests, setup,
                                       teardown);
}
