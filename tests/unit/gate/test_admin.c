/* SPDX-License-Identifier: MIT */
#include "gate/admin.h"

#include "fixture.h"

#define LIST "GET /chatbox/admin/sessions"

/* The ids of a list, or of an array, are those. */
static void
assert_ids(const json_t *items, const char *const *ids, size_t count)
{
    assert_int_equal(json_array_size(items), count);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(items, i);

        assert_string_equal(text_at(item, "id"), ids[i]);
        assert_string_equal(text_at(item, "session_id"), ids[i]);
        assert_true(json_is_integer(json_object_get(item, "connections")));
        assert_null(json_object_get(item, "share_token"));
    }
}

static void
test_operators_see_everybody_s_sessions(void **state)
{
    struct house h;
    struct answer a;
    char one[64], two[64], three[64];

    (void)state;
    house_open(&h);
    make_session(&h, "ann", one);
    make_session(&h, "bob", two);
    make_session(&h, "ann", three);
    ask_operator(&h, "olga", LIST "?sort_order=asc&limit=2&offset=1", &a);
    assert_ids(json_object_get(a.json, "sessions"),
               (const char *[]){two, three}, 2);
    assert_int_equal(int_at(a.json, "count"), 2);
    assert_int_equal(int_at(a.json, "total"), 3);
    assert_int_equal(int_at(a.json, "limit"), 2);
    assert_int_equal(int_at(a.json, "offset"), 1);
    answer_fini(&a);
    ask_operator(&h, "olga", "GET /chatbox/admin/users/ann/sessions", &a);
    assert_ids(a.json, (const char *[]){three, one}, 2);
    answer_fini(&a);
    ask_operator(&h, "olga", "GET /chatbox/admin/users/eve/sessions", &a);
    assert_string_equal(a.body, "[]");
    answer_fini(&a);
    house_close(&h);
}

/* Req 18.1: the class and the bucket stand in the table of routes. */
static void
test_nobody_else_does(void **state)
{
    static const char *const lines[] = {
        LIST,
        LIST "/0123456789abcdef0123456789abcdef",
        "GET /chatbox/admin/users/ann/sessions",
        "GET /chatbox/admin/metrics",
        "GET /chatbox/admin/audit",
    };
    struct house h;

    (void)state;
    house_open(&h);
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct answer a;

        ask_as(&h, "ann", lines[i], NULL, &a);
        assert_error(&a, 403, "FORBIDDEN", NULL);
        answer_fini(&a);
        assert_refused(&h, lines[i], "", 401, "UNAUTHORIZED", NULL);
    }
    house_close(&h);
}

static void
test_a_transcript_has_the_members_of_both(void **state)
{
    struct house h;
    struct client c;
    struct answer a;
    char line[128];
    const json_t *messages;
    json_t *last = NULL;

    (void)state;
    house_open(&h);
    client_join(&h, &c, "ann");
    client_say(&c, "{\"type\":\"user_message\",\"content\":\"hello\"}");
    do {
        json_decref(last);
        last = client_until(&c, "ai_response");
    } while (json_object_get(last, "finish_reason") == NULL);
    snprintf(line, sizeof(line), LIST "/%s?limit=1",
             text_at(last, "session_id"));
    json_decref(last);
    ask_operator(&h, "olga", line, &a);
    assert_int_equal(a.status, 200);
    messages = json_object_get(a.json, "messages");
    assert_int_equal(json_array_size(messages), 1);
    assert_int_equal(int_at(json_array_get(messages, 0), "seq"), 2);
    assert_int_equal(int_at(a.json, "next_before_seq"), 2);
    assert_int_equal(int_at(a.json, "message_count"), 2);
    assert_int_equal(int_at(a.json, "connections"), 1);
    assert_string_equal(text_at(a.json, "user_id"), "ann");
    assert_string_equal(text_at(a.json, "model_id"), "m1");
    answer_fini(&a);
    client_close(&c);
    house_close(&h);
}

static void
test_an_unknown_transcript_is_not_found(void **state)
{
    static const char *const lines[] = {
        LIST "/0123456789abcdef0123456789abcdef",
        LIST "/0123456789abcdef",
        LIST "/x",
    };
    struct house h;

    (void)state;
    house_open(&h);
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct answer a;

        ask_operator(&h, "olga", lines[i], &a);
        assert_error(&a, 404, "NOT_FOUND", NULL);
        answer_fini(&a);
    }
    house_close(&h);
}

static void
test_figures_stand_there_twice(void **state)
{
    static const char *const names[] = {
        "active_sessions",   "inactive_sessions", "total_sessions",
        "avg_concurrent",    "max_concurrent",    "total_tokens",
        "avg_response_time", "max_response_time", "admin_assisted_count",
        "connections",       "total_cost"};
    struct house h;
    struct answer a;
    struct client c;
    char id[64];
    const json_t *metrics;

    (void)state;
    house_open(&h);
    make_session(&h, "ann", id);
    client_join(&h, &c, "bob");
    ask_operator(&h, "olga", "GET /chatbox/admin/metrics", &a);
    assert_int_equal(a.status, 200);
    metrics = json_object_get(a.json, "metrics");
    assert_int_equal(json_object_size(metrics), COUNT_OF(names));
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_true(json_is_number(json_object_get(a.json, names[i])));
        assert_true(json_equal(json_object_get(a.json, names[i]),
                               json_object_get(metrics, names[i])));
    }
    assert_int_equal(int_at(a.json, "total_sessions"), 1);
    assert_int_equal(int_at(a.json, "active_sessions"), 1);
    assert_int_equal(int_at(a.json, "max_concurrent"), 1);
    assert_true(json_is_array(json_object_get(a.json, "usage")));
    assert_int_equal(int_at(a.json, "connections"), 1);
    assert_int_equal(
        int_at(json_object_get(a.json, "sessions_in_memory"), "total"), 1);
    answer_fini(&a);
    client_close(&c);
    house_close(&h);
}

/* The client goes while the store has its question: nothing is left of it,
 * which the end of the house would show. */
static void
test_a_client_that_does_not_wait_is_forgotten(void **state)
{
    struct house h;
    char line[128], id[64];
    char *token = make_token("olga", "admin", (int64_t)time(NULL) + 3600);
    char headers[1024];

    (void)state;
    house_open(&h);
    make_session(&h, "ann", id);
    snprintf(line, sizeof(line), LIST "/%s", id);
    snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n", token);
    for (int turns = 0; turns < 12; turns++) {
        struct client c;

        client_open(&h, &c);
        client_ask(&c, line, headers, NULL);
        for (int i = 0; i < turns; i++) {
            house_turn(&h);
        }
        client_close(&c);
    }
    xfree(token);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operators_see_everybody_s_sessions),
        cmocka_unit_test(test_nobody_else_does),
        cmocka_unit_test(test_a_transcript_has_the_members_of_both),
        cmocka_unit_test(test_an_unknown_transcript_is_not_found),
        cmocka_unit_test(test_figures_stand_there_twice),
        cmocka_unit_test(test_a_client_that_does_not_wait_is_forgotten),
    };

    return cmocka_run_group_tests_name("gate/admin", tests, NULL, NULL);
}
