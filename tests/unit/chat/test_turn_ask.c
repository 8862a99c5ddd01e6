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
a_model_of_one_message_is_for_that_message(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    ask_one(&h, &r,
            "{\"type\":\"user_message\",\"content\":\"x\","
            "\"model_id\":\"m2\"}");
    ask_one(&h, &r, ASK("one"));
    assert_string_equal(script.asked, "m2 m1 ");
    recorder_fini(&r);
    house_close(&h);
}

static void
the_providers_own_count_of_tokens_is_told(void **state)
{
    struct house h;
    struct recorder r;
    const json_t *usage;

    (void)state;
    house_open(&h);
    script.usage = 5;
    recorder_join(&h, &r, "anna");
    ask_one(&h, &r, ASK("one"));
    usage = json_object_get(last_done(&r), "usage");
    assert_int_equal(
        json_integer_value(json_object_get(usage, "prompt_tokens")), 7);
    assert_int_equal(
        json_integer_value(json_object_get(usage, "completion_tokens")), 5);
    assert_int_equal(json_integer_value(json_object_get(usage, "total_tokens")),
                     12);
    assert_null(json_object_get(usage, "estimated"));
    script.usage = 0;
    ask_one(&h, &r, ASK("two"));
    usage = json_object_get(last_done(&r), "usage");
    assert_true(json_is_true(json_object_get(usage, "estimated")));
    recorder_fini(&r);
    house_close(&h);
}

/* --- a provider that keeps the log itself -------------------------------- */

/* The script's words, in a conversation of its own. */
static struct {
    char user[PROVIDER_ID_MAX + 1];
    char conversation[PROVIDER_ID_MAX + 1]; /* asked in */
    struct saying *fresh;                   /* has not told its own yet */
    bool lost;                              /* it knows none that is named */
} keeper;

static struct provider_fault stranger = {
    .err = ERR_LLM_UNAVAILABLE, .stranger = true, .code = "not_found"};

static void *
keeper_begin(const struct provider_config *config,
             const struct provider_turn *turn)
{
    keeper.fresh = script_begin(config, turn);
    snprintf(keeper.user, sizeof(keeper.user), "%.*s", STR_ARG(turn->user));
    snprintf(keeper.conversation, sizeof(keeper.conversation), "%.*s",
             STR_ARG(turn->conversation));
    return keeper.fresh;
}

static void
keeper_next(void *state, struct provider_event *event, uint64_t *delay_ms)
{
    bool fresh = keeper.fresh == state;

    keeper.fresh = NULL;
    if (((struct saying *)state)->fails && keeper.conversation[0] == '\0') {
        script_next(state, event, delay_ms);
    } else if (fresh && keeper.lost && keeper.conversation[0] != '\0') {
        *event =
            (struct provider_event){.kind = PROVIDER_ERROR, .fault = &stranger};
        *delay_ms = 0;
    } else if (fresh) {
        *event = (struct provider_event){.kind = PROVIDER_CONVERSATION,
                                         .text = STR("c-1")};
        *delay_ms = 0;
    } else {
        script_next(state, event, delay_ms);
    }
}

static const struct provider_ops keeper_ops = {.type = "keeper",
                                               .keeps_log = true,
                                               .begin = keeper_begin,
                                               .next = keeper_next,
                                               .close = script_close};

static void
keeper_open(struct house *h, struct recorder *r)
{
    house_open(h);
    memset(&keeper, 0, sizeof(keeper));
    providers[0].ops = &keeper_ops;
    recorder_join(h, r, "anna");
}

static void
keeper_close(struct house *h, struct recorder *r)
{
    recorder_fini(r);
    house_close(h);
    providers[0].ops = &script_ops;
}

static void
who_keeps_the_log_is_told_only_what_is_new(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    keeper_open(&h, &r);
    ask_one(&h, &r, ASK("one"));
    assert_string_equal(keeper.conversation, "");
    assert_int_equal(strlen(keeper.user), 32);
    assert_null(strstr(keeper.user, "anna"));
    ask_one(&h, &r, ASK("two"));
    assert_string_equal(keeper.conversation, "c-1");
    assert_string_equal(script.prompt, "u:two|");
    keeper_close(&h, &r);
}

static void
others_are_told_everything_and_no_user(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    keeper_open(&h, &r);
    ask_one(&h, &r, ASK("one"));
    ask_one(&h, &r,
            "{\"type\":\"user_message\",\"content\":\"two\","
            "\"model_id\":\"m2\"}");
    assert_string_equal(script.prompt, "u:one|a:w w w |u:two|");
    ask_one(&h, &r, ASK("three"));
    assert_string_equal(keeper.conversation, "c-1");
    assert_string_equal(script.prompt, "u:two|a:w w w |u:three|");
    keeper_close(&h, &r);
}

static void
a_conversation_that_is_gone_is_no_failed_attempt(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    keeper_open(&h, &r);
    ask_one(&h, &r, ASK("one"));
    keeper.lost = true;
    h.settings.retry_attempts = 2;
    script.failures = 2; /* the one that it does not know, and the next */
    ask_one(&h, &r, ASK("two"));
    assert_string_equal(text_at(last_done(&r), "finish_reason"), "stop");
    assert_int_equal(script.begun, 4);
    assert_string_equal(keeper.conversation, "");
    assert_string_equal(script.prompt, "u:one|a:w w w |u:two|");
    assert_int_equal(
        metric_value(METRIC_LLM_ERRORS, h.shard.chat->terms->slots[0].errors),
        1);
    keeper_close(&h, &r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_of_one_message_is_for_that_message),
        cmocka_unit_test(the_providers_own_count_of_tokens_is_told),
        cmocka_unit_test(who_keeps_the_log_is_told_only_what_is_new),
        cmocka_unit_test(others_are_told_everything_and_no_user),
        cmocka_unit_test(a_conversation_that_is_gone_is_no_failed_attempt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
