/* SPDX-License-Identifier: MIT */
#include "chat/turn_parts.h"

#include "fixture.h"

#include <signal.h>
#include <sys/resource.h>

/* No file can grow, as on a full disk; false: it can again. */
static void
fill_disk(bool full)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = full ? 1 : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int
empty_disk(void **state)
{
    (void)state;
    fill_disk(false);
    return 0;
}

/* An answer of two words has ended well, on a full disk. */
static void
end_on_a_full_disk(struct house *h, struct recorder *r)
{
    script.given = 2;
    recorder_say(r, ASK_ID("late", "c-late"));
    WAIT_FOR(h, r->outlet.session->running != NULL &&
                    r->outlet.session->running->text.n == 4);
    fill_disk(true);
    turn_end(r->outlet.session->running, TURN_END_STOP);
    WAIT_FOR(h, count_type(r, "error") == 1);
    assert_string_equal(error_code(r), "DATABASE_ERROR");
    assert_string_equal(text_at(last_type(r, "error"), "client_id"), "c-late");
}

static void
the_answer_comes_with_its_own_end_when_the_storage_works_again(void **state)
{
    struct house h;
    struct recorder r, other;
    const json_t *frame;

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    end_on_a_full_disk(&h, &r);
    assert_int_equal(chat_turns(h.shard.chat), 1);
    recorder_join(&h, &other, "anna");
    WAIT_FOR(&h, !store_healthy(h.store));
    assert_int_equal(count_done(&r), 0);
    fill_disk(false);
    WAIT_FOR(&h, chat_turns(h.shard.chat) == 0);
    frame = last_done(&r);
    assert_string_equal(text_at(frame, "content"), "w w ");
    assert_string_equal(meta_at(frame, "replay"), "true");
    assert_string_equal(text_at(frame, "finish_reason"), "stop");
    assert_int_equal(json_integer_value(json_object_get(frame, "seq")), 2);
    assert_int_equal(count_done(&r), 1);
    assert_int_equal(count_done(&other), 1);
    assert_int_equal(count_type(&r, "error"), 1);
    assert_int_equal(metric_value(METRIC_TURNS,
                                  metrics_slot(METRIC_TURNS, "DATABASE_ERROR")),
                     1);
    recorder_say(&r, ASK_ID("late", "c-late"));
    WAIT_FOR(&h, count_done(&r) == 2);
    assert_string_equal(text_at(last_done(&r), "content"), "w w ");
    assert_int_equal(script.begun, 1);
    recorder_fini(&r);
    recorder_fini(&other);
    house_close(&h);
}

static void
the_next_question_finds_it_in_its_history(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    end_on_a_full_disk(&h, &r);
    fill_disk(false);
    WAIT_FOR(&h, store_healthy(h.store));
    script.given = SIZE_MAX;
    recorder_say(&r, ASK_ID("next", "c-next"));
    WAIT_FOR(&h, count_done(&r) == 2);
    assert_string_equal(script.prompt, "u:late|a:w w |u:next|");
    recorder_fini(&r);
    house_close(&h);
}

/* A question that is stored already needs no storage to begin. */
static void
what_would_wait_behind_it_without_a_word_is_refused(void **state)
{
    struct house h;
    struct recorder r;
    char frame[128];

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    recorder_say(&r, ASK("first"));
    WAIT_FOR(&h, count_done(&r) == 1);
    snprintf(frame, sizeof(frame),
             "{\"type\":\"regenerate\",\"message_id\":\"%s\"}",
             text_at(last_done(&r), "message_id"));
    end_on_a_full_disk(&h, &r);
    recorder_say(&r, frame);
    WAIT_FOR(&h, count_type(&r, "error") == 2);
    assert_string_equal(error_code(&r), "DATABASE_ERROR");
    assert_int_equal(chat_turns(h.shard.chat), 1);
    fill_disk(false);
    WAIT_FOR(&h, chat_turns(h.shard.chat) == 0);
    recorder_fini(&r);
    house_close(&h);
}

