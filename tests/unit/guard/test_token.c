/* SPDX-License-Identifier: MIT */
/* What a token may say, with a secret as the key; test_token_keys.c has the
 * other families. Every forged token here is signed correctly unless the row
 * is about the signature: only the rule under test refuses it. */
#include "guard/token.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "codec/jwt.h"
#include "guard/token_keys.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW_S 1700000000
#define HEAD "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define SECRET "0123456789abcdef0123456789abcdef"

/* A good token's claims: the user, the expiry, and whatever a row adds. */
#define WHO "\"user_id\":\"u1\""
#define LATER "\"exp\":1700000600"
#define C(more) "{" WHO "," LATER more "}"

static struct token_keys *keys;
static const char *const admin_roles[] = {"admin", "chat_admin", NULL};
static struct token_rules rules;

static int
setup(void **state)
{
    (void)state;
    rules = (struct token_rules){
        .require_exp = true, .leeway_ms = 30000, .admin_roles = admin_roles};
    keys = token_keys_secret(STR(SECRET));
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    token_keys_free(keys);
    return 0;
}

/* header.claims.signature by HS256, whatever the header says. */
static void
sign(struct buf *out, struct str header, struct str claims)
{
    unsigned char mac[32];

    buf_init(out, 1 << 20);
    jwt_put_part(out, header);
    buf_putc(out, '.');
    jwt_put_part(out, claims);
    token_keys_hs256(STR(SECRET), buf_str(out), mac);
    buf_putc(out, '.');
    jwt_put_part(out, (struct str){(const char *)mac, sizeof(mac)});
}

static enum err
verify(struct str header, struct str claims, struct identity *out)
{
    struct buf token;
    enum err e;

    sign(&token, header, claims);
    e = token_verify(keys, &rules, buf_str(&token), (int64_t)NOW_S * 1000, out);
    buf_fini(&token);
    return e;
}

struct row {
    struct str header;
    struct str claims;
};

static void
expect_all(const struct row *rows, size_t count, enum err expected)
{
    for (size_t i = 0; i < count; i++) {
        struct identity who;
        enum err e = verify(rows[i].header, rows[i].claims, &who);

        if (e != expected) {
            fail_msg("row %zu: %.*s %.*s: %s", i, STR_ARG(rows[i].header),
                     STR_ARG(rows[i].claims), err_info(e)->code);
        }
    }
}

static const struct row good[] = {
    {STR(HEAD), STR(C(""))},
    {STR("{\"alg\":\"HS256\"}"), STR(C(""))},
    {STR("{\"typ\":\"jwt\",\"alg\":\"HS256\"}"), STR(C(""))},
    {STR("{\"typ\":\"at+jwt\",\"alg\":\"HS256\"}"), STR(C(""))},
    {STR("{\"typ\":\"AT+JWT\",\"alg\":\"HS256\"}"), STR(C(""))},
    {STR("{\"alg\":\"HS256\",\"kid\":\"../../x\",\"jku\":\"http://x\","
         "\"x5u\":\"http://x\",\"jwk\":{\"kty\":\"oct\"},\"x5c\":[]}"),
     STR(C(""))},
    {STR(" {\n\"alg\" : \"HS\\u003256\" } "), STR(C(""))},
    {STR(HEAD), STR(C(",\"name\":\"\""))},
    {STR(HEAD), STR(C(",\"roles\":[]"))},
    {STR(HEAD), STR(C(",\"iat\":1700009999,\"nbf\":1700000030"))},
    {STR(HEAD), STR(C(",\"nbf\":1700000029.999,\"iat\":-1.5e0"))},
    {STR(HEAD),
     STR(C(",\"iss\":\"any\",\"aud\":\"any\",\"jti\":{},\"x\":1e30"))},
    {STR(HEAD), STR(C(",\"aud\":[\"a\",\"b\"],\"sub\":42"))},
    {STR(HEAD), STR(C(",\"x\":123456789012345678901234567890"))},
    {STR(HEAD), STR("{" WHO ",\"exp\":1699999970.001}")},
    {STR(HEAD), STR("{" WHO ",\"exp\":1.7000006e9}")},
    {STR(HEAD), STR("{" WHO ",\"exp\":1e300}")},
    {STR(HEAD),
     STR("{\"user_id\":\"\xC3\xA4\xE2\x82\xAC \\ud83d\\ude00\"," LATER "}")},
};

