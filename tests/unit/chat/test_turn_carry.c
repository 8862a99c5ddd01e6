/* SPDX-License-Identifier: MIT */
#include "chat/turn_carry.h"

#include "fixture.h"
#include "provider/breaker.h"

/* What each request gets, in the order in which they come. */
struct part {
    const char *text;  /* in pieces of `step` bytes */
    const char *fault; /* the word for why it fails then; NULL: it is done */
    bool silent;       /* neither, until it is let go on */
    struct provider_usage usage; /* told before the end; 0: not */
};

enum { PARTS_MAX = 8 };

static struct {
    struct part parts[PARTS_MAX];
    size_t begun;
    size_t step;
    char partial[PARTS_MAX][64]; /* what each was given */
    char asked[64];
} play;

struct role {
    const struct part *part;
    size_t said;
    bool counted;
    bool finished;
};

static struct provider_fault play_fault;

static void *
play_begin(const struct provider_config *config,
           const struct provider_turn *turn)
{
    struct role *s = xcalloc(1, sizeof(*s));
    size_t n = strlen(play.asked);

    assert_true(play.begun < PARTS_MAX);
    assert_true(turn->count >= 1);
    snprintf(play.asked + n, sizeof(play.asked) - n, "%s ", config->id);
    snprintf(play.partial[play.begun], sizeof(play.partial[0]), "%.*s",
             STR_ARG(turn->partial));
    s->part = &play.parts[play.begun++];
    return s;
}

static void
play_end(struct role *s, struct provider_event *event)
{
    if (s->part->usage.prompt_tokens > 0 && !s->counted) {
        s->counted = true;
        event->kind = PROVIDER_USAGE;
        event->usage = s->part->usage;
    } else if (s->part->fault != NULL) {
        play_fault = (struct provider_fault){.err = ERR_LLM_UNAVAILABLE};
        provider_fault_set_code(&play_fault, str_from(s->part->fault));
        event->kind = PROVIDER_ERROR;
        event->fault = &play_fault;
    } else {
        event->kind = s->finished ? PROVIDER_DONE : PROVIDER_FINISH;
        event->finish = PROVIDER_STOP;
        s->finished = true;
    }
}

static void
play_next(void *state, struct provider_event *event, uint64_t *delay_ms)
{
    struct role *s = state;
    struct str left = str_from_at(str_from(s->part->text), s->said);

    *delay_ms = 1;
    *event = (struct provider_event){.kind = PROVIDER_DELTA};
    if (left.n > 0) {
        event->text =
            (struct str){left.p, left.n < play.step ? left.n : play.step};
        s->said += event->text.n;
    } else if (!s->part->silent) {
        play_end(s, event);
    }
}

static void
play_close(void *state)
{
    xfree(state);
}

static const struct provider_ops play_ops = {.type = "play",
                                             .begin = play_begin,
                                             .next = play_next,
                                             .close = play_close};

/* --- the stage ------------------------------------------------------------ */

static void
stage_open(struct house *h, struct recorder *r)
{
    house_open(h);
    memset(&play, 0, sizeof(play));
    play.step = 1;
    for (size_t i = 0; i < COUNT_OF(providers); i++) {
        providers[i].ops = &play_ops;
    }
    providers[0].fallback = m1_fallback;
    providers[0].fallback_count = COUNT_OF(m1_fallback);
    providers[0].continue_on_failure = true;
    recorder_join(h, r, "anna");
}

static void
stage_close(struct house *h, struct recorder *r)
{
    recorder_fini(r);
    providers[0].fallback_count = 0;
    providers[0].continue_on_failure = false;
    for (size_t i = 0; i < COUNT_OF(providers); i++) {
        providers[i].ops = &script_ops;
        providers[i].breaker = NULL;
    }
    house_close(h);
}

/* What all frames said, put together. */
static void
heard_is(const struct recorder *r, const char *text)
{
    char *heard = heard_since(r, 0);

    assert_string_equal(heard, text);
    xfree(heard);
}

static void
ask(struct house *h, struct recorder *r)
{
    recorder_say(r, ASK("one"));
    WAIT_FOR(h, count_done(r) + count_type(r, "error") == 1);
}

static int64_t
usage_at(const struct recorder *r, const char *name)
{
    const json_t *usage = json_object_get(last_done(r), "usage");

    return json_integer_value(json_object_get(usage, name));
}

static uint64_t
counted(const struct house *h, enum metric metric, unsigned slot)
{
    (void)h;
    return (uint64_t)metric_value(metric, slot);
}

/* --- what was promised -----------------------------------------------------
 */

