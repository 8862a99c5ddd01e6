/* SPDX-License-Identifier: MIT */
#include "gate/api.h"

#include "fixture.h"

/* A new session of user; its id goes into id. */
static void
create(struct house *h, const char *user, const char *body, char id[64])
{
    struct answer a;

    ask_as(h, user, "POST /chatbox/sessions", body, &a);
    assert_int_equal(a.status, 201);
    assert_int_equal(strlen(text_at(a.json, "id")), 32);
    snprintf(id, 64, "%s", text_at(a.json, "id"));
    answer_fini(&a);
}

/* "METHOD /chatbox/sessions/ID<rest>". */
static void
ask_one(struct house *h, const char *user, const char *method, const char *id,
        const char *rest, const char *body, struct answer *a)
{
    char line[512];

    snprintf(line, sizeof(line), "%s /chatbox/sessions/%s%s", method, id, rest);
    ask_as(h, user, line, body, a);
}

static void
test_a_new_session_is_an_item(void **state)
{
    struct house h;
    struct answer a;

    (void)state;
    house_open(&h);
    ask_as(&h, "ann", "POST /chatbox/sessions",
           "{\"name\":\" Caf\xc3\xa9\\u0000 \",\"model_id\":\"m2\"}", &a);
    assert_int_equal(a.status, 201);
    assert_string_equal(text_at(a.json, "id"), text_at(a.json, "session_id"));
    assert_string_equal(text_at(a.json, "user_id"), "ann");
    assert_string_equal(text_at(a.json, "name"), "Caf\xc3\xa9");
    assert_string_equal(text_at(a.json, "model_id"), "m2");
    assert_true(json_is_true(json_object_get(a.json, "is_active")));
    assert_null(json_object_get(a.json, "end_time"));
    assert_null(json_object_get(a.json, "connections"));
    answer_fini(&a);
    house_close(&h);
}

static void
test_a_name_has_1_to_200_characters(void **state)
{
    struct house h;

    (void)state;
    house_open(&h);
    for (int extra = 0; extra < 2; extra++) {
        char body[1024] = "{\"name\":\"";
        struct answer a;

        for (int i = 0; i < 200 + extra; i++) {
            strncat(body, "\xc3\xa9", 3);
        }
        strncat(body, "\"}", 3);
        ask_as(&h, "ann", "POST /chatbox/sessions", body, &a);
        assert_int_equal(a.status, extra == 0 ? 201 : 400);
        answer_fini(&a);
    }
    house_close(&h);
}

/* Walks the list in pages of limit; count of all, none twice, newest first. */
static void
walk(struct house *h, const char *limit, size_t total)
{
    char cursor[1024] = "", seen[32][64];
    size_t count = 0;
    bool more = true;

    while (more) {
        char line[2048];
        struct answer a;
        json_t *item;
        size_t i;

        snprintf(line, sizeof(line), "GET /chatbox/sessions?limit=%s%s%s",
                 limit, cursor[0] != '\0' ? "&cursor=" : "", cursor);
        ask_as(h, "ann", line, NULL, &a);
        assert_int_equal(a.status, 200);
        assert_string_equal(text_at(a.json, "user_id"), "ann");
        assert_int_equal(int_at(a.json, "limit"), strtol(limit, NULL, 10));
        json_array_foreach(json_object_get(a.json, "sessions"), i, item)
        {
            assert_true(count < COUNT_OF(seen));
            snprintf(seen[count], 64, "%s", text_at(item, "id"));
            for (size_t k = 0; k < count; k++) {
                assert_string_not_equal(seen[k], seen[count]);
            }
            count++;
        }
        assert_int_equal(int_at(a.json, "count"), i);
        more = json_is_true(json_object_get(a.json, "truncated"));
        assert_int_equal(json_object_get(a.json, "next_cursor") != NULL, more);
        snprintf(cursor, sizeof(cursor), "%s", text_at(a.json, "next_cursor"));
        answer_fini(&a);
    }
    assert_int_equal(count, total);
}

