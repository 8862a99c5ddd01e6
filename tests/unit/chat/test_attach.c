/* SPDX-License-Identifier: MIT */
#include "fixture.h"

static struct attach_request
request_of(const char *user)
{
    return (struct attach_request){.user_id = str_from(user), .last_seq = -1};
}

/* Req 2.5: the first frame tells the session that will really be used. */
static void
the_first_frame_tells_who_and_where(void **state)
{
    struct house h;
    struct recorder r;
    const json_t *f;

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    f = r.frames[0];
    assert_string_equal(text_at(f, "type"), "connection_status");
    assert_int_equal(strlen(text_at(f, "session_id")), 32);
    assert_string_equal(text_at(f, "user_id"), "anna");
    assert_string_equal(text_at(f, "sender"), "system");
    assert_string_equal(text_at(f, "model_id"), "m1");
    assert_int_equal(json_array_size(json_object_get(f, "models")), 3);
    assert_int_equal(json_integer_value(json_object_get(f, "seq")), 0);
    assert_true(json_is_false(json_object_get(f, "resumed")));
    assert_true(json_is_false(json_object_get(f, "admin_assisted")));
    assert_true(json_is_false(json_object_get(f, "help_requested")));
    assert_true(strlen(text_at(f, "epoch")) > 0);
    recorder_fini(&r);
    house_close(&h);
}

static void
an_unknown_session_and_somebody_elses_get_a_new_one_alike(void **state)
{
    struct house h;
    struct recorder anna, bert, bert2;
    struct attach_request request;
    char sid[RAND_ID_CHARS + 1];

    (void)state;
    house_open(&h);
    recorder_join(&h, &anna, "anna");
    recorder_say(&anna, ASK("one"));
    WAIT_FOR(&h, count_done(&anna) == 1);
    snprintf(sid, sizeof(sid), "%s", text_at(anna.frames[0], "session_id"));
    request = request_of("bert");
    request.session_id = str_from(sid);
    recorder_start(&h, &bert, &request);
    WAIT_FOR(&h, !bert.held);
    assert_string_not_equal(text_at(bert.frames[0], "session_id"), sid);
    assert_string_equal(meta_at(bert.frames[0], "requested_session_id"), sid);
    request.session_id = STR("0123456789abcdef0123456789abcdef");
    recorder_start(&h, &bert2, &request);
    WAIT_FOR(&h, !bert2.held);
    assert_string_equal(meta_at(bert2.frames[0], "requested_session_id"),
                        "0123456789abcdef0123456789abcdef");
    recorder_fini(&anna);
    recorder_fini(&bert);
    recorder_fini(&bert2);
    house_close(&h);
}

/* An operator who watches hears everything of a session that is somebody
 * else's, and takes nobody's place; who is watched need not be in memory. */
static void
an_operator_watches_somebody_elses_session(void **state)
{
    struct house h;
    struct recorder anna, olga, again;
    struct attach_request request = request_of("olga");
    char sid[RAND_ID_CHARS + 1];

    (void)state;
    house_open(&h);
    h.settings.one_connection = true;
    recorder_join(&h, &anna, "anna");
    recorder_say(&anna, ASK("one"));
    WAIT_FOR(&h, count_done(&anna) == 1);
    snprintf(sid, sizeof(sid), "%s", text_at(anna.frames[0], "session_id"));
    request.admin = true;
    request.session_id = str_from(sid);
    request.owner = STR("anna");
    request.last_seq = 0;
    recorder_start(&h, &olga, &request);
    WAIT_FOR(&h, !olga.held);
    assert_string_equal(text_at(olga.frames[0], "session_id"), sid);
    assert_string_equal(text_at(olga.frames[0], "user_id"), "anna");
    assert_int_equal(count_done(&olga), 1); /* the replay */
    assert_true(chat_watches(&olga.outlet));
    assert_false(chat_watches(&anna.outlet));
    assert_int_equal(chat_session_connections(h.shard.chat, str_from(sid)), 2);
    recorder_say(&anna, ASK("two"));
    WAIT_FOR(&h, count_done(&olga) == 2);
    assert_int_equal(anna.closed, 0);
    recorder_start(&h, &again, &request);
    WAIT_FOR(&h, !again.held);
    assert_int_equal(olga.closed, 4409); /* her own place */
    assert_int_equal(anna.closed, 0);
    recorder_fini(&anna);
    recorder_fini(&olga);
    recorder_fini(&again);
    house_close(&h);
}

