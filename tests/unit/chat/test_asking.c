/* SPDX-License-Identifier: MIT */
#include "fixture.h"

static void
ask_one(struct house *h, struct recorder *r, const char *frame)
{
    size_t done = count_done(r), errors = count_type(r, "error");

    recorder_say(r, frame);
    WAIT_FOR(h, count_done(r) + count_type(r, "error") > done + errors);
}

static void
a_failure_before_any_text_is_asked_again_unseen(void **state)
{
    struct house h;
    struct recorder r;
    char *heard;

    (void)state;
    house_open(&h);
    h.settings.retry_attempts = 3;
    script.failures = 2;
    recorder_join(&h, &r, "anna");
    ask_one(&h, &r, ASK("one"));
    heard = heard_since(&r, 0);
    assert_string_equal(heard, "w w w ");
    assert_int_equal(count_type(&r, "loading"), 1);
    assert_int_equal(count_type(&r, "error"), 0);
    assert_string_equal(script.asked, "m1 m1 m1 ");
    assert_int_equal(
        metric_value(METRIC_LLM_RETRIES, h.shard.chat->terms->slots[0].retries),
        2);
    assert_int_equal(
        metric_value(METRIC_LLM_ERRORS, h.shard.chat->terms->slots[0].errors),
        2);
    xfree(heard);
    recorder_fini(&r);
    house_close(&h);
}

static void
attempts_are_counted_over_all_requests(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    house_open(&h);
    h.settings.retry_attempts = 3;
    script.failures = 3;
    recorder_join(&h, &r, "anna");
    ask_one(&h, &r, ASK("one"));
    assert_string_equal(error_code(&r), "LLM_UNAVAILABLE");
    assert_int_equal(script.begun, 3);
    assert_int_equal(count_done(&r), 0);
    recorder_fini(&r);
    house_close(&h);
}

static void
what_asking_again_cannot_help_is_not_asked_again(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    house_open(&h);
    h.settings.retry_attempts = 3;
    script.failures = 1;
    script.hopeless = true;
    recorder_join(&h, &r, "anna");
    ask_one(&h, &r, ASK("one"));
    assert_string_equal(error_code(&r), "LLM_UNAVAILABLE");
    assert_int_equal(script.begun, 1);
    recorder_fini(&r);
    house_close(&h);
}

/* The second wait would end beyond the deadline of the whole answer. */
static void
waiting_ends_at_the_deadline(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    house_open(&h);
    h.settings.retry_attempts = 10;
    h.settings.retry_delay_ms = h.settings.retry_max_delay_ms = 60000;
    h.settings.stream_timeout_ms = 100;
    script.failures = 10;
    recorder_join(&h, &r, "anna");
    ask_one(&h, &r, ASK("one"));
    assert_string_equal(error_code(&r), "LLM_TIMEOUT");
    assert_int_equal(script.begun, 1);
    recorder_fini(&r);
    house_close(&h);
}

static void
cancel_ends_a_turn_that_waits_to_ask_again(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    house_open(&h);
    h.settings.retry_attempts = 10;
    h.settings.retry_delay_ms = h.settings.retry_max_delay_ms = 60000;
    h.settings.stream_timeout_ms = 100000;
    script.failures = 10;
    recorder_join(&h, &r, "anna");
    recorder_say(&r, ASK("one"));
    WAIT_FOR(&h, r.outlet.session->running != NULL &&
                     timer_armed(&r.outlet.session->running->asking.again));
    recorder_say(&r, "{\"type\":\"cancel\"}");
    WAIT_FOR(&h, count_done(&r) == 1);
    assert_string_equal(text_at(last_done(&r), "finish_reason"), "cancelled");
    recorder_fini(&r);
    house_close(&h);
}

static void
fallbacks_open(struct house *h)
{
    house_open(h);
    h->settings.retry_attempts = 2;
    providers[0].fallback = m1_fallback;
    providers[0].fallback_count = COUNT_OF(m1_fallback);
}

static void
fallbacks_close(struct house *h)
{
    providers[0].fallback_count = 0;
    house_close(h);
}

static void
fallbacks_are_asked_in_order(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    fallbacks_open(&h);
    script.failures = 2;
    recorder_join(&h, &r, "anna");
    ask_one(&h, &r, ASK("one"));
    assert_string_equal(script.asked, "m1 m2 m3 ");
    assert_string_equal(text_at(last_done(&r), "model_id"), "m3");
    assert_string_equal(text_at(last_done(&r), "finish_reason"), "stop");
    assert_int_equal(count_type(&r, "loading"), 1);
    assert_int_equal(metric_value(METRIC_LLM_FALLBACKS,
                                  h.shard.chat->terms->slots[0].fallbacks),
                     1);
    script.asked[0] = '\0';
    ask_one(&h, &r, ASK("two")); /* the choice itself has not changed */
    assert_string_equal(script.asked, "m1 ");
    recorder_fini(&r);
    fallbacks_close(&h);
}

static void
a_fallback_follows_at_once_where_asking_again_is_no_use(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    fallbacks_open(&h);
    script.failures = 1;
    script.hopeless = true;
    recorder_join(&h, &r, "anna");
    ask_one(&h, &r, ASK("one"));
    assert_string_equal(script.asked, "m1 m2 ");
    assert_string_equal(text_at(last_done(&r), "model_id"), "m2");
    recorder_fini(&r);
    fallbacks_close(&h);
}

static void
when_all_fallbacks_have_failed_there_is_one_error(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    fallbacks_open(&h);
    script.failures = 6;
    recorder_join(&h, &r, "anna");
    ask_one(&h, &r, ASK("one"));
    assert_string_equal(script.asked, "m1 m2 m3 m3 ");
    assert_string_equal(error_code(&r), "LLM_UNAVAILABLE");
    assert_int_equal(count_type(&r, "error"), 1);
    assert_int_equal(count_done(&r), 0);
    recorder_fini(&r);
    fallbacks_close(&h);
}

static void
a_fallback_of_a_fallback_is_not_asked(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    fallbacks_open(&h);
    script.failures = 1;
    script.hopeless = true;
    recorder_join(&h, &r, "anna");
    ask_one(&h, &r,
            "{\"type\":\"user_message\",\"content\":\"x\","
            "\"model_id\":\"m2\"}");
    assert_string_equal(script.asked, "m2 ");
    assert_string_equal(error_code(&r), "LLM_UNAVAILABLE");
    recorder_fini(&r);
    fallbacks_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_before_any_text_is_asked_again_unseen),
        cmocka_unit_test(attempts_are_counted_over_all_requests),
        cmocka_unit_test(what_asking_again_cannot_help_is_not_asked_again),
        cmocka_unit_test(waiting_ends_at_the_deadline),
        cmocka_unit_test(cancel_ends_a_turn_that_waits_to_ask_again),
        cmocka_unit_test(fallbacks_are_asked_in_order),
        cmocka_unit_test(
            a_fallback_follows_at_once_where_asking_again_is_no_use),
        cmocka_unit_test(when_all_fallbacks_have_failed_there_is_one_error),
        cmocka_unit_test(a_fallback_of_a_fallback_is_not_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
