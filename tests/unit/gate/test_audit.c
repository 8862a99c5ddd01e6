/* SPDX-License-Identifier: MIT */
#include "gate/audit.h"

#include "fixture.h"

#define AUDIT "GET /chatbox/admin/audit"

static void
read_transcript(struct house *h, const char *operator_id, const char *sid)
{
    char line[128];
    struct answer a;

    snprintf(line, sizeof(line), "GET /chatbox/admin/sessions/%s", sid);
    ask_operator(h, operator_id, line, &a);
    assert_int_equal(a.status, 200);
    answer_fini(&a);
}

static void
test_reads_and_deletes_are_events(void **state)
{
    struct house h;
    struct answer a;
    const json_t *events, *event;
    char id[64], line[128];

    (void)state;
    house_open(&h);
    make_session(&h, "ann", id);
    read_transcript(&h, "olga", id);
    snprintf(line, sizeof(line), "DELETE /chatbox/sessions/%s", id);
    ask_as(&h, "ann", line, NULL, &a);
    assert_int_equal(a.status, 204);
    answer_fini(&a);
    ask_operator(&h, "olga", AUDIT, &a);
    events = json_object_get(a.json, "events");
    assert_int_equal(json_array_size(events), 2);
    assert_null(json_object_get(a.json, "next_cursor"));
    event = json_array_get(events, 0);
    assert_string_equal(text_at(event, "action"), "delete");
    assert_string_equal(text_at(event, "actor"), "ann");
    event = json_array_get(events, 1);
    assert_string_equal(text_at(event, "action"), "transcript_read");
    assert_string_equal(text_at(event, "actor"), "olga");
    assert_string_equal(text_at(event, "session_id"), id);
    assert_int_equal(strlen(text_at(event, "at")), 24);
    assert_true(json_is_string(json_object_get(event, "detail")));
    answer_fini(&a);
    house_close(&h);
}

static void
test_a_query_chooses_and_a_cursor_goes_on(void **state)
{
    struct house h;
    struct answer a;
    char one[64], two[64], line[256];

    (void)state;
    house_open(&h);
    make_session(&h, "ann", one);
    make_session(&h, "ann", two);
    read_transcript(&h, "olga", one);
    read_transcript(&h, "max", one);
    read_transcript(&h, "olga", two);
    ask_operator(&h, "olga", AUDIT "?actor=olga&limit=1", &a);
    assert_int_equal(json_array_size(json_object_get(a.json, "events")), 1);
    snprintf(line, sizeof(line), AUDIT "?actor=olga&limit=1&cursor=%s",
             text_at(a.json, "next_cursor"));
    answer_fini(&a);
    ask_operator(&h, "olga", line, &a);
    assert_string_equal(
        text_at(json_array_get(json_object_get(a.json, "events"), 0),
                "session_id"),
        one);
    assert_null(json_object_get(a.json, "next_cursor"));
    answer_fini(&a);
    snprintf(line, sizeof(line), AUDIT "?session_id=%s", one);
    ask_operator(&h, "olga", line, &a);
    assert_int_equal(json_array_size(json_object_get(a.json, "events")), 2);
    answer_fini(&a);
    house_close(&h);
}

static void
test_a_bad_value_is_named(void **state)
{
    static const struct {
        const char *line, *field;
    } cases[] = {
        {AUDIT "?limit=0", "limit"},
        {AUDIT "?limit=1001", "limit"},
        {AUDIT "?cursor=x", "cursor"},
        {AUDIT "?actor=", "actor"},
        {AUDIT "?session_id=", "session_id"},
        {AUDIT "?session_id=x", "session_id"},
        {AUDIT "?session_id=0123456789ABCDEF0123456789ABCDEF", "session_id"},
        {AUDIT "?session_id=0123456789abcdef0123456789abcdef0", "session_id"},
    };
    struct house h;

    (void)state;
    house_open(&h);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct answer a;

        ask_operator(&h, "olga", cases[i].line, &a);
        assert_error(&a, 400, "BAD_REQUEST", cases[i].field);
        answer_fini(&a);
    }
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_and_deletes_are_events),
        cmocka_unit_test(test_a_query_chooses_and_a_cursor_goes_on),
        cmocka_unit_test(test_a_bad_value_is_named),
    };

    return cmocka_run_group_tests_name("gate/audit", tests, NULL, NULL);
}
