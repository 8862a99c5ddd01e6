/* SPDX-License-Identifier: MIT */
#include "fixture.h"

static void
stores_acknowledges_streams_and_ends_once(void **state)
{
    struct house h;
    struct recorder r;
    char *heard;

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    recorder_say(&r, ASK_ID("hello", "c1"));
    WAIT_FOR(&h, count_done(&r) == 1);
    assert_string_equal(text_at(r.frames[0], "type"), "connection_status");
    assert_string_equal(text_at(r.frames[1], "type"), "ack");
    assert_string_equal(text_at(r.frames[1], "client_id"), "c1");
    assert_int_equal(json_integer_value(json_object_get(r.frames[1], "seq")),
                     1);
    assert_string_equal(text_at(r.frames[2], "type"), "loading");
    assert_string_equal(text_at(r.frames[2], "message_id"),
                        text_at(last_done(&r), "message_id"));
    heard = heard_since(&r, 0);
    assert_string_equal(heard, "w w w ");
    xfree(heard);
    assert_string_equal(text_at(last_done(&r), "finish_reason"), "stop");
    assert_int_equal(json_integer_value(json_object_get(last_done(&r), "seq")),
                     2);
    assert_null(json_object_get(last_done(&r), "content"));
    assert_int_equal(chat_turns(h.shard.chat), 0);
    recorder_fini(&r);
    house_close(&h);
}

static void
numbers_chunks_from_nought_on_each_connection(void **state)
{
    struct house h;
    struct recorder r;
    int next = 0;

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    for (int turn = 0; turn < 2; turn++) {
        recorder_say(&r, ASK("hello"));
        WAIT_FOR(&h, count_done(&r) == (size_t)turn + 1);
    }
    for (size_t i = 0; i < r.count; i++) {
        const json_t *chunk = json_object_get(r.frames[i], "chunk");

        if (strcmp(text_at(r.frames[i], "type"), "loading") == 0) {
            next = 0;
        }
        if (chunk != NULL) {
            assert_int_equal(json_integer_value(chunk), next++);
        }
    }
    recorder_fini(&r);
    house_close(&h);
}

static void
shows_the_model_the_earlier_pairs(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    recorder_say(&r, ASK("one"));
    WAIT_FOR(&h, count_done(&r) == 1);
    recorder_say(&r, ASK("two"));
    WAIT_FOR(&h, count_done(&r) == 2);
    recorder_say(&r, ASK("three"));
    WAIT_FOR(&h, count_done(&r) == 3);
    assert_string_equal(script.prompt,
                        "u:one|a:w w w |u:two|a:w w w |u:three|");
    recorder_fini(&r);
    house_close(&h);
}

static void
runs_waiting_turns_one_by_one_in_order(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    script.given = 0;
    recorder_say(&r, ASK_ID("one", "a"));
    recorder_say(&r, ASK_ID("two", "b"));
    recorder_say(&r, ASK_ID("three", "c"));
    recorder_say(&r, ASK_ID("four", "d"));
    WAIT_FOR(&h, count_type(&r, "ack") == 4 && script.begun == 1);
    recorder_say(&r, ASK_ID("three again", "c"));
    WAIT_FOR(&h, count_type(&r, "ack") == 5);
    assert_int_equal(count_type(&r, "error"), 0);
    recorder_say(&r, ASK_ID("five", "e"));
    WAIT_FOR(&h, count_type(&r, "error") == 1);
    assert_string_equal(error_code(&r), "SERVICE_ERROR");
    assert_true(json_is_true(json_object_get(
        json_object_get(last_type(&r, "error"), "error"), "recoverable")));
    script.given = SIZE_MAX;
    WAIT_FOR(&h, count_done(&r) == 4);
    assert_int_equal(script.begun, 4);
    assert_string_equal(
        script.prompt,
        "u:one|a:w w w |u:two|a:w w w |u:three|a:w w w |u:four|");
    recorder_fini(&r);
    house_close(&h);
}

static void
cancel_keeps_the_partial_text(void **state)
{
    struct house h;
    struct recorder r;
    char *heard;

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    script.given = 2;
    recorder_say(&r, ASK("one"));
    WAIT_FOR(&h, count_type(&r, "ai_response") >= 1);
    recorder_say(&r, "{\"type\":\"cancel\"}");
    WAIT_FOR(&h, count_done(&r) == 1);
    assert_string_equal(text_at(last_done(&r), "finish_reason"), "cancelled");
    assert_int_equal(json_integer_value(json_object_get(last_done(&r), "seq")),
                     2);
    heard = heard_since(&r, 0);
    assert_true(strlen(heard) > 0);
    script.given = SIZE_MAX;
    recorder_say(&r, ASK("two"));
    WAIT_FOR(&h, count_done(&r) == 2);
    assert_non_null(strstr(script.prompt, "u:one|a:w"));
    xfree(heard);
    recorder_fini(&r);
    house_close(&h);
}

static void
cancel_before_any_text_ends_with_a_frame_and_stores_nothing(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    script.given = 0;
    recorder_say(&r, ASK("one"));
    WAIT_FOR(&h, script.begun == 1);
    recorder_say(&r, "{\"type\":\"cancel\"}");
    WAIT_FOR(&h, count_done(&r) == 1);
    assert_string_equal(text_at(last_done(&r), "finish_reason"), "cancelled");
    assert_null(json_object_get(last_done(&r), "seq"));
    recorder_say(&r, "{\"type\":\"cancel\"}");
    assert_string_equal(error_code(&r), "NOT_FOUND");
    recorder_fini(&r);
    house_close(&h);
}

