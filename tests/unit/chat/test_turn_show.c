/* SPDX-License-Identifier: MIT */
#include "chat/turn_parts.h"

#include "fixture.h"

/* "so full that deltas wait" in the words of outlet.h. */
#define FULL ((size_t)1 << 30)

static bool
paused(const struct recorder *r)
{
    return r->outlet.session->running->paused;
}

static void
the_provider_waits_only_when_nobody_can_take_more(void **state)
{
    struct house h;
    struct recorder a, b;

    (void)state;
    house_open(&h);
    script.words = 1000;
    script.given = 1;
    recorder_join(&h, &a, "anna");
    recorder_join(&h, &b, "anna");
    recorder_say(&a, ASK("one"));
    WAIT_FOR(&h, count_type(&b, "ai_response") == 1);
    a.queued = FULL;
    script.given = 2;
    WAIT_FOR(&h, count_type(&b, "ai_response") == 2);
    assert_false(paused(&a));
    b.queued = FULL;
    script.given = 3;
    WAIT_FOR(&h, paused(&a));
    assert_int_equal(count_type(&a, "ai_response"), 1);
    b.queued = 0;
    chat_on_drain(&b.outlet);
    WAIT_FOR(&h, !paused(&a));
    WAIT_FOR(&h, count_type(&b, "ai_response") == 3);
    assert_int_equal(metric_value(METRIC_UPSTREAM_PAUSES, 0), 1);
    recorder_fini(&a);
    recorder_fini(&b);
    house_close(&h);
}

/* An answer of so many words of which one was sent; the next has to wait. */
static void
pause_it(struct house *h, struct recorder *a, size_t words)
{
    house_open(h);
    script.words = words;
    script.given = 1;
    recorder_join(h, a, "anna");
    recorder_say(a, ASK("one"));
    WAIT_FOR(h, count_type(a, "ai_response") == 1);
    a->queued = FULL;
    script.given = 2;
    WAIT_FOR(h, paused(a));
}

/* As a socket's queue that is written whole at the end of a turn. */
static void
drain(void *cookie)
{
    struct recorder *r = cookie;

    if (r->queued > 0) {
        r->queued = 0;
        chat_on_drain(&r->outlet);
    }
}

/* Nothing else wakes the shard for the next second. */
static void
a_queue_that_drains_at_once_stops_nobody(void **state)
{
    struct house h;
    struct recorder a;

    (void)state;
    pause_it(&h, &a, 1000);
    shard_at_phase(&h.shard, SHARD_PHASE_NET, drain, &a);
    (void)uv_run(&h.shard.loop, UV_RUN_NOWAIT);
    assert_false(paused(&a));
    shard_at_phase(&h.shard, SHARD_PHASE_NET, NULL, NULL);
    recorder_fini(&a);
    house_close(&h);
}

static void
a_paused_answer_goes_on_when_the_last_slow_reader_leaves(void **state)
{
    struct house h;
    struct recorder a;

    (void)state;
    pause_it(&h, &a, 20);
    script.given = SIZE_MAX;
    recorder_leave(&a);
    WAIT_FOR(&h, chat_turns(h.shard.chat) == 0);
    recorder_fini(&a);
    recorder_join(&h, &a, "anna");
    assert_int_equal(json_integer_value(json_object_get(a.frames[0], "seq")),
                     2);
    recorder_fini(&a);
    house_close(&h);
}

/* At the end everything goes out, whatever the queues hold: the text is whole
 * before the last frame. */
static void
the_end_waits_for_nobody_and_leaves_no_hole(void **state)
{
    struct house h;
    struct recorder fast, slow;
    char *heard;

    (void)state;
    house_open(&h);
    script.words = 30;
    script.given = 1;
    recorder_join(&h, &fast, "anna");
    recorder_join(&h, &slow, "anna");
    recorder_say(&fast, ASK("one"));
    WAIT_FOR(&h, count_type(&slow, "ai_response") == 1);
    slow.queued = FULL;
    script.given = SIZE_MAX;
    WAIT_FOR(&h, count_done(&slow) == 1);
    heard = heard_since(&slow, 0);
    assert_int_equal(strlen(heard), 60);
    assert_int_equal(count_type(&slow, "ai_response"), 3);
    xfree(heard);
    recorder_fini(&fast);
    recorder_fini(&slow);
    house_close(&h);
}

static void
a_newcomer_gets_the_text_so_far_and_then_the_rest(void **state)
{
    struct house h;
    struct recorder a, early, late;
    char *heard;

    (void)state;
    house_open(&h);
    script.words = 20;
    script.given = 0;
    recorder_join(&h, &a, "anna");
    recorder_say(&a, ASK("one"));
    WAIT_FOR(&h, script.begun == 1);
    recorder_join(&h, &early, "anna");
    assert_string_equal(text_at(early.frames[1], "type"), "loading");
    script.given = 10;
    WAIT_FOR(&h, a.outlet.sent == 20);
    recorder_join(&h, &late, "anna");
    assert_string_equal(meta_at(late.frames[1], "snapshot"), "true");
    assert_int_equal(strlen(text_at(late.frames[1], "content")), 20);
    script.given = SIZE_MAX;
    WAIT_FOR(&h, count_done(&late) == 1);
    for (int i = 0; i < 2; i++) {
        struct recorder *r = i == 0 ? &early : &late;
        int next = 0;

        heard = heard_since(r, 0);
        assert_int_equal(strlen(heard), 40);
        xfree(heard);
        for (size_t k = 0; k < r->count; k++) {
            const json_t *chunk = json_object_get(r->frames[k], "chunk");

            if (chunk != NULL) {
                assert_int_equal(json_integer_value(chunk), next++);
            }
        }
    }
    recorder_fini(&a);
    recorder_fini(&early);
    recorder_fini(&late);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_provider_waits_only_when_nobody_can_take_more),
        cmocka_unit_test(a_queue_that_drains_at_once_stops_nobody),
        cmocka_unit_test(
            a_paused_answer_goes_on_when_the_last_slow_reader_leaves),
        cmocka_unit_test(the_end_waits_for_nobody_and_leaves_no_hole),
        cmocka_unit_test(a_newcomer_gets_the_text_so_far_and_then_the_rest),
    };

    return cmocka_run_group_tests_name("chat/turn_show", tests, NULL, NULL);
}
