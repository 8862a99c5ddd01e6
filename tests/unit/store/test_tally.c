/* SPDX-License-Identifier: MIT */
#include "store/tally.h"

#include "base/check.h"
#include "base/xalloc.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define T0 1700000000000

static void
a_new_session_begins_without_counters(void **state)
{
    char user[] = "ann";
    struct session_record r = {
        .sid = "s", .user_id = user, .seq = 4, .message_count = 4};

    (void)state;
    tally_begin(&r, T0);
    assert_int_equal(r.seq, 0);
    assert_int_equal(r.message_count, 0);
    assert_int_equal(r.start_ms, T0);
    assert_int_equal(r.last_ms, T0);
    assert_int_equal(strlen(r.epoch), RECORD_EPOCH_CHARS);
}

static void
what_a_new_session_was_given_stays(void **state)
{
    char user[] = "ann";
    struct session_record r = {.sid = "s",
                               .user_id = user,
                               .epoch = "0123456789abcdef",
                               .start_ms = T0 - 9,
                               .last_ms = T0 + 9};

    (void)state;
    tally_begin(&r, T0);
    assert_int_equal(r.start_ms, T0 - 9);
    assert_int_equal(r.last_ms, T0 + 9);
    assert_string_equal(r.epoch, "0123456789abcdef");
}

static void
only_people_reopen_a_session(void **state)
{
    static const struct {
        enum sender sender;
        bool reopens;
    } cases[] = {{SENDER_USER, true},
                 {SENDER_ADMIN, true},
                 {SENDER_AI, false},
                 {SENDER_SYSTEM, false}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct session_record r = {.end_ms = T0, .seq = 2, .message_count = 2};
        struct message_record m = {
            .sender = cases[i].sender, .seq = 3, .at_ms = T0 + 1};

        tally_message(&r, &m);
        assert_int_equal(r.end_ms, cases[i].reopens ? 0 : T0);
        assert_int_equal(r.seq, 3);
        assert_int_equal(r.message_count, 3);
        assert_int_equal(r.last_ms, T0 + 1);
    }
}

static void
tokens_are_summed_and_activity_never_goes_back(void **state)
{
    struct session_record r = {.last_ms = T0, .total_tokens = 7};
    struct message_record m = {.sender = SENDER_AI,
                               .at_ms = T0 - 5,
                               .usage = {.present = true, .total_tokens = 5}};

    (void)state;
    tally_message(&r, &m);
    assert_int_equal(r.total_tokens, 12);
    assert_int_equal(r.last_ms, T0);
    m.usage.present = false;
    tally_message(&r, &m);
    assert_int_equal(r.total_tokens, 12);
}

static void
a_name_is_taken_from_where_there_is_one(void **state)
{
    static const struct {
        const char *has;
        const char *proposed;
        enum sender sender;
        const char *content;
        const char *name; /* NULL: none */
    } cases[] = {
        {"kept", "other", SENDER_USER, "text", "kept"},
        {NULL, "other", SENDER_USER, "text", "other"},
        {"", NULL, SENDER_USER, "  first line \nsecond", "first line"},
        {NULL, NULL, SENDER_AI, "text", NULL},
        {NULL, NULL, SENDER_USER, " \n ", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct session_record r = {0};
        struct message_record m = {.sender = cases[i].sender};

        r.name = cases[i].has != NULL ? xstrdup(cases[i].has) : NULL;
        m.content = xstrdup(cases[i].content);
        m.content_n = strlen(cases[i].content);
        tally_name(&r, cases[i].proposed, &m);
        if (cases[i].name == NULL) {
            assert_null(r.name);
        } else {
            assert_string_equal(r.name, cases[i].name);
        }
        session_record_fini(&r);
        message_record_fini(&m);
    }
}

static void
a_patch_sets_what_it_names(void **state)
{
    struct session_record to = {.archived = false, .end_ms = T0};
    struct session_record from = {.archived = true, .end_ms = T0 + 5};

    (void)state;
    to.name = xstrdup("old");
    to.share_token = xstrdup("first");
    from.name = xstrdup("new");
    from.share_token = xstrdup("second");
    assert_false(
        tally_patch(&to, &from, STORE_PATCH_ARCHIVED | STORE_PATCH_SHARE));
    assert_string_equal(to.name, "old");
    assert_string_equal(to.share_token, "first");
    assert_true(to.archived);
    assert_true(tally_patch(&to, &from, STORE_PATCH_NAME | STORE_PATCH_END));
    assert_string_equal(to.name, "new");
    assert_int_equal(to.end_ms, T0); /* the first end stays */
    to.end_ms = 0;
    assert_false(tally_patch(&to, &from, STORE_PATCH_END));
    assert_int_equal(to.end_ms, T0 + 5);
    assert_true(tally_patch(&to, &from, STORE_PATCH_END)); /* the same moment */
    from.end_ms = 0;
    assert_false(tally_patch(&to, &from, STORE_PATCH_END)); /* reopened */
    assert_int_equal(to.end_ms, 0);
    session_record_fini(&to);
    session_record_fini(&from);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_session_begins_without_counters),
        cmocka_unit_test(what_a_new_session_was_given_stays),
        cmocka_unit_test(only_people_reopen_a_session),
        cmocka_unit_test(tokens_are_summed_and_activity_never_goes_back),
        cmocka_unit_test(a_name_is_taken_from_where_there_is_one),
        cmocka_unit_test(a_patch_sets_what_it_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
