/* SPDX-License-Identifier: MIT */
/* Key sets, with the keys and signatures that the standards print: RFC 7515
 * appendices A.2 and A.3, RFC 8037 appendix A.4. */
#include "guard/jwks.h"

#include "base/xalloc.h"
#include "codec/jwt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define EC_X "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\""
#define EC_Y "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define EC "\"kty\":\"EC\",\"crv\":\"P-256\"," EC_X "," EC_Y
#define OKP                                                                    \
    "\"kty\":\"OKP\",\"crv\":\"Ed25519\","                                     \
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define RSA_N                                                                  \
    "\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQ"  \
    "p-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32"  \
    "690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-"  \
    "UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxX"  \
    "FvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\""
#define RSA "\"kty\":\"RSA\",\"e\":\"AQAB\"," RSA_N

#define EC_TOKEN                                                               \
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogIm"  \
    "h0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKA"  \
    "M6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define OKP_TOKEN                                                              \
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0"  \
    "JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"

static struct jwks *
parse(const char *text)
{
    struct jwks *set;
    const char *why;
    enum err e = jwks_parse(str_from(text), &set, &why);

    assert_int_equal(e, set != NULL ? ERR_OK : ERR_INVALID_FORMAT);
    assert_int_equal(set == NULL, why != NULL);
    return set;
}

/* Keys that are left of a set; 0: it is refused. */
static size_t
count(const char *text)
{
    struct jwks *set = parse(text);
    size_t n = set != NULL ? jwks_count(set) : 0;

    jwks_free(set);
    return n;
}

static enum err
check(const struct jwks *set, const char *kid, const char *algorithm,
      const char *token)
{
    unsigned char signature[256];
    size_t n = sizeof(signature);
    struct jwt parts;
    struct str name = str_from(kid);

    assert_true(jwt_split(str_from(token), &parts));
    assert_true(jwt_bytes(parts.signature, signature, &n));
    return jwks_check(set, kid != NULL ? &name : NULL,
                      token_keys_algorithm(str_from(algorithm)),
                      parts.signed_text,
                      (struct str){(const char *)signature, n});
}