/* Header, form of the JSON, user, name, roles, times, issuer, audience. */
static const struct row forged[] = {
    {STR("{\"alg\":\"none\"}"), STR(C(""))},
    {STR("{\"alg\":\"None\"}"), STR(C(""))},
    {STR("{\"alg\":\"\"}"), STR(C(""))},
    {STR("{\"alg\":\"hs256\"}"), STR(C(""))},
    {STR("{\"alg\":\"HS256 \"}"), STR(C(""))},
    {STR("{\"alg\":\"HS384\"}"), STR(C(""))},
    {STR("{\"alg\":\"HS512\"}"), STR(C(""))},
    {STR("{\"alg\":\"HS1\"}"), STR(C(""))},
    {STR("{\"alg\":\"RS256\"}"), STR(C(""))},
    {STR("{\"alg\":\"PS256\"}"), STR(C(""))},
    {STR("{\"alg\":\"ES256\"}"), STR(C(""))},
    {STR("{\"alg\":\"EdDSA\"}"), STR(C(""))},
    {STR("{\"alg\":\"dir\",\"enc\":\"A256GCM\"}"), STR(C(""))},
    {STR("{\"alg\":256}"), STR(C(""))},
    {STR("{\"alg\":null}"), STR(C(""))},
    {STR("{\"alg\":[\"HS256\"]}"), STR(C(""))},
    {STR("{\"alg\":\"HS256\\u0000\"}"), STR(C(""))},
    {STR("{\"alg\":\"none\",\"alg\":\"HS256\"}"), STR(C(""))},
    {STR("{\"alg\":\"HS256\",\"al\\u0067\":\"HS256\"}"), STR(C(""))},
    {STR("{\"typ\":\"JWT\"}"), STR(C(""))},
    {STR("{}"), STR(C(""))},
    {STR("[]"), STR(C(""))},
    {STR("\"HS256\""), STR(C(""))},
    {STR("{\"alg\":\"HS256\",\"crit\":[\"exp\"]}"), STR(C(""))},
    {STR("{\"alg\":\"HS256\",\"crit\":[]}"), STR(C(""))},
    {STR("{\"alg\":\"HS256\",\"crit\":null}"), STR(C(""))},
    {STR("{\"alg\":\"HS256\",\"b64\":false,\"crit\":[\"b64\"]}"), STR(C(""))},
    {STR("{\"alg\":\"HS256\",\"typ\":\"JWE\"}"), STR(C(""))},
    {STR("{\"alg\":\"HS256\",\"typ\":\"application/jwt\"}"), STR(C(""))},
    {STR("{\"alg\":\"HS256\",\"typ\":\"secevent+jwt\"}"), STR(C(""))},
    {STR("{\"alg\":\"HS256\",\"typ\":\"\"}"), STR(C(""))},
    {STR("{\"alg\":\"HS256\",\"typ\":null}"), STR(C(""))},
    {STR("{\"alg\":\"HS256\",\"typ\":[\"JWT\"]}"), STR(C(""))},
    {STR("{\"alg\":\"HS256\"} x"), STR(C(""))},
    {STR("{\"alg\":\"HS256\""), STR(C(""))},
    {STR("{'alg':'HS256'}"), STR(C(""))},
    {STR("{\"alg\":\"HS256\",\"x\":\"\xFF\"}"), STR(C(""))},
    {STR("\xEF\xBB\xBF" HEAD), STR(C(""))},

    {STR(HEAD), STR("[]")},
    {STR(HEAD), STR("null")},
    {STR(HEAD), STR("{}")},
    {STR(HEAD), STR(C("") " {}")},
    {STR(HEAD), STR(C(",\"x\":[1,]"))},
    {STR(HEAD), STR(C(",\"x\":NaN"))},
    {STR(HEAD), STR(C(",\"x\":\"\xC0\x80\""))},
    {STR(HEAD), STR(C(",\"x\":\"\xED\xA0\x80\""))},
    {STR(HEAD), STR(C(",\"x\":\"\\ud800\""))},
    {STR(HEAD), STR(C(",\"user_id\":\"u2\""))},
    {STR(HEAD), STR(C(",\"us\\u0065r_id\":\"u2\""))},
    {STR(HEAD), STR(C(",\"exp\":1700000600"))},
    {STR(HEAD), STR(C(",\"roles\":[],\"roles\":[\"admin\"]"))},

    {STR(HEAD), STR("{" LATER "}")},
    {STR(HEAD), STR("{\"sub\":\"u1\"," LATER "}")},
    {STR(HEAD), STR("{\"user_id\":\"\"," LATER "}")},
    {STR(HEAD), STR("{\"user_id\":null," LATER "}")},
    {STR(HEAD), STR("{\"user_id\":1," LATER "}")},
    {STR(HEAD), STR("{\"user_id\":true," LATER "}")},
    {STR(HEAD), STR("{\"user_id\":[\"u1\"]," LATER "}")},
    {STR(HEAD), STR("{\"user_id\":{\"id\":\"u1\"}," LATER "}")},
    {STR(HEAD), STR("{\"user_id\":\"u\\n1\"," LATER "}")},
    {STR(HEAD), STR("{\"user_id\":\"u\\u0000\"," LATER "}")},
    {STR(HEAD), STR("{\"user_id\":\"\\u001b[2J\"," LATER "}")},
    {STR(HEAD), STR("{\"user_id\":\"u\x7F\"," LATER "}")},
    {STR(HEAD), STR("{\"user_id\":\"u\\u0085\"," LATER "}")},
    {STR(HEAD), STR("{\"user_id\":\"u\xC2\x80\"," LATER "}")},
    {STR(HEAD), STR("{\"USER_ID\":\"u1\"," LATER "}")},
    {STR(HEAD), STR(C(",\"name\":null"))},
    {STR(HEAD), STR(C(",\"name\":\"a\\u0000\""))},
    {STR(HEAD), STR(C(",\"name\":\"a\",\"n\\u0061me\":\"a\""))},
    {STR(HEAD), STR(C(",\"n\\u0061me\":\"a\",\"\\u006eame\":\"a\""))},
    {STR(HEAD), STR(C(",\"x\":1,\"x\":1"))},
    {STR(HEAD), STR(C(",\"name\":1"))},
    {STR(HEAD), STR(C(",\"name\":[\"x\"]"))},
    {STR(HEAD), STR(C(",\"roles\":null"))},
    {STR(HEAD), STR(C(",\"roles\":\"admin\""))},
    {STR(HEAD), STR(C(",\"roles\":{\"admin\":true}"))},
    {STR(HEAD), STR(C(",\"roles\":[\"user\",1]"))},
    {STR(HEAD), STR(C(",\"roles\":[[\"admin\"]]"))},
    {STR(HEAD), STR(C(",\"roles\":[null]"))},
    {STR(HEAD), STR("{" WHO "}")},
    {STR(HEAD), STR("{" WHO ",\"exp\":null}")},
    {STR(HEAD), STR("{" WHO ",\"exp\":\"1700000600\"}")},
    {STR(HEAD), STR("{" WHO ",\"exp\":true}")},
    {STR(HEAD), STR("{" WHO ",\"exp\":[1700000600]}")},
    {STR(HEAD), STR(C(",\"nbf\":\"1\""))},
    {STR(HEAD), STR(C(",\"nbf\":null"))},
    {STR(HEAD), STR(C(",\"nbf\":1700000031"))},
    {STR(HEAD), STR(C(",\"nbf\":1700000030.001"))},
    {STR(HEAD), STR(C(",\"nbf\":1e300"))},
    {STR(HEAD), STR(C(",\"iat\":\"1700000000\""))},
    {STR(HEAD), STR(C(",\"iat\":false"))},
    {STR(HEAD), STR(C(",\"iss\":1"))},
    {STR(HEAD), STR(C(",\"iss\":[\"a\"]"))},
    {STR(HEAD), STR(C(",\"aud\":1"))},
    {STR(HEAD), STR(C(",\"aud\":[1]"))},
    {STR(HEAD), STR(C(",\"aud\":{}"))},
};

