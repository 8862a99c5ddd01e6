/* SPDX-License-Identifier: MIT */
#include "gate/pages.h"

#include "fixture.h"
#include "gate/assets.h"

/* In place of the built ones. */
#define INDEX "<!doctype html>index"
#define SCRIPT "script, script, script"
#define ZIPPED "zipped"

const struct asset assets[] = {
    {"index.html", (const unsigned char *)INDEX, sizeof(INDEX) - 1, NULL, 0,
     "\"i1\"", "text/html; charset=utf-8", false},
    {"assets/app-1.js", (const unsigned char *)SCRIPT, sizeof(SCRIPT) - 1,
     (const unsigned char *)ZIPPED, sizeof(ZIPPED) - 1, "\"s1\"",
     "text/javascript", true},
};
const size_t asset_count = COUNT_OF(assets);

static void
test_the_root_is_the_index_page_with_a_strict_policy(void **state)
{
    static const char *const paths[] = {"GET /chatbox/",
                                        "GET /chatbox/index.html"};
    struct house h;

    (void)state;
    house_open(&h);
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct answer a;

        ask(&h, paths[i], "", NULL, &a);
        assert_int_equal(a.status, 200);
        assert_common_headers(&a);
        assert_string_equal(a.body, INDEX);
        assert_string_equal(header_of(&a, "Content-Type"),
                            "text/html; charset=utf-8");
        assert_string_equal(header_of(&a, "Cache-Control"), "no-cache");
        assert_string_equal(header_of(&a, "ETag"), "\"i1\"");
        assert_non_null(strstr(header_of(&a, "Content-Security-Policy"),
                               "script-src 'self';"));
        assert_null(strstr(a.head, "unsafe"));
        answer_fini(&a);
    }
    house_close(&h);
}

static void
test_the_prefix_alone_leads_to_the_page(void **state)
{
    struct house h;
    struct answer a;

    (void)state;
    house_open(&h);
    ask(&h, "GET /chatbox", "", NULL, &a);
    assert_int_equal(a.status, 308);
    assert_string_equal(header_of(&a, "Location"), "/chatbox/");
    answer_fini(&a);
    assert_refused(&h, "GET /chatbox/assets", "", 404, "NOT_FOUND", NULL);
    assert_refused(&h, "GET /chatbox/assets/", "", 404, "NOT_FOUND", NULL);
    assert_refused(&h, "GET /chatbox//index.html", "", 404, "NOT_FOUND", NULL);
    assert_refused(&h, "POST /chatbox/assets/app-1.js", "", 405,
                   "METHOD_NOT_ALLOWED", NULL);
    house_close(&h);
}

static const struct {
    const char *header;
    bool zipped;
} encodings[] = {
    {"", false},
    {"Accept-Encoding: gzip\r\n", true},
    {"Accept-Encoding: GZIP\r\n", true},
    {"Accept-Encoding: br, gzip;q=0.5\r\n", true},
    {"Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n", true},
    {"Accept-Encoding: gzip; q=0.001\r\n", true},
    {"Accept-Encoding: gzip;q=1.0\r\n", true},
    {"Accept-Encoding: br, deflate\r\n", false},
    {"Accept-Encoding: gzip;q=0\r\n", false},
    {"Accept-Encoding: gzip ; Q=0.0\r\n", false},
    {"Accept-Encoding: gzip;q=0.000, br\r\n", false},
    {"Accept-Encoding: identity\r\n", false},
    {"Accept-Encoding: gzipped\r\n", false},
    {"Accept-Encoding: *\r\n", false},
    {"Accept-Encoding:\r\n", false},
};

static void
test_an_asset_is_sent_as_gzip_to_those_who_take_it(void **state)
{
    struct house h;

    (void)state;
    house_open(&h);
    for (size_t i = 0; i < COUNT_OF(encodings); i++) {
        bool zipped = encodings[i].zipped;
        struct answer a;

        ask(&h, "GET /chatbox/assets/app-1.js", encodings[i].header, NULL, &a);
        if (strcmp(a.body, zipped ? ZIPPED : SCRIPT) != 0) {
            fail_msg("%s", encodings[i].header);
        }
        assert_int_equal(has_header(&a, "Content-Encoding"), zipped);
        assert_string_equal(header_of(&a, "Vary"), "Accept-Encoding");
        assert_string_equal(header_of(&a, "ETag"),
                            zipped ? "\"s1-gz\"" : "\"s1\"");
        assert_string_equal(header_of(&a, "Cache-Control"),
                            "public, max-age=31536000, immutable");
        answer_fini(&a);
    }
    house_close(&h);
}

static const struct {
    const char *headers;
    int status;
} conditions[] = {
    {"If-None-Match: \"s1\"\r\n", 304},
    {"If-None-Match: W/\"s1\"\r\n", 304},
    {"If-None-Match: \"a\", \"s1\"\r\n", 304},
    {"If-None-Match: \"a\"\r\nIf-None-Match: \"s1\"\r\n", 304},
    {"If-None-Match: *\r\n", 304},
    {"If-None-Match: \"s1-gz\"\r\nAccept-Encoding: gzip\r\n", 304},
    {"If-None-Match: \"s1-gz\"\r\n", 200},
    {"If-None-Match: \"s1\"\r\nAccept-Encoding: gzip\r\n", 200},
    {"If-None-Match: s1\r\n", 200},
    {"If-None-Match: \"s\"\r\n", 200},
    {"If-None-Match: w/\"s1\"\r\n", 200},
    {"If-None-Match:\r\n", 200},
};

static void
test_who_has_it_already_gets_304_without_a_body(void **state)
{
    struct house h;

    (void)state;
    house_open(&h);
    for (size_t i = 0; i < COUNT_OF(conditions); i++) {
        struct answer a;

        ask(&h, "GET /chatbox/assets/app-1.js", conditions[i].headers, NULL,
            &a);
        if (a.status != conditions[i].status) {
            fail_msg("%s: %d", conditions[i].headers, a.status);
        }
        assert_common_headers(&a);
        assert_true(has_header(&a, "ETag"));
        if (a.status == 304) {
            assert_int_equal(a.body_n, 0);
            assert_false(has_header(&a, "Content-Type"));
            assert_false(has_header(&a, "Content-Encoding"));
        }
        answer_fini(&a);
    }
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_root_is_the_index_page_with_a_strict_policy),
        cmocka_unit_test(test_the_prefix_alone_leads_to_the_page),
        cmocka_unit_test(test_an_asset_is_sent_as_gzip_to_those_who_take_it),
        cmocka_unit_test(test_who_has_it_already_gets_304_without_a_body),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