static void
test_a_list_is_walked_by_its_cursor(void **state)
{
    struct house h;
    char id[64];

    (void)state;
    house_open(&h);
    walk(&h, "3", 0);
    for (int i = 0; i < 6; i++) {
        create(&h, "ann", "", id);
    }
    create(&h, "bob", "", id);
    walk(&h, "1", 6);
    walk(&h, "3", 6);
    walk(&h, "4", 6);
    walk(&h, "6", 6);
    walk(&h, "100", 6);
    house_close(&h);
}

static void
test_a_list_can_be_searched_by_name(void **state)
{
    struct house h;
    struct answer a;
    char id[64];

    (void)state;
    house_open(&h);
    create(&h, "ann", "{\"name\":\"Bread recipe\"}", id);
    create(&h, "ann", "{\"name\":\"Holidays\"}", id);
    ask_as(&h, "ann", "GET /chatbox/sessions?q=recipe", NULL, &a);
    assert_int_equal(int_at(a.json, "count"), 1);
    answer_fini(&a);
    ask_as(&h, "ann", "GET /chatbox/sessions?q=%25", NULL, &a);
    assert_int_equal(int_at(a.json, "count"), 0);
    answer_fini(&a);
    ask_as(&h, "bob", "GET /chatbox/sessions?q=recipe", NULL, &a);
    assert_int_equal(int_at(a.json, "count"), 0);
    answer_fini(&a);
    house_close(&h);
}

