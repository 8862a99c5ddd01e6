/* SPDX-License-Identifier: MIT */
#include "store/record.h"

#include "base/check.h"
#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Req 10.3 */
static void
a_copied_message_shares_no_memory(void **state)
{
    struct message_record a = {.seq = 7, .content_n = 3}, b;

    (void)state;
    a.type = xstrdup("user_message");
    a.content = xmemdup("a\0b", 3);
    a.client_id = xstrdup("c1");
    a.file_id = xstrdup("f");
    a.file_url = xstrdup("u");
    a.metadata = xstrdup("{}");
    a.model_id = xstrdup("m");
    a.finish_reason = xstrdup("stop");
    a.reply_to = xstrdup("q");
    a.replaces = xstrdup("r");
    a.conversation = xstrdup("v");
    message_record_copy(&b, &a);
    message_record_fini(&a);
    assert_null(a.content);
    assert_int_equal(a.seq, 0);
    assert_int_equal(b.seq, 7);
    assert_string_equal(b.type, "user_message");
    assert_memory_equal(b.content, "a\0b", 4);
    assert_string_equal(b.client_id, "c1");
    assert_string_equal(b.file_id, "f");
    assert_string_equal(b.file_url, "u");
    assert_string_equal(b.metadata, "{}");
    assert_string_equal(b.model_id, "m");
    assert_string_equal(b.finish_reason, "stop");
    assert_string_equal(b.reply_to, "q");
    assert_string_equal(b.replaces, "r");
    assert_string_equal(b.conversation, "v");
    message_record_fini(&b);
}

/* Req 10.1, 10.3 */
static void
a_copied_session_shares_no_memory(void **state)
{
    struct session_record a = {.seq = 7, .sid = "s"}, b;

    (void)state;
    a.user_id = xstrdup("u");
    a.name = xstrdup("n");
    a.assisting_admin_id = xstrdup("i");
    a.assisting_admin_name = xstrdup("a");
    session_record_copy(&b, &a);
    session_record_fini(&a);
    assert_string_equal(b.sid, "s");
    assert_string_equal(b.user_id, "u");
    assert_string_equal(b.name, "n");
    assert_null(b.model_id);
    assert_string_equal(b.assisting_admin_id, "i");
    assert_string_equal(b.assisting_admin_name, "a");
    session_record_fini(&b);
    session_record_fini(&b); /* twice is fine */
}

static void
every_word_leads_back_to_its_value(void **state)
{
    static const char *const senders[] = {"user", "ai", "admin", "system"};
    static const char *const statuses[] = {"complete", "streaming",
                                           "interrupted", "cancelled"};
    enum message_status status;
    enum sender sender;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(senders); i++) {
        assert_string_equal(sender_word((enum sender)i), senders[i]);
        assert_true(sender_of_word(senders[i], &sender));
        assert_int_equal(sender, i);
        assert_string_equal(status_word((enum message_status)i), statuses[i]);
        assert_true(status_of_word(statuses[i], &status));
        assert_int_equal(status, i);
    }
    assert_false(sender_of_word("User", &sender));
    assert_false(status_of_word("", &status));
    assert_int_equal(sender, SENDER_SYSTEM);
    assert_int_equal(status, STATUS_CANCELLED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copied_message_shares_no_memory),
        cmocka_unit_test(a_copied_session_shares_no_memory),
        cmocka_unit_test(every_word_leads_back_to_its_value),
    };

    return cmocka_run_group_tests_name("store/record", tests, NULL, NULL);
}
