/* SPDX-License-Identifier: MIT */
#include "chat/asking_parts.h"

#include "fixture.h"
#include "provider/breaker.h"

/* What each provider does, by its place in providers. */
struct manner {
    bool speaks;   /* says its id and is done … */
    bool fails;    /* … or fails; neither: it is silent */
    bool breaks;   /* speaks, and fails then */
    bool finishes; /* is done without a word */
    unsigned open; /* answers that are not over */
};

static struct manner manners[COUNT_OF(providers)];

struct voice {
    struct manner *manner;
    const char *id;
    unsigned step;
};

static struct provider_fault voice_fault;

static void *
voice_begin(const struct provider_config *config,
            const struct provider_turn *turn)
{
    struct voice *v = xcalloc(1, sizeof(*v));
    size_t n = strlen(script.asked);

    assert_true(turn->count == 1);
    snprintf(script.asked + n, sizeof(script.asked) - n, "%s ", config->id);
    v->manner = &manners[config - providers];
    v->manner->open++;
    v->id = config->id;
    return v;
}

static void
voice_next(void *state, struct provider_event *event, uint64_t *delay_ms)
{
    static const enum provider_event_kind kinds[] = {
        PROVIDER_USAGE, PROVIDER_DELTA, PROVIDER_USAGE, PROVIDER_FINISH,
        PROVIDER_DONE};
    struct voice *v = state;

    *delay_ms = 1;
    *event = (struct provider_event){.kind = PROVIDER_DELTA};
    if (v->manner->fails || (v->manner->breaks && v->step > 1)) {
        voice_fault = (struct provider_fault){.err = ERR_LLM_UNAVAILABLE};
        event->kind = PROVIDER_ERROR;
        event->fault = &voice_fault;
    } else if (v->manner->speaks || v->manner->breaks || v->manner->finishes ||
               v->step == 0) {
        v->step += v->step == 1 && v->manner->finishes;
        event->kind = kinds[v->step < 4 ? v->step : 4];
        event->text = str_from(event->kind == PROVIDER_DELTA ? v->id : "");
        event->usage = (struct provider_usage){
            .prompt_tokens = 1, .completion_tokens = v->id[1] - '0'};
        event->finish = PROVIDER_LENGTH;
        v->step++;
    }
}

static void
voice_close(void *state)
{
    struct voice *v = state;

    if (v != NULL) {
        v->manner->open--;
        xfree(v);
    }
}

static const struct provider_ops voice_ops = {.type = "voice",
                                              .begin = voice_begin,
                                              .next = voice_next,
                                              .close = voice_close};

static const struct provider_ops log_ops = {.type = "log",
                                            .keeps_log = true,
                                            .begin = voice_begin,
                                            .next = voice_next,
                                            .close = voice_close};

/* --- the stage ------------------------------------------------------------ */

static void
stage_open(struct house *h, struct recorder *r)
{
    house_open(h);
    memset(manners, 0, sizeof(manners));
    h->settings.hedge_after_ms = 20;
    for (size_t i = 0; i < COUNT_OF(providers); i++) {
        providers[i].ops = &voice_ops;
    }
    providers[0].fallback = m1_fallback;
    providers[0].fallback_count = COUNT_OF(m1_fallback);
    recorder_join(h, r, "anna");
    recorder_say(r, ASK("one"));
}

static void
stage_close(struct house *h, struct recorder *r)
{
    recorder_fini(r);
    house_close(h);
    for (size_t i = 0; i < COUNT_OF(providers); i++) {
        assert_int_equal(manners[i].open, 0);
        providers[i].ops = &script_ops;
        providers[i].breaker = NULL;
    }
    providers[0].fallback_count = 0;
}

#define WAIT_ASKED(h, whom) WAIT_FOR(h, strcmp(script.asked, whom) == 0)

/* Ended, with this provider's text, model and usage and with no other's. */
static void
answered_by(struct house *h, struct recorder *r, const char *id)
{
    char *heard;
    const json_t *usage;

    WAIT_FOR(h, count_done(r) + count_type(r, "error") == 1);
    heard = heard_since(r, 0);
    assert_string_equal(heard, id);
    assert_string_equal(text_at(last_done(r), "model_id"), id);
    assert_string_equal(text_at(last_done(r), "finish_reason"), "length");
    usage = json_object_get(last_done(r), "usage");
    if (id[0] != '\0') {
        assert_int_equal(
            json_integer_value(json_object_get(usage, "completion_tokens")),
            id[1] - '0');
    }
    assert_int_equal(count_type(r, "loading"), 1);
    xfree(heard);
}

/* --- what was promised -----------------------------------------------------
 */

static void
who_is_silent_gets_a_rival_that_may_win(void **state)
{
    struct house h;
    struct recorder r;
    const struct provider_slots *slots;

    (void)state;
    stage_open(&h, &r);
    WAIT_ASKED(&h, "m1 m2 ");
    assert_int_equal(manners[0].open, 1);
    manners[1].speaks = true;
    WAIT_FOR(&h, manners[0].open == 0);
    answered_by(&h, &r, "m2");
    slots = h.shard.chat->terms->slots;
    assert_int_equal(metric_value(METRIC_LLM_HEDGES, slots[0].hedges), 1);
    assert_int_equal(metric_value(METRIC_LLM_FALLBACKS, slots[0].fallbacks), 0);
    stage_close(&h, &r);
}

static void
the_first_one_may_win_all_the_same(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    WAIT_ASKED(&h, "m1 m2 ");
    manners[0].speaks = true;
    answered_by(&h, &r, "m1");
    WAIT_FOR(&h, manners[1].open == 0);
    stage_close(&h, &r);
}

