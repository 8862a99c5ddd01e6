/* SPDX-License-Identifier: MIT */
/* Time in, time out. Days are counted with Howard Hinnant's civil-date
 * algorithm (chrono-Compatible Low-Level Date Algorithms), so no time zone
 * data and no global state are involved. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#define DAY_MS 86400000LL
#define LAST_MS 253402300799999LL /* 9999-12-31T23:59:59.999Z */

static uint64_t
read_us(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t
clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

uint64_t
clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

int64_t
clock_wall_ms(void)
{
    return (int64_t)(read_us(CLOCK_REALTIME) / 1000);
}

static int64_t
days_from_civil(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = y / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

    return era * 146097 + doe - 719468;
}

static void
civil_from_days(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = z / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

static void
put_digits(char *at, int width, int value)
{
    for (int i = width - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

void
clock_format(int64_t wall_ms, char out[static CLOCK_TEXT_SIZE])
{
    static const char shape[CLOCK_TEXT_SIZE] = "0000-00-00T00:00:00.000Z";
    int year, month, day, ms;

    wall_ms = wall_ms < 0 ? 0 : wall_ms > LAST_MS ? LAST_MS : wall_ms;
    civil_from_days(wall_ms / DAY_MS, &year, &month, &day);
    ms = (int)(wall_ms % DAY_MS);
    for (int i = 0; i < CLOCK_TEXT_SIZE; i++) {
        out[i] = shape[i];
    }
    put_digits(out, 4, year);
    put_digits(out + 5, 2, month);
    put_digits(out + 8, 2, day);
    put_digits(out + 11, 2, ms / 3600000);
    put_digits(out + 14, 2, ms / 60000 % 60);
    put_digits(out + 17, 2, ms / 1000 % 60);
    put_digits(out + 20, 3, ms % 1000);
}

/* Takes width digits off the front of *s. */
static bool
take_digits(struct str *s, size_t width, int *out)
{
    uint64_t value;

    if (s->n < width || !str_to_u64((struct str){s->p, width}, 9999, &value)) {
        return false;
    }
    *out = (int)value;
    *s = str_from_at(*s, width);
    return true;
}

static bool
take_char(struct str *s, const char *either)
{
    if (s->n == 0 || (s->p[0] != either[0] && s->p[0] != either[1])) {
        return false;
    }
    *s = str_from_at(*s, 1);
    return true;
}

static bool
valid_date(int year, int month, int day)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30,
                                  31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month >= 1 && month <= 12 && day >= 1 &&
           day <= lengths[month - 1] + (month == 2 && leap);
}

static bool
take_date(struct str *s, int64_t *days)
{
    int year, month, day;

    if (!take_digits(s, 4, &year) || !take_char(s, "--") ||
        !take_digits(s, 2, &month) || !take_char(s, "--") ||
        !take_digits(s, 2, &day) || !valid_date(year, month, day)) {
        return false;
    }
    *days = days_from_civil(year, month, day);
    return true;
}

/* Digits after the point, if any; at most nine. */
static bool
take_fraction(struct str *s, int *ms)
{
    int scale = 100, digits = 0;

    *ms = 0;
    if (!take_char(s, "..")) {
        return true;
    }
    while (s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9' && digits < 9) {
        *ms += (s->p[0] - '0') * scale;
        scale /= 10;
        digits++;
        *s = str_from_at(*s, 1);
    }
    return digits > 0;
}

static bool
take_time(struct str *s, int64_t *ms_out)
{
    int hour, minute, second, ms;

    if (!take_digits(s, 2, &hour) || !take_char(s, "::") ||
        !take_digits(s, 2, &minute) || !take_char(s, "::") ||
        !take_digits(s, 2, &second) || !take_fraction(s, &ms)) {
        return false;
    }
    *ms_out = ((hour * 60LL + minute) * 60 + second) * 1000 + ms;
    return hour <= 23 && minute <= 59 && second <= 60;
}

static bool
take_offset(struct str *s, int64_t *offset_ms)
{
    int hour, minute;
    int64_t sign;

    *offset_ms = 0;
    if (take_char(s, "Zz")) {
        return true;
    }
    sign = s->n > 0 && s->p[0] == '-' ? -1 : 1;
    if (!take_char(s, "+-") || !take_digits(s, 2, &hour) ||
        !take_char(s, "::") || !take_digits(s, 2, &minute)) {
        return false;
    }
    *offset_ms = sign * (hour * 60LL + minute) * 60000;
    return hour <= 23 && minute <= 59;
}

bool
clock_parse(struct str text, int64_t *wall_ms_out)
{
    int64_t days, ms, offset_ms;

    if (!take_date(&text, &days) || !take_char(&text, "Tt") ||
        !take_time(&text, &ms) || !take_offset(&text, &offset_ms)) {
        return false;
    }
    *wall_ms_out = days * DAY_MS + ms - offset_ms;
    return text.n == 0;
}
