/* SPDX-License-Identifier: MIT */
#include "fixture.h"

/* What the asker of a change over HTTP is told. */
struct answer {
    bool told;
    enum err result;
};

static void
on_written(struct store_job *job)
{
    struct answer *a = job->cookie;

    assert_false(a->told);
    a->told = true;
    a->result = job->result;
    store_job_free(job);
}

static struct store_job *
job_of(struct house *h, enum store_op op, const char *sid, const char *user,
       struct answer *a)
{
    struct store_job *job = store_job_new(op, &h->shard, on_written, a);

    *a = (struct answer){.told = false};
    job->user_id = xstrdup(user);
    memcpy(job->session.sid, sid, RAND_ID_CHARS + 1);
    return job;
}

static enum err
change(struct house *h, struct store_job *job, const struct answer *a)
{
    chat_session_write(h->shard.chat, job);
    assert_false(a->told);
    WAIT_FOR(h, a->told);
    return a->result;
}

static struct store_job *
ending_of(struct house *h, const char *sid, const char *user, struct answer *a)
{
    struct store_job *job = job_of(h, STORE_SESSION_PATCH, sid, user, a);

    job->patch = STORE_PATCH_END;
    job->session.end_ms = 1000;
    return job;
}

static enum err
end_session(struct house *h, const char *sid, const char *user)
{
    struct answer a;
    struct store_job *job = ending_of(h, sid, user, &a);

    return change(h, job, &a);
}

/* Two connections of anna in a session with one finished turn. */
struct scene {
    struct house h;
    struct recorder a, b;
    char sid[RAND_ID_CHARS + 1];
};

static void
scene_open(struct scene *s)
{
    house_open(&s->h);
    recorder_join(&s->h, &s->a, "anna");
    recorder_join(&s->h, &s->b, "anna");
    snprintf(s->sid, sizeof(s->sid), "%s",
             text_at(s->a.frames[0], "session_id"));
    recorder_say(&s->a, ASK("one"));
    WAIT_FOR(&s->h, count_done(&s->a) == 1 && count_done(&s->b) == 1);
}

static void
scene_close(struct scene *s)
{
    recorder_fini(&s->a);
    recorder_fini(&s->b);
    house_close(&s->h);
}

static void
an_end_is_told_to_every_connection_once(void **state)
{
    struct scene s;

    (void)state;
    scene_open(&s);
    assert_int_equal(end_session(&s.h, s.sid, "anna"), ERR_OK);
    assert_int_equal(end_session(&s.h, s.sid, "anna"), ERR_OK);
    for (int i = 0; i < 2; i++) {
        struct recorder *r = i == 0 ? &s.a : &s.b;

        assert_int_equal(count_type(r, "connection_status"), 2);
        assert_string_equal(meta_at(last_type(r, "connection_status"), "event"),
                            "session_ended");
        assert_int_equal(r->closed, 0);
    }
    assert_int_equal(metric_value(METRIC_SESSIONS_ENDED, 0), 1);
    recorder_say(&s.b, ASK("two")); /* reopens */
    WAIT_FOR(&s.h, count_done(&s.b) == 2);
    assert_false(s.a.outlet.session->ended);
    scene_close(&s);
}

static void
two_ends_under_way_are_one(void **state)
{
    struct scene s;
    struct answer first, second;

    (void)state;
    scene_open(&s);
    chat_session_write(s.h.shard.chat, ending_of(&s.h, s.sid, "anna", &first));
    chat_session_write(s.h.shard.chat, ending_of(&s.h, s.sid, "anna", &second));
    WAIT_FOR(&s.h, first.told && second.told);
    assert_int_equal(first.result, ERR_OK);
    assert_int_equal(second.result, ERR_OK);
    assert_int_equal(count_type(&s.b, "connection_status"), 2);
    assert_int_equal(metric_value(METRIC_SESSIONS_ENDED, 0), 1);
    scene_close(&s);
}