static void
nobody_is_asked_beside_one_that_speaks(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    h.settings.hedge_after_ms = 60000;
    manners[0].speaks = true;
    answered_by(&h, &r, "m1");
    assert_string_equal(script.asked, "m1 ");
    stage_close(&h, &r);
}

static void
it_is_off_unless_set(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    h.settings.hedge_after_ms = 0;
    WAIT_ASKED(&h, "m1 ");
    assert_false(timer_armed(&r.outlet.session->running->asking.hedge));
    manners[0].speaks = true;
    answered_by(&h, &r, "m1");
    stage_close(&h, &r);
}

static void
a_rival_that_fails_leaves_the_first_one_alone(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    manners[1].fails = true;
    WAIT_FOR(&h, strcmp(script.asked, "m1 m2 ") == 0 && manners[1].open == 0);
    manners[0].speaks = true;
    answered_by(&h, &r, "m1");
    assert_string_equal(script.asked, "m1 m2 ");
    stage_close(&h, &r);
}

/* It is not asked again: the one behind it is. */
static void
when_both_fail_the_next_one_is_asked(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    manners[1].fails = true;
    WAIT_FOR(&h, strcmp(script.asked, "m1 m2 ") == 0 && manners[1].open == 0);
    manners[2].speaks = true;
    manners[0].fails = true;
    answered_by(&h, &r, "m3");
    assert_string_equal(script.asked, "m1 m2 m3 ");
    stage_close(&h, &r);
}

/* The rival is there already. */
static void
when_the_first_one_fails_its_rival_goes_on(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    WAIT_ASKED(&h, "m1 m2 ");
    manners[0].fails = true;
    WAIT_FOR(&h, manners[0].open == 0);
    manners[1].speaks = true;
    answered_by(&h, &r, "m2");
    assert_string_equal(script.asked, "m1 m2 ");
    stage_close(&h, &r);
}

static void
an_empty_answer_of_the_first_one_is_its_answer(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    WAIT_ASKED(&h, "m1 m2 ");
    manners[0].finishes = true;
    WAIT_FOR(&h, count_done(&r) == 1);
    assert_string_equal(text_at(last_done(&r), "model_id"), "m1");
    assert_string_equal(text_at(last_done(&r), "finish_reason"), "length");
    WAIT_FOR(&h, manners[1].open == 0);
    stage_close(&h, &r);
}

static void
an_empty_answer_of_the_rival_is_none(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    WAIT_ASKED(&h, "m1 m2 ");
    manners[1].finishes = true;
    WAIT_FOR(&h, manners[1].open == 0);
    manners[0].speaks = true;
    answered_by(&h, &r, "m1");
    stage_close(&h, &r);
}

static void
cancel_stops_both(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    WAIT_ASKED(&h, "m1 m2 ");
    recorder_say(&r, "{\"type\":\"cancel\"}");
    WAIT_FOR(&h, manners[0].open == 0 && manners[1].open == 0);
    assert_string_equal(text_at(last_done(&r), "finish_reason"), "cancelled");
    stage_close(&h, &r);
}

/* Its breaker, or that it keeps a conversation that would come apart. */
static void
who_should_not_be_asked_is_passed_over(void **state)
{
    (void)state;
    for (int kept = 0; kept < 2; kept++) {
        struct house h;
        struct recorder r;
        struct breaker open = {0};

        stage_open(&h, &r);
        (void)breaker_fail(&open, shard_now_ms(&h.shard), 60000);
        providers[1].breaker = kept ? NULL : &open;
        providers[1].ops = kept ? &log_ops : &voice_ops;
        WAIT_ASKED(&h, "m1 m3 ");
        manners[2].speaks = true;
        answered_by(&h, &r, "m3");
        stage_close(&h, &r);
    }
}

static void
who_goes_on_with_an_answer_gets_no_rival(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    providers[0].continue_on_failure = true;
    manners[0].breaks = true;
    WAIT_ASKED(&h, "m1 m2 ");
    assert_false(timer_armed(&r.outlet.session->running->asking.hedge));
    recorder_say(&r, "{\"type\":\"cancel\"}");
    WAIT_FOR(&h, count_done(&r) == 1);
    providers[0].continue_on_failure = false;
    stage_close(&h, &r);
}

static void
who_keeps_a_conversation_gets_no_rival(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    stage_open(&h, &r);
    providers[0].ops = &log_ops;
    WAIT_ASKED(&h, "m1 ");
    assert_false(timer_armed(&r.outlet.session->running->asking.hedge));
    manners[0].speaks = true;
    answered_by(&h, &r, "m1");
    stage_close(&h, &r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_silent_gets_a_rival_that_may_win),
        cmocka_unit_test(the_first_one_may_win_all_the_same),
        cmocka_unit_test(nobody_is_asked_beside_one_that_speaks),
        cmocka_unit_test(it_is_off_unless_set),
        cmocka_unit_test(a_rival_that_fails_leaves_the_first_one_alone),
        cmocka_unit_test(when_both_fail_the_next_one_is_asked),
        cmocka_unit_test(when_the_first_one_fails_its_rival_goes_on),
        cmocka_unit_test(an_empty_answer_of_the_first_one_is_its_answer),
        cmocka_unit_test(an_empty_answer_of_the_rival_is_none),
        cmocka_unit_test(cancel_stops_both),
        cmocka_unit_test(who_should_not_be_asked_is_passed_over),
        cmocka_unit_test(who_goes_on_with_an_answer_gets_no_rival),
        cmocka_unit_test(who_keeps_a_conversation_gets_no_rival),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