static void
one_that_waited_already_hears_of_it_too_and_may_be_repeated(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    script.given = 2;
    recorder_say(&r, ASK_ID("late", "c-late"));
    WAIT_FOR(&h, r.outlet.session != NULL &&
                     r.outlet.session->running != NULL &&
                     r.outlet.session->running->text.n == 4);
    recorder_say(&r, ASK_ID("next", "c-next"));
    WAIT_FOR(&h, count_type(&r, "ack") == 2);
    fill_disk(true);
    turn_end(r.outlet.session->running, TURN_END_STOP);
    WAIT_FOR(&h, count_type(&r, "error") == 2);
    assert_string_equal(error_code(&r), "DATABASE_ERROR");
    assert_string_equal(text_at(last_type(&r, "error"), "client_id"), "c-next");
    assert_int_equal(chat_turns(h.shard.chat), 1);
    fill_disk(false);
    WAIT_FOR(&h, chat_turns(h.shard.chat) == 0);
    script.given = SIZE_MAX;
    recorder_say(&r, ASK_ID("next", "c-next"));
    WAIT_FOR(&h, count_done(&r) == 2);
    assert_string_equal(script.prompt, "u:late|a:w w |u:next|");
    recorder_fini(&r);
    house_close(&h);
}

/* It is looked at more often than it would be stored in vain. */
static void
it_is_not_given_up_while_the_storage_is_known_to_fail(void **state)
{
    struct house h;
    struct recorder r;
    struct turn *t;

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    end_on_a_full_disk(&h, &r);
    WAIT_FOR(&h, !store_healthy(h.store));
    t = r.outlet.session->running;
    for (int i = 0; i < TURN_LATE_TRIES; i++) {
        uint64_t due_ms;

        WAIT_FOR(&h, timer_armed(&t->timer));
        turn_late_hurry(r.outlet.session);
        due_ms = t->timer.at_ms;
        WAIT_FOR(&h, r.outlet.session->running != t || t->jobs > 0 ||
                         t->timer.at_ms > due_ms);
        assert_ptr_equal(r.outlet.session->running, t);
        assert_int_equal(t->jobs, 0);
    }
    fill_disk(false);
    WAIT_FOR(&h, chat_turns(h.shard.chat) == 0);
    assert_string_equal(text_at(last_done(&r), "content"), "w w ");
    recorder_fini(&r);
    house_close(&h);
}

static void
note(void *cookie)
{
    *(bool *)cookie = true;
}

static void
a_stop_does_not_wait_for_a_storage_that_fails(void **state)
{
    struct house h;
    struct recorder r;
    bool idle = false;

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    end_on_a_full_disk(&h, &r);
    chat_drain(h.shard.chat, note, &idle);
    assert_false(idle);
    WAIT_FOR(&h, idle);
    assert_int_equal(chat_turns(h.shard.chat), 0);
    assert_int_equal(count_done(&r), 0);
    assert_int_equal(count_type(&r, "error"), 1);
    fill_disk(false);
    recorder_fini(&r);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(
            the_answer_comes_with_its_own_end_when_the_storage_works_again,
            empty_disk),
        cmocka_unit_test_teardown(the_next_question_finds_it_in_its_history,
                                  empty_disk),
        cmocka_unit_test_teardown(
            what_would_wait_behind_it_without_a_word_is_refused, empty_disk),
        cmocka_unit_test_teardown(
            one_that_waited_already_hears_of_it_too_and_may_be_repeated,
            empty_disk),
        cmocka_unit_test_teardown(
            it_is_not_given_up_while_the_storage_is_known_to_fail, empty_disk),
        cmocka_unit_test_teardown(a_stop_does_not_wait_for_a_storage_that_fails,
                                  empty_disk),
    };

    (void)signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests_name("chat/turn_late", tests, NULL, NULL);
}