static const struct row expired[] = {
    {STR(HEAD), STR("{" WHO ",\"exp\":1699999970}")},
    {STR(HEAD), STR("{" WHO ",\"exp\":1699999969.9999}")},
    {STR(HEAD), STR("{" WHO ",\"exp\":0}")},
    {STR(HEAD), STR("{" WHO ",\"exp\":-1e300}")},
    {STR(HEAD), STR("{" WHO ",\"exp\":1,\"nbf\":1,\"iat\":1}")},
};

/* Expired, and wrong in another way as well. */
static const struct row expired_and_forged[] = {
    {STR("{\"alg\":\"none\"}"), STR("{" WHO ",\"exp\":1}")},
    {STR(HEAD), STR("{\"exp\":1}")},
    {STR(HEAD), STR("{" WHO ",\"exp\":1,\"roles\":1}")},
    {STR(HEAD), STR("{" WHO ",\"exp\":1,\"nbf\":1e300}")},
    {STR(HEAD), STR("{" WHO ",\"exp\":1,\"aud\":1}")},
};

static void
accepts_good_tokens(void **state)
{
    (void)state;
    expect_all(good, COUNT_OF(good), ERR_OK);
}

static void
refuses_forged_tokens(void **state)
{
    (void)state;
    expect_all(forged, COUNT_OF(forged), ERR_INVALID_TOKEN);
}

