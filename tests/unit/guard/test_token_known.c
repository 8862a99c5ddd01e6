/* SPDX-License-Identifier: MIT */
/* How long, and of which tokens, it is remembered that they were good. */
#include "guard/token_known.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1700000000000
#define LEEWAY 30000

static struct token_known *known;

static int
setup(void **state)
{
    (void)state;
    known = token_known_new();
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    token_known_free(known);
    return 0;
}

/* Of somebody whose name is the token. */
static void
put(const char *token, int64_t exp_ms)
{
    struct identity who = {.exp_ms = exp_ms, .admin = true, .roles_n = 2};

    memcpy(who.roles, "r", 2);
    snprintf(who.user_id, sizeof(who.user_id), "%s", token);
    token_known_put(known, str_from(token), NOW, &who);
}

static bool
is_known(const char *token, int64_t now_ms)
{
    struct identity who = {.user_id = ""};
    bool found = token_known_get(known, str_from(token), now_ms, LEEWAY, &who);

    if (found) {
        assert_string_equal(who.user_id, token);
        assert_true(who.admin);
        assert_memory_equal(token_roles(&who).p, "r", 2);
        assert_int_equal(token_roles(&who).n, 2);
    }
    return found;
}

static void
only_the_very_token_is_known(void **state)
{
    (void)state;
    put("a.b.c", 0);
    assert_true(is_known("a.b.c", NOW));
    assert_false(is_known("a.b.d", NOW));
    assert_false(is_known("a.b.", NOW));
    assert_false(is_known("a.b.cc", NOW));
    assert_false(is_known("", NOW));
}

static void
it_is_looked_at_again_after_a_minute_and_when_the_clock_goes_back(void **state)
{
    (void)state;
    put("a.b.c", 0);
    assert_true(is_known("a.b.c", NOW + TOKEN_KNOWN_MS - 1));
    assert_false(is_known("a.b.c", NOW + TOKEN_KNOWN_MS));
    assert_false(is_known("a.b.c", NOW - 1));
}

static void
one_that_has_expired_meanwhile_is_not_known(void **state)
{
    (void)state;
    put("a.b.c", NOW - 20000);
    assert_true(is_known("a.b.c", NOW));
    assert_true(is_known("a.b.c", NOW - 20000 + LEEWAY - 1));
    assert_false(is_known("a.b.c", NOW - 20000 + LEEWAY));
}

static void
a_later_look_counts(void **state)
{
    struct identity who = {.exp_ms = 0, .admin = true, .roles_n = 2};

    (void)state;
    put("a.b.c", 0);
    memcpy(who.roles, "r", 2);
    snprintf(who.user_id, sizeof(who.user_id), "a.b.c");
    token_known_put(known, STR("a.b.c"), NOW + TOKEN_KNOWN_MS, &who);
    assert_true(is_known("a.b.c", NOW + 2 * TOKEN_KNOWN_MS - 1));
}

static void
nothing_is_known_after_other_keys(void **state)
{
    (void)state;
    put("a.b.c", 0);
    put("d.e.f", 0);
    token_known_clear(known);
    assert_false(is_known("a.b.c", NOW));
    assert_false(is_known("d.e.f", NOW));
    put("a.b.c", 0);
    assert_true(is_known("a.b.c", NOW));
}

/* Of ten times as many as there is room for some are, and each is itself. */
static void
many_take_each_others_place(void **state)
{
    char token[32];
    int found = 0;

    (void)state;
    for (int i = 0; i < 10 * TOKEN_KNOWN_MAX; i++) {
        snprintf(token, sizeof(token), "token.%d.x", i);
        put(token, 0);
        assert_true(is_known(token, NOW));
    }
    for (int i = 0; i < 10 * TOKEN_KNOWN_MAX; i++) {
        snprintf(token, sizeof(token), "token.%d.x", i);
        found += is_known(token, NOW);
    }
    assert_in_range(found, TOKEN_KNOWN_MAX / 2, TOKEN_KNOWN_MAX);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_the_very_token_is_known),
        TEST(it_is_looked_at_again_after_a_minute_and_when_the_clock_goes_back),
        TEST(one_that_has_expired_meanwhile_is_not_known),
        TEST(a_later_look_counts),
        TEST(nothing_is_known_after_other_keys),
        TEST(many_take_each_others_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
