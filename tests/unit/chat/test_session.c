/* SPDX-License-Identifier: MIT */
#include "chat/session.h"

#include "chat/user.h"
#include "fixture.h"

static int64_t
active(void)
{
    return metric_value(METRIC_ACTIVE_SESSIONS, 0);
}

/* Req 1.1, 1.2, 1.5, Property 1: what nobody uses leaves memory when its time
 * has come. */
static void
idle_sessions_leave_after_the_ttl_longest_idle_first(void **state)
{
    struct house h;
    struct chat *c;
    struct user *u;
    struct session *a, *b, *used;

    (void)state;
    house_open(&h);
    c = h.shard.chat;
    h.settings.session_ttl_ms = 1000000; /* the timer does nothing */
    u = user_get(c, STR("anna"));
    a = session_new(u);
    b = session_new(u);
    used = session_new(u);
    session_job_begin(used);
    session_settle(a);
    session_settle(b);
    a->idle_since_ms = 1000;
    b->idle_since_ms = 1001;
    assert_int_equal(active(), 3);
    assert_int_equal(session_sweep(c, 1000 + 999999), 0);
    assert_int_equal(session_sweep(c, 1000 + 1000000), 1);
    assert_ptr_equal(session_find(c, session_id(b)), b);
    assert_int_equal(c->sessions.count, 2);
    assert_int_equal(session_sweep(c, UINT64_MAX), 1);
    assert_int_equal(session_sweep(c, UINT64_MAX), 0);
    assert_ptr_equal(session_find(c, session_id(used)), used);
    session_job_end(used);
    assert_int_equal(session_sweep(c, UINT64_MAX), 1);
    assert_int_equal(c->sessions.count, 0);
    assert_int_equal(c->users.count, 0);
    assert_int_equal(active(), 0);
    house_close(&h);
}

/* A sweep looks at what is due and at one more: what stands behind that one
 * would go at once if it were looked at. */
static void
a_sweep_costs_what_expires_and_not_what_exists(void **state)
{
    enum { SESSIONS = 100000, DUE = 10 };
    static struct session *s[SESSIONS];
    struct house h;
    struct chat *c;
    struct user *u;

    (void)state;
    house_open(&h);
    c = h.shard.chat;
    h.settings.warn_count = 2 * (size_t)SESSIONS;
    h.settings.session_ttl_ms = 1000000;
    u = user_get(c, STR("anna"));
    for (size_t i = 0; i < SESSIONS; i++) {
        s[i] = session_new(u);
        session_settle(s[i]);
        s[i]->idle_since_ms = i == DUE ? 1001 : 1000;
    }
    assert_int_equal(session_sweep(c, 1000 + 999999), 0);
    assert_int_equal(session_sweep(c, 1000 + 1000000), DUE);
    assert_int_equal(session_sweep(c, 1000 + 1000000), 0);
    assert_int_equal(c->sessions.count, SESSIONS - DUE);
    assert_ptr_equal(c->idle.next, &s[DUE]->idle);
    assert_int_equal(session_sweep(c, 1001 + 1000000), SESSIONS - DUE);
    house_close(&h);
}

/* Property 2: being used again starts the time anew. */
static void
a_session_used_again_is_idle_from_then_on(void **state)
{
    struct house h;
    struct chat *c;
    struct session *a, *b;

    (void)state;
    house_open(&h);
    c = h.shard.chat;
    h.settings.session_ttl_ms = 1000000;
    a = session_new(user_get(c, STR("anna")));
    b = session_new(user_get(c, STR("bert")));
    session_settle(a);
    session_settle(b);
    session_job_begin(a);
    assert_true(list_empty(&a->idle));
    session_job_end(a);
    assert_ptr_equal(c->idle.next, &b->idle);
    assert_ptr_equal(c->idle.prev, &a->idle);
    house_close(&h);
}

/* Property 2 */
static void
outlets_and_turns_keep_a_session_in_memory(void **state)
{
    struct house h;
    struct recorder r;
    struct session *s;

    (void)state;
    house_open(&h);
    h.settings.session_ttl_ms = 0;
    script.given = 1;
    recorder_join(&h, &r, "anna");
    s = r.outlet.session;
    assert_int_equal(session_sweep(h.shard.chat, UINT64_MAX), 0);
    recorder_say(&r, ASK("one"));
    WAIT_FOR(&h, count_type(&r, "ai_response") == 1);
    recorder_leave(&r);
    assert_int_equal(session_sweep(h.shard.chat, UINT64_MAX), 0);
    assert_int_equal(h.shard.chat->sessions.count, 1);
    assert_non_null(s->running);
    script.given = SIZE_MAX;
    WAIT_FOR(&h, h.shard.chat->sessions.count == 0); /* by the timer */
    assert_int_equal(h.shard.chat->users.count, 0);
    recorder_fini(&r);
    house_close(&h);
}

/* Req 1.3 */
static void
too_many_sessions_are_warned_of_once_until_they_are_fewer(void **state)
{
    struct house h;
    struct chat *c;
    struct session *s[12];

    (void)state;
    house_open(&h);
    c = h.shard.chat;
    h.settings.warn_count = 10;
    h.settings.session_ttl_ms = 1000000;
    log_set_level(LOG_ERROR);
    for (size_t i = 0; i < 12; i++) {
        s[i] = session_new(user_get(c, STR("anna")));
        assert_int_equal(atomic_load(&h.population.warned), i >= 10);
    }
    session_free(s[0]);
    session_free(s[1]);
    assert_true(atomic_load(&h.population.warned)); /* ten are not yet fewer */
    session_free(s[2]);
    assert_false(atomic_load(&h.population.warned));
    house_close(&h);
}

