/* SPDX-License-Identifier: MIT */
/* What a good token gives, up to which sizes, by which of the configured
 * rules, and on which threads. */
#include "token_fixture.h"

#include <pthread.h>

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
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

    return cmocka_run_group_tests_name("guard/token_rules", tests, NULL, NULL);
}
