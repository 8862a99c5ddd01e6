/* SPDX-License-Identifier: MIT */
#include "app/config_report.h"

#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void
errors_are_counted_beyond_what_is_kept(void **state)
{
    struct config_report r = {0};

    (void)state;
    for (unsigned i = 0; i < CONFIG_REPORT_MAX + 5; i++) {
        config_report_add(&r, CONFIG_ERROR, "number %u", i);
    }
    config_report_add(&r, CONFIG_WARNING, "w");
    assert_int_equal(r.errors, CONFIG_REPORT_MAX + 5);
    assert_int_equal(r.count, CONFIG_REPORT_MAX);
    assert_string_equal(r.problems[7].text, "number 7");
    config_report_fini(&r);
    assert_int_equal(r.count, 0);
}

static void
each_problem_is_one_line_of_its_event(void **state)
{
    struct config_report r = {0};
    char text[2048] = "";
    int ends[2], saved = dup(STDERR_FILENO);
    ssize_t n;

    (void)state;
    config_report_add(&r, CONFIG_ERROR, "first");
    config_report_add(&r, CONFIG_WARNING, "second");
    config_report_add(&r, CONFIG_SECURITY, "third");
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    config_report_log(&r);
    dup2(saved, STDERR_FILENO);
    n = read(ends[0], text, sizeof(text) - 1);
    assert_true(n > 0);
    assert_non_null(
        strstr(text, "\"event\":\"config_error\",\"msg\":\"first\""));
    assert_non_null(
        strstr(text, "\"event\":\"config_warning\",\"msg\":\"second\""));
    assert_non_null(
        strstr(text, "\"event\":\"security_warning\",\"msg\":\"third\""));
    close(ends[0]);
    close(ends[1]);
    close(saved);
    config_report_fini(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_counted_beyond_what_is_kept),
        cmocka_unit_test(each_problem_is_one_line_of_its_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
