/* SPDX-License-Identifier: MIT */
#include "app/keygen.h"

#include "config_fixture.h"

#include "base/xalloc.h"

#include <setjmp.h>

#include <cmocka.h>

/* Draws a value and has it taken as that setting. */
static char *
draw(void (*keygen)(struct buf *), const char *setting)
{
    struct buf out;
    char *value, set[256];
    struct trial t = {.sets = {set}};

    buf_init(&out, 128);
    keygen(&out);
    value = buf_give(&out);
    snprintf(set, sizeof(set), "%s=%s", setting, value);
    trial_run(&t);
    assert_non_null(t.config);
    trial_fini(&t);
    return value;
}

static void
a_jwt_secret_is_taken_by_the_settings(void **state)
{
    char *a = draw(keygen_jwt, "auth.jwt_secret");
    char *b = draw(keygen_jwt, "auth.jwt_secret");

    (void)state;
    assert_int_equal(strlen(a), 44);
    assert_string_not_equal(a, b);
    xfree(a);
    xfree(b);
}

static void
an_encryption_key_is_taken_by_the_settings(void **state)
{
    char *a = draw(keygen_encryption, "store.encryption_keys");

    (void)state;
    assert_int_equal(a[0], 'k');
    assert_int_equal(strspn(a + 1, "0123456789abcdef"), 8);
    assert_int_equal(a[9], ':');
    assert_int_equal(strlen(a), 10 + 44);
    xfree(a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_jwt_secret_is_taken_by_the_settings),
        cmocka_unit_test(an_encryption_key_is_taken_by_the_settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
