/* SPDX-License-Identifier: MIT */
/* Days and months of UTC, computed here and not by the C library, whose
 * functions take a structure of eleven members to say as much (the civil
 * calendar of Howard Hinnant's "chrono-compatible low-level date
 * algorithms"). */
#include "chat/budget_period.h"

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)

/* 2020-01-01 and the last day that has a number, in days since 1970. */
#define FIRST_DAY 18262
#define LAST_DAY (FIRST_DAY + (1 << 14) - 2)

static int64_t
day_of(int64_t at_ms)
{
    int64_t day = at_ms / DAY_MS;

    return day < FIRST_DAY ? FIRST_DAY : day > LAST_DAY ? LAST_DAY : day;
}

/* Months since 0000-03, counted from March: the day that some years have comes
 * last. */
static int64_t
march_month_of(int64_t day)
{
    int64_t days = day + 719468; /* since 0000-03-01 */
    int64_t era = days / 146097, of_era = days % 146097;
    int64_t year =
        (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);

    return (year + era * 400) * 12 + (5 * of_year + 2) / 153;
}

/* The first day of such a month. */
static int64_t
first_of(int64_t march_month)
{
    int64_t year = march_month / 12, month = march_month % 12;
    int64_t era = year / 400, of_era = year % 400;
    int64_t of_year = (153 * month + 2) / 5;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year -
           719468;
}

uint32_t
budget_period_number(enum budget_period p, int64_t at_ms)
{
    int64_t day = day_of(at_ms);

    if (p == BUDGET_DAY) {
        return (uint32_t)(day - FIRST_DAY + 1);
    }
    return (uint32_t)(march_month_of(day) - march_month_of(FIRST_DAY) + 1);
}

int64_t
budget_period_begin_ms(enum budget_period p, int64_t at_ms)
{
    int64_t day = day_of(at_ms);

    return (p == BUDGET_DAY ? day : first_of(march_month_of(day))) * DAY_MS;
}

int64_t
budget_period_end_ms(enum budget_period p, int64_t at_ms)
{
    int64_t day = day_of(at_ms);

    return (p == BUDGET_DAY ? day + 1 : first_of(march_month_of(day) + 1)) *
           DAY_MS;
}
