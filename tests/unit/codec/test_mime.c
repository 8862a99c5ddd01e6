/* SPDX-License-Identifier: MIT */
#include "codec/mime.h"

#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Of what was appended; and no line is longer than allowed. */
static void
expect(struct buf *out, const char *wanted)
{
    char *text = buf_give(out);
    const char *line = text;

    assert_string_equal(text, wanted);
    for (const char *end; (end = strstr(line, "\r\n")) != NULL;
         line = end + 2) {
        assert_true(end - line <= MIME_LINE_MAX);
    }
    assert_string_equal(line, "");
    xfree(text);
}

static void
headers_are_one_line_or_encoded_words(void **state)
{
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"", "Subject: \r\n"},
        {"A user asks for help", "Subject: A user asks for help\r\n"},
        {"a\r\nBcc: x@y", "Subject: a  Bcc: x@y\r\n"},
        {"a\tb\x7f"
         "c",
         "Subject: a b c\r\n"},
        {"\xc3\xbc", "Subject:\r\n =?UTF-8?B?w7w=?=\r\n"},
        {"=?UTF-8?B?AA==?=",
         "Subject:\r\n =?UTF-8?B?PT9VVEYtOD9CP0FBPT0/PQ==?=\r\n"},
        {"a\xff", "Subject:\r\n =?UTF-8?B?Ye+/vQ==?=\r\n"},
        {" a", "Subject:\r\n =?UTF-8?B?IGE=?=\r\n"},
    };
    struct buf out;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buf_init(&out, 1 << 20);
        mime_put_header(&out, "Subject", str_from(cases[i].text));
        expect(&out, cases[i].wanted);
    }
}

/* 23 characters of two bytes: 22 fit into 45 bytes. */
static void
no_character_is_cut_between_words(void **state)
{
    struct buf text, out;

    (void)state;
    buf_init(&text, 1000);
    buf_init(&out, 1000);
    for (int i = 0; i < 23; i++) {
        buf_puts(&text, "\xc3\xbc");
    }
    mime_put_header(&out, "Subject", buf_str(&text));
    expect(&out, "Subject:\r\n =?UTF-8?B?w7zDvMO8w7zDvMO8w7zDvMO8w7zDvMO8w7zDvM"
                 "O8w7zDvMO8w7zDvMO8w7w=?=\r\n =?UTF-8?B?w7w=?=\r\n");
    buf_fini(&text);
}

static void
a_long_plain_text_is_folded_too(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    mime_put_header(&out, "Subject",
                    STR("0123456789012345678901234567890123456789012345678901"
                        "234567890123456"));
    assert_null(memmem(out.p, out.n, "=?", 2)); /* 76 in all */
    buf_reset(&out, 0);
    mime_put_header(&out, "Subject",
                    STR("0123456789012345678901234567890123456789012345678901"
                        "2345678901234567"));
    assert_non_null(memmem(out.p, out.n, "\r\n =?", 5));
    buf_fini(&out);
}

static void
a_date_is_that_of_rfc_5322(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    mime_put_date(&out, 1795362591123);
    expect(&out, "Date: Sun, 22 Nov 2026 15:49:51 +0000\r\n");
    buf_init(&out, 1000);
    mime_put_date(&out, 951827696000);
    expect(&out, "Date: Tue, 29 Feb 2000 12:34:56 +0000\r\n");
}

#define TEN "0123456789"
#define SEVENTY TEN TEN TEN TEN TEN TEN TEN

static void
quoted_printable_is_that_of_rfc_2045(void **state)
{
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"", "\r\n"},
        {"a = b", "a =3D b\r\n"},
        {"a\nb\r\nc\n", "a\r\nb\r\nc\r\n"},
        {"a\rb", "a=0Db\r\n"},
        {"end \n\t\n", "end=20\r\n=09\r\n"},
        {"\xc3\xbc", "=C3=BC\r\n"},
        {"\xff", "=EF=BF=BD\r\n"},
        {".\n.a", ".\r\n.a\r\n"},
        {SEVENTY "12345", SEVENTY "12345\r\n"},
        {SEVENTY "123456", SEVENTY "12345=\r\n6\r\n"},
        {SEVENTY "123=", SEVENTY "123=\r\n=3D\r\n"},
    };
    struct buf out;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buf_init(&out, 1 << 20);
        mime_put_quoted(&out, str_from(cases[i].text));
        expect(&out, cases[i].wanted);
    }
}

static void
html_is_escaped(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    mime_put_html(&out, STR("<b a=\"1\" c='2'>&amp;\r\n\x01\xc3\xbc\xff\r\n"));
    buf_putc(&out, '\0');
    assert_string_equal(out.p,
                        "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;amp; \n "
                        "\xc3\xbc\xef\xbf\xbd \n");
    buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_one_line_or_encoded_words),
        cmocka_unit_test(no_character_is_cut_between_words),
        cmocka_unit_test(a_long_plain_text_is_folded_too),
        cmocka_unit_test(a_date_is_that_of_rfc_5322),
        cmocka_unit_test(quoted_printable_is_that_of_rfc_2045),
        cmocka_unit_test(html_is_escaped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
