/* SPDX-License-Identifier: MIT */
#include "gate/shape.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SID "0123456789abcdef0123456789abcdef"
#define MID "fedcba9876543210fedcba9876543210"

/* 2026-11-21T05:26:51.123Z */
#define AT 1795238811123

static void
assert_text(const struct buf *b, const char *expected)
{
    if (!str_is(buf_str(b), expected)) {
        fail_msg("%.*s\nnot\n%s", STR_ARG(buf_str(b)), expected);
    }
}

static void
assert_item(const struct session_record *s, const char *expected)
{
    struct buf b;

    buf_init(&b, 65536);
    shape_item(&b, s);
    assert_text(&b, expected);
    buf_fini(&b);
}

static void
test_an_item_has_every_member_in_its_written_type(void **state)
{
    struct session_record s = {
        .sid = SID,
        .user_id = (char[]){"ann"},
        .name = (char[]){"A \"name\""},
        .model_id = (char[]){"m1"},
        .start_ms = AT,
        .last_ms = AT + 61500,
        .end_ms = AT + 62999,
        .message_count = 4,
        .total_tokens = 120,
        .max_response_ms = 900,
        .avg_response_ms = 450.5,
        .archived = true,
        .help_requested = true,
        .admin_assisted = true,
        .assisting_admin_name = (char[]){"Olga"},
    };

    (void)state;
    assert_item(&s, "{\"id\":\"" SID "\",\"session_id\":\"" SID "\","
                    "\"user_id\":\"ann\",\"name\":\"A \\\"name\\\"\","
                    "\"model_id\":\"m1\","
                    "\"start_time\":\"2026-11-21T05:26:51.123Z\","
                    "\"last_activity\":\"2026-11-21T05:27:52.623Z\","
                    "\"end_time\":\"2026-11-21T05:27:54.122Z\","
                    "\"is_active\":false,\"duration\":62,"
                    "\"message_count\":4,\"total_tokens\":120,"
                    "\"max_response_time\":900,\"avg_response_time\":451,"
                    "\"admin_assisted\":true,\"assisting_admin_name\":\"Olga\","
                    "\"help_requested\":true,\"archived\":true}");
}

static void
test_an_item_leaves_out_what_is_optional_and_absent(void **state)
{
    struct session_record s = {.sid = SID,
                               .user_id = (char[]){"ann"},
                               .start_ms = AT,
                               .last_ms = AT - 5000};

    (void)state;
    assert_item(&s, "{\"id\":\"" SID "\",\"session_id\":\"" SID "\","
                    "\"user_id\":\"ann\",\"name\":\"\",\"model_id\":\"\","
                    "\"start_time\":\"2026-11-21T05:26:51.123Z\","
                    "\"last_activity\":\"2026-11-21T05:26:46.123Z\","
                    "\"is_active\":true,\"duration\":0,"
                    "\"message_count\":0,\"total_tokens\":0,"
                    "\"max_response_time\":0,\"avg_response_time\":0,"
                    "\"admin_assisted\":false,\"help_requested\":false,"
                    "\"archived\":false}");
}

static void
test_operators_see_an_item_s_connections(void **state)
{
    struct session_record s = {.sid = SID, .start_ms = AT, .last_ms = AT};
    struct buf whole, b;

    (void)state;
    buf_init(&whole, 65536);
    buf_init(&b, 65536);
    shape_item(&whole, &s);
    buf_putc(&b, '{');
    shape_item_members(&b, &s);
    buf_putc(&b, '}');
    assert_true(str_eq(buf_str(&b), buf_str(&whole)));
    buf_reset(&b, 0);
    buf_putc(&b, '{');
    shape_connections(&b, 3);
    assert_text(&b, "{\"connections\":3");
    buf_fini(&b);
    buf_fini(&whole);
}

static void
assert_page(const struct message_record *m, size_t count, bool more,
            const char *end)
{
    struct buf b;

    buf_init(&b, 65536);
    shape_page(&b, NULL, m, count, more);
    assert_true(str_starts(buf_str(&b), STR("\"messages\":[")));
    if (!str_ends(buf_str(&b), str_from(end))) {
        fail_msg("%.*s does not end in %s", STR_ARG(buf_str(&b)), end);
    }
    buf_fini(&b);
}

static void
test_a_page_tells_where_the_older_ones_begin(void **state)
{
    struct message_record m[2] = {
        {.id = MID, .seq = 7, .type = (char[]){"user_message"}},
        {.id = MID, .seq = 8, .type = (char[]){"user_message"}},
    };

    (void)state;
    assert_page(m, 0, false, "[]");
    assert_page(m, 0, true, "[]");
    assert_page(m, 2, false, "}]");
    assert_page(m, 2, true, "}],\"next_before_seq\":7");
}

static void
assert_message(const struct message_record *m, const char *expected)
{
    struct buf b;

    buf_init(&b, 65536);
    shape_message(&b, NULL, m);
    assert_text(&b, expected);
    buf_fini(&b);
}

static void
test_a_question_has_the_members_of_a_question(void **state)
{
    struct message_record m = {
        .id = MID,
        .sid = SID,
        .seq = 7,
        .at_ms = AT,
        .sender = SENDER_USER,
        .status = STATUS_COMPLETE,
        .type = (char[]){"user_message"},
        .content = (char[]){"a\0b"},
        .content_n = 3,
        .client_id = (char[]){"c1"},
        .file_id = (char[]){"f1"},
        .file_url = (char[]){"/chatbox/files/f1"},
        .metadata = (char[]){"{\"k\":\"v\"}"},
        .duration_ms = -1,
        .ttft_ms = -1,
    };

    (void)state;
    assert_message(&m, "{\"message_id\":\"" MID "\",\"seq\":7,"
                       "\"type\":\"user_message\",\"sender\":\"user\","
                       "\"content\":\"a\\u0000b\","
                       "\"timestamp\":\"2026-11-21T05:26:51.123Z\","
                       "\"status\":\"complete\",\"client_id\":\"c1\","
                       "\"file_id\":\"f1\","
                       "\"file_url\":\"/chatbox/files/f1\","
                       "\"metadata\":{\"k\":\"v\"}}");
}

