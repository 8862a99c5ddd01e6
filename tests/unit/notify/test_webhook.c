/* SPDX-License-Identifier: MIT */
#include "notify/webhook.h"

#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct notice
notice_of(const char *session_id, const char *user_id)
{
    return (struct notice){.kind = NOTIFY_HELP_REQUEST,
                           .at_ms = 1795362591123,
                           .id = "00112233445566778899aabbccddeeff",
                           .session_id = (char *)(uintptr_t)session_id,
                           .user_id = (char *)(uintptr_t)user_id};
}

static void
expect_body(const struct notice *n, const char *wanted)
{
    struct buf out;
    char *text;

    buf_init(&out, 4096);
    webhook_body(&out, n);
    text = buf_give(&out);
    assert_string_equal(text, wanted);
    xfree(text);
}

#define HEAD                                                                   \
    "{\"id\":\"00112233445566778899aabbccddeeff\",\"event\":\"help_request\"," \
    "\"at\":\"2026-11-22T15:49:51.123Z\","

static void
a_body_has_what_is_known(void **state)
{
    struct notice n = notice_of("s1", "o'neill \"<b>\"\\");

    (void)state;
    expect_body(&n, HEAD "\"session_id\":\"s1\",\"user_id\":\"o'neill "
                         "\\\"<b>\\\"\\\\\",\"data\":{}}");
    n = notice_of("", "");
    n.details[0].name = "provider";
    n.details[0].value = (char *)(uintptr_t) "a\nb";
    expect_body(&n, HEAD "\"data\":{\"provider\":\"a\\nb\"}}");
}

/* From Python: hmac.new(b"0"*32, b'1795362591.{"a":1}', "sha256").hexdigest()
 */
static void
a_signature_is_hmac_sha256_of_time_and_body(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    webhook_signature(&out, STR("00000000000000000000000000000000"), 1795362591,
                      STR("{\"a\":1}"));
    buf_putc(&out, '\0');
    assert_string_equal(
        out.p,
        "t=1795362591,v1="
        "f211f9e8c3ea0c4ca875cfc7f733c4b51f92c66aa0d467f948b032a3d68d38aa");
    buf_fini(&out);
}

static void
only_a_url_makes_a_recipient(void **state)
{
    struct notify_settings with = {.webhook_url = "http://localhost/"};
    struct notify_settings without = {.webhook_url = NULL};

    (void)state;
    assert_int_equal(webhook_channel.recipients(&with), 1);
    assert_int_equal(webhook_channel.recipients(&without), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_has_what_is_known),
        cmocka_unit_test(a_signature_is_hmac_sha256_of_time_and_body),
        cmocka_unit_test(only_a_url_makes_a_recipient),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