static void
keys_that_can_check_a_signature_are_taken(void **state)
{
    static const struct {
        const char *members;
        size_t keys;
    } cases[] = {
        {RSA, 1},
        {EC, 1},
        {OKP, 1},
        {EC ",\"kid\":\"\"", 1},
        {EC ",\"kid\":7", 0},
        {EC ",\"kid\":null", 0},
        {EC ",\"use\":\"sig\"", 1},
        {EC ",\"use\":\"enc\"", 0},
        {EC ",\"use\":null", 0},
        {EC ",\"key_ops\":[\"verify\"]", 1},
        {EC ",\"key_ops\":[\"sign\",\"verify\"]", 1},
        {EC ",\"key_ops\":[\"sign\"]", 0},
        {EC ",\"key_ops\":[]", 0},
        {EC ",\"key_ops\":\"verify\"", 0},
        {EC ",\"alg\":\"ES256\"", 1},
        {EC ",\"alg\":\"ES384\"", 0},
        {EC ",\"alg\":\"RS256\"", 0},
        {EC ",\"alg\":\"ECDH-ES\"", 0},
        {EC ",\"alg\":\"none\"", 0},
        {EC ",\"alg\":5", 0},
        {RSA ",\"alg\":\"PS512\"", 1},
        {RSA ",\"alg\":\"RSA-OAEP\"", 0},
        {RSA ",\"alg\":\"HS256\"", 0},
        {OKP ",\"alg\":\"EdDSA\"", 1},
        {EC ",\"d\":\"AAAA\"", 0},
        {EC ",\"x5c\":[\"AAAA\"],\"other\":{\"a\":[]}", 1},
        {"\"kty\":\"oct\",\"k\":\"AAAA\"", 0},
        {"\"kty\":\"AKP\"", 0},
        {"\"kty\":5", 0},
        {"\"crv\":\"P-256\"," EC_X "," EC_Y, 0},
        {"\"kty\":\"EC\",\"crv\":\"P-384\"," EC_X "," EC_Y, 0},
        {"\"kty\":\"EC\",\"crv\":\"secp256k1\"," EC_X "," EC_Y, 0},
        {"\"kty\":\"EC\",\"crv\":\"P-256\"," EC_X, 0},
        {"\"kty\":\"EC\",\"crv\":\"P-256\"," EC_X ",\"y\":\"AQAB\"", 0},
        {"\"kty\":\"EC\",\"crv\":\"P-256\"," EC_X
         ",\"y\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"",
         0},
        {"\"kty\":\"EC\",\"crv\":\"P-256\"," EC_X
         ",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0=\"",
         0},
        {"\"kty\":\"OKP\",\"crv\":\"X25519\","
         "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"",
         0},
        {"\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQAB\"", 0},
        {"\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"", 0},
        {"\"kty\":\"RSA\"," RSA_N, 0},
        {"\"kty\":\"RSA\",\"e\":\"\"," RSA_N, 0},
        {"\"kty\":\"RSA\",\"e\":\"Ag\"," RSA_N, 0},
        {"", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf text;

        buf_init(&text, 1 << 16);
        buf_printf(&text, "{\"keys\":[5,{%s},[],{" OKP "}]}%c",
                   cases[i].members, '\0');
        if (count(text.p) != cases[i].keys + 1) {
            fail_msg("case %zu: %s", i, cases[i].members);
        }
        buf_fini(&text);
    }
}

static void
documents_that_are_no_set_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "null",
        "[]",
        "{}",
        "[{" EC "}]",
        "{\"keys\":[]}",
        "{\"keys\":{}}",
        "{\"keys\":[{}]}",
        "{\"keys\":[{" EC ",\"kty\":\"EC\"}]}",
        "{\"keys\":[{" EC "}],\"keys\":[]}",
        "{\"keys\":[{" EC "}]} x",
        "\xEF\xBB\xBF{\"keys\":[{" EC "}]}",
        "{\"keys\":[{" EC "}],\"a\":[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(count(bad[i]), 0);
    }
    assert_int_equal(count("{\"a\":1e99,\"keys\":[{" EC "}]}"), 1);
}

static void
a_document_counts_only_when_it_is_whole(void **state)
{
    static const char text[] =
        "{\"keys\":[{" EC ",\"kid\":\"a\"},{" RSA "},{" OKP "}]}";

    (void)state;
    for (size_t n = 0; n < sizeof(text); n++) {
        char *copy = xmemdup(text, n); /* so that reading beyond it is seen */
        struct jwks *set;
        const char *why;
        enum err e = jwks_parse((struct str){copy, n}, &set, &why);

        assert_int_equal(e, n + 1 < sizeof(text) ? ERR_INVALID_FORMAT : ERR_OK);
        jwks_free(set);
        xfree(copy);
    }
}

/* So many keys, and white space up to so many bytes. */
static size_t
count_many(unsigned keys, size_t bytes)
{
    struct buf text;
    struct jwks *set;
    const char *why;
    size_t n = 0;

    buf_init(&text, 1 << 20);
    buf_puts(&text, "{\"keys\":[{" OKP "}");
    for (unsigned i = 1; i < keys; i++) {
        buf_puts(&text, ",{" OKP "}");
    }
    buf_puts(&text, "]}");
    while (text.n < bytes) {
        buf_putc(&text, ' ');
    }
    if (jwks_parse(buf_str(&text), &set, &why) == ERR_OK) {
        n = jwks_count(set);
        jwks_free(set);
    }
    buf_fini(&text);
    return n;
}

static void
size_and_number_have_limits(void **state)
{
    (void)state;
    assert_int_equal(count_many(JWKS_KEYS_MAX, 0), JWKS_KEYS_MAX);
    assert_int_equal(count_many(JWKS_KEYS_MAX + 1, 0), 0);
    assert_int_equal(count_many(1, JWKS_BYTES_MAX), 1);
    assert_int_equal(count_many(1, JWKS_BYTES_MAX + 1), 0);
}

