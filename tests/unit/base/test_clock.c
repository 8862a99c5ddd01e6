/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct {
    int64_t ms;
    const char *text;
} moments[] = {
    {0, "1970-01-01T00:00:00.000Z"},
    {951782399999, "2000-02-28T23:59:59.999Z"},
    {951782400000, "2000-02-29T00:00:00.000Z"},
    {1795262400123, "2026-11-21T12:00:00.123Z"},
    {4107542399000, "2100-02-28T23:59:59.000Z"},
    {4107542400000, "2100-03-01T00:00:00.000Z"},
    {253402300799999, "9999-12-31T23:59:59.999Z"},
};

static void
formats_and_parses_the_same_moment(void **state)
{
    char text[CLOCK_TEXT_SIZE];
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
        clock_format(moments[i].ms, text);
        assert_string_equal(text, moments[i].text);
        assert_true(clock_parse(str_from(text), &ms));
        assert_int_equal(ms, moments[i].ms);
    }
}

static void
clamps_what_has_no_four_digit_year(void **state)
{
    char text[CLOCK_TEXT_SIZE];

    (void)state;
    clock_format(-5, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    clock_format(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

static void
takes_every_form_of_rfc_3339(void **state)
{
    static const char *const same[] = {
        "2026-11-21T12:00:00.123Z",      "2026-11-21t12:00:00.123z",
        "2026-11-21T12:00:00.1239999Z",  "2026-11-21T14:30:00.123+02:30",
        "2026-11-21T00:00:00.123-12:00", "2026-11-21T12:00:00.123456789Z"};
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        assert_true(clock_parse(str_from(same[i]), &ms));
        assert_int_equal(ms, 1795262400123);
    }
    assert_true(clock_parse(STR("2026-11-21T12:00:00Z"), &ms));
    assert_int_equal(ms, 1795262400000);
}

static void
refuses_what_is_not_a_time(void **state)
{
    static const char *const bad[] = {
        "",
        "2026-11-21",
        "2026-11-21T12:00:00",
        "2026-11-21 12:00:00Z",
        "2026-11-21T12:00Z",
        "2026-11-21T12:00:00.Z",
        "2026-11-21T12:00:00.1234567890Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T12:60:00Z",
        "2026-11-21T12:00:61Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-11-21T12:00:00+24:00",
        "2026-11-21T12:00:00+0200",
        "2026-11-21T12:00:00ZZ",
        "26-11-21T12:00:00Z",
        "+026-11-21T12:00:00Z",
    };
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(clock_parse(str_from(bad[i]), &ms));
    }
}

static void
monotonic_time_never_steps_back(void **state)
{
    uint64_t before = clock_mono_us();

    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint64_t now = clock_mono_us();

        assert_true(now >= before);
        before = now;
    }
    assert_true(clock_mono_ms() >= before / 1000);
    assert_true(clock_wall_ms() > 1700000000000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_and_parses_the_same_moment),
        cmocka_unit_test(clamps_what_has_no_four_digit_year),
        cmocka_unit_test(takes_every_form_of_rfc_3339),
        cmocka_unit_test(refuses_what_is_not_a_time),
        cmocka_unit_test(monotonic_time_never_steps_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
