/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include "base/check.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What the logger wrote to standard error since begin. */
static int saved, pipes[2];

static int
begin(void **state)
{
    (void)state;
    assert_int_equal(pipe(pipes), 0);
    saved = dup(STDERR_FILENO);
    dup2(pipes[1], STDERR_FILENO);
    log_set_level(LOG_INFO);
    log_set_format(LOG_JSON);
    log_set_shard(-1);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipes[0]);
    close(pipes[1]);
    return 0;
}

static size_t
written(char *out, size_t size)
{
    ssize_t n;

    dup2(saved, STDERR_FILENO);
    close(pipes[1]);
    pipes[1] = dup(saved);
    n = read(pipes[0], out, size - 1);
    n = n < 0 ? 0 : n;
    out[n] = '\0';
    return (size_t)n;
}

static void
writes_one_json_object_a_line(void **state)
{
    char text[8192];
    json_t *line;

    (void)state;
    log_set_shard(3);
    log_warn(EVENT_RATE_LIMITED, "too \"many\"",
             log_cstr("user_id", "a\nb\x01\"\\\xc3\xa9"),
             log_int("wait_ms", -5));
    assert_true(written(text, sizeof(text)) > 0);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    line = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "level")),
                        "warn");
    assert_string_equal(json_string_value(json_object_get(line, "event")),
                        "rate_limited");
    assert_string_equal(json_string_value(json_object_get(line, "msg")),
                        "too \"many\"");
    assert_int_equal(json_integer_value(json_object_get(line, "shard")), 3);
    assert_int_equal(json_integer_value(json_object_get(line, "wait_ms")), -5);
    assert_int_equal(strlen(json_string_value(json_object_get(line, "ts"))),
                     24);
    json_decref(line);
}

static void
text_is_written_as_the_characters_it_has(void **state)
{
    static const struct {
        const char *value;
        const char *read; /* by whoever parses the line */
    } cases[] = {
        {"\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9"},
        {"\xe2\x82\xac", "\xe2\x82\xac"},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
        {"\xc2\x80\x7f\x1b", "\xc2\x80\x7f\x1b"},
        {"a\xffz", "a\xef\xbf\xbdz"},
        {"\xc3", "\xef\xbf\xbd"},
        {"\xc3z", "\xef\xbf\xbdz"},
        {"\xc1\x81", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xe0\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf4\x90\x80\x80",
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf8\x88", "\xef\xbf\xbd\xef\xbf\xbd"},
    };
    char text[16384], *at = text;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        log_info(EVENT_START, "x", log_cstr("a", cases[i].value));
    }
    assert_true(written(text, sizeof(text)) > 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        json_t *line = json_loads(at, JSON_DISABLE_EOF_CHECK, NULL);

        assert_non_null(line);
        assert_string_equal(json_string_value(json_object_get(line, "a")),
                            cases[i].read);
        for (; *at != '\n'; at++) {
            assert_in_range(*at, 0x20, 0x7e);
        }
        at++;
        json_decref(line);
    }
}

static void
a_long_sentence_is_told_whole(void **state)
{
    char text[8192], sentence[1000];
    json_t *line;

    (void)state;
    memset(sentence, 'x', sizeof(sentence) - 1);
    sentence[sizeof(sentence) - 1] = '\0';
    log_error(EVENT_CONFIG_ERROR, sentence);
    assert_true(written(text, sizeof(text)) > 0);
    line = json_loads(text, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(line, "msg")),
                        sentence);
    json_decref(line);
}

static void
the_worst_of_texts_still_makes_a_line(void **state)
{
    static char big[5000];
    char text[16384];
    json_t *line;

    (void)state;
    memset(big, '\xff', sizeof(big) - 1);
    log_info(EVENT_START, big, log_cstr("a", big), log_int("n", 1));
    assert_true(written(text, sizeof(text)) > 0);
    line = json_loads(text, 0, NULL);
    assert_non_null(line);
    assert_int_equal(json_integer_value(json_object_get(line, "n")), 1);
    json_decref(line);
}

static void
writes_nothing_below_its_level(void **state)
{
    char text[100];

    (void)state;
    log_debug(EVENT_TURN, "not shown");
    log_set_level(LOG_ERROR);
    log_warn(EVENT_TURN, "not shown either");
    assert_false(log_enabled(LOG_WARN));
    assert_true(log_enabled(LOG_ERROR));
    log_error(EVENT_STOP, "shown");
    assert_true(written(text, sizeof(text)) > 0);
    assert_null(strstr(text, "not shown"));
    assert_non_null(strstr(text, "shown"));
}

static void
cuts_long_values_but_not_the_line(void **state)
{
    static char big[5000];
    char text[16384];
    json_t *line;

    (void)state;
    memset(big, '\x01', sizeof(big) - 1);
    log_info(EVENT_START, "x", log_cstr("a", big), log_cstr("b", big),
             log_cstr("c", big), log_int("n", 1));
    assert_true(written(text, sizeof(text)) > 0);
    line = json_loads(text, 0, NULL);
    assert_non_null(line);
    assert_int_equal(json_integer_value(json_object_get(line, "n")), 1);
    json_decref(line);
}

static void
writes_plain_text_for_people(void **state)
{
    char text[1000];

    (void)state;
    log_set_format(LOG_TEXT);
    log_info(EVENT_START, "listening", log_cstr("address", "127.0.0.1:8080"));
    assert_true(written(text, sizeof(text)) > 0);
    assert_non_null(
        strstr(text, " info  start: listening address=127.0.0.1:8080\n"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_one_json_object_a_line, begin,
                                        end),
        cmocka_unit_test_setup_teardown(
            text_is_written_as_the_characters_it_has, begin, end),
        cmocka_unit_test_setup_teardown(a_long_sentence_is_told_whole, begin,
                                        end),
        cmocka_unit_test_setup_teardown(the_worst_of_texts_still_makes_a_line,
                                        begin, end),
        cmocka_unit_test_setup_teardown(writes_nothing_below_its_level, begin,
                                        end),
        cmocka_unit_test_setup_teardown(cuts_long_values_but_not_the_line,
                                        begin, end),
        cmocka_unit_test_setup_teardown(writes_plain_text_for_people, begin,
                                        end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