static void
another_provider_goes_on_with_the_answer(void **state)
{
    struct house h;
    struct recorder r;
    const struct provider_slots *slots;

    (void)state;
    stage_open(&h, &r);
    play.parts[0] =
        (struct part){.text = "The quick brown ", .fault = "server_error"};
    play.parts[1] = (struct part){.text = "brown fox jumps."};
    ask(&h, &r);
    heard_is(&r, "The quick brown fox jumps.");
    assert_string_equal(play.asked, "m1 m2 ");
    assert_string_equal(play.partial[0], "");
    assert_string_equal(play.partial[1], "The quick brown");
    assert_string_equal(text_at(last_done(&r), "finish_reason"), "stop");
    assert_string_equal(text_at(last_done(&r), "model_id"), "m2");
    assert_string_equal(meta_at(last_done(&r), "providers"), "m1,m2");
    assert_int_equal(count_type(&r, "loading"), 1);
    assert_int_equal(count_type(&r, "error"), 0);
    slots = h.shard.chat->terms->slots;
    assert_int_equal(counted(&h, METRIC_LLM_CONTINUED, slots[0].continued), 1);
    assert_int_equal(counted(&h, METRIC_LLM_ERRORS, slots[0].errors), 1);
    stage_close(&h, &r);
}

/* Whatever the size of the pieces; chunks are numbered on, of one message. */
static void
all_frames_are_of_one_message(void **state)
{
    static const size_t steps[] = {1, 2, 7, 100};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct house h;
        struct recorder r;
        const char *id = NULL;
        json_int_t chunk = 0;

        stage_open(&h, &r);
        play.step = steps[i];
        play.parts[0] = (struct part){.text = "Good morning, ", .fault = "x"};
        play.parts[1] = (struct part){.text = "Good morning, world"};
        ask(&h, &r);
        heard_is(&r, "Good morning, world");
        for (size_t n = 0; n < r.count; n++) {
            const json_t *f = r.frames[n];

            if (strcmp(text_at(f, "type"), "ai_response") != 0) {
                continue;
            }
            id = id != NULL ? id : text_at(f, "message_id");
            assert_string_equal(text_at(f, "message_id"), id);
            if (json_object_get(f, "chunk") != NULL) {
                assert_int_equal(
                    json_integer_value(json_object_get(f, "chunk")), chunk++);
            }
        }
        assert_true(chunk > 0);
        stage_close(&h, &r);
    }
}

static void
without_the_setting_the_answer_ends_there(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    providers[0].continue_on_failure = false;
    play.parts[0] = (struct part){.text = "The quick", .fault = "server_error"};
    ask(&h, &r);
    heard_is(&r, "The quick");
    assert_string_equal(play.asked, "m1 ");
    assert_string_equal(text_at(last_done(&r), "finish_reason"),
                        "provider_error");
    assert_string_equal(meta_at(last_done(&r), "providers"), "");
    stage_close(&h, &r);
}

static void
several_failures_walk_along_the_list(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    play.parts[0] = (struct part){.text = "one two", .fault = "x"};
    play.parts[1] = (struct part){.text = " three", .fault = "x"};
    play.parts[2] = (struct part){.text = "one two three four"};
    ask(&h, &r);
    heard_is(&r, "one two three four");
    assert_string_equal(play.partial[2], "one two three");
    assert_string_equal(meta_at(last_done(&r), "providers"), "m1,m2,m3");
    assert_string_equal(text_at(last_done(&r), "model_id"), "m3");
    stage_close(&h, &r);
}

/* It failed before a word, or while it said again what was there: no name, and
 * what was held back of it is asked of the next one. */
static void
who_added_nothing_is_not_named(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    play.parts[0] = (struct part){.text = "one two three", .fault = "x"};
    play.parts[1] = (struct part){.text = "one two", .fault = "x"};
    play.parts[2] = (struct part){.text = " four"};
    ask(&h, &r);
    heard_is(&r, "one two three four");
    assert_string_equal(play.partial[2], "one two three");
    assert_string_equal(meta_at(last_done(&r), "providers"), "m1,m3");
    stage_close(&h, &r);
}

/* As without the setting: all its text, the first one's model and end. */
static void
when_nobody_is_left_the_answer_is_interrupted(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    h.settings.retry_attempts = 1;
    play.parts[0] = (struct part){.text = "one two", .fault = "x"};
    play.parts[1] = (struct part){.text = "", .fault = "y"};
    play.parts[2] = (struct part){.text = "", .fault = "z"};
    ask(&h, &r);
    heard_is(&r, "one two");
    assert_string_equal(play.asked, "m1 m2 m3 ");
    assert_string_equal(text_at(last_done(&r), "finish_reason"),
                        "provider_error");
    assert_string_equal(text_at(last_done(&r), "model_id"), "m1");
    assert_string_equal(meta_at(last_done(&r), "providers"), "");
    assert_int_equal(count_type(&r, "error"), 0);
    stage_close(&h, &r);
}

