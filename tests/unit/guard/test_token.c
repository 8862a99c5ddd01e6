/* SPDX-License-Identifier: MIT */
/* What a token may say, with a secret as the key; test_token_keys.c has the
 * other families. Every forged token here is signed correctly unless the row
 * is about the signature: only the rule under test refuses it. */
#include "token_fixture.h"

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
    };

    return cmocka_run_group_tests_name("guard/token", tests, NULL, NULL);
}