static void
a_session_that_went_meanwhile_cannot_be_watched(void **state)
{
    struct house h;
    struct recorder olga;
    struct attach_request request = request_of("olga");

    (void)state;
    house_open(&h);
    request.session_id = STR("0123456789abcdef0123456789abcdef");
    request.owner = STR("anna");
    recorder_start(&h, &olga, &request);
    WAIT_FOR(&h, olga.closed != 0);
    assert_int_equal(olga.closed, 4403);
    assert_string_equal(error_code(&olga), "NOT_FOUND");
    recorder_fini(&olga);
    assert_int_equal(h.shard.chat->users.count, 0);
    house_close(&h);
}

static void
strict_refuses_what_it_cannot_find(void **state)
{
    struct house h;
    struct recorder r;
    struct attach_request request = request_of("anna");

    (void)state;
    house_open(&h);
    request.session_id = STR("nonsense");
    request.strict = true;
    recorder_start(&h, &r, &request);
    WAIT_FOR(&h, r.closed != 0);
    assert_int_equal(r.closed, 4403);
    assert_int_equal(r.count, 1);
    assert_string_equal(error_code(&r), "NOT_FOUND");
    recorder_fini(&r);
    assert_int_equal(
        chat_user_connections(h.shard.chat, STR("anna"), STR(""), STR("")), 0);
    house_close(&h);
}

static void
without_a_name_the_latest_session_is_taken_up(void **state)
{
    struct house h;
    struct recorder a, b, c;
    char sid[RAND_ID_CHARS + 1];

    (void)state;
    house_open(&h);
    recorder_join(&h, &a, "anna");
    recorder_say(&a, ASK("one"));
    WAIT_FOR(&h, count_done(&a) == 1);
    snprintf(sid, sizeof(sid), "%s", text_at(a.frames[0], "session_id"));
    recorder_leave(&a);
    recorder_join(&h, &b, "anna");
    assert_string_equal(text_at(b.frames[0], "session_id"), sid);
    assert_int_equal(json_integer_value(json_object_get(b.frames[0], "seq")),
                     2);
    recorder_join(&h, &c, "bert");
    assert_string_not_equal(text_at(c.frames[0], "session_id"), sid);
    recorder_fini(&a);
    recorder_fini(&b);
    recorder_fini(&c);
    house_close(&h);
}

static void
resuming_replays_what_was_missed_in_order(void **state)
{
    struct house h;
    struct recorder a, b;
    struct attach_request request = request_of("anna");

    (void)state;
    house_open(&h);
    recorder_join(&h, &a, "anna");
    for (size_t i = 0; i < 3; i++) {
        recorder_say(&a, ASK("x"));
        WAIT_FOR(&h, count_done(&a) == i + 1);
    }
    request.last_seq = 1;
    request.epoch = str_from(text_at(a.frames[0], "epoch"));
    recorder_start(&h, &b, &request);
    WAIT_FOR(&h, !b.held);
    assert_true(json_is_true(json_object_get(b.frames[0], "resumed")));
    assert_int_equal(b.count, 6);
    for (size_t i = 1; i < b.count; i++) {
        assert_int_equal(
            json_integer_value(json_object_get(b.frames[i], "seq")),
            (json_int_t)i + 1);
        assert_string_equal(meta_at(b.frames[i], "replay"), "true");
    }
    assert_string_equal(text_at(b.frames[1], "content"), "w w w ");
    assert_string_equal(meta_at(b.frames[1], "done"), "true");
    assert_string_equal(text_at(b.frames[2], "type"), "user_message");
    recorder_fini(&a);
    recorder_fini(&b);
    house_close(&h);
}

static void
expect_no_resume(struct house *h, struct attach_request *request)
{
    struct recorder r;

    recorder_start(h, &r, request);
    WAIT_FOR(h, !r.held);
    assert_true(json_is_false(json_object_get(r.frames[0], "resumed")));
    assert_int_equal(r.count, 1);
    recorder_fini(&r);
}

static void
never_resumes_where_it_cannot_be_exact(void **state)
{
    struct house h;
    struct recorder a;
    struct attach_request request = request_of("anna");

    (void)state;
    house_open(&h);
    h.settings.resume_max_events = 1;
    recorder_join(&h, &a, "anna");
    recorder_say(&a, ASK("x"));
    WAIT_FOR(&h, count_done(&a) == 1);
    request.last_seq = 3; /* beyond the end */
    expect_no_resume(&h, &request);
    request.last_seq = 0; /* too far behind */
    expect_no_resume(&h, &request);
    request.last_seq = 2;
    request.epoch = STR("another");
    expect_no_resume(&h, &request);
    recorder_fini(&a);
    house_close(&h);
}