static void
the_kid_chooses_the_key_and_the_key_the_algorithm(void **state)
{
    struct jwks *set =
        parse("{\"keys\":[{" EC ",\"kid\":\"ec\"},{" OKP ",\"kid\":\"okp\"},"
              "{" RSA ",\"kid\":\"rsa\",\"alg\":\"RS256\"},"
              "{" RSA ",\"kid\":\"\\u0065c2\"},{" EC ",\"kid\":\"ec2\"}]}");

    (void)state;
    assert_int_equal(check(set, "ec", "ES256", EC_TOKEN), ERR_OK);
    assert_int_equal(check(set, NULL, "ES256", EC_TOKEN), ERR_OK);
    assert_int_equal(check(set, "okp", "EdDSA", OKP_TOKEN), ERR_OK);
    assert_int_equal(check(set, NULL, "EdDSA", OKP_TOKEN), ERR_OK);
    /* two of one name: the one that fits */
    assert_int_equal(check(set, "ec2", "ES256", EC_TOKEN), ERR_OK);
    assert_int_equal(check(set, "okp", "ES256", EC_TOKEN), ERR_INVALID_TOKEN);
    assert_int_equal(check(set, "rsa", "RS256", EC_TOKEN), ERR_INVALID_TOKEN);
    assert_int_equal(check(set, "ec", "HS256", EC_TOKEN), ERR_INVALID_TOKEN);
    assert_int_equal(check(set, NULL, "EdDSA", EC_TOKEN), ERR_INVALID_TOKEN);
    assert_int_equal(check(set, "new", "ES256", EC_TOKEN), ERR_NOT_FOUND);
    assert_int_equal(check(set, "", "ES256", EC_TOKEN), ERR_NOT_FOUND);
    assert_int_equal(check(set, "EC", "ES256", EC_TOKEN), ERR_NOT_FOUND);
    jwks_free(set);
    jwks_free(NULL);
}

static void
verify(const struct jwks *set, const char *token, enum err expected)
{
    static const struct token_rules rules = {.leeway_ms = 0};
    struct identity who;

    assert_int_equal(token_verify_by_set(set, &rules, str_from(token), 0, &who),
                     expected);
}

static void
a_token_of_an_unknown_kid_is_told_apart(void **state)
{
    struct jwks *set = parse("{\"keys\":[{" EC ",\"kid\":\"ec\"}]}");

    (void)state;
    verify(set, EC_TOKEN, ERR_INVALID_TOKEN); /* signed, but without a user */
    /* {"alg":"ES256","kid":"x"} */
    verify(set, "eyJhbGciOiJFUzI1NiIsImtpZCI6IngifQ.e30.AAAA", ERR_NOT_FOUND);
    /* {"alg":"ES256","kid":"ec"} */
    verify(set, "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVjIn0.e30.AAAA",
           ERR_INVALID_TOKEN);
    /* {"alg":"none","kid":"x"} */
    verify(set, "eyJhbGciOiJub25lIiwia2lkIjoieCJ9.e30.AAAA", ERR_INVALID_TOKEN);
    /* {"alg":"ES256","kid":5} */
    verify(set, "eyJhbGciOiJFUzI1NiIsImtpZCI6NX0.e30.AAAA", ERR_INVALID_TOKEN);
    verify(set, "a.b", ERR_INVALID_TOKEN);
    jwks_free(set);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_that_can_check_a_signature_are_taken),
        cmocka_unit_test(documents_that_are_no_set_are_refused),
        cmocka_unit_test(a_document_counts_only_when_it_is_whole),
        cmocka_unit_test(size_and_number_have_limits),
        cmocka_unit_test(the_kid_chooses_the_key_and_the_key_the_algorithm),
        cmocka_unit_test(a_token_of_an_unknown_kid_is_told_apart),
    };

    return cmocka_run_group_tests_name("guard/jwks", tests, NULL, NULL);
}