/* Req 1.3: who raises the limit is warned again at the new one, although the
 * sessions never became fewer. */
static void
a_raised_warn_count_is_a_new_one(void **state)
{
    struct house h;
    struct user *u;

    (void)state;
    house_open(&h);
    h.settings.warn_count = 10;
    u = user_get(h.shard.chat, STR("anna"));
    for (size_t i = 1; i <= 50; i++) {
        (void)session_new(u);
        h.settings.warn_count = i < 20 ? 10 : 40;
        assert_int_equal(atomic_load(&h.population.warned),
                         (i > 10 && i <= 20) || i > 40);
    }
    house_close(&h);
}

static struct session_record
record(void)
{
    return (struct session_record){.sid = "0123456789abcdef0123456789abcdef",
                                   .epoch = "0123456789abcdef",
                                   .model_id = (char *)(uintptr_t) "m2",
                                   .last_ms = 70,
                                   .seq = 7,
                                   .help_requested = true};
}

static void
a_stored_session_is_loaded_once(void **state)
{
    struct house h;
    struct user *u;
    struct session *s;
    struct session_record r = record();

    (void)state;
    house_open(&h);
    u = user_get(h.shard.chat, STR("anna"));
    s = session_load(u, &r);
    assert_true(s->stored && s->help_requested && !s->ended);
    assert_int_equal(s->seq, 7);
    assert_int_equal(s->model, 1);
    assert_string_equal(s->epoch, "0123456789abcdef");
    r.seq = 5;
    assert_ptr_equal(session_load(u, &r), s);
    assert_int_equal(s->seq, 7);
    session_update(s, &r); /* an older answer takes nothing back */
    assert_int_equal(s->seq, 7);
    session_free(s);
    house_close(&h);
}

static void
a_model_that_is_no_longer_configured_gives_way_to_the_default(void **state)
{
    struct house h;
    struct session *s;
    struct session_record r = record();

    (void)state;
    house_open(&h);
    r.model_id = (char *)(uintptr_t) "gone";
    s = session_load(user_get(h.shard.chat, STR("anna")), &r);
    assert_int_equal(s->model, h.settings.default_provider);
    session_free(s);
    house_close(&h);
}

/* Req 1.4, Property 3 */
static void
the_gauges_follow_the_end_of_a_session(void **state)
{
    struct house h;
    struct session *s;
    struct session_record r = record();

    (void)state;
    house_open(&h);
    s = session_load(user_get(h.shard.chat, STR("anna")), &r);
    assert_int_equal(active(), 1);
    r.end_ms = 99;
    session_update(s, &r);
    assert_true(s->ended);
    assert_int_equal(active(), 0);
    assert_int_equal(metric_value(METRIC_INACTIVE_SESSIONS, 0), 1);
    session_free(s);
    assert_int_equal(metric_value(METRIC_INACTIVE_SESSIONS, 0), 0);
    house_close(&h);
}

/* Req 10.2 */
static void
the_record_for_the_store_is_whole(void **state)
{
    struct house h;
    struct session *s;
    struct session_record r;

    (void)state;
    house_open(&h);
    s = session_new(user_get(h.shard.chat, STR("anna")));
    s->help_requested = true;
    s->model = 2;
    session_to_record(s, &r);
    assert_string_equal(r.sid, s->id);
    assert_string_equal(r.epoch, s->epoch);
    assert_string_equal(r.user_id, "anna");
    assert_string_equal(r.model_id, "m3");
    assert_true(r.help_requested);
    assert_int_equal(r.start_ms, s->last_ms);
    session_record_fini(&r);
    session_free(s);
    house_close(&h);
}

/* Req 1.5, 3.2, 14.2 */
static void
a_killed_session_closes_everybody_and_stays_for_its_jobs(void **state)
{
    struct house h;
    struct recorder a, b;
    struct session *s;

    (void)state;
    house_open(&h);
    script.given = 1;
    recorder_join(&h, &a, "anna");
    recorder_join(&h, &b, "anna");
    s = a.outlet.session;
    recorder_say(&a, ASK("one"));
    WAIT_FOR(&h, count_type(&b, "ai_response") == 1);
    session_job_begin(s);
    session_kill(s, 4410, "session deleted");
    assert_int_equal(a.closed, 4410);
    assert_int_equal(b.closed, 4410);
    WAIT_FOR(&h, chat_turns(h.shard.chat) == 0);
    assert_int_equal(h.shard.chat->sessions.count, 1);
    session_job_end(s);
    assert_int_equal(h.shard.chat->sessions.count, 0);
    recorder_fini(&a);
    recorder_fini(&b);
    assert_int_equal(h.shard.chat->users.count, 0);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_sessions_leave_after_the_ttl_longest_idle_first),
        cmocka_unit_test(a_sweep_costs_what_expires_and_not_what_exists),
        cmocka_unit_test(a_session_used_again_is_idle_from_then_on),
        cmocka_unit_test(outlets_and_turns_keep_a_session_in_memory),
        cmocka_unit_test(
            too_many_sessions_are_warned_of_once_until_they_are_fewer),
        cmocka_unit_test(a_raised_warn_count_is_a_new_one),
        cmocka_unit_test(a_stored_session_is_loaded_once),
        cmocka_unit_test(
            a_model_that_is_no_longer_configured_gives_way_to_the_default),
        cmocka_unit_test(the_gauges_follow_the_end_of_a_session),
        cmocka_unit_test(the_record_for_the_store_is_whole),
        cmocka_unit_test(
            a_killed_session_closes_everybody_and_stays_for_its_jobs),
    };

    return cmocka_run_group_tests_name("chat/session", tests, NULL, NULL);
}