static void
says_expired_only_of_tokens_that_are_good_otherwise(void **state)
{
    (void)state;
    expect_all(expired, COUNT_OF(expired), ERR_EXPIRED_TOKEN);
    expect_all(expired_and_forged, COUNT_OF(expired_and_forged),
               ERR_INVALID_TOKEN);
}

static enum err
verify_between(const char *before, struct str good_token, const char *after)
{
    struct identity who;
    char text[JWT_MAX_BYTES * 2];
    int n = snprintf(text, sizeof(text), "%s%.*s%s", before,
                     STR_ARG(good_token), after);

    return token_verify(keys, &rules, (struct str){text, (size_t)n},
                        (int64_t)NOW_S * 1000, &who);
}

static void
refuses_every_other_number_of_parts_and_anything_around_them(void **state)
{
    static const char *const around[][2] = {
        {" ", ""},  {"", " "},    {"", "\n"},      {"", "."},
        {"", ".."}, {".", ""},    {"", "="},       {"", "A"},
        {"", ".x"}, {"\"", "\""}, {"Bearer ", ""},
    };
    static const char *const texts[] = {
        "",     ".",    "..",   "...",      "a",           "a.b",
        "a.b.", ".b.c", "a..c", "e30.e30.", "e30.e30.e30", "=.=.="};
    struct buf token;
    struct identity who;

    (void)state;
    sign(&token, STR(HEAD), STR(C("")));
    assert_int_equal(verify_between("", buf_str(&token), ""), ERR_OK);
    for (size_t i = 0; i < COUNT_OF(around); i++) {
        assert_int_equal(
            verify_between(around[i][0], buf_str(&token), around[i][1]),
            ERR_INVALID_TOKEN);
    }
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_int_equal(
            token_verify(keys, &rules, str_from(texts[i]), 0, &who),
            ERR_INVALID_TOKEN);
    }
    buf_fini(&token);
}

