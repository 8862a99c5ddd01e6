/* SPDX-License-Identifier: MIT */
#include "fixture.h"

/* --- an answer of the store that is late -------------------------------- */

void __real_store_submit(struct store *s, struct store_job *job);
void __wrap_store_submit(struct store *s, struct store_job *job);

/* The next look for a message is held here once it was read. */
static bool catch;
static struct store_job *caught;
static void (*caught_done)(struct store_job *job);

static void
hold_back(struct store_job *job)
{
    caught = job;
}

void
__wrap_store_submit(struct store *s, struct store_job *job)
{
    if (catch && job->op == STORE_MESSAGE_FIND) {
        catch = false;
        caught_done = job->done;
        job->done = hold_back;
    }
    __real_store_submit(s, job);
}

static void
let_go(void)
{
    struct store_job *job = caught;

    caught = NULL;
    caught_done(job);
}

static void
a_finished_message_sent_again_gets_its_first_answer(void **state)
{
    struct house h;
    struct recorder r, other;
    const json_t *replay;

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    recorder_say(&r, ASK_ID("one", "c1"));
    WAIT_FOR(&h, count_done(&r) == 1);
    recorder_join(&h, &other, "anna");
    recorder_say(&other, ASK_ID("changed", "c1"));
    WAIT_FOR(&h, count_done(&other) == 1);
    replay = last_done(&other);
    assert_string_equal(meta_at(replay, "replay"), "true");
    assert_string_equal(text_at(replay, "content"), "w w w ");
    assert_string_equal(text_at(replay, "message_id"),
                        text_at(last_done(&r), "message_id"));
    assert_string_equal(text_at(last_type(&other, "ack"), "message_id"),
                        text_at(last_type(&r, "ack"), "message_id"));
    assert_int_equal(script.begun, 1);
    assert_int_equal(count_done(&r), 1);
    recorder_fini(&r);
    recorder_fini(&other);
    house_close(&h);
}

static void
a_running_one_sent_again_gets_a_snapshot_and_goes_on(void **state)
{
    struct house h;
    struct recorder r;
    size_t before;
    char *heard;

    (void)state;
    house_open(&h);
    script.given = 2;
    recorder_join(&h, &r, "anna");
    recorder_say(&r, ASK_ID("one", "c1"));
    WAIT_FOR(&h, r.outlet.sent == 4);
    before = r.count;
    recorder_say(&r, ASK_ID("one", "c1"));
    WAIT_FOR(&h, count_type(&r, "ack") == 2 && r.count == before + 2);
    assert_string_equal(meta_at(r.frames[before + 1], "snapshot"), "true");
    script.given = SIZE_MAX;
    WAIT_FOR(&h, count_done(&r) == 1);
    heard = heard_since(&r, before);
    assert_string_equal(heard, "w w w ");
    assert_int_equal(script.begun, 1);
    xfree(heard);
    recorder_fini(&r);
    house_close(&h);
}

static void
many_at_once_ask_the_model_once(void **state)
{
    struct house h;
    static struct recorder r[10];

    (void)state;
    house_open(&h);
    for (int i = 0; i < 10; i++) {
        recorder_join(&h, &r[i], "anna");
    }
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < 10; i++) {
            recorder_say(&r[i], ASK_ID("one", "same"));
        }
    }
    for (int i = 0; i < 10; i++) {
        WAIT_FOR(&h, count_type(&r[i], "ack") == 4 && count_done(&r[i]) >= 1);
        assert_int_equal(count_type(&r[i], "error"), 0);
        assert_string_equal(text_at(last_type(&r[i], "ack"), "message_id"),
                            text_at(last_type(&r[0], "ack"), "message_id"));
    }
    assert_int_equal(script.begun, 1);
    for (int i = 0; i < 10; i++) {
        recorder_fini(&r[i]);
    }
    house_close(&h);
}

static void
one_that_was_stored_but_never_answered_is_asked_now(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    house_open(&h);
    script.given = 0;
    recorder_join(&h, &r, "anna");
    recorder_say(&r, ASK_ID("one", "c1"));
    WAIT_FOR(&h, script.begun == 1);
    recorder_say(&r, "{\"type\":\"cancel\"}");
    WAIT_FOR(&h, count_done(&r) == 1);
    script.given = SIZE_MAX;
    recorder_say(&r, ASK_ID("one", "c1"));
    WAIT_FOR(&h, count_done(&r) == 2);
    assert_string_equal(text_at(last_done(&r), "finish_reason"), "stop");
    assert_int_equal(json_integer_value(json_object_get(last_done(&r), "seq")),
                     2);
    assert_int_equal(script.begun, 2);
    recorder_fini(&r);
    house_close(&h);
}

static void
regenerate(struct recorder *r, const char *message_id)
{
    char frame[128];

    snprintf(frame, sizeof(frame),
             "{\"type\":\"regenerate\",\"message_id\":\"%s\"}", message_id);
    recorder_say(r, frame);
}

static void
regenerating_keeps_the_old_answer_out_of_the_history(void **state)
{
    struct house h;
    struct recorder r;
    char first[RAND_ID_CHARS + 1];

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    recorder_say(&r, ASK("one"));
    WAIT_FOR(&h, count_done(&r) == 1);
    snprintf(first, sizeof(first), "%s", text_at(last_done(&r), "message_id"));
    script.word = "new ";
    regenerate(&r, first);
    WAIT_FOR(&h, count_done(&r) == 2);
    assert_string_equal(script.prompt, "u:one|");
    assert_string_equal(text_at(last_done(&r), "replaces"), first);
    recorder_say(&r, ASK("two"));
    WAIT_FOR(&h, count_done(&r) == 3);
    assert_string_equal(script.prompt, "u:one|a:new new new |u:two|");
    regenerate(&r, "0123456789abcdef0123456789abcdef");
    WAIT_FOR(&h, count_type(&r, "error") == 1);
    assert_string_equal(error_code(&r), "NOT_FOUND");
    recorder_fini(&r);
    house_close(&h);
}

/* Read before another regenerate's answer was stored, told behind it: what was
 * read is old, and must not make a second answer that stands. */
static void
an_answer_made_since_the_store_looked_is_the_one_replaced(void **state)
{
    struct house h;
    struct recorder r, other;
    char first[RAND_ID_CHARS + 1], second[RAND_ID_CHARS + 1];

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    recorder_join(&h, &other, "anna");
    recorder_say(&r, ASK("one"));
    WAIT_FOR(&h, count_done(&r) == 1);
    snprintf(first, sizeof(first), "%s", text_at(last_done(&r), "message_id"));
    /* by the question's id: found at once, one look */
    catch = true;
    regenerate(&other, text_at(last_done(&r), "reply_to"));
    WAIT_FOR(&h, caught != NULL);
    regenerate(&r, first);
    WAIT_FOR(&h, count_done(&r) == 2);
    snprintf(second, sizeof(second), "%s",
             text_at(last_done(&r), "message_id"));
    let_go();
    WAIT_FOR(&h, count_done(&r) == 3);
    assert_string_equal(text_at(last_done(&r), "replaces"), second);
    recorder_fini(&r);
    recorder_fini(&other);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_finished_message_sent_again_gets_its_first_answer),
        cmocka_unit_test(a_running_one_sent_again_gets_a_snapshot_and_goes_on),
        cmocka_unit_test(many_at_once_ask_the_model_once),
        cmocka_unit_test(one_that_was_stored_but_never_answered_is_asked_now),
        cmocka_unit_test(regenerating_keeps_the_old_answer_out_of_the_history),
        cmocka_unit_test(
            an_answer_made_since_the_store_looked_is_the_one_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
