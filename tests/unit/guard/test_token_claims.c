/* SPDX-License-Identifier: MIT */
/* The reading of claims alone; test_token.c has every rule about them. */
#include "guard/token_claims.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
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
    assert_true(!who.admin && who.exp_ms == 0 && who.roles_n == 0);
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
    assert_true(str_eq((struct str){who.roles, who.roles_n},
                       (struct str){"a\0boss", 7}));
}

static void
times_are_cut_to_milliseconds_and_clamped(void **state)
{
    static const struct {
        const char *number;
        int64_t ms;
    } rows[] = {
        {"0", 0},
        {"-0", 0},
        {"0.0", 0},
        {"1", 1000},
        {"-1", -1000},
        {"1.5", 1500},
        {"1.0625", 1062},
        {"-1.0625", -1062},
        {"0.001", 1},
        {"0.0009999999", 0},
        {"1e3", 1000000},
        {"1E3", 1000000},
        {"1e+3", 1000000},
        {"1.25e1", 12500},
        {"1.25e-1", 125},
        {"125e-2", 1250},
        {"125e-5", 1},
        {"125e-6", 0},
        {"125e-999999999999999999999", 0},
        {"0e999999999999999999999", 0},
        {"1700000600.25", 1700000600250},
        {"1700000600.999999999999999999999999", 1700000600999},
        {"0.000000000000000000000000000017e38", 1700000000000},
        {"9000000000000", 9000000000000000},
        {"9000000000001", 9000000000000000},
        {"123456789012345678901234567890", 9000000000000000},
        {"-123456789012345678901234567890", -9000000000000000},
        {"1e300", 9000000000000000},
        {"-1e999", -9000000000000000},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char json[100];

        snprintf(json, sizeof(json), "{\"exp\":%s}", rows[i].number);
        assert_true(read_text(json));
        if (said.exp_ms != rows[i].ms) {
            fail_msg("%s: %lld", rows[i].number, (long long)said.exp_ms);
        }
    }
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
        cmocka_unit_test(times_are_cut_to_milliseconds_and_clamped),
        cmocka_unit_test(more_than_128_claims_are_refused),
        cmocka_unit_test(what_is_not_an_object_is_refused),
    };

    return cmocka_run_group_tests_name("guard/token_claims", tests, NULL, NULL);
}