/* Canonical base64url means that no other text is the same token. */
static void
refuses_a_token_with_any_one_character_changed_or_missing(void **state)
{
    static const char others[] = "AQgwZz09-_+/=. \n\"";
    struct buf token;
    struct identity who;

    (void)state;
    sign(&token, STR(HEAD), STR(C(",\"roles\":[\"user\"]")));
    for (size_t i = 0; i < token.n; i++) {
        char kept = token.p[i];

        for (const char *c = others; *c != '\0'; c++) {
            token.p[i] = *c;
            if (*c != kept) {
                assert_int_equal(token_verify(keys, &rules, buf_str(&token),
                                              (int64_t)NOW_S * 1000, &who),
                                 ERR_INVALID_TOKEN);
            }
        }
        token.p[i] = kept;
        assert_int_equal(token_verify(keys, &rules, (struct str){token.p, i},
                                      (int64_t)NOW_S * 1000, &who),
                         ERR_INVALID_TOKEN);
    }
    buf_fini(&token);
}

static void
refuses_a_nul_behind_the_claims_and_deep_nesting(void **state)
{
    char nul[] = C("") "\0";
    char deep[400];
    size_t n = 0;
    struct identity who;

    (void)state;
    assert_int_equal(verify(STR(HEAD), (struct str){nul, sizeof(nul)}, &who),
                     ERR_INVALID_TOKEN);
    for (int levels = 31; levels <= 32; levels++) {
        n = (size_t)snprintf(deep, sizeof(deep), "{" WHO "," LATER ",\"x\":");
        memset(deep + n, '[', (size_t)levels);
        memset(deep + n + levels, ']', (size_t)levels);
        n += 2 * (size_t)levels;
        deep[n++] = '}';
        assert_int_equal(verify(STR(HEAD), (struct str){deep, n}, &who),
                         levels == 31 ? ERR_OK : ERR_INVALID_TOKEN);
    }
}

static void
refuses_another_secret_and_a_cut_signature(void **state)
{
    struct buf token;
    struct identity who;
    struct token_keys *other =
        token_keys_secret(STR("0123456789abcdef0123456789abcdeF"));

    (void)state;
    sign(&token, STR(HEAD), STR(C("")));
    assert_int_equal(token_verify(other, &rules, buf_str(&token),
                                  (int64_t)NOW_S * 1000, &who),
                     ERR_INVALID_TOKEN);
    token_keys_free(other);
    token_keys_free(NULL);
    /* 16 of the 32 bytes, well formed */
    assert_int_equal(token_verify(keys, &rules,
                                  (struct str){token.p, token.n - 43 + 22},
                                  (int64_t)NOW_S * 1000, &who),
                     ERR_INVALID_TOKEN);
    buf_fini(&token);
}

static size_t
claims_with(char out[static 10000], const char *before, size_t n,
            const char *after)
{
    char filler[9000];

    memset(filler, 'x', n);
    filler[n] = '\0';
    return (size_t)snprintf(out, 10000, "%s%s%s", before, filler, after);
}

static void
holds_the_limits_of_length_exactly(void **state)
{
    static const struct {
        const char *before;
        size_t limit;
        const char *after;
    } rows[] = {
        {"{\"user_id\":\"", TOKEN_USER_ID_MAX, "\"," LATER "}"},
        {"{" WHO "," LATER ",\"name\":\"", TOKEN_NAME_MAX, "\"}"},
        {"{" WHO "," LATER ",\"roles\":[\"", TOKEN_ROLE_MAX, "\"]}"},
    };
    char claims[10000];
    struct identity who;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t n =
            claims_with(claims, rows[i].before, rows[i].limit, rows[i].after);

        assert_int_equal(verify(STR(HEAD), (struct str){claims, n}, &who),
                         ERR_OK);
        n = claims_with(claims, rows[i].before, rows[i].limit + 1,
                        rows[i].after);
        assert_int_equal(verify(STR(HEAD), (struct str){claims, n}, &who),
                         ERR_INVALID_TOKEN);
    }
}

