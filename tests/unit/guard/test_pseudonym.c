/* SPDX-License-Identifier: MIT */
#include "guard/pseudonym.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SECRET                                                                 \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char *
name_of(const char *secret, const char *place, const char *user)
{
    static char names[8][PSEUDONYM_CHARS + 1];
    static unsigned next;
    char *name = names[next++ % 8];

    pseudonym_make(str_from(secret), str_from(place), str_from(user), name);
    return name;
}

/* Reckoned by another library: a change would make strangers of all users. */
static void
is_the_hash_that_it_is_written_to_be(void **state)
{
    (void)state;
    assert_string_equal(name_of(SECRET, "dify", "ann"),
                        "559c4633e3f94e3a3fd8477ff5f6064f");
}

static void
depends_on_secret_place_and_user(void **state)
{
    const char *name = name_of(SECRET, "dify", "ann");

    (void)state;
    assert_string_equal(name, name_of(SECRET, "dify", "ann"));
    assert_string_not_equal(name, name_of("x" SECRET, "dify", "ann"));
    assert_string_not_equal(name, name_of(SECRET, "other", "ann"));
    assert_string_not_equal(name, name_of(SECRET, "dify", "bob"));
}

/* "ab" at "c" is not "b" at "ca". */
static void
place_and_user_do_not_run_together(void **state)
{
    (void)state;
    assert_string_not_equal(name_of(SECRET, "difya", "nn"),
                            name_of(SECRET, "dify", "ann"));
}

static void
has_one_form_whatever_the_user_is_called(void **state)
{
    char user[256];

    (void)state;
    memset(user, 'u', 255);
    user[255] = '\0';
    assert_int_equal(strlen(name_of(SECRET, "dify", user)), PSEUDONYM_CHARS);
    assert_int_equal(strspn(name_of(SECRET, "d", "J\xc3\xbcrgen@example.org"),
                            "0123456789abcdef"),
                     PSEUDONYM_CHARS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_hash_that_it_is_written_to_be),
        cmocka_unit_test(depends_on_secret_place_and_user),
        cmocka_unit_test(place_and_user_do_not_run_together),
        cmocka_unit_test(has_one_form_whatever_the_user_is_called),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
