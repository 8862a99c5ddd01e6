/* SPDX-License-Identifier: MIT */
#include "app/authority.h"

#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
is_written(const char *host, unsigned port, const char *want)
{
    struct buf out;
    char *text;

    buf_init(&out, 64);
    authority_put(host, port, &out);
    text = buf_give(&out);
    assert_string_equal(text, want);
    xfree(text);
}

static void
an_address_of_version_6_stands_in_brackets(void **state)
{
    (void)state;
    is_written("127.0.0.1", 8080, "127.0.0.1:8080");
    is_written("::1", 65535, "[::1]:65535");
}

static void
who_listens_everywhere_is_found_on_loopback(void **state)
{
    (void)state;
    assert_string_equal(authority_local("0.0.0.0"), "127.0.0.1");
    assert_string_equal(authority_local("::"), "::1");
    assert_string_equal(authority_local("10.1.2.3"), "10.1.2.3");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_of_version_6_stands_in_brackets),
        cmocka_unit_test(who_listens_everywhere_is_found_on_loopback),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