static void
somebody_elses_change_reaches_nobody(void **state)
{
    struct scene s;
    struct answer a;

    (void)state;
    scene_open(&s);
    assert_int_equal(end_session(&s.h, s.sid, "bert"), ERR_NOT_FOUND);
    assert_int_equal(
        change(&s.h, job_of(&s.h, STORE_SESSION_DELETE, s.sid, "bert", &a), &a),
        ERR_NOT_FOUND);
    assert_int_equal(count_type(&s.a, "connection_status"), 1);
    assert_int_equal(s.a.closed, 0);
    scene_close(&s);
}

static void
deleting_closes_the_connections_and_stops_the_running_turn(void **state)
{
    struct scene s;
    struct answer a;

    (void)state;
    scene_open(&s);
    script.given = 1;
    recorder_say(&s.a, ASK("two"));
    WAIT_FOR(&s.h, s.a.outlet.session->running != NULL &&
                       s.a.outlet.session->running->text.n > 0);
    assert_int_equal(
        change(&s.h, job_of(&s.h, STORE_SESSION_DELETE, s.sid, "anna", &a), &a),
        ERR_OK);
    assert_int_equal(s.a.closed, 4410);
    assert_int_equal(s.b.closed, 4410);
    WAIT_FOR(&s.h, chat_turns(s.h.shard.chat) == 0);
    assert_int_equal(count_done(&s.a), 1);
    assert_int_equal(count_type(&s.a, "error"), 0);
    recorder_leave(&s.a);
    recorder_leave(&s.b);
    WAIT_FOR(&s.h, s.h.shard.chat->users.count == 0);
    assert_int_equal(end_session(&s.h, s.sid, "anna"), ERR_NOT_FOUND);
    scene_close(&s);
}

static void
a_new_model_is_told_to_the_connections(void **state)
{
    struct scene s;
    struct answer a;
    struct store_job *job;

    (void)state;
    scene_open(&s);
    job = job_of(&s.h, STORE_SESSION_PATCH, s.sid, "anna", &a);
    job->patch = STORE_PATCH_MODEL;
    job->session.model_id = xstrdup("m2");
    assert_int_equal(change(&s.h, job, &a), ERR_OK);
    assert_string_equal(
        text_at(last_type(&s.b, "connection_status"), "model_id"), "m2");
    assert_string_equal(
        text_at(last_type(&s.b, "connection_status"), "content"),
        "Model changed to Model Two");
    scene_close(&s);
}

static void
an_archived_session_is_not_taken_up_unasked(void **state)
{
    struct scene s;
    struct answer a;
    struct store_job *job;
    struct recorder r;

    (void)state;
    scene_open(&s);
    job = job_of(&s.h, STORE_SESSION_PATCH, s.sid, "anna", &a);
    job->patch = STORE_PATCH_ARCHIVED;
    job->session.archived = true;
    assert_int_equal(change(&s.h, job, &a), ERR_OK);
    recorder_join(&s.h, &r, "anna");
    assert_string_not_equal(text_at(r.frames[0], "session_id"), s.sid);
    recorder_fini(&r);
    scene_close(&s);
}

static void
a_session_that_is_not_in_memory_is_changed_all_the_same(void **state)
{
    struct scene s;
    struct answer a;

    (void)state;
    scene_open(&s);
    recorder_leave(&s.a);
    recorder_leave(&s.b);
    s.h.settings.session_ttl_ms = 0;
    WAIT_FOR(&s.h, s.h.shard.chat->sessions.count == 0);
    assert_int_equal(end_session(&s.h, s.sid, "anna"), ERR_OK);
    assert_int_equal(end_session(&s.h, s.sid, "anna"), ERR_OK); /* same time */
    assert_int_equal(metric_value(METRIC_SESSIONS_ENDED, 0), 1);
    assert_int_equal(
        change(&s.h, job_of(&s.h, STORE_SESSION_DELETE, s.sid, "anna", &a), &a),
        ERR_OK);
    assert_int_equal(end_session(&s.h, s.sid, "anna"), ERR_NOT_FOUND);
    scene_close(&s);
}

