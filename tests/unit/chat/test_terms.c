/* SPDX-License-Identifier: MIT */
#include "fixture.h"

/* Other settings for the same house: m3 and m1, in this order. */
struct other {
    struct chat_settings settings;
    struct provider_config providers[2];
    bool destroyed;
};

static void
on_destroy(struct chat_settings *settings)
{
    struct other *o = CONTAINER_OF(settings, struct other, settings);

    assert_false(o->destroyed);
    o->destroyed = true;
}

static void
other_init(const struct house *h, struct other *o)
{
    *o = (struct other){.providers = {providers[2], providers[0]}};
    o->providers[0].name = "Third";
    o->settings = h->settings;
    atomic_init(&o->settings.refs, 1);
    o->settings.destroy = on_destroy;
    o->settings.providers = o->providers;
    o->settings.provider_count = 2;
}

/* The house's own come again, so that the other ones are let go. */
static void
change(struct house *h, struct chat_settings *settings)
{
    chat_set_settings(&h->shard, settings);
    WAIT_FOR(h, chat_settings_of(&h->shard) == settings);
}

static void
sessions_keep_their_model_by_name_and_are_told_when_it_goes(void **state)
{
    struct house h;
    struct recorder a, b;
    struct other o;

    (void)state;
    house_open(&h);
    other_init(&h, &o);
    recorder_join(&h, &a, "anna");
    recorder_join(&h, &b, "bert");
    recorder_say(&b, "{\"type\":\"model_select\",\"model_id\":\"m2\"}");
    WAIT_FOR(&h, count_type(&b, "connection_status") == 2);
    change(&h, &o.settings);
    assert_string_equal(session_provider(a.outlet.session)->id, "m1");
    assert_int_equal(count_type(&a, "connection_status"), 1); /* untouched */
    assert_string_equal(session_provider(b.outlet.session)->id, "m3");
    assert_string_equal(text_at(last_type(&b, "connection_status"), "model_id"),
                        "m3");
    assert_string_equal(text_at(last_type(&b, "connection_status"), "content"),
                        "Model changed to Third");
    assert_false(o.destroyed);
    change(&h, &h.settings);
    assert_true(o.destroyed);
    recorder_fini(&a);
    recorder_fini(&b);
    house_close(&h);
}

/* Else somebody who reloads every minute would keep an interval of five from
 * ever ending. */
static void
a_change_does_not_put_the_cleaning_off(void **state)
{
    struct house h;
    struct recorder a;
    struct other o;
    struct chat *c;

    (void)state;
    house_open(&h);
    c = h.shard.chat;
    h.settings.cleanup_interval_ms = h.settings.limit_cleanup_interval_ms =
        3600000;
    other_init(&h, &o);
    change(&h, &h.settings); /* the long intervals begin */
    recorder_join(&h, &a, "anna");
    recorder_say(&a, ASK("one"));
    WAIT_FOR(&h, count_type(&a, "ai_response") > 0 && chat_turns(c) == 0);
    recorder_leave(&a);
    WAIT_FOR(&h, !list_empty(&c->idle));
    o.settings.session_ttl_ms = 0;
    change(&h, &o.settings);
    assert_int_equal(c->sessions.count, 0);
    assert_true(timer_armed(&c->sweep) && timer_armed(&c->purge));
    assert_int_equal(chat_turns(c), 0);
    change(&h, &h.settings);
    recorder_fini(&a);
    house_close(&h);
}

static void
a_turn_ends_on_the_settings_that_it_began_with(void **state)
{
    struct house h;
    struct recorder a;
    struct other o;

    (void)state;
    house_open(&h);
    other_init(&h, &o);
    change(&h, &o.settings);
    script.given = 1;
    script.words = 3;
    recorder_join(&h, &a, "anna");
    recorder_say(&a, "{\"type\":\"user_message\",\"content\":\"q\","
                     "\"model_id\":\"m3\"}");
    WAIT_FOR(&h, count_type(&a, "ai_response") == 1);
    change(&h, &h.settings);
    assert_false(o.destroyed); /* the turn has them */
    script.given = SIZE_MAX;
    WAIT_FOR(&h, count_done(&a) == 1);
    assert_string_equal(text_at(last_done(&a), "finish_reason"), "stop");
    WAIT_FOR(&h, o.destroyed);
    recorder_fini(&a);
    house_close(&h);
}

static void
a_waiting_turn_asks_by_the_new_settings(void **state)
{
    struct house h;
    struct recorder a;
    struct other o;

    (void)state;
    house_open(&h);
    other_init(&h, &o);
    script.given = 1;
    recorder_join(&h, &a, "anna");
    recorder_say(&a, ASK("one"));
    recorder_say(&a, ASK("two"));
    WAIT_FOR(&h, count_type(&a, "ai_response") == 1);
    WAIT_SAID(&h, &a);
    change(&h, &o.settings);
    script.given = SIZE_MAX;
    WAIT_FOR(&h, count_done(&a) == 2);
    assert_int_equal(metric_value(METRIC_LLM_REQUESTS,
                                  h.shard.chat->terms->slots[1].requests),
                     2); /* both were m1's */
    recorder_leave(&a);
    change(&h, &h.settings);
    WAIT_FOR(&h, o.destroyed);
    recorder_fini(&a);
    house_close(&h);
}

static void
new_limits_hold_and_what_was_used_stays_used(void **state)
{
    struct house h;
    struct recorder a;
    struct other o;

    (void)state;
    house_open(&h);
    other_init(&h, &o);
    o.settings.message_limit = 2;
    o.settings.message_window_ms = 3600000;
    change(&h, &o.settings);
    recorder_join(&h, &a, "anna");
    recorder_say(&a, ASK("one"));
    WAIT_FOR(&h, count_done(&a) == 1);
    recorder_say(&a, ASK("two"));
    WAIT_FOR(&h, count_done(&a) == 2);
    recorder_say(&a, ASK("three"));
    WAIT_FOR(&h, count_type(&a, "error") == 1);
    assert_string_equal(error_code(&a), "TOO_MANY_REQUESTS");
    h.settings.message_limit = 3;
    h.settings.message_window_ms = 3600000;
    change(&h, &h.settings);
    recorder_say(&a, ASK("three"));
    WAIT_FOR(&h, count_done(&a) == 3);
    recorder_say(&a, ASK("four"));
    WAIT_FOR(&h, count_type(&a, "error") == 2);
    recorder_fini(&a);
    house_close(&h);
}

static void
settings_that_never_arrive_are_let_go(void **state)
{
    struct house h;
    struct other o;

    (void)state;
    house_open(&h);
    other_init(&h, &o);
    chat_set_settings(&h.shard, &o.settings);
    house_close(&h);
    assert_true(o.destroyed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            sessions_keep_their_model_by_name_and_are_told_when_it_goes),
        cmocka_unit_test(a_change_does_not_put_the_cleaning_off),
        cmocka_unit_test(a_turn_ends_on_the_settings_that_it_began_with),
        cmocka_unit_test(a_waiting_turn_asks_by_the_new_settings),
        cmocka_unit_test(new_limits_hold_and_what_was_used_stays_used),
        cmocka_unit_test(settings_that_never_arrive_are_let_go),
    };

    return cmocka_run_group_tests_name("chat/terms", tests, NULL, NULL);
}
