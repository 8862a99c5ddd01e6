/* SPDX-License-Identifier: MIT */
#include "gate/markdown.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* 2026-11-21T05:26:51.123Z */
#define AT 1795238811123

static void
assert_text(struct buf *b, const char *expected)
{
    if (!str_is(buf_str(b), expected)) {
        fail_msg("%.*s\nnot\n%s", STR_ARG(buf_str(b)), expected);
    }
    buf_fini(b);
}

static void
test_a_session_begins_with_its_title_and_its_lines(void **state)
{
    struct session_record s = {.sid = "0123456789abcdef0123456789abcdef",
                               .name = (char[]){" Plans "},
                               .model_id = (char[]){"m-1"},
                               .start_ms = AT,
                               .end_ms = AT + 1000};
    struct buf b;

    (void)state;
    buf_init(&b, 65536);
    markdown_session(&b, &s, AT + 2000);
    assert_text(&b, "# Plans\n\n"
                    "- Session: 0123456789abcdef0123456789abcdef\n"
                    "- Model: m\\-1\n"
                    "- Started: 2026\\-11\\-21T05\\:26\\:51\\.123Z\n"
                    "- Ended: 2026\\-11\\-21T05\\:26\\:52\\.123Z\n"
                    "- Exported: 2026\\-11\\-21T05\\:26\\:53\\.123Z\n");
}

/* The title is the text before the first line's end. */
static void
check_title(const char *name, const char *expected)
{
    char copy[200];
    struct session_record s = {.name = copy};
    struct buf b;
    struct str rest, line;

    snprintf(copy, sizeof(copy), "%s", name);
    buf_init(&b, 65536);
    markdown_session(&b, &s, AT);
    rest = buf_str(&b);
    assert_true(str_split(&rest, '\n', &line));
    if (!str_is(line, expected)) {
        fail_msg("%.*s, not %s", STR_ARG(line), expected);
    }
    buf_fini(&b);
}

static void
test_no_name_is_more_than_text(void **state)
{
    static const struct {
        const char *name;
        const char *expected;
    } cases[] = {
        {"", "# Conversation"},
        {" \n ", "# Conversation"},
        {"Größe 日本", "# Größe 日本"},
        {"a\n# b\r\tc\x7f", "# a \\# b  c "},
        {"[x](y)", "# \\[x\\]\\(y\\)"},
        {"<b>&amp;`*_~\\", "# \\<b\\>\\&amp\\;\\`\\*\\_\\~\\\\"},
        {"!\"#$%&'()*+,-./",
         "# \\!\\\"\\#\\$\\%\\&\\'\\(\\)\\*\\+\\,\\-\\.\\/"},
        {":;<=>?@[\\]^_`{|}~",
         "# \\:\\;\\<\\=\\>\\?\\@\\[\\\\\\]\\^\\_\\`\\{\\|\\}\\~"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        check_title(cases[i].name, cases[i].expected);
    }
}

static void
check_content(const char *content, const char *expected)
{
    char copy[200];
    struct message_record m = {.sender = SENDER_USER,
                               .status = STATUS_COMPLETE,
                               .at_ms = AT,
                               .content = copy,
                               .content_n = strlen(content)};
    char whole[600];
    struct buf b;

    snprintf(copy, sizeof(copy), "%s", content);
    snprintf(whole, sizeof(whole), "\n## User, 2026-11-21T05:26:51.123Z\n\n%s",
             expected);
    buf_init(&b, 65536);
    markdown_message(&b, &m);
    assert_text(&b, whole);
}

static void
test_a_fence_is_longer_than_any_run_in_its_text(void **state)
{
    static const struct {
        const char *content;
        const char *expected;
    } cases[] = {
        {"", "```markdown\n```\n"},
        {"hi", "```markdown\nhi\n```\n"},
        {"hi\n", "```markdown\nhi\n```\n"},
        {"# a\n\n## User", "```markdown\n# a\n\n## User\n```\n"},
        {"``", "```markdown\n``\n```\n"},
        {"```", "````markdown\n```\n````\n"},
        {"a\r````\rb ``", "`````markdown\na\r````\rb ``\n`````\n"},
        {"``x`````", "``````markdown\n``x`````\n``````\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        check_content(cases[i].content, cases[i].expected);
    }
}

static void
test_a_heading_says_who_and_what_is_special(void **state)
{
    static const struct {
        enum sender sender;
        enum message_status status;
        bool superseded;
        const char *expected;
    } cases[] = {
        {SENDER_AI, STATUS_COMPLETE, false, "Assistant, T"},
        {SENDER_ADMIN, STATUS_COMPLETE, false, "Operator, T"},
        {SENDER_SYSTEM, STATUS_COMPLETE, false, "System, T"},
        {SENDER_AI, STATUS_INTERRUPTED, false, "Assistant, T, interrupted"},
        {SENDER_AI, STATUS_CANCELLED, true,
         "Assistant, T, cancelled, replaced by a later answer"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct message_record m = {.sender = cases[i].sender,
                                   .status = cases[i].status,
                                   .superseded = cases[i].superseded,
                                   .file_id = (char[]){"f-1"}};
        const char *rest = strchr(cases[i].expected, 'T') + 1;
        char whole[300];
        struct buf b;

        snprintf(whole, sizeof(whole),
                 "\n## %.*s1970-01-01T00:00:00.000Z%s\n\n"
                 "- File: f\\-1\n\n```markdown\n```\n",
                 (int)(rest - 1 - cases[i].expected), cases[i].expected, rest);
        buf_init(&b, 65536);
        markdown_message(&b, &m);
        assert_text(&b, whole);
    }
}

static void
test_what_does_not_open_says_so_outside_of_a_fence(void **state)
{
    struct message_record m = {.sender = SENDER_USER, .unreadable = true};
    struct buf b;

    (void)state;
    buf_init(&b, 65536);
    markdown_message(&b, &m);
    assert_text(&b, "\n## User, 1970-01-01T00:00:00.000Z\n\n"
                    "This message is stored\\, but it cannot be opened\\.\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_session_begins_with_its_title_and_its_lines),
        cmocka_unit_test(test_no_name_is_more_than_text),
        cmocka_unit_test(test_a_fence_is_longer_than_any_run_in_its_text),
        cmocka_unit_test(test_a_heading_says_who_and_what_is_special),
        cmocka_unit_test(test_what_does_not_open_says_so_outside_of_a_fence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