static void
connections_are_counted_but_for_one_that_would_be_replaced(void **state)
{
    struct scene s;
    struct chat *c;

    (void)state;
    scene_open(&s);
    c = s.h.shard.chat;
    s.a.outlet.device_id = xstrdup("phone");
    assert_true(chat_user_is(&s.a.outlet, STR("anna")));
    assert_false(chat_user_is(&s.a.outlet, STR("bert")));
    assert_int_equal(chat_user_connections(c, STR("bert"), STR(""), STR("")),
                     0);
    assert_int_equal(chat_user_connections(c, STR("anna"), STR(""), STR("")),
                     2);
    assert_int_equal(
        chat_user_connections(c, STR("anna"), str_from(s.sid), STR("phone")),
        1);
    assert_int_equal(
        chat_user_connections(c, STR("anna"), STR("other"), STR("phone")), 2);
    assert_int_equal(
        chat_user_connections(c, STR("anna"), str_from(s.sid), STR("tablet")),
        2);
    scene_close(&s);
}

static void
the_others_hear_of_a_refused_connection(void **state)
{
    struct scene s;

    (void)state;
    scene_open(&s);
    chat_notify_refused(s.h.shard.chat, STR("nobody"));
    assert_int_equal(count_type(&s.a, "notification"), 0);
    chat_notify_refused(s.h.shard.chat, STR("anna"));
    assert_int_equal(count_type(&s.a, "notification"), 1);
    assert_string_equal(meta_at(last_type(&s.b, "notification"), "event"),
                        "connection_limit");
    scene_close(&s);
}

static void
an_error_of_the_gate_reaches_live_outlets_alone(void **state)
{
    struct house h;
    struct recorder r;
    struct attach_request request = {.user_id = STR("anna"), .last_seq = -1};

    (void)state;
    house_open(&h);
    recorder_start(&h, &r, &request);
    chat_tell_error(&r.outlet, ERR_EXPIRED_TOKEN);
    assert_int_equal(r.count, 0);
    WAIT_FOR(&h, !r.held);
    chat_tell_error(&r.outlet, ERR_EXPIRED_TOKEN);
    assert_string_equal(error_code(&r), "EXPIRED_TOKEN");
    recorder_fini(&r);
    house_close(&h);
}

static void
count_idle(void *cookie)
{
    ++*(int *)cookie;
}

static void
draining_lets_the_running_turn_end_and_takes_no_other(void **state)
{
    struct house h;
    struct recorder r;
    int idle = 0;

    (void)state;
    house_open(&h);
    script.given = 1;
    recorder_join(&h, &r, "anna");
    recorder_say(&r, ASK_ID("one", "c1"));
    recorder_say(&r, ASK_ID("two", "c2"));
    WAIT_FOR(&h, count_type(&r, "ack") == 2 && script.begun == 1);
    chat_drain(h.shard.chat, count_idle, &idle);
    assert_int_equal(idle, 0);
    assert_string_equal(error_code(&r), "SERVICE_ERROR");
    assert_string_equal(text_at(last_type(&r, "error"), "client_id"), "c2");
    recorder_say(&r, ASK_ID("three", "c3"));
    assert_string_equal(text_at(last_type(&r, "error"), "client_id"), "c3");
    script.given = SIZE_MAX;
    WAIT_FOR(&h, idle == 1);
    assert_string_equal(text_at(last_done(&r), "finish_reason"), "stop");
    assert_int_equal(count_done(&r), 1);
    assert_int_equal(chat_turns(h.shard.chat), 0);
    recorder_fini(&r);
    house_close(&h);
}

static void
draining_an_idle_chat_is_over_at_once(void **state)
{
    struct house h;
    int idle = 0;

    (void)state;
    house_open(&h);
    chat_drain(h.shard.chat, count_idle, &idle);
    assert_int_equal(idle, 1);
    house_close(&h);
}

