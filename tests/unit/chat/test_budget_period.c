/* SPDX-License-Identifier: MIT */
#include "chat/budget_period.h"

#include "base/check.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)

static int64_t
at(const char *text)
{
    int64_t ms;

    assert_true(clock_parse(str_from(text), &ms));
    return ms;
}

static void
a_period_begins_and_ends_where_the_calendar_says(void **state)
{
    static const struct {
        const char *now, *begin, *end;
        enum budget_period period;
    } cases[] = {
        {"2026-11-22T09:30:00.000Z", "2026-11-22T00:00:00Z",
         "2026-11-23T00:00:00Z", BUDGET_DAY},
        {"2026-11-22T00:00:00.000Z", "2026-11-22T00:00:00Z",
         "2026-11-23T00:00:00Z", BUDGET_DAY},
        {"2026-11-22T23:59:59.999Z", "2026-11-22T00:00:00Z",
         "2026-11-23T00:00:00Z", BUDGET_DAY},
        {"2026-12-31T23:59:59.999Z", "2026-12-31T00:00:00Z",
         "2027-01-01T00:00:00Z", BUDGET_DAY},
        {"2026-11-22T09:30:00.000Z", "2026-11-01T00:00:00Z",
         "2026-12-01T00:00:00Z", BUDGET_MONTH},
        {"2026-12-31T23:59:59.999Z", "2026-12-01T00:00:00Z",
         "2027-01-01T00:00:00Z", BUDGET_MONTH},
        {"2027-01-01T00:00:00.000Z", "2027-01-01T00:00:00Z",
         "2027-02-01T00:00:00Z", BUDGET_MONTH},
        {"2027-02-28T23:59:59.999Z", "2027-02-01T00:00:00Z",
         "2027-03-01T00:00:00Z", BUDGET_MONTH},
        {"2028-02-28T12:00:00.000Z", "2028-02-01T00:00:00Z",
         "2028-03-01T00:00:00Z", BUDGET_MONTH}, /* a leap year */
        {"2028-02-29T23:59:59.999Z", "2028-02-29T00:00:00Z",
         "2028-03-01T00:00:00Z", BUDGET_DAY},
        {"2028-02-29T23:59:59.999Z", "2028-02-01T00:00:00Z",
         "2028-03-01T00:00:00Z", BUDGET_MONTH},
        {"2028-03-01T00:00:00.000Z", "2028-03-01T00:00:00Z",
         "2028-04-01T00:00:00Z", BUDGET_MONTH},
        {"2020-01-01T00:00:00.000Z", "2020-01-01T00:00:00Z",
         "2020-02-01T00:00:00Z", BUDGET_MONTH},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t now = at(cases[i].now);

        assert_int_equal(budget_period_begin_ms(cases[i].period, now),
                         at(cases[i].begin));
        assert_int_equal(budget_period_end_ms(cases[i].period, now),
                         at(cases[i].end));
    }
}

/* Day by day: numbers rise by one where the calendar turns, and only there. */
static void
every_day_and_every_month_has_its_own_number(void **state)
{
    int64_t now = at("2020-01-01T12:00:00Z");
    char last[CLOCK_TEXT_SIZE], text[CLOCK_TEXT_SIZE];
    uint32_t day = 0, month = 0;

    (void)state;
    memset(last, 0, sizeof(last));
    for (; now < at("2064-11-01T00:00:00Z"); now += DAY_MS) {
        clock_format(now, text);
        assert_int_equal(budget_period_number(BUDGET_DAY, now), day + 1);
        month += strncmp(text, last, 7) != 0; /* year and month */
        assert_int_equal(budget_period_number(BUDGET_MONTH, now), month);
        day++;
        memcpy(last, text, sizeof(last));
    }
    assert_true(day < 1 << 14);
    /* A clock that is far off does not leave the bits. */
    assert_int_equal(budget_period_number(BUDGET_DAY, 0), 1);
    assert_true(budget_period_number(BUDGET_DAY, INT64_MAX) < 1 << 14);
    assert_true(budget_period_number(BUDGET_DAY, INT64_MAX) >= day);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_period_begins_and_ends_where_the_calendar_says),
        cmocka_unit_test(every_day_and_every_month_has_its_own_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