static void
a_disconnect_does_not_stop_a_turn(void **state)
{
    struct house h;
    struct recorder r, again;

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    script.given = 1;
    recorder_say(&r, ASK("one"));
    WAIT_FOR(&h, count_type(&r, "ai_response") == 1);
    recorder_leave(&r);
    recorder_join(&h, &again, "anna");
    assert_string_equal(meta_at(again.frames[1], "snapshot"), "true");
    assert_string_equal(text_at(again.frames[1], "content"), "w ");
    script.given = SIZE_MAX;
    WAIT_FOR(&h, count_done(&again) == 1);
    assert_string_equal(text_at(last_done(&again), "finish_reason"), "stop");
    recorder_fini(&r);
    recorder_fini(&again);
    house_close(&h);
}

static void
cuts_an_answer_at_its_largest_size_between_characters(void **state)
{
    struct house h;
    struct recorder r;
    char *heard;

    (void)state;
    house_open(&h);
    h.settings.max_answer_bytes = 10;
    script.word = "\xe2\x82\xac"; /* three bytes each */
    script.words = 100;
    recorder_join(&h, &r, "anna");
    recorder_say(&r, ASK("one"));
    WAIT_FOR(&h, count_done(&r) == 1);
    assert_string_equal(text_at(last_done(&r), "finish_reason"), "length");
    heard = heard_since(&r, 0);
    assert_string_equal(heard, "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac");
    xfree(heard);
    recorder_fini(&r);
    house_close(&h);
}

static void
merges_deltas_for_a_slow_reader_without_a_hole(void **state)
{
    struct house h;
    struct recorder slow, fast;
    char *a, *b;
    size_t before;

    (void)state;
    house_open(&h);
    script.words = 50;
    script.given = 1;
    recorder_join(&h, &fast, "anna");
    recorder_join(&h, &slow, "anna");
    recorder_say(&fast, ASK("one"));
    WAIT_FOR(&h, count_type(&slow, "ai_response") == 1);
    slow.queued = CONN_HIGH_WATER + 1;
    before = slow.count;
    script.given = 40;
    WAIT_FOR(&h, count_type(&fast, "ai_response") > 10);
    assert_int_equal(slow.count, before);
    slow.queued = 0;
    chat_on_drain(&slow.outlet);
    script.given = SIZE_MAX;
    WAIT_FOR(&h, count_done(&slow) == 1);
    a = heard_since(&slow, 0);
    b = heard_since(&fast, 0);
    assert_string_equal(a, b);
    assert_true(count_type(&slow, "ai_response") <
                count_type(&fast, "ai_response"));
    xfree(a);
    xfree(b);
    recorder_fini(&slow);
    recorder_fini(&fast);
    house_close(&h);
}

static void
a_turn_that_takes_too_long_times_out(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    house_open(&h);
    h.settings.stream_timeout_ms = 50;
    script.given = 0;
    recorder_join(&h, &r, "anna");
    recorder_say(&r, ASK("one"));
    WAIT_FOR(&h, count_type(&r, "error") == 1);
    assert_string_equal(error_code(&r), "LLM_TIMEOUT");
    assert_int_equal(count_done(&r), 0);
    h.settings.stream_timeout_ms = 1000; /* text is to come before it */
    script.given = 1;
    recorder_say(&r, ASK("two"));
    WAIT_FOR(&h, count_done(&r) == 1);
    assert_string_equal(text_at(last_done(&r), "finish_reason"), "timeout");
    recorder_fini(&r);
    house_close(&h);
}

static void
shutdown_stores_what_was_said_as_interrupted(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    house_open(&h);
    script.given = 1;
    recorder_join(&h, &r, "anna");
    recorder_say(&r, ASK("one"));
    recorder_say(&r, ASK("two"));
    WAIT_FOR(&h, count_type(&r, "ai_response") == 1);
    chat_cut(h.shard.chat);
    WAIT_FOR(&h, chat_turns(h.shard.chat) == 0);
    assert_string_equal(text_at(last_done(&r), "finish_reason"), "interrupted");
    assert_int_equal(count_done(&r), 1);
    assert_string_equal(error_code(&r), "SERVICE_ERROR");
    recorder_fini(&r);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stores_acknowledges_streams_and_ends_once),
        cmocka_unit_test(numbers_chunks_from_nought_on_each_connection),
        cmocka_unit_test(shows_the_model_the_earlier_pairs),
        cmocka_unit_test(runs_waiting_turns_one_by_one_in_order),
        cmocka_unit_test(cancel_keeps_the_partial_text),
        cmocka_unit_test(
            cancel_before_any_text_ends_with_a_frame_and_stores_nothing),
        cmocka_unit_test(a_disconnect_does_not_stop_a_turn),
        cmocka_unit_test(cuts_an_answer_at_its_largest_size_between_characters),
        cmocka_unit_test(merges_deltas_for_a_slow_reader_without_a_hole),
        cmocka_unit_test(a_turn_that_takes_too_long_times_out),
        cmocka_unit_test(shutdown_stores_what_was_said_as_interrupted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
