/* SPDX-License-Identifier: MIT */
#include "notify/words.h"

#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static char *
text(const char *constant)
{
    return (char *)(uintptr_t)constant;
}

static void
put_row(void *arg, const char *label, struct str value)
{
    buf_printf(arg, "%s=%.*s|", label, STR_ARG(value));
}

static void
expect_rows(const struct notice *n, const char *wanted)
{
    struct buf out;

    buf_init(&out, 4096);
    words_each(n, put_row, &out);
    buf_putc(&out, '\0');
    assert_string_equal(out.p, wanted);
    buf_fini(&out);
}

static void
rows_are_one_line_each_and_of_what_is_known(void **state)
{
    struct notice n = {.at_ms = 1795362591999,
                       .session_id = text("s1"),
                       .user_id = text("ann\r\nBcc: x\x7f\xff")};

    (void)state;
    expect_rows(&n, "User=ann  Bcc: x \xef\xbf\xbd|Session=s1|"
                    "Time=2026-11-22 15:49:51 UTC|");
    n.session_id = n.user_id = text("");
    n.details[0].name = "Provider";
    n.details[0].value = text("gpt");
    expect_rows(&n, "Provider=gpt|Time=2026-11-22 15:49:51 UTC|");
}

static void
a_link_names_the_session_when_there_is_one(void **state)
{
    static const struct {
        const char *page, *session_id, *wanted;
    } cases[] = {
        {NULL, "s1", ""},
        {"https://x.example/", "s1", "https://x.example/?session_id=s1"},
        {"https://x.example/?a=1", "s1",
         "https://x.example/?a=1&session_id=s1"},
        {"https://x.example/", "", "https://x.example/"},
        {"https://x.example/", "a b&c=\xc3\xbc/-._~",
         "https://x.example/?session_id=a%20b%26c%3D%C3%BC%2F-._~"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct notify_settings settings = {.panel_url = cases[i].page};
        const struct notice n = {.session_id = text(cases[i].session_id)};
        struct buf out;

        buf_init(&out, 4096);
        words_put_link(&out, &settings, &n);
        buf_putc(&out, '\0');
        assert_string_equal(out.p, cases[i].wanted);
        buf_fini(&out);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_one_line_each_and_of_what_is_known),
        cmocka_unit_test(a_link_names_the_session_when_there_is_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
