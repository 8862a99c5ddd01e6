/* SPDX-License-Identifier: MIT */
#include "codec/smtp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define FROM "MAIL FROM:<a@b.example>\r\n"
#define TO "RCPT TO:<x@y.example>\r\n"
#define MESSAGE "Subject: hi\r\n\r\n..one\r\n...two\r\nx.\r\n.\r\n"

static const struct smtp_mail mail = {
    STR("a@b.example"),
    STR("x@y.example"),
    STR("Subject: hi\r\n\r\n.one\r\n..two\r\nx.\r\n"),
};

/* Everything that is said to a server that says this, in pieces of so many
 * bytes; also by smtp_begin. */
static enum err
talk(const struct smtp_mail *m, struct str says, size_t piece, struct buf *out,
     int *status)
{
    enum err e = ERR_AGAIN;
    struct smtp s;

    buf_reset(out, 0);
    smtp_begin(&s, m, out);
    for (size_t at = 0; at < says.n && e == ERR_AGAIN; at += piece) {
        struct str rest = str_from_at(says, at);

        rest.n = rest.n < piece ? rest.n : piece;
        e = smtp_feed(&s, rest, out);
    }
    *status = s.status;
    return e;
}

struct script {
    const char *says;
    enum err e;
    int status;
    const char *told; /* after FROM */
};

static const struct script scripts[] = {
    {"250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n", ERR_OK, 250,
     TO "DATA\r\n" MESSAGE "QUIT\r\n"},
    {"250-one\r\n250-\r\n250 ok\r\n251 elsewhere\r\n354\r\n200\n", ERR_OK, 200,
     TO "DATA\r\n" MESSAGE "QUIT\r\n"},
    {"550 no\r\n", ERR_OK, 550, "QUIT\r\n"},
    {"250 ok\r\n550-5.1.1 nobody\r\n550 here\r\n", ERR_OK, 550, TO "QUIT\r\n"},
    {"250 ok\r\n250 ok\r\n451 later\r\n", ERR_OK, 451, TO "DATA\r\nQUIT\r\n"},
    {"250 ok\r\n250 ok\r\n354 go\r\n554 spam\r\n", ERR_OK, 554,
     TO "DATA\r\n" MESSAGE "QUIT\r\n"},
    {"421 bye\r\n", ERR_OK, 421, "QUIT\r\n"},
    {"250 ok\r\n250 o", ERR_AGAIN, 250, TO},
    {"250-ok\r\n", ERR_AGAIN, 0, ""},
    /* what is no SMTP, or agrees to something else */
    {"354 go\r\n", ERR_INVALID_FORMAT, 354, ""},
    {"250 ok\r\n250 ok\r\n250 ok\r\n", ERR_INVALID_FORMAT, 250, TO "DATA\r\n"},
    {"HTTP/1.1 400\r\n", ERR_INVALID_FORMAT, 0, ""},
    {"\r\n", ERR_INVALID_FORMAT, 0, ""},
    {"25\n", ERR_INVALID_FORMAT, 0, ""},
    {"25x ok\r\n", ERR_INVALID_FORMAT, 0, ""},
    {"150 ok\r\n", ERR_INVALID_FORMAT, 0, ""},
    {"650 ok\r\n", ERR_INVALID_FORMAT, 0, ""},
    {"250ok\r\n", ERR_INVALID_FORMAT, 0, ""},
};

/* Whole, byte by byte, and in every other piece. */
static void
what_is_said_depends_on_the_replies_alone(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        const struct script *s = &scripts[i];
        struct str says = str_from(s->says);

        for (size_t piece = 1; piece <= says.n; piece++) {
            int status;

            assert_int_equal(talk(&mail, says, piece, &out, &status), s->e);
            assert_int_equal(status, s->status);
            buf_putc(&out, '\0');
            assert_memory_equal(out.p, FROM, strlen(FROM));
            assert_string_equal(out.p + strlen(FROM), s->told);
        }
    }
    buf_fini(&out);
}

/* The lone dot is on a line of its own, once. */
static void
no_message_ends_itself(void **state)
{
    static const struct {
        const char *message, *sent;
    } cases[] = {
        {"", "\r\n.\r\n"},
        {".", "..\r\n.\r\n"},
        {".\r\n", "..\r\n.\r\n"},
        {"a\r\n.\r\nRSET\r\n", "a\r\n..\r\nRSET\r\n.\r\n"},
        {"a\n.\nRSET", "a\n..\nRSET\r\n.\r\n"},
        {"a", "a\r\n.\r\n"},
    };
    struct buf out;

    (void)state;
    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct smtp_mail m = {mail.from, mail.to,
                                    str_from(cases[i].message)};
        const char *at;
        int status;

        assert_int_equal(
            talk(&m, STR("250 \r\n250 \r\n354 \r\n"), 100, &out, &status),
            ERR_AGAIN);
        buf_putc(&out, '\0');
        at = strstr(out.p, "DATA\r\n");
        assert_non_null(at);
        assert_string_equal(at + strlen("DATA\r\n"), cases[i].sent);
    }
    buf_fini(&out);
}

static void
a_reply_without_end_is_refused(void **state)
{
    struct smtp s;
    struct buf out;
    enum err e = ERR_AGAIN;
    size_t n = 0;

    (void)state;
    buf_init(&out, 1 << 20);
    smtp_begin(&s, &mail, &out);
    for (; e == ERR_AGAIN && n < 10 * SMTP_REPLY_MAX; n += 8) {
        e = smtp_feed(&s, STR("250-xx\r\n"), &out);
    }
    assert_int_equal(e, ERR_INVALID_FORMAT);
    assert_in_range(n, SMTP_REPLY_MAX, SMTP_REPLY_MAX + 8);
    buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_depends_on_the_replies_alone),
        cmocka_unit_test(no_message_ends_itself),
        cmocka_unit_test(a_reply_without_end_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