static void
test_what_does_not_open_is_told_and_not_shown(void **state)
{
    struct message_record m = {
        .id = MID,
        .seq = 7,
        .at_ms = AT,
        .type = (char[]){"user_message"},
        .content = (char[]){""},
        .unreadable = true,
        .duration_ms = -1,
        .ttft_ms = -1,
    };

    (void)state;
    assert_message(&m, "{\"message_id\":\"" MID "\",\"seq\":7,"
                       "\"type\":\"user_message\",\"sender\":\"user\","
                       "\"content\":\"\",\"error\":{"
                       "\"code\":\"DATABASE_ERROR\","
                       "\"message\":\"This message is stored, but it cannot be "
                       "opened.\",\"recoverable\":false},"
                       "\"timestamp\":\"2026-11-21T05:26:51.123Z\","
                       "\"status\":\"complete\"}");
}

static void
test_an_answer_has_the_members_of_an_answer(void **state)
{
    struct message_record m = {
        .id = MID,
        .sid = SID,
        .seq = 8,
        .at_ms = AT,
        .sender = SENDER_AI,
        .status = STATUS_INTERRUPTED,
        .type = (char[]){"ai_response"},
        .content = (char[]){""},
        .model_id = (char[]){"m1"},
        .finish_reason = (char[]){"timeout"},
        .reply_to = (char[]){SID},
        .replaces = (char[]){MID},
        .superseded = true,
        .usage = {3, 4, 7, .present = true, .estimated = true},
        .duration_ms = 0,
        .ttft_ms = 12,
    };

    (void)state;
    assert_message(&m, "{\"message_id\":\"" MID "\",\"seq\":8,"
                       "\"type\":\"ai_response\",\"sender\":\"ai\","
                       "\"content\":\"\","
                       "\"timestamp\":\"2026-11-21T05:26:51.123Z\","
                       "\"status\":\"interrupted\",\"model_id\":\"m1\","
                       "\"usage\":{\"prompt_tokens\":3,"
                       "\"completion_tokens\":4,\"total_tokens\":7,"
                       "\"estimated\":true},"
                       "\"duration_ms\":0,\"ttft_ms\":12,"
                       "\"finish_reason\":\"timeout\",\"reply_to\":\"" SID
                       "\",\"replaces\":\"" MID "\",\"superseded\":true}");
}

static void
test_exact_usage_is_not_called_estimated(void **state)
{
    struct message_record m = {.id = MID,
                               .sender = SENDER_ADMIN,
                               .status = STATUS_CANCELLED,
                               .type = (char[]){"x"},
                               .usage = {1, 2, 3, .present = true},
                               .duration_ms = -1,
                               .ttft_ms = -1};

    (void)state;
    assert_message(&m, "{\"message_id\":\"" MID "\",\"seq\":0,\"type\":\"x\","
                       "\"sender\":\"admin\",\"content\":\"\","
                       "\"timestamp\":\"1970-01-01T00:00:00.000Z\","
                       "\"status\":\"cancelled\","
                       "\"usage\":{\"prompt_tokens\":1,"
                       "\"completion_tokens\":2,\"total_tokens\":3}}");
}

static void
test_a_shared_message_shows_nothing_of_its_user(void **state)
{
    struct message_record m = {
        .id = MID,
        .sid = SID,
        .seq = 7,
        .at_ms = AT,
        .sender = SENDER_AI,
        .status = STATUS_COMPLETE,
        .type = (char[]){"ai_response"},
        .content = (char[]){"Hi"},
        .content_n = 2,
        .client_id = (char[]){"c1"},
        .file_id = (char[]){"f1"},
        .file_url = (char[]){"/chatbox/files/f1?sig=1"},
        .metadata = (char[]){"{\"k\":\"v\"}"},
        .model_id = (char[]){"m1"},
        .reply_to = (char[]){SID},
        .replaces = (char[]){SID},
        .duration_ms = 5,
        .ttft_ms = -1,
    };
    struct buf b;

    (void)state;
    buf_init(&b, 65536);
    shape_shared_message(&b, &m);
    assert_text(&b, "{\"message_id\":\"" MID "\",\"seq\":7,"
                    "\"type\":\"ai_response\",\"sender\":\"ai\","
                    "\"content\":\"Hi\","
                    "\"timestamp\":\"2026-11-21T05:26:51.123Z\","
                    "\"status\":\"complete\",\"model_id\":\"m1\","
                    "\"duration_ms\":5,\"reply_to\":\"" SID "\"}");
    buf_fini(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operators_see_an_item_s_connections),
        cmocka_unit_test(test_a_page_tells_where_the_older_ones_begin),
        cmocka_unit_test(test_an_item_has_every_member_in_its_written_type),
        cmocka_unit_test(test_an_item_leaves_out_what_is_optional_and_absent),
        cmocka_unit_test(test_a_question_has_the_members_of_a_question),
        cmocka_unit_test(test_what_does_not_open_is_told_and_not_shown),
        cmocka_unit_test(test_an_answer_has_the_members_of_an_answer),
        cmocka_unit_test(test_exact_usage_is_not_called_estimated),
        cmocka_unit_test(test_a_shared_message_shows_nothing_of_its_user),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
