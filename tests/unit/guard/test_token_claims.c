/* SPDX-License-Identifier: MIT */
/* The reading of claims alone; test_token.c has every rule about them. */
#include "guard/token_claims.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *const admins[] = {"boss", NULL};
static const struct token_rules rules = {
    .issuer = "me", .audience = "you", .admin_roles = admins};
static struct identity who;
static struct token_claims_read said;

static bool
read_text(const char *json)
{
    return token_claims_read(str_from(json), &rules, &who, &said);
}

static void
nothing_said_is_nothing_read(void **state)
{
    (void)state;
    memset(&who, 'x', sizeof(who));
    assert_true(read_text("{}"));
    assert_true(!said.has_user && !said.has_exp && !said.issuer_matches &&
                !said.audience_matches && said.nbf_ms == INT64_MIN);
    assert_true(!who.admin && who.exp_ms == 0);
    assert_string_equal(who.user_id, "");
    assert_string_equal(who.name, "");
}

static void
reads_every_known_claim(void **state)
{
    (void)state;
    assert_true(read_text("{\"roles\":[\"a\",\"b\\u006fss\"],\"iss\":\"m\\u0065"
                          "\",\"aud\":[\"x\",\"you\",\"z\"],\"exp\":1.0625,"
                          "\"nbf\":-2,\"iat\":0,\"name\":\"N\",\"x\":[{}],"
                          "\"user_id\":\"u\"}"));
    assert_true(said.has_user && said.has_exp && said.issuer_matches &&
                said.audience_matches && who.admin);
    assert_true(said.exp_ms == 1062 && said.nbf_ms == -2000);
    assert_string_equal(who.user_id, "u");
    assert_string_equal(who.name, "N");
}

static void
times_beyond_the_calendar_are_clamped_or_refused(void **state)
{
    (void)state;
    assert_true(read_text("{\"exp\":1e300,\"nbf\":-1e300}"));
    assert_true(said.exp_ms == INT64_C(9000000000000000) &&
                said.nbf_ms == -said.exp_ms);
    assert_false(read_text("{\"exp\":1e309}"));
    assert_true(read_text("{\"exp\":1.000000000000000000000000000000000000000"
                          "0000000000000000000000}"));
    assert_false(read_text("{\"exp\":1.00000000000000000000000000000000000000"
                           "000000000000000000000000}"));
}

static void
more_than_128_claims_are_refused(void **state)
{
    (void)state;
    for (int claims = 128; claims <= 129; claims++) {
        struct buf b;

        buf_init(&b, 4096);
        for (int i = 0; i < claims; i++) {
            buf_printf(&b, "%c\"c%d\":%d", i == 0 ? '{' : ',', i, i);
        }
        buf_putc(&b, '}');
        assert_int_equal(token_claims_read(buf_str(&b), &rules, &who, &said),
                         claims == 128);
        buf_fini(&b);
    }
}

static void
what_is_not_an_object_is_refused(void **state)
{
    static const char *const texts[] = {"",     "[]", "1",  "\"x\"",
                                        "null", "{",  "{}x"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_false(read_text(texts[i]));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_said_is_nothing_read),
        cmocka_unit_test(reads_every_known_claim),
        cmocka_unit_test(times_beyond_the_calendar_are_clamped_or_refused),
        cmocka_unit_test(more_than_128_claims_are_refused),
        cmocka_unit_test(what_is_not_an_object_is_refused),
    };

    return cmocka_run_group_tests_name("guard/token_claims", tests, NULL, NULL);
}
