/* SPDX-License-Identifier: MIT */
#include "chat/exchange.h"

#include "chat/budget.h"
#include "fixture.h"

/* What a client would see. */
static struct {
    struct buf text;
    size_t asked;
    size_t broken;
    size_t raws;
    size_t ended;
    struct exchange_end end;
} seen;

static void
on_ask(void *cookie, const struct provider_config *provider,
       struct provider_turn *out)
{
    static const struct provider_message question = {.role = PROVIDER_USER,
                                                     .content = STR("hi")};

    (void)provider;
    (void)cookie;
    seen.asked++;
    buf_reset(&seen.text, 1000);
    *out = (struct provider_turn){.messages = &question, .count = 1};
}

static void
on_raw(void *cookie, const struct provider_raw *raw)
{
    (void)cookie;
    (void)raw;
    seen.raws++;
}

static void
on_break(void *cookie)
{
    (void)cookie;
    seen.broken++;
}

static void
on_text(void *cookie, struct str text)
{
    (void)cookie;
    buf_put_str(&seen.text, text);
}

static void
on_call(void *cookie, unsigned at, const struct provider_call *call)
{
    (void)cookie;
    (void)at;
    buf_put_str(&seen.text, call->arguments);
}

static void
on_end(void *cookie, const struct exchange_end *end)
{
    (void)cookie;
    seen.ended++;
    seen.end = *end;
}

static const struct exchange_events events = {on_ask,  on_raw,  on_break,
                                              on_text, on_call, on_end};

static struct exchange *
begin(struct house *h, struct exchange_request more)
{
    seen.asked = seen.ended = 0;
    buf_reset(&seen.text, 1000);
    more.id = STR("0123456789abcdef0123456789abcdef");
    more.user_id = STR("anna");
    more.prompt_tokens = 7;
    return exchange_start(h->shard.chat, &more, &events, NULL);
}

static void
open_house(struct house *h)
{
    buf_init(&seen.text, 1000);
    house_open(h);
    providers[0].fallback = m1_fallback;
    providers[0].fallback_count = COUNT_OF(m1_fallback);
}

static void
close_house(struct house *h)
{
    providers[0].fallback_count = 0;
    buf_fini(&seen.text);
    house_close(h);
}

static void
an_answer_comes_with_what_it_cost(void **state)
{
    struct house h;

    (void)state;
    open_house(&h);
    (void)begin(&h, (struct exchange_request){0});
    assert_int_equal(chat_turns(h.shard.chat), 1);
    WAIT_FOR(&h, seen.ended == 1);
    assert_true(str_is(buf_str(&seen.text), "w w w "));
    assert_true(seen.end.complete && seen.end.usage.estimated);
    assert_int_equal(seen.end.usage.prompt_tokens, 7);
    assert_int_equal(seen.end.usage.completion_tokens, 2);
    assert_int_equal(seen.end.usage.total_tokens, 9);
    assert_int_equal(chat_turns(h.shard.chat), 0);
    script.usage = 30;
    (void)begin(&h, (struct exchange_request){0});
    WAIT_FOR(&h, seen.ended == 1);
    assert_false(seen.end.usage.estimated);
    assert_int_equal(seen.end.usage.total_tokens, 37);
    close_house(&h);
}

static void
a_fallback_answers_when_nothing_was_said(void **state)
{
    struct house h;

    (void)state;
    open_house(&h);
    script.failures = 1;
    (void)begin(&h, (struct exchange_request){0});
    WAIT_FOR(&h, seen.ended == 1);
    assert_true(seen.end.complete);
    assert_string_equal(script.asked, "m1 m2 ");
    assert_int_equal(seen.asked, 2);
    close_house(&h);
}

static void
who_is_of_no_use_is_not_asked(void **state)
{
    struct house h;

    (void)state;
    open_house(&h);
    script.failures = 1;
    (void)begin(&h, (struct exchange_request){.relays_only = true});
    WAIT_FOR(&h, seen.ended == 1);
    assert_false(seen.end.complete);
    assert_string_equal(script.asked, "m1 ");
    close_house(&h);
}

static void
after_cancel_nobody_is_called(void **state)
{
    struct house h;
    struct exchange *x;

    (void)state;
    open_house(&h);
    script.given = 1;
    x = begin(&h, (struct exchange_request){0});
    WAIT_FOR(&h, seen.text.n > 0);
    exchange_cancel(x);
    assert_int_equal(chat_turns(h.shard.chat), 0);
    script.given = SIZE_MAX;
    (void)begin(&h, (struct exchange_request){.model = 1});
    WAIT_FOR(&h, seen.ended == 1);
    assert_true(str_is(buf_str(&seen.text), "w w w "));
    close_house(&h);
}

static bool idle;

static void
on_idle(void *cookie)
{
    (void)cookie;
    idle = true;
}

static void
a_drain_waits_and_a_cut_ends(void **state)
{
    struct house h;

    (void)state;
    open_house(&h);
    script.given = 1;
    idle = false;
    (void)begin(&h, (struct exchange_request){0});
    WAIT_FOR(&h, seen.text.n > 0);
    chat_drain(h.shard.chat, on_idle, NULL);
    assert_false(idle);
    chat_cut(h.shard.chat);
    assert_int_equal(seen.ended, 1);
    assert_false(seen.end.complete);
    assert_true(idle);
    close_house(&h);
}

/* --- a race --------------------------------------------------------------- */

/* Opens its answer with as many events as there are to be, of which nothing is
 * a word, and is silent then. */
