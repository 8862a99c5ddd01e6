/* SPDX-License-Identifier: MIT */
#include "notify/sms.h"

#include "codec/utf8.h"

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
expect(struct buf *out, const char *wanted)
{
    buf_putc(out, '\0');
    assert_string_equal(out->p, wanted);
    buf_fini(out);
}

static void
a_text_is_short_and_has_the_link_if_it_fits(void **state)
{
    struct notify_settings settings = {.panel_url = "https://desk.example/"};
    struct notice n = {.kind = NOTIFY_HELP_REQUEST,
                       .at_ms = 1795362591123,
                       .session_id = text("s1"),
                       .user_id = text("ann")};
    char long_id[256];
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    sms_text(&out, &settings, &n);
    expect(&out, "chatbox: A user asks for help. User: ann. Session: s1. "
                 "Time: 2026-11-22 15:49:51 UTC. "
                 "https://desk.example/?session_id=s1");
    memset(long_id, 'x', 255);
    long_id[255] = '\0';
    n.user_id = n.session_id = long_id;
    buf_init(&out, 4096);
    sms_text(&out, &settings, &n);
    assert_true(utf8_count(buf_str(&out)) <= SMS_CHARS_MAX);
    assert_null(memmem(out.p, out.n, "https", 5));
    buf_fini(&out);
}

static void
bodies_are_those_of_the_providers(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    sms_body_twilio(&out, "+15551230001", "+15551230009",
                    STR("a b&c=\xc3\xbc"));
    expect(&out,
           "To=%2B15551230001&From=%2B15551230009&Body=a%20b%26c%3D%C3%BC");
    buf_init(&out, 4096);
    sms_body_generic(&out, "+15551230001", "me", STR("a \"b\""));
    expect(&out, "{\"to\":\"+15551230001\",\"from\":\"me\","
                 "\"text\":\"a \\\"b\\\"\"}");
}

static void
numbers_and_a_provider_make_recipients(void **state)
{
    struct notify_settings settings = {.sms_to_count = 2};

    (void)state;
    assert_int_equal(sms_channel.recipients(&settings), 0);
    settings.sms_provider = NOTIFY_SMS_GENERIC;
    assert_int_equal(sms_channel.recipients(&settings), 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_short_and_has_the_link_if_it_fits),
        cmocka_unit_test(bodies_are_those_of_the_providers),
        cmocka_unit_test(numbers_and_a_provider_make_recipients),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