static void
cutting_ends_what_runs_and_then_it_is_idle(void **state)
{
    struct house h;
    struct recorder r;
    int idle = 0;

    (void)state;
    house_open(&h);
    script.given = 1;
    recorder_join(&h, &r, "anna");
    recorder_say(&r, ASK("one"));
    WAIT_FOR(&h, count_type(&r, "ai_response") == 1);
    chat_drain(h.shard.chat, count_idle, &idle);
    chat_cut(h.shard.chat);
    WAIT_FOR(&h, idle == 1);
    assert_string_equal(text_at(last_done(&r), "finish_reason"), "interrupted");
    assert_int_equal(json_integer_value(json_object_get(last_done(&r), "seq")),
                     2);
    recorder_fini(&r);
    house_close(&h);
}

static void
models_are_found_by_their_ids(void **state)
{
    struct house h;

    (void)state;
    house_open(&h);
    assert_int_equal(chat_model_find(&h.settings, STR("m1")), 0);
    assert_int_equal(chat_model_find(&h.settings, STR("m3")), 2);
    assert_int_equal(chat_model_find(&h.settings, STR("M1")), -1);
    assert_int_equal(chat_model_find(&h.settings, STR("")), -1);
    house_close(&h);
}

/* A connection that is on another shard counts at home like any other. */
static void
connections_elsewhere_are_counted_until_they_end(void **state)
{
    struct house h;
    struct recorder r;
    struct chat *c;
    struct str who = STR("olga"), none = STR("");

    (void)state;
    house_open(&h);
    c = h.shard.chat;
    chat_user_away(c, who, true);
    chat_user_away(c, who, true);
    assert_int_equal(chat_user_connections(c, who, none, none), 2);
    recorder_join(&h, &r, "olga");
    assert_int_equal(chat_user_connections(c, who, none, none), 3);
    chat_user_away(c, who, false);
    recorder_fini(&r);
    assert_int_equal(chat_user_connections(c, who, none, none), 1);
    chat_user_away(c, who, false);
    assert_int_equal(chat_user_connections(c, who, none, none), 0);
    chat_user_away(c, who, true); /* never told of its end */
    house_close(&h);
}

static void
a_session_s_owner_and_connections_are_known_while_it_is_in_memory(void **state)
{
    struct house h;
    struct recorder one;
    struct chat *c;
    struct str sid;

    (void)state;
    house_open(&h);
    c = h.shard.chat;
    recorder_join(&h, &one, "anna");
    sid = str_from(text_at(one.frames[0], "session_id"));
    assert_true(str_is(chat_session_owner(c, sid), "anna"));
    assert_int_equal(chat_session_connections(c, sid), 1);
    recorder_leave(&one);
    assert_true(str_is(chat_session_owner(c, sid), "anna"));
    assert_int_equal(chat_session_connections(c, sid), 0);
    assert_int_equal(chat_session_owner(c, STR("unknown")).n, 0);
    assert_int_equal(chat_session_connections(c, STR("unknown")), 0);
    recorder_fini(&one);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_elsewhere_are_counted_until_they_end),
        cmocka_unit_test(
            a_session_s_owner_and_connections_are_known_while_it_is_in_memory),
        cmocka_unit_test(an_end_is_told_to_every_connection_once),
        cmocka_unit_test(two_ends_under_way_are_one),
        cmocka_unit_test(somebody_elses_change_reaches_nobody),
        cmocka_unit_test(
            deleting_closes_the_connections_and_stops_the_running_turn),
        cmocka_unit_test(a_new_model_is_told_to_the_connections),
        cmocka_unit_test(an_archived_session_is_not_taken_up_unasked),
        cmocka_unit_test(
            a_session_that_is_not_in_memory_is_changed_all_the_same),
        cmocka_unit_test(
            connections_are_counted_but_for_one_that_would_be_replaced),
        cmocka_unit_test(the_others_hear_of_a_refused_connection),
        cmocka_unit_test(an_error_of_the_gate_reaches_live_outlets_alone),
        cmocka_unit_test(draining_lets_the_running_turn_end_and_takes_no_other),
        cmocka_unit_test(draining_an_idle_chat_is_over_at_once),
        cmocka_unit_test(cutting_ends_what_runs_and_then_it_is_idle),
        cmocka_unit_test(models_are_found_by_their_ids),
    };

    return cmocka_run_group_tests_name("chat/chat", tests, NULL, NULL);
}