/* What was held back when the last one failed is the answer's, too. */
static void
the_last_ones_text_is_shown_to_its_end(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    play.parts[0] = (struct part){.text = "one or two", .fault = "x"};
    play.parts[1] = (struct part){.text = "", .fault = "y"};
    play.parts[2] = (struct part){.text = " or", .fault = "z"};
    ask(&h, &r);
    heard_is(&r, "one or two or");
    assert_string_equal(meta_at(last_done(&r), "providers"), "m1,m3");
    stage_close(&h, &r);
}

static void
what_was_held_back_comes_at_the_end(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    play.parts[0] = (struct part){.text = "one or two", .fault = "x"};
    play.parts[1] = (struct part){.text = " or"};
    ask(&h, &r);
    heard_is(&r, "one or two or");
    assert_string_equal(text_at(last_done(&r), "finish_reason"), "stop");
    stage_close(&h, &r);
}

static void
a_filter_is_not_gone_around(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    play.parts[0] = (struct part){.text = "one two", .fault = "content_filter"};
    ask(&h, &r);
    assert_string_equal(play.asked, "m1 ");
    heard_is(&r, "one two");
    stage_close(&h, &r);
}

static void
nothing_is_gone_on_with_while_the_server_stops(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    play.parts[0] =
        (struct part){.text = "one two", .fault = "x", .silent = true};
    recorder_say(&r, ASK("one"));
    WAIT_FOR(&h, r.outlet.session->running != NULL &&
                     r.outlet.session->running->text.n == 7);
    h.shard.chat->draining = true;
    play.parts[0].silent = false;
    WAIT_FOR(&h, count_done(&r) == 1);
    assert_string_equal(play.asked, "m1 ");
    heard_is(&r, "one two");
    stage_close(&h, &r);
}

static void
a_cancelled_answer_is_not_gone_on_with(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    play.parts[0] = (struct part){.text = "one two", .fault = "x"};
    play.parts[1] = (struct part){.text = " three", .silent = true};
    recorder_say(&r, ASK("one"));
    WAIT_FOR(&h, r.outlet.session->running != NULL &&
                     r.outlet.session->running->text.n == 13);
    recorder_say(&r, "{\"type\":\"cancel\"}");
    WAIT_FOR(&h, count_done(&r) == 1);
    heard_is(&r, "one two three");
    assert_string_equal(play.asked, "m1 m2 ");
    assert_string_equal(text_at(last_done(&r), "finish_reason"), "cancelled");
    assert_string_equal(meta_at(last_done(&r), "providers"), "m1,m2");
    stage_close(&h, &r);
}

static void
the_deadline_is_the_whole_answers(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    h.settings.stream_timeout_ms = 300;
    play.parts[0] = (struct part){.text = "one two", .fault = "x"};
    play.parts[1] = (struct part){.text = "", .silent = true};
    ask(&h, &r);
    heard_is(&r, "one two");
    assert_string_equal(play.asked, "m1 m2 ");
    assert_string_equal(text_at(last_done(&r), "finish_reason"), "timeout");
    stage_close(&h, &r);
}

/* Who is known to fail is passed over here, too. */
static void
an_open_breaker_is_passed_over(void **state)
{
    struct house h;
    struct recorder r;
    struct breaker open = {0};

    (void)state;
    stage_open(&h, &r);
    (void)breaker_fail(&open, shard_now_ms(&h.shard), 60000);
    providers[1].breaker = &open;
    play.parts[0] = (struct part){.text = "one two", .fault = "x"};
    play.parts[1] = (struct part){.text = " three"};
    ask(&h, &r);
    assert_string_equal(play.asked, "m1 m3 ");
    heard_is(&r, "one two three");
    stage_close(&h, &r);
}

/* --- usage -----------------------------------------------------------------
 */

static void
usage_is_added_up(void **state)
{
    struct house h;
    struct recorder r;
    const struct provider_slots *slots;

    (void)state;
    stage_open(&h, &r);
    play.parts[0] =
        (struct part){.text = "one two", .fault = "x", .usage = {10, 2, 12}};
    play.parts[1] = (struct part){.text = " three", .usage = {20, 1, 21}};
    ask(&h, &r);
    assert_int_equal(usage_at(&r, "prompt_tokens"), 30);
    assert_int_equal(usage_at(&r, "completion_tokens"), 3);
    assert_int_equal(usage_at(&r, "total_tokens"), 33);
    assert_null(
        json_object_get(json_object_get(last_done(&r), "usage"), "estimated"));
    slots = h.shard.chat->terms->slots;
    assert_int_equal(counted(&h, METRIC_TOKENS_USED, slots[0].tokens), 12);
    assert_int_equal(counted(&h, METRIC_TOKENS_USED, slots[1].tokens), 21);
    stage_close(&h, &r);
}

/* The first one told none: its prompt "one" and its answer, a quarter of a
 * token a character, are an estimate, and so is the sum. What is said again was
 * said. */
