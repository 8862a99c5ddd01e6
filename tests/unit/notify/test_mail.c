/* SPDX-License-Identifier: MIT */
#include "notify/mail.h"

#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *const to[] = {"ann@ops.example", "bob@ops.example"};

static const struct notify_settings settings = {
    .mail_to = to,
    .mail_to_count = 2,
    .mail_from = "chatbox@chat.example",
    .panel_url = "https://desk.example/",
};

static char *
text(const char *constant)
{
    return (char *)(uintptr_t)constant;
}

static char *
build(const char *user_id, size_t recipient)
{
    const struct notice n = {.kind = NOTIFY_HELP_REQUEST,
                             .at_ms = 1795362591123,
                             .id = "00112233445566778899aabbccddeeff",
                             .session_id = text("s1"),
                             .user_id = text(user_id)};
    struct buf out;

    buf_init(&out, 1 << 20);
    mail_build(&out, &settings, &n, recipient);
    return buf_give(&out);
}

#define ID "00112233445566778899aabbccddeeff"

/* The whole of it, as it goes out. */
static void
a_mail_is_this(void **state)
{
    char *mail = build("o'neill <b>", 1);

    (void)state;
    assert_string_equal(
        mail,
        "From: chatbox@chat.example\r\n"
        "To: bob@ops.example\r\n"
        "Subject: [chatbox] A user asks for help\r\n"
        "Date: Sun, 22 Nov 2026 15:49:51 +0000\r\n"
        "Message-ID: <" ID ".2@chat.example>\r\n"
        "Auto-Submitted: auto-generated\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: multipart/alternative;\r\n boundary=\"=_" ID "\"\r\n"
        "\r\n--=_" ID "\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        "A user asks for help.\r\n\r\n"
        "User: o'neill <b>\r\n"
        "Session: s1\r\n"
        "Time: 2026-11-22 15:49:51 UTC\r\n\r\n"
        "https://desk.example/?session_id=3Ds1\r\n"
        "\r\n--=_" ID "\r\n"
        "Content-Type: text/html; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        "<!doctype html>\r\n<html><body>\r\n"
        "<p>A user asks for help.</p>\r\n<table>\r\n"
        "<tr><th align=3D\"left\">User</th><td>o&#39;neill &lt;b&gt;</td></tr>"
        "\r\n"
        "<tr><th align=3D\"left\">Session</th><td>s1</td></tr>\r\n"
        "<tr><th align=3D\"left\">Time</th><td>2026-11-22 15:49:51 UTC</td>"
        "</tr>\r\n"
        "</table>\r\n"
        "<p><a href=3D\"https://desk.example/?session_id=3Ds1\">ht"
        "tps://desk.example/?=\r\n"
        "session_id=3Ds1</a></p>\r\n"
        "</body></html>\r\n"
        "\r\n--=_" ID "--\r\n");
    xfree(mail);
}

static void
an_id_cannot_end_a_line_or_a_part(void **state)
{
    static const char nasty[] =
        "x\r\nBcc: y@z.example\r\n\r\n--=_" ID "--\r\n.\r\n";
    char *mail = build(nasty, 0);
    size_t parts = 0;

    (void)state;
    assert_null(strstr(mail, "\r\nBcc"));
    assert_null(strstr(mail, "\r\n.\r\n"));
    for (const char *at = mail; (at = strstr(at, "\r\n--=_")) != NULL; at++) {
        parts++;
    }
    assert_int_equal(parts, 3);
    xfree(mail);
}

static void
every_address_is_a_recipient(void **state)
{
    static const struct notify_settings none = {.mail_to_count = 0};

    (void)state;
    assert_int_equal(mail_channel.recipients(&settings), 2);
    assert_int_equal(mail_channel.recipients(&none), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mail_is_this),
        cmocka_unit_test(an_id_cannot_end_a_line_or_a_part),
        cmocka_unit_test(every_address_is_a_recipient),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