static void
test_a_patch_changes_what_it_names(void **state)
{
    struct house h;
    struct answer a;
    char id[64];

    (void)state;
    house_open(&h);
    create(&h, "ann", "{\"name\":\"one\",\"model_id\":\"m2\"}", id);
    ask_one(&h, "ann", "PATCH", id, "", "{}", &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(text_at(a.json, "name"), "one");
    answer_fini(&a);
    ask_one(&h, "ann", "PATCH", id, "", "{\"archived\":true}", &a);
    assert_true(json_is_true(json_object_get(a.json, "archived")));
    assert_string_equal(text_at(a.json, "name"), "one");
    answer_fini(&a);
    ask_one(&h, "ann", "PATCH", id, "",
            "{\"name\":\"two\",\"model_id\":\"m1\",\"archived\":false}", &a);
    assert_string_equal(text_at(a.json, "name"), "two");
    assert_string_equal(text_at(a.json, "model_id"), "m1");
    assert_false(json_is_true(json_object_get(a.json, "archived")));
    answer_fini(&a);
    house_close(&h);
}

static void
test_ending_twice_changes_nothing(void **state)
{
    struct house h;
    struct answer a;
    char id[64], end[64];

    (void)state;
    house_open(&h);
    create(&h, "ann", "", id);
    for (int i = 0; i < 2; i++) {
        ask_one(&h, "ann", "POST", id, "/end", "", &a);
        assert_int_equal(a.status, 200);
        assert_string_equal(a.body, "{\"status\":\"ended\"}");
        answer_fini(&a);
        ask_one(&h, "ann", "PATCH", id, "", "", &a);
        assert_false(json_is_true(json_object_get(a.json, "is_active")));
        if (i == 0) {
            snprintf(end, sizeof(end), "%s", text_at(a.json, "end_time"));
        }
        assert_string_equal(text_at(a.json, "end_time"), end);
        answer_fini(&a);
    }
    house_close(&h);
}

/* Every route of one session. */
static const struct {
    const char *method;
    const char *rest;
} routes[] = {{"GET", ""},        {"PATCH", ""},
              {"DELETE", ""},     {"POST", "/end"},
              {"POST", "/share"}, {"DELETE", "/share"},
              {"GET", "/export"}, {"GET", "/export?format=md"}};

/* The whole answer but for what differs from one to the next. */
static void
strip(struct answer *a)
{
    char *ids[] = {strstr(a->head, "X-Request-Id: ") + 14,
                   strstr(a->body, "\"request_id\":\"") + 14};
    char *date = strstr(a->head, "Date: ") + 6;

    memset(ids[0], 'x', 32);
    memset(ids[1], 'x', 32);
    memset(date, 'x', strlen("Sun, 06 Nov 1994 08:49:37 GMT"));
}

static void
test_anothers_id_is_answered_exactly_like_an_unknown_one(void **state)
{
    static const char *const unknown[] = {
        "0123456789abcdef0123456789abcdef", "0123456789ABCDEF0123456789ABCDEF",
        "short", "0123456789abcdef0123456789abcdef0", "%c3%a9"};
    struct house h;
    char id[64];

    (void)state;
    house_open(&h);
    create(&h, "bob", "{\"name\":\"mine\"}", id);
    for (size_t r = 0; r < COUNT_OF(routes); r++) {
        struct answer theirs;

        ask_one(&h, "ann", routes[r].method, id, routes[r].rest, "{}", &theirs);
        assert_error(&theirs, 404, "NOT_FOUND", NULL);
        strip(&theirs);
        for (size_t i = 0; i < COUNT_OF(unknown); i++) {
            struct answer a;

            ask_one(&h, "ann", routes[r].method, unknown[i], routes[r].rest,
                    "{}", &a);
            strip(&a);
            assert_string_equal(a.head, theirs.head);
            assert_string_equal(a.body, theirs.body);
            answer_fini(&a);
        }
        answer_fini(&theirs);
    }
    house_close(&h);
}

static void
test_a_deleted_session_is_gone(void **state)
{
    struct house h;
    struct answer a;
    char id[64];

    (void)state;
    house_open(&h);
    create(&h, "ann", "", id);
    ask_one(&h, "ann", "DELETE", id, "", NULL, &a);
    assert_int_equal(a.status, 204);
    assert_common_headers(&a);
    answer_fini(&a);
    for (size_t r = 0; r < COUNT_OF(routes); r++) {
        ask_one(&h, "ann", routes[r].method, id, routes[r].rest, "{}", &a);
        assert_error(&a, 404, "NOT_FOUND", NULL);
        answer_fini(&a);
    }
    house_close(&h);
}

static void
test_a_share_is_one_token_until_it_is_taken_back(void **state)
{
    struct house h;
    struct answer a;
    char id[64], first[64];

    (void)state;
    house_open(&h);
    create(&h, "ann", "", id);
    ask_one(&h, "ann", "POST", id, "/share", NULL, &a);
    assert_int_equal(a.status, 200);
    assert_common_headers(&a);
    assert_int_equal(json_object_size(a.json), 1);
    snprintf(first, sizeof(first), "%s", text_at(a.json, "share_token"));
    assert_int_equal(strlen(first), 32);
    answer_fini(&a);
    ask_one(&h, "ann", "POST", id, "/share", "{}", &a);
    assert_string_equal(text_at(a.json, "share_token"), first);
    answer_fini(&a);
    for (int i = 0; i < 2; i++) {
        ask_one(&h, "ann", "DELETE", id, "/share", NULL, &a);
        assert_int_equal(a.status, 204);
        answer_fini(&a);
    }
    ask_one(&h, "ann", "POST", id, "/share", NULL, &a);
    assert_string_not_equal(text_at(a.json, "share_token"), first);
    answer_fini(&a);
    house_close(&h);
}

/* Three turns over a socket; the session's id goes into id. */
static void
converse(struct house *h, char id[64])
{
    struct client c;
    struct answer a;
    char *token = token_of("ann");
    json_t *first;

    client_open(h, &c);
    client_upgrade(&c, token, "", &a);
    answer_fini(&a);
    first = client_until(&c, "connection_status");
    snprintf(id, 64, "%s", text_at(first, "session_id"));
    json_decref(first);
    for (int i = 0; i < 3; i++) {
        json_t *frame = NULL;
        bool done = false;

        client_say(&c, "{\"type\":\"user_message\",\"content\":\"hello\"}");
        while (!done) {
            frame = client_until(&c, "ai_response");
            done = json_object_get(frame, "finish_reason") != NULL;
            json_decref(frame);
        }
    }
    client_close(&c);
    xfree(token);
}

static void
test_messages_are_read_from_the_newest_page_back(void **state)
{
    struct house h;
    struct answer a;
    const json_t *messages;
    char id[64], rest[64];
    int64_t before = 0, last = 7;
    int pages = 0;

    (void)state;
    house_open(&h);
    converse(&h, id);
    ask_one(&h, "ann", "GET", id, "", NULL, &a);
    messages = json_object_get(a.json, "messages");
    assert_int_equal(json_array_size(messages), 6);
    assert_null(json_object_get(a.json, "next_before_seq"));
    assert_string_equal(text_at(a.json, "session_id"), id);
    assert_string_equal(text_at(a.json, "model_id"), "m1");
    assert_non_null(json_object_get(a.json, "name"));
    answer_fini(&a);
    do {
        snprintf(rest, sizeof(rest), "?limit=4%s%.0lld",
                 before > 0 ? "&before_seq=" : "", (long long)before);
        ask_one(&h, "ann", "GET", id, rest, NULL, &a);
        messages = json_object_get(a.json, "messages");
        for (size_t i = json_array_size(messages); i-- > 0;) {
            last--;
            assert_int_equal(int_at(json_array_get(messages, i), "seq"), last);
        }
        before = int_at(a.json, "next_before_seq");
        answer_fini(&a);
        pages++;
    } while (before > 0);
    assert_int_equal(last, 1);
    assert_int_equal(pages, 2);
    house_close(&h);
}

static void
test_open_sockets_are_told_of_end_and_deletion(void **state)
{
    struct house h;
    struct client c;
    struct answer a;
    char id[64], query[128];
    char *token = token_of("ann");
    json_t *frame;

    (void)state;
    house_open(&h);
    create(&h, "ann", "", id);
    snprintf(query, sizeof(query), "?session_id=%s", id);
    client_open(&h, &c);
    client_upgrade(&c, token, query, &a);
    answer_fini(&a);
    json_decref(client_until(&c, "connection_status"));
    ask_one(&h, "ann", "POST", id, "/end", "", &a);
    answer_fini(&a);
    frame = client_until(&c, "connection_status");
    assert_string_equal(text_at(json_object_get(frame, "metadata"), "event"),
                        "session_ended");
    json_decref(frame);
    ask_one(&h, "ann", "DELETE", id, "", NULL, &a);
    answer_fini(&a);
    assert_int_equal(client_close_code(&c), 4410);
    client_close(&c);
    xfree(token);
    house_close(&h);
}

static void
test_models_are_in_the_order_of_the_settings(void **state)
{
    struct house h;
    struct answer a;

    (void)state;
    house_open(&h);
    ask_as(&h, "ann", "GET /chatbox/models", NULL, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "{\"models\":["
                                "{\"id\":\"m1\",\"name\":\"Model "
                                "One\",\"type\":\"demo\",\"vision\":false},"
                                "{\"id\":\"m2\",\"name\":\"Model "
                                "Two\",\"type\":\"demo\",\"vision\":false}],"
                                "\"default\":\"m1\"}");
    answer_fini(&a);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_session_is_an_item),
        cmocka_unit_test(test_a_name_has_1_to_200_characters),
        cmocka_unit_test(test_a_list_is_walked_by_its_cursor),
        cmocka_unit_test(test_a_list_can_be_searched_by_name),
        cmocka_unit_test(test_a_patch_changes_what_it_names),
        cmocka_unit_test(test_ending_twice_changes_nothing),
        cmocka_unit_test(
            test_anothers_id_is_answered_exactly_like_an_unknown_one),
        cmocka_unit_test(test_a_deleted_session_is_gone),
        cmocka_unit_test(test_a_share_is_one_token_until_it_is_taken_back),
        cmocka_unit_test(test_messages_are_read_from_the_newest_page_back),
        cmocka_unit_test(test_open_sockets_are_told_of_end_and_deletion),
        cmocka_unit_test(test_models_are_in_the_order_of_the_settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