static void
usage_is_estimated_where_none_was_told(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    play.parts[0] = (struct part){.text = "12345678", .fault = "x"};
    play.parts[1] = (struct part){.text = "12345678abcd"};
    ask(&h, &r);
    heard_is(&r, "12345678abcd");
    assert_int_equal(usage_at(&r, "prompt_tokens"), 1 + 1 + (2 + 4));
    assert_int_equal(usage_at(&r, "completion_tokens"), 2 + 3);
    assert_true(json_is_true(
        json_object_get(json_object_get(last_done(&r), "usage"), "estimated")));
    stage_close(&h, &r);
}

static void
who_only_failed_has_used_nothing(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    play.parts[0] =
        (struct part){.text = "one two", .fault = "x", .usage = {10, 2, 12}};
    play.parts[1] = (struct part){.text = "", .fault = "y"};
    play.parts[2] = (struct part){.text = "", .fault = "z"};
    ask(&h, &r);
    assert_int_equal(usage_at(&r, "total_tokens"), 12);
    stage_close(&h, &r);
}

/* --- others ----------------------------------------------------------------
 */

/* Between the two parts: a snapshot of what was shown, and then the rest. */
static void
a_newcomer_sees_the_same_text(void **state)
{
    struct house h;
    struct recorder r, late;

    (void)state;
    stage_open(&h, &r);
    h.settings.retry_delay_ms = h.settings.retry_max_delay_ms = 1;
    play.parts[0] = (struct part){.text = "one two", .fault = "x"};
    play.parts[1] = (struct part){.text = "one two three", .silent = true};
    recorder_say(&r, ASK("one"));
    WAIT_FOR(&h, play.begun == 2);
    recorder_join(&h, &late, "anna");
    WAIT_FOR(&h, r.outlet.session->running->text.n == 13);
    recorder_say(&r, "{\"type\":\"cancel\"}");
    WAIT_FOR(&h, count_done(&r) == 1 && count_done(&late) == 1);
    heard_is(&r, "one two three");
    heard_is(&late, "one two three");
    recorder_fini(&late);
    stage_close(&h, &r);
}

/* The next turn's model is told one answer; a replay has its metadata. */
static void
the_stored_answer_is_one(void **state)
{
    struct house h;
    struct recorder r, again;
    struct attach_request request = {.user_id = STR("anna"), .last_seq = 0};
    const json_t *frame;

    (void)state;
    stage_open(&h, &r);
    play.parts[0] = (struct part){.text = "one two", .fault = "x"};
    play.parts[1] = (struct part){.text = "two three"};
    ask(&h, &r);
    request.epoch = str_from(text_at(r.frames[0], "epoch"));
    recorder_start(&h, &again, &request);
    WAIT_FOR(&h, count_done(&again) == 1);
    frame = last_done(&again);
    assert_string_equal(text_at(frame, "content"), "one two three");
    assert_string_equal(meta_at(frame, "replay"), "true");
    assert_string_equal(meta_at(frame, "providers"), "m1,m2");
    recorder_fini(&again);
    stage_close(&h, &r);
}

static void
the_limit_of_length_is_the_whole_answers(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    play.parts[0] = (struct part){.text = "one two", .fault = "x"};
    play.parts[1] = (struct part){.text = " three four"};
    h.settings.max_answer_bytes = 12;
    ask(&h, &r);
    heard_is(&r, "one two thre");
    assert_string_equal(text_at(last_done(&r), "finish_reason"), "length");
    stage_close(&h, &r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_provider_goes_on_with_the_answer),
        cmocka_unit_test(all_frames_are_of_one_message),
        cmocka_unit_test(without_the_setting_the_answer_ends_there),
        cmocka_unit_test(several_failures_walk_along_the_list),
        cmocka_unit_test(who_added_nothing_is_not_named),
        cmocka_unit_test(when_nobody_is_left_the_answer_is_interrupted),
        cmocka_unit_test(the_last_ones_text_is_shown_to_its_end),
        cmocka_unit_test(what_was_held_back_comes_at_the_end),
        cmocka_unit_test(a_filter_is_not_gone_around),
        cmocka_unit_test(nothing_is_gone_on_with_while_the_server_stops),
        cmocka_unit_test(a_cancelled_answer_is_not_gone_on_with),
        cmocka_unit_test(the_deadline_is_the_whole_answers),
        cmocka_unit_test(an_open_breaker_is_passed_over),
        cmocka_unit_test(usage_is_added_up),
        cmocka_unit_test(usage_is_estimated_where_none_was_told),
        cmocka_unit_test(who_only_failed_has_used_nothing),
        cmocka_unit_test(a_newcomer_sees_the_same_text),
        cmocka_unit_test(the_stored_answer_is_one),
        cmocka_unit_test(the_limit_of_length_is_the_whole_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
