/* SPDX-License-Identifier: MIT */
#include "notify/notice.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
a_notice_is_a_copy_with_a_time_and_an_id(void **state)
{
    char text[] = "s1ann";
    struct notify_event event = {
        .kind = NOTIFY_HELP_REQUEST,
        .session_id = {text, 2},
        .user_id = {text + 2, 3},
        .details = {{"a", STR("1")}},
    };
    int64_t before = clock_wall_ms();
    struct notice *n = notice_new(&event);
    struct notice *other = notice_new(&event);

    (void)state;
    memset(text, 'x', sizeof(text));
    assert_string_equal(n->session_id, "s1");
    assert_string_equal(n->user_id, "ann");
    assert_string_equal(n->details[0].value, "1");
    assert_null(n->details[1].name);
    assert_true(n->at_ms >= before && n->at_ms <= clock_wall_ms());
    assert_int_equal(strlen(n->id), RAND_ID_CHARS);
    assert_string_not_equal(n->id, other->id);
    assert_ptr_equal(notice_hold(n), n);
    notice_release(n);
    assert_string_equal(n->user_id, "ann");
    notice_release(n);
    notice_release(other);
}

static void
every_kind_has_a_word_of_its_own_and_a_sentence(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NOTIFY_KINDS; i++) {
        assert_true(strlen(notice_word(i)) > 0);
        assert_true(strlen(notice_sentence(i)) > 0);
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(notice_word(i), notice_word(j));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_notice_is_a_copy_with_a_time_and_an_id),
        cmocka_unit_test(every_kind_has_a_word_of_its_own_and_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