static struct {
    size_t to_give;
    size_t given;
} opening;

static void *
opening_begin(const struct provider_config *config,
              const struct provider_turn *turn)
{
    (void)config;
    (void)turn;
    return xcalloc(1, 1);
}

static void
opening_next(void *state, struct provider_event *event, uint64_t *delay_ms)
{
    static char json[30002];

    (void)state;
    memset(json, '1', sizeof(json));
    *delay_ms = 0;
    *event = (struct provider_event){.kind = PROVIDER_RAW};
    if (opening.given < opening.to_give) {
        opening.given++;
        event->raw.json = (struct str){json, sizeof(json)};
    } else {
        event->kind = PROVIDER_USAGE; /* which nobody is told of at once */
        *delay_ms = 1;
    }
}

static const struct provider_ops opening_ops = {.type = "opening",
                                                .relays = true,
                                                .begin = opening_begin,
                                                .next = opening_next,
                                                .close = xfree};

/* They may be another's to tell in the end; but who has more to say than can be
 * kept has won. */
static void
events_before_the_first_word_wait_while_a_race_may_come(void **state)
{
    struct house h;
    struct exchange *x;

    (void)state;
    open_house(&h);
    providers[0].ops = &opening_ops;
    h.settings.hedge_after_ms = 600000;
    seen.raws = 0;
    opening.given = 0;
    opening.to_give = 2;
    x = begin(&h, (struct exchange_request){0});
    WAIT_FOR(&h, opening.given == 2);
    house_turn(&h);
    assert_int_equal(seen.raws, 0);
    opening.to_give = 3;
    WAIT_FOR(&h, seen.raws == 3);
    exchange_cancel(x);
    h.settings.hedge_after_ms = 0; /* nobody else can come */
    opening.given = seen.raws = 0;
    opening.to_give = 1;
    x = begin(&h, (struct exchange_request){0});
    WAIT_FOR(&h, seen.raws == 1);
    exchange_cancel(x);
    providers[0].ops = &script_ops;
    close_house(&h);
}

/* Each user's, in a day and a month. */
static struct budget_row row;

static void
limit(struct house *h, int64_t tokens)
{
    row = (struct budget_row){.role = "",
                              .limits.of = {{tokens, 0}, {tokens, 0}}};
    h->settings.budgets = &row;
    h->settings.budget_count = 1;
}

static void
what_a_budget_does_not_allow_is_not_asked(void **state)
{
    struct house h;

    (void)state;
    open_house(&h);
    limit(&h, 7);
    (void)begin(&h, (struct exchange_request){0});
    assert_int_equal(seen.ended, 0);
    WAIT_FOR(&h, seen.ended == 1);
    assert_int_equal(seen.end.refused, ERR_BUDGET_EXCEEDED);
    assert_true(seen.end.retry_after_ms > 0 && !seen.end.complete);
    assert_int_equal(seen.asked, 0);
    (void)begin(&h, (struct exchange_request){0}); /* known by now */
    assert_int_equal(seen.ended, 0);
    WAIT_FOR(&h, seen.ended == 1);
    assert_int_equal(seen.end.refused, ERR_BUDGET_EXCEEDED);
    assert_int_equal(chat_turns(h.shard.chat), 0);
    close_house(&h);
}

/* Words of a token each, the prompt has seven. */
static void
an_answer_ends_where_a_budget_does(void **state)
{
    struct house h;

    (void)state;
    open_house(&h);
    limit(&h, 7 + 4);
    script.words = 100;
    (void)begin(&h, (struct exchange_request){0});
    WAIT_FOR(&h, seen.ended == 1);
    assert_true(str_is(buf_str(&seen.text), "w w w w w "));
    assert_int_equal(seen.end.refused, ERR_BUDGET_EXCEEDED);
    assert_true(seen.end.usage.estimated);
    (void)begin(&h, (struct exchange_request){0});
    WAIT_FOR(&h, seen.ended == 1);
    assert_int_equal(seen.asked, 0);
    close_house(&h);
}

static void
one_that_nobody_waits_for_gives_back_what_it_did_not_use(void **state)
{
    struct house h;

    (void)state;
    open_house(&h);
    limit(&h, 7 + 5);
    exchange_cancel(begin(&h, (struct exchange_request){0})); /* undecided */
    script.given = 0;
    exchange_cancel(begin(&h, (struct exchange_request){0}));
    script.given = SIZE_MAX;
    (void)begin(&h, (struct exchange_request){0});
    WAIT_FOR(&h, seen.ended == 1);
    assert_true(seen.end.complete && seen.end.refused == ERR_OK);
    (void)begin(&h, (struct exchange_request){0}); /* 9 of 12 are used */
    WAIT_FOR(&h, seen.ended == 1);
    assert_int_equal(seen.end.refused, ERR_BUDGET_EXCEEDED);
    close_house(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_with_what_it_cost),
        cmocka_unit_test(what_a_budget_does_not_allow_is_not_asked),
        cmocka_unit_test(an_answer_ends_where_a_budget_does),
        cmocka_unit_test(
            one_that_nobody_waits_for_gives_back_what_it_did_not_use),
        cmocka_unit_test(a_fallback_answers_when_nothing_was_said),
        cmocka_unit_test(who_is_of_no_use_is_not_asked),
        cmocka_unit_test(after_cancel_nobody_is_called),
        cmocka_unit_test(a_drain_waits_and_a_cut_ends),
        cmocka_unit_test(
            events_before_the_first_word_wait_while_a_race_may_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
