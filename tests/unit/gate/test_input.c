/* SPDX-License-Identifier: MIT */
#include "gate/input.h"

#include "fixture.h"

#define EXPORT "/chatbox/sessions/0123456789abcdef0123456789abcdef/export"

/* --- queries, as the list of sessions and the page of messages take them - */

static const struct {
    const char *line;
    int status;
    const char *field;
} queries[] = {
    {"GET /chatbox/sessions?limit=1", 200, NULL},
    {"GET /chatbox/sessions?limit=100", 200, NULL},
    {"GET /chatbox/sessions?limit=007", 200, NULL},
    {"GET /chatbox/sessions?lim%69t=5", 200, NULL},
    {"GET /chatbox/sessions?other=%ff&&=&x", 200, NULL},
    {"GET /chatbox/sessions?limit=0", 400, "limit"},
    {"GET /chatbox/sessions?limit=101", 400, "limit"},
    {"GET /chatbox/sessions?limit=-1", 400, "limit"},
    {"GET /chatbox/sessions?limit=+1", 400, "limit"},
    {"GET /chatbox/sessions?limit=1.0", 400, "limit"},
    {"GET /chatbox/sessions?limit=1e1", 400, "limit"},
    {"GET /chatbox/sessions?limit=0x5", 400, "limit"},
    {"GET /chatbox/sessions?limit=ten", 400, "limit"},
    {"GET /chatbox/sessions?limit=", 400, "limit"},
    {"GET /chatbox/sessions?limit", 400, "limit"},
    {"GET /chatbox/sessions?limit=1&limit=1", 400, "limit"},
    {"GET /chatbox/sessions?limit=18446744073709551617", 400, "limit"},
    {"GET /chatbox/sessions?limit=1%00", 400, "limit"},
    {"GET /chatbox/sessions?cursor=", 200, NULL},
    {"GET /chatbox/sessions?cursor=rubbish", 400, "cursor"},
    {"GET /chatbox/sessions?cursor=%00", 400, "cursor"},
    {"GET /chatbox/sessions?cursor=a&cursor=b", 400, "cursor"},
    {"GET /chatbox/sessions?q=", 200, NULL},
    {"GET /chatbox/sessions?q=%22%27%25_*", 200, NULL},
    {"GET /chatbox/sessions?q=%c3%a9+x", 200, NULL},
    {"GET /chatbox/sessions?q=%ff", 400, "q"},
    {"GET /chatbox/sessions?q=a%00b", 400, "q"},
    {"GET " EXPORT, 404, NULL},
    {"GET " EXPORT "?format=json", 404, NULL},
    {"GET " EXPORT "?for%6dat=m%64", 404, NULL},
    {"GET " EXPORT "?format=", 400, "format"},
    {"GET " EXPORT "?format=JSON", 400, "format"},
    {"GET " EXPORT "?format=md%00", 400, "format"},
    {"GET " EXPORT "?format=md&format=md", 400, "format"},
    {"GET /chatbox/sessions/0123456789abcdef0123456789abcdef?limit=1001", 400,
     "limit"},
    {"GET /chatbox/sessions/0123456789abcdef0123456789abcdef?before_seq=0", 400,
     "before_seq"},
    {"GET /chatbox/sessions/0123456789abcdef0123456789abcdef?before_seq=x", 400,
     "before_seq"},
    {"GET /chatbox/sessions/0123456789abcdef0123456789abcdef"
     "?before_seq=9223372036854775808",
     400, "before_seq"},
    {"GET /chatbox/sessions/0123456789abcdef0123456789abcdef"
     "?limit=1000&before_seq=9223372036854775807",
     404, NULL},
};

static void
test_a_bad_value_of_a_query_is_named(void **state)
{
    struct house h;

    (void)state;
    house_open(&h);
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        struct answer a;

        ask_as(&h, "ann", queries[i].line, NULL, &a);
        if (a.status != queries[i].status) {
            fail_msg("%s: %d", queries[i].line, a.status);
        }
        if (a.status == 400) {
            assert_error(&a, 400, "BAD_REQUEST", queries[i].field);
        }
        answer_fini(&a);
    }
    house_close(&h);
}