/* Req 3.1, 3.4, 3.5 */
static void
the_same_device_takes_the_older_ones_place(void **state)
{
    struct house h;
    struct recorder old, other, new;
    struct attach_request request = request_of("anna");

    (void)state;
    house_open(&h);
    request.device_id = STR("phone");
    recorder_start(&h, &old, &request);
    WAIT_FOR(&h, !old.held);
    recorder_join(&h, &other, "anna");
    assert_int_equal(
        chat_user_connections(h.shard.chat, STR("anna"), STR(""), STR("phone")),
        1);
    recorder_start(&h, &new, &request);
    WAIT_FOR(&h, !new.held);
    assert_int_equal(old.closed, 4409);
    assert_int_equal(other.closed, 0);
    assert_int_equal(
        chat_user_connections(h.shard.chat, STR("anna"), STR(""), STR("")), 2);
    recorder_fini(&old);
    recorder_fini(&other);
    recorder_fini(&new);
    house_close(&h);
}

static void
with_one_connection_any_newcomer_replaces(void **state)
{
    struct house h;
    struct recorder old, new;

    (void)state;
    house_open(&h);
    h.settings.one_connection = true;
    recorder_join(&h, &old, "anna");
    recorder_join(&h, &new, "anna");
    assert_int_equal(old.closed, 4409);
    recorder_fini(&old);
    recorder_fini(&new);
    house_close(&h);
}

/* Req 3.1, 3.4: however close behind each other they come. */
static void
of_two_on_their_way_into_a_session_the_later_one_stays(void **state)
{
    struct house h;
    struct recorder first, r[3];
    struct attach_request request = request_of("anna");
    char sid[RAND_ID_CHARS + 1];

    (void)state;
    house_open(&h);
    recorder_join(&h, &first, "anna");
    recorder_say(&first, ASK("one"));
    WAIT_FOR(&h, count_done(&first) == 1);
    memcpy(sid, first.outlet.session->id, sizeof(sid));
    request.session_id = str_from(sid);
    request.device_id = STR("phone");
    request.last_seq = 0;
    for (size_t i = 0; i < COUNT_OF(r); i++) {
        recorder_start(&h, &r[i], &request);
        assert_int_equal(chat_user_connections(h.shard.chat, STR("anna"),
                                               STR(""), STR("phone")),
                         1);
    }
    WAIT_FOR(&h, !r[2].held);
    assert_int_equal(r[0].closed, 4409);
    assert_int_equal(r[1].closed, 4409);
    assert_int_equal(r[2].closed, 0);
    assert_int_equal(first.closed, 0);
    assert_int_equal(count_done(&r[2]), 1);
    assert_int_equal(
        chat_user_connections(h.shard.chat, STR("anna"), STR(""), STR("")), 2);
    recorder_fini(&first);
    for (size_t i = 0; i < COUNT_OF(r); i++) {
        recorder_fini(&r[i]);
    }
    house_close(&h);
}

static void
one_that_leaves_while_it_is_looked_up_leaves_nothing(void **state)
{
    struct house h;
    struct recorder r;
    struct attach_request request = request_of("anna");

    (void)state;
    house_open(&h);
    recorder_start(&h, &r, &request);
    recorder_leave(&r);
    WAIT_FOR(&h, h.shard.chat->users.count == 0);
    assert_int_equal(h.shard.chat->sessions.count, 0);
    recorder_fini(&r);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_frame_tells_who_and_where),
        cmocka_unit_test(
            an_unknown_session_and_somebody_elses_get_a_new_one_alike),
        cmocka_unit_test(an_operator_watches_somebody_elses_session),
        cmocka_unit_test(a_session_that_went_meanwhile_cannot_be_watched),
        cmocka_unit_test(strict_refuses_what_it_cannot_find),
        cmocka_unit_test(without_a_name_the_latest_session_is_taken_up),
        cmocka_unit_test(resuming_replays_what_was_missed_in_order),
        cmocka_unit_test(never_resumes_where_it_cannot_be_exact),
        cmocka_unit_test(the_same_device_takes_the_older_ones_place),
        cmocka_unit_test(with_one_connection_any_newcomer_replaces),
        cmocka_unit_test(
            of_two_on_their_way_into_a_session_the_later_one_stays),
        cmocka_unit_test(one_that_leaves_while_it_is_looked_up_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
