/* SPDX-License-Identifier: MIT */
#include "store/figures.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Lives as "start-until" with spaces between, in the order of their start. */
static struct figures
of_lives(const char *lives, int64_t from_ms, int64_t to_ms)
{
    struct figures_sum sum;
    char *at = (char *)(uintptr_t)lives;

    figures_begin(&sum, from_ms, to_ms);
    while (*at != '\0') {
        struct figures_session s = {.tokens = 1};

        s.start_ms = strtol(at, &at, 10);
        s.until_ms = strtol(at + 1, &at, 10);
        figures_add(&sum, &s);
        at += *at == ' ';
    }
    return figures_end(&sum);
}

static void
test_how_many_lived_at_once(void **state)
{
    static const struct {
        const char *lives;
        int64_t from, to;
        int64_t total, most;
        double average;
    } cases[] = {
        {"", 0, 100, 0, 0, 0},
        {"10-20", 0, 100, 1, 1, 0.1},
        {"0-100", 0, 100, 1, 1, 1},
        {"0-1000", 0, 100, 1, 1, 1},
        {"10-20 30-40", 0, 100, 2, 1, 0.2},
        {"10-20 20-40", 0, 100, 2, 2, 0.3}, /* both moments are included */
        {"10-20 21-40", 0, 100, 2, 1, 0.29},
        {"10-40 20-30", 0, 100, 2, 2, 0.4},
        {"10-90 20-30 40-50 60-70", 0, 100, 4, 2, 1.1},
        {"10-90 20-80 30-70 75-76", 0, 100, 4, 3, 1.81},
        {"0-5 200-300", 10, 100, 0, 0, 0},
        {"0-10 100-300", 10, 100, 2, 1, 0}, /* they touch the bounds */
        {"0-50 10-20 15-60", 30, 40, 2, 2, 2},
        {"5-5 5-5 5-5", 5, 5, 3, 3, 3},
        {"9-3", 0, 10, 1, 1, 0}, /* a clock that went back */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct figures f = of_lives(cases[i].lives, cases[i].from, cases[i].to);

        if (f.total != cases[i].total || f.tokens != cases[i].total ||
            f.max_at_once != cases[i].most ||
            f.avg_at_once - cases[i].average > 1e-9 ||
            cases[i].average - f.avg_at_once > 1e-9) {
            fail_msg("%s: %d, %d at once, %f", cases[i].lives, (int)f.total,
                     (int)f.max_at_once, f.avg_at_once);
        }
    }
}

static void
test_the_largest_number_at_once_is_that_of_a_count_at_every_moment(void **state)
{
    (void)state;
    srandom(7);
    for (int round = 0; round < 200; round++) {
        int levels[64] = {0}, most = 0;
        struct figures_sum sum;
        int64_t start = 0;

        figures_begin(&sum, 0, 63);
        while ((start += random() % 3) < 64) {
            int64_t until = start + random() % 40;

            figures_add(&sum, &(struct figures_session){.start_ms = start,
                                                        .until_ms = until});
            for (int64_t t = start; t <= until && t < 64; t++) {
                levels[t]++;
                most = levels[t] > most ? levels[t] : most;
            }
        }
        assert_int_equal(figures_end(&sum).max_at_once, most);
    }
}

static void
test_sums_averages_and_the_longest(void **state)
{
    static const struct figures_session sessions[] = {
        {0, 10, true, false, 100, 900, 500, 2},
        {1, 11, false, true, 50, 4000, 1000, 1},
        {2, 12, true, true, 7, 0, 0, 0},
        {500, 600, true, true, 7, 9999, 1, 1}, /* outside */
    };
    struct figures_sum sum;
    struct figures f;

    (void)state;
    figures_begin(&sum, 0, 100);
    for (size_t i = 0; i < COUNT_OF(sessions); i++) {
        figures_add(&sum, &sessions[i]);
    }
    f = figures_end(&sum);
    assert_int_equal(f.total, 3);
    assert_int_equal(f.active, 2);
    assert_int_equal(f.assisted, 2);
    assert_int_equal(f.tokens, 157);
    assert_int_equal(f.max_ms, 4000);
    assert_int_equal((int)(f.avg_ms * 3), 2000); /* (2*500 + 1000) / 3 */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_how_many_lived_at_once),
        cmocka_unit_test(
            test_the_largest_number_at_once_is_that_of_a_count_at_every_moment),
        cmocka_unit_test(test_sums_averages_and_the_longest),
    };

    return cmocka_run_group_tests_name("store/figures", tests, NULL, NULL);
}