static void
test_the_length_of_a_search_is_limited(void **state)
{
    struct house h;

    (void)state;
    house_open(&h);
    for (size_t extra = 0; extra < 2; extra++) {
        char line[2048] = "GET /chatbox/sessions?q=";
        size_t n = strlen(line);
        struct answer a;

        memset(line + n, 'a', STORE_QUERY_BYTES + extra);
        ask_as(&h, "ann", line, NULL, &a);
        assert_int_equal(a.status, extra == 0 ? 200 : 400);
        answer_fini(&a);
    }
    house_close(&h);
}

/* --- bodies, as a new session takes them -------------------------------- */

static const struct {
    const char *body;
    int status;
    const char *field;
} bodies[] = {
    {"", 201, NULL},
    {" \r\n\t", 201, NULL},
    {"{}", 201, NULL},
    {" { } ", 201, NULL},
    {"{\"name\":\"n\",\"other\":[{\"name\":1}]}", 201, NULL},
    {"{\"other\":123456789012345678901234567890}", 201, NULL},
    {"{\"na\\u006de\":\"n\"}", 201, NULL},
    {"[]", 400, NULL},
    {"null", 400, NULL},
    {"1", 400, NULL},
    {"\"x\"", 400, NULL},
    {"{", 400, NULL},
    {"{}{}", 400, NULL},
    {"{} x", 400, NULL},
    {"{\"name\":\"a\",}", 400, NULL},
    {"{'name':'a'}", 400, NULL},
    {"{\"name\":\"a\",\"name\":\"a\"}", 400, NULL},
    {"{\"name\":\"\\ud800\"}", 400, NULL},
    {"{\"name\":\"\xff\"}", 400, NULL},
    {"\xef\xbb\xbf{}", 400, NULL},
    {"{\"name\":1}", 400, "name"},
    {"{\"name\":null}", 400, "name"},
    {"{\"name\":[]}", 400, "name"},
    {"{\"name\":\"\"}", 400, "name"},
    {"{\"name\":\"  \"}", 400, "name"},
    {"{\"name\":\"\\u0000\"}", 400, "name"},
    {"{\"model_id\":true}", 400, "model_id"},
    {"{\"model_id\":\"\"}", 400, "model_id"},
    {"{\"model_id\":\"m3\"}", 400, "model_id"},
    {"{\"model_id\":\"m2\"}", 201, NULL},
};

static void
test_a_body_is_one_json_object_with_the_right_types(void **state)
{
    struct house h;

    (void)state;
    house_open(&h);
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct answer a;

        ask_as(&h, "ann", "POST /chatbox/sessions", bodies[i].body, &a);
        if (a.status != bodies[i].status) {
            fail_msg("%s: %d", bodies[i].body, a.status);
        }
        if (a.status == 400) {
            assert_error(&a, 400, "BAD_REQUEST", bodies[i].field);
        }
        answer_fini(&a);
    }
    house_close(&h);
}

static void
test_a_flag_is_a_boolean(void **state)
{
    static const char *const bad[] = {"{\"archived\":1}", "{\"archived\":null}",
                                      "{\"archived\":\"true\"}"};
    struct house h;

    (void)state;
    house_open(&h);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct answer a;

        ask_as(&h, "ann",
               "PATCH /chatbox/sessions/0123456789abcdef0123456789abcdef",
               bad[i], &a);
        assert_error(&a, 400, "BAD_REQUEST", "archived");
        answer_fini(&a);
    }
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bad_value_of_a_query_is_named),
        cmocka_unit_test(test_the_length_of_a_search_is_limited),
        cmocka_unit_test(test_a_body_is_one_json_object_with_the_right_types),
        cmocka_unit_test(test_a_flag_is_a_boolean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
