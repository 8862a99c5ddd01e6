/* SPDX-License-Identifier: MIT */
#include "chat/budget.h"
#include "chat/turn_parts.h"

#include "fixture.h"

static struct budget_row row;

/* Of each user, in a day and a month; of users with the role "metered". */
static void
open_with(struct house *h, int64_t tokens)
{
    house_open(h);
    row = (struct budget_row){.role = "metered",
                              .limits.of = {{tokens, 0}, {tokens, 0}}};
    h->settings.budgets = &row;
    h->settings.budget_count = 1;
}

static void
join(struct house *h, struct recorder *r, struct str roles)
{
    struct attach_request request = {
        .user_id = STR("ann"), .last_seq = -1, .roles = roles};

    recorder_start(h, r, &request);
    WAIT_FOR(h, !r->held);
}

#define METERED ((struct str){"metered", sizeof("metered")})

static json_int_t
retry_after(const json_t *frame)
{
    return json_integer_value(
        json_object_get(json_object_get(frame, "error"), "retry_after"));
}

static void
a_question_that_does_not_fit_is_refused_and_not_asked(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    open_with(&h, 2);
    join(&h, &r, METERED);
    recorder_say(&r, ASK("How do you do?"));
    WAIT_FOR(&h, count_type(&r, "error") == 1);
    assert_string_equal(error_code(&r), "BUDGET_EXCEEDED");
    assert_true(retry_after(last_type(&r, "error")) > 0);
    assert_int_equal(script.begun, 0);
    assert_int_equal(count_done(&r), 0);
    recorder_fini(&r);
    house_close(&h);
}

static void
who_has_not_the_role_is_not_under_it(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    open_with(&h, 2);
    join(&h, &r, (struct str){"other", sizeof("other")});
    recorder_say(&r, ASK("How do you do?"));
    WAIT_FOR(&h, count_done(&r) == 1);
    assert_string_equal(text_at(last_done(&r), "finish_reason"), "stop");
    recorder_fini(&r);
    house_close(&h);
}

/* Words are a token each. */
static void
an_answer_that_uses_it_up_ends_there_and_is_kept(void **state)
{
    struct house h;
    struct recorder r;
    char *heard;

    (void)state;
    open_with(&h, 1 + 10);
    script.words = 1000;
    join(&h, &r, METERED);
    recorder_say(&r, ASK("Hi"));
    WAIT_FOR(&h, count_done(&r) == 1);
    heard = heard_since(&r, 0);
    assert_string_equal(heard, "w w w w w w w w w w w ");
    xfree(heard);
    assert_string_equal(text_at(last_done(&r), "finish_reason"),
                        "budget_exceeded");
    assert_string_equal(
        text_at(json_object_get(last_done(&r), "error"), "code"),
        "BUDGET_EXCEEDED");
    assert_true(retry_after(last_done(&r)) > 0);
    assert_int_equal(json_integer_value(json_object_get(last_done(&r), "seq")),
                     2);
    assert_int_equal(count_type(&r, "error"), 0);
    recorder_say(&r, ASK("Again")); /* nothing is left */
    WAIT_FOR(&h, count_type(&r, "error") == 1);
    assert_int_equal(script.begun, 1);
    recorder_fini(&r);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_that_does_not_fit_is_refused_and_not_asked),
        cmocka_unit_test(who_has_not_the_role_is_not_under_it),
        cmocka_unit_test(an_answer_that_uses_it_up_ends_there_and_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
