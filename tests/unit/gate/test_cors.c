/* SPDX-License-Identifier: MIT */
#include "gate/cors.h"

#include "fixture.h"

#define LISTED "Origin: https://app.example\r\n"
#define OTHER "Origin: https://evil.example\r\n"
#define PREFLIGHT "Access-Control-Request-Method: POST\r\n"

static void
open_with(struct house *h, const char *origin)
{
    house_prepare(h);
    h->cors_origins[0] = origin;
    house_start(h);
}

static bool
has_cors(const struct answer *a)
{
    return strstr(a->head, "\r\nAccess-Control-") != NULL;
}

static void
test_a_listed_origin_is_echoed_on_every_answer(void **state)
{
    static const char *const lines[] = {
        "GET /chatbox/healthz", "GET /chatbox/sessions", "GET /chatbox/nothing",
        "PUT /chatbox/sessions", "GET /chatbox/ws"};
    struct house h;

    (void)state;
    open_with(&h, "https://app.example");
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct answer a;

        ask(&h, lines[i], LISTED, NULL, &a);
        assert_string_equal(header_of(&a, "Access-Control-Allow-Origin"),
                            "https://app.example");
        assert_string_equal(header_of(&a, "Vary"), "Origin");
        assert_false(has_header(&a, "Access-Control-Allow-Credentials"));
        answer_fini(&a);
    }
    house_close(&h);
}

static void
test_another_origin_is_answered_without_cors_headers(void **state)
{
    static const char *const origins[] = {"", OTHER, "Origin: null\r\n",
                                          LISTED OTHER};
    struct house h;

    (void)state;
    open_with(&h, "https://app.example");
    for (size_t i = 0; i < COUNT_OF(origins); i++) {
        struct answer a;

        ask(&h, "GET /chatbox/healthz", origins[i], NULL, &a);
        assert_int_equal(a.status, 200);
        assert_false(has_cors(&a));
        assert_string_equal(header_of(&a, "Vary"), "Origin");
        answer_fini(&a);
    }
    house_close(&h);
}

static void
test_a_preflight_is_answered_for_a_listed_origin_alone(void **state)
{
    struct house h;
    struct answer a;

    (void)state;
    open_with(&h, "https://app.example");
    ask(&h, "OPTIONS /chatbox/sessions", LISTED PREFLIGHT, NULL, &a);
    assert_int_equal(a.status, 204);
    assert_string_equal(header_of(&a, "Access-Control-Allow-Origin"),
                        "https://app.example");
    assert_string_equal(header_of(&a, "Access-Control-Allow-Methods"),
                        "GET, HEAD, POST, OPTIONS");
    assert_non_null(
        strstr(header_of(&a, "Access-Control-Allow-Headers"), "Authorization"));
    answer_fini(&a);

    ask(&h, "OPTIONS /chatbox/sessions", OTHER PREFLIGHT, NULL, &a);
    assert_error(&a, 403, "FORBIDDEN", NULL);
    assert_false(has_cors(&a));
    answer_fini(&a);

    ask(&h, "OPTIONS /chatbox/nothing", LISTED PREFLIGHT, NULL, &a);
    assert_error(&a, 404, "NOT_FOUND", NULL);
    answer_fini(&a);
    house_close(&h);
}

static void
test_options_without_a_preflight_says_what_is_allowed(void **state)
{
    static const char *const headers[] = {"", OTHER, PREFLIGHT};
    struct house h;

    (void)state;
    open_with(&h, "https://app.example");
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        struct answer a;

        ask(&h, "OPTIONS /chatbox/models", headers[i], NULL, &a);
        assert_int_equal(a.status, 204);
        assert_string_equal(header_of(&a, "Allow"), "GET, HEAD, OPTIONS");
        assert_false(has_cors(&a));
        answer_fini(&a);
    }
    house_close(&h);
}

static void
test_without_configuration_there_is_no_cors(void **state)
{
    struct house h;
    struct answer a;

    (void)state;
    house_open(&h);
    ask(&h, "GET /chatbox/healthz", LISTED, NULL, &a);
    assert_false(has_cors(&a));
    assert_false(has_header(&a, "Vary"));
    answer_fini(&a);
    ask(&h, "OPTIONS /chatbox/sessions", LISTED PREFLIGHT, NULL, &a);
    assert_int_equal(a.status, 204);
    assert_false(has_cors(&a));
    answer_fini(&a);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_listed_origin_is_echoed_on_every_answer),
        cmocka_unit_test(test_another_origin_is_answered_without_cors_headers),
        cmocka_unit_test(
            test_a_preflight_is_answered_for_a_listed_origin_alone),
        cmocka_unit_test(test_options_without_a_preflight_says_what_is_allowed),
        cmocka_unit_test(test_without_configuration_there_is_no_cors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