static void
holds_the_limits_of_roles_and_of_the_whole_exactly(void **state)
{
    struct buf claims, token;
    struct identity who;

    (void)state;
    for (int roles = 32; roles <= 33; roles++) {
        buf_init(&claims, 10000);
        buf_puts(&claims, "{" WHO "," LATER ",\"roles\":[\"r\"");
        for (int i = 1; i < roles; i++) {
            buf_puts(&claims, ",\"r\"");
        }
        buf_puts(&claims, "]}");
        assert_int_equal(verify(STR(HEAD), buf_str(&claims), &who),
                         roles == 32 ? ERR_OK : ERR_INVALID_TOKEN);
        buf_fini(&claims);
    }
    for (size_t filler = 6000; filler < 6150; filler++) {
        char text[10000];
        size_t n =
            claims_with(text, "{" WHO "," LATER ",\"x\":\"", filler, "\"}");

        sign(&token, STR(HEAD), (struct str){text, n});
        assert_int_equal(token_verify(keys, &rules, buf_str(&token),
                                      (int64_t)NOW_S * 1000, &who),
                         token.n <= 8192 ? ERR_OK : ERR_INVALID_TOKEN);
        buf_fini(&token);
    }
}

static void
fills_the_identity(void **state)
{
    struct identity who;

    (void)state;
    assert_int_equal(verify(STR(HEAD),
                            STR("{\"user_id\":\"\xC3\xA4 1\",\"name\":\"N\","
                                "\"roles\":[\"user\",\"chat_admin\"],"
                                "\"exp\":1700000600.25}"),
                            &who),
                     ERR_OK);
    assert_string_equal(who.user_id, "\xC3\xA4 1");
    assert_string_equal(who.name, "N");
    assert_true(who.admin);
    assert_true(who.exp_ms == INT64_C(1700000600250));
    assert_int_equal(
        verify(STR(HEAD), STR(C(",\"roles\":[\"Admin\",\"adminx\"]")), &who),
        ERR_OK);
    assert_false(who.admin);
    assert_string_equal(who.name, "");
}

static void
takes_the_user_from_the_configured_claim(void **state)
{
    struct identity who;

    (void)state;
    rules.user_claim = "sub";
    assert_int_equal(verify(STR(HEAD), STR(C("")), &who), ERR_INVALID_TOKEN);
    assert_int_equal(verify(STR(HEAD), STR(C(",\"sub\":\"s\"")), &who), ERR_OK);
    assert_string_equal(who.user_id, "s");
}

static void
the_users_claim_may_be_another_claim_too(void **state)
{
    struct identity who;

    (void)state;
    rules.user_claim = "name";
    assert_int_equal(verify(STR(HEAD), STR("{\"name\":\"n\"," LATER "}"), &who),
                     ERR_OK);
    assert_string_equal(who.user_id, "n");
    assert_string_equal(who.name, "n");
    rules.user_claim = "exp";
    assert_int_equal(verify(STR(HEAD), STR(C("")), &who), ERR_INVALID_TOKEN);
}

static void
asks_for_an_expiry_only_when_configured(void **state)
{
    struct identity who;

    (void)state;
    rules.require_exp = false;
    assert_int_equal(verify(STR(HEAD), STR("{" WHO "}"), &who), ERR_OK);
    assert_true(who.exp_ms == 0);
    assert_int_equal(verify(STR(HEAD), STR("{" WHO ",\"exp\":1}"), &who),
                     ERR_EXPIRED_TOKEN);
    assert_int_equal(verify(STR(HEAD), STR("{" WHO ",\"exp\":null}"), &who),
                     ERR_INVALID_TOKEN);
}

