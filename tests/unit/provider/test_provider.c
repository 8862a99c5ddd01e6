/* SPDX-License-Identifier: MIT */
#include "provider/provider.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
a_sealed_request_has_its_url_and_headers(void **state)
{
    struct provider_request r;

    (void)state;
    provider_request_init(&r, 100);
    provider_request_put(&r, NULL, STR("https://h/"));
    for (int i = 0; i < PROVIDER_HEADERS_MAX; i++) {
        provider_request_put(&r, "X-Name", STR("value"));
    }
    assert_int_equal(provider_request_seal(&r), ERR_OK);
    assert_string_equal(r.url, "https://h/");
    for (int i = 0; i < PROVIDER_HEADERS_MAX; i++) {
        assert_string_equal(r.headers[i], "X-Name: value");
    }
    assert_null(r.headers[PROVIDER_HEADERS_MAX]);
    provider_request_fini(&r);
    assert_null(r.url);
    assert_null(r.headers[0]);
    provider_request_fini(&r);
}

static void
a_control_character_is_refused(void **state)
{
    static const char *const values[] = {"a\nb", "a\r", "\t", "\x7F", "\x01"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct provider_request r;

        provider_request_init(&r, 100);
        provider_request_put(&r, NULL, STR("https://h/"));
        provider_request_put(&r, "X-Name", str_from(values[i]));
        assert_int_equal(provider_request_seal(&r), ERR_INVALID_FORMAT);
        provider_request_fini(&r);
    }
}

static void
a_body_or_a_header_beyond_its_maximum_is_refused(void **state)
{
    struct provider_request r;
    char large[70000];

    (void)state;
    provider_request_init(&r, 3);
    provider_request_put(&r, NULL, STR("https://h/"));
    buf_puts(&r.body, "abc");
    assert_int_equal(provider_request_seal(&r), ERR_OK);
    buf_putc(&r.body, 'd');
    assert_int_equal(provider_request_seal(&r), ERR_TOO_BIG);
    provider_request_fini(&r);
    memset(large, 'x', sizeof(large));
    provider_request_init(&r, 3);
    provider_request_put(&r, NULL, (struct str){large, sizeof(large)});
    assert_int_equal(provider_request_seal(&r), ERR_TOO_BIG);
    provider_request_fini(&r);
}

static void
statuses_that_may_pass_are_retryable(void **state)
{
    static const struct {
        int status;
        bool retryable;
    } rows[] = {{0, false},   {301, false}, {400, false}, {401, false},
                {404, false}, {407, false}, {408, true},  {409, false},
                {429, true},  {499, false}, {500, true},  {503, true},
                {599, true},  {600, false}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct provider_fault f;

        provider_fault_of_status(rows[i].status, &f);
        assert_int_equal(f.retryable, rows[i].retryable);
        assert_int_equal(f.err, ERR_LLM_UNAVAILABLE);
        assert_string_equal(f.code, "");
    }
}

static void
words_that_may_pass_are_retryable(void **state)
{
    static const struct {
        struct str word;
        bool retryable;
    } rows[] = {{STR(""), false},
                {STR("overloaded_error"), true},
                {STR("rate_limit_error"), true},
                {STR("server_error"), true},
                {STR("rate_limit_exceeded"), true},
                {STR("insufficient_quota"), false},
                {STR("invalid_request_error"), false},
                {STR("authentication_error"), false},
                {STR("answer_too_large"), false}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct provider_fault f;

        provider_fault_of_word(rows[i].word, &f);
        assert_int_equal(f.retryable, rows[i].retryable);
        assert_int_equal(f.err, ERR_LLM_UNAVAILABLE);
        assert_string_equal(f.code, "");
    }
}

static void
a_url_is_the_endpoint_with_the_path_before_its_query(void **state)
{
    static const char *const urls[][2] = {
        {"https://h", "https://h/p/q"},
        {"https://h//", "https://h/p/q"},
        {"https://h/p/q", "https://h/p/q"},
        {"https://h/xp/q?a=/p/q?b", "https://h/xp/q/p/q?a=/p/q?b"},
        {"https://h/p/q/?", "https://h/p/q?"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        struct provider_request r;

        provider_request_init(&r, 10);
        provider_request_put_url(&r, str_from(urls[i][0]), STR("/p/q"));
        assert_int_equal(provider_request_seal(&r), ERR_OK);
        assert_string_equal(r.url, urls[i][1]);
        provider_request_fini(&r);
    }
}

static void
a_code_is_short_printable_and_without_quotes(void **state)
{
    struct provider_fault f;
    char large[200];

    (void)state;
    provider_fault_set_code(&f, STR("a b\"c'd\\e\n\x7F\xC3\xA4_9"));
    assert_string_equal(f.code, "abcde_9");
    memset(large, 'x', sizeof(large));
    provider_fault_set_code(&f, (struct str){large, sizeof(large)});
    assert_int_equal(strlen(f.code), PROVIDER_CODE_MAX);
    provider_fault_set_code(&f, (struct str){NULL, 0});
    assert_string_equal(f.code, "");
}

static void
a_code_with_the_key_in_it_is_withheld(void **state)
{
    static const struct {
        const char *code, *key, *word;
    } rows[] = {
        {"", "sk-1234567", "provider_error"},
        {"invalid_api_key", "sk-1234567", "invalid_api_key"},
        {"sk-1234567", "sk-1234567", "withheld"},
        {"wrong_key:SK-12345", "sk-1234567", "withheld"}, /* cut */
        {"sk-1234", "sk-1234567", "sk-1234"},
        {"invalid_api_key", "key", "invalid_api_key"}, /* no secret */
        {"invalid_api_key", "api_key", "invalid_api_key"},
        {"invalid_api_key", "", "invalid_api_key"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct provider_fault f;

        provider_fault_set_code(&f, str_from(rows[i].code));
        assert_string_equal(provider_fault_word(&f, str_from(rows[i].key)),
                            rows[i].word);
    }
}

static void
finish_reasons_have_the_words_of_the_protocol(void **state)
{
    (void)state;
    assert_string_equal(provider_finish_word(PROVIDER_STOP), "stop");
    assert_string_equal(provider_finish_word(PROVIDER_LENGTH), "length");
    assert_string_equal(provider_finish_word(PROVIDER_CONTENT_FILTER),
                        "content_filter");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sealed_request_has_its_url_and_headers),
        cmocka_unit_test(a_control_character_is_refused),
        cmocka_unit_test(a_body_or_a_header_beyond_its_maximum_is_refused),
        cmocka_unit_test(statuses_that_may_pass_are_retryable),
        cmocka_unit_test(words_that_may_pass_are_retryable),
        cmocka_unit_test(a_url_is_the_endpoint_with_the_path_before_its_query),
        cmocka_unit_test(a_code_is_short_printable_and_without_quotes),
        cmocka_unit_test(a_code_with_the_key_in_it_is_withheld),
        cmocka_unit_test(finish_reasons_have_the_words_of_the_protocol),
    };

    return cmocka_run_group_tests_name("provider/provider", tests, NULL, NULL);
}