static void
compares_issuer_and_audience_when_configured(void **state)
{
    static const struct {
        struct str claims;
        enum err expected;
    } rows[] = {
        {STR(C(",\"iss\":\"https://i\",\"aud\":\"chat\"")), ERR_OK},
        {STR(C(",\"iss\":\"https://i\",\"aud\":[\"x\",\"chat\"]")), ERR_OK},
        {STR(C(",\"iss\":\"https://i\"")), ERR_INVALID_TOKEN},
        {STR(C(",\"aud\":\"chat\"")), ERR_INVALID_TOKEN},
        {STR(C(",\"iss\":\"https://i/\",\"aud\":\"chat\"")), ERR_INVALID_TOKEN},
        {STR(C(",\"iss\":\"HTTPS://I\",\"aud\":\"chat\"")), ERR_INVALID_TOKEN},
        {STR(C(",\"iss\":[\"https://i\"],\"aud\":\"chat\"")),
         ERR_INVALID_TOKEN},
        {STR(C(",\"iss\":\"https://i\",\"aud\":\"chatt\"")), ERR_INVALID_TOKEN},
        {STR(C(",\"iss\":\"https://i\",\"aud\":[]")), ERR_INVALID_TOKEN},
        {STR(C(",\"iss\":\"https://i\",\"aud\":[\"chat\",1]")),
         ERR_INVALID_TOKEN},
        {STR(C(",\"iss\":\"https://i\",\"aud\":null")), ERR_INVALID_TOKEN},
        {STR("{" WHO ",\"exp\":1,\"iss\":\"x\",\"aud\":\"chat\"}"),
         ERR_INVALID_TOKEN},
    };
    struct identity who;

    (void)state;
    rules.issuer = "https://i";
    rules.audience = "chat";
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(verify(STR(HEAD), rows[i].claims, &who),
                         rows[i].expected);
    }
}

static void
verifies_what_it_signs(void **state)
{
    const char *const roles[] = {"user", "admin", NULL};
    const struct token_claims claims = {.user_id = "a\"b",
                                        .name = "N\n",
                                        .roles = roles,
                                        .issuer = "i",
                                        .audience = "a",
                                        .issued_s = NOW_S,
                                        .expires_s = NOW_S + 60};
    struct buf out;
    struct identity who;

    (void)state;
    rules.issuer = "i";
    rules.audience = "a";
    buf_init(&out, JWT_MAX_BYTES);
    buf_puts(&out, "http://x/#token=");
    token_sign_hs256(STR(SECRET), &claims, &out);
    assert_int_equal(buf_err(&out), ERR_OK);
    assert_int_equal(token_verify(keys, &rules, str_from_at(buf_str(&out), 16),
                                  (int64_t)NOW_S * 1000, &who),
                     ERR_OK);
    assert_string_equal(who.user_id, "a\"b");
    assert_string_equal(who.name, "N\n");
    assert_true(who.admin);
    assert_true(who.exp_ms == (int64_t)(NOW_S + 60) * 1000);
    buf_fini(&out);
}

static void *
verify_often(void *arg)
{
    const struct buf *token = arg;
    struct identity who;
    size_t ok = 0;

    for (int i = 0; i < 2000; i++) {
        ok += token_verify(keys, &rules, buf_str(token), (int64_t)NOW_S * 1000,
                           &who) == ERR_OK;
    }
    return (void *)(uintptr_t)ok;
}

static void
one_key_serves_several_threads(void **state)
{
    pthread_t threads[4];
    struct buf token;

    (void)state;
    sign(&token, STR(HEAD), STR(C("")));
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, verify_often, &token), 0);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *ok;

        assert_int_equal(pthread_join(threads[i], &ok), 0);
        assert_int_equal((uintptr_t)ok, 2000);
    }
    buf_fini(&token);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(accepts_good_tokens),
        TEST(refuses_forged_tokens),
        TEST(says_expired_only_of_tokens_that_are_good_otherwise),
        TEST(refuses_every_other_number_of_parts_and_anything_around_them),
        TEST(refuses_a_token_with_any_one_character_changed_or_missing),
        TEST(refuses_a_nul_behind_the_claims_and_deep_nesting),
        TEST(refuses_another_secret_and_a_cut_signature),
        TEST(holds_the_limits_of_length_exactly),
        TEST(holds_the_limits_of_roles_and_of_the_whole_exactly),
        TEST(fills_the_identity),
        TEST(takes_the_user_from_the_configured_claim),
        TEST(the_users_claim_may_be_another_claim_too),
        TEST(asks_for_an_expiry_only_when_configured),
        TEST(compares_issuer_and_audience_when_configured),
        TEST(verifies_what_it_signs),
        TEST(one_key_serves_several_threads),
    };

    return cmocka_run_group_tests_name("guard/token", tests, NULL, NULL);
}
