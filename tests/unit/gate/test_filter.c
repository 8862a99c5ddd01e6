/* SPDX-License-Identifier: MIT */
#include "gate/filter.h"

#include "fixture.h"

#define LIST "GET /chatbox/admin/sessions?"
#define METRICS "GET /chatbox/admin/metrics?"
#define USER "GET /chatbox/admin/users/ann/sessions?"

static const struct {
    const char *line;
    const char *field; /* NULL: 200 */
} queries[] = {
    {LIST, NULL},
    {LIST "other=1&user=x", NULL},
    {LIST "limit=1&offset=0", NULL},
    {LIST "limit=1000&offset=9223372036854775807", NULL},
    {LIST "limit=0", "limit"},
    {LIST "limit=1001", "limit"},
    {LIST "limit=", "limit"},
    {LIST "offset=-1", "offset"},
    {LIST "offset=9223372036854775808", "offset"},
    {LIST "user_id=ann%20b", NULL},
    {LIST "user_id=%c3%a9", NULL},
    {LIST "user_id=", "user_id"},
    {LIST "user_id=%00", "user_id"},
    {LIST "user_id=a%0ab", "user_id"},
    {LIST "user_id=a%7fb", "user_id"},
    {LIST "user_id=%ff", "user_id"},
    {LIST "user_id=a&user_id=a", "user_id"},
    {LIST "status=active", NULL},
    {LIST "status=ended", NULL},
    {LIST "status=Active", "status"},
    {LIST "status=", "status"},
    {LIST "status", "status"},
    {LIST "admin_assisted=true&help_requested=false", NULL},
    {LIST "admin_assisted=1&help_requested=0", NULL},
    {LIST "admin_assisted=2", "admin_assisted"},
    {LIST "admin_assisted=", "admin_assisted"},
    {LIST "help_requested=yes", "help_requested"},
    {LIST "start_time_from=2026-11-21&start_time_to=2026-11-21", NULL},
    {LIST "start_time=2026-11-21T01:02:03Z&end_time=2026-11-21T01:02:03.5Z",
     NULL},
    {LIST "start_time=2026-11-21T01:02:03%2B02:00", NULL},
    {LIST "start_time=2026-11-21T01:02:03+02:00", "start_time"},
    {LIST "start_time_from=2026-02-29", "start_time_from"},
    {LIST "start_time_from=2026-1-01", "start_time_from"},
    {LIST "start_time_to=2026-11-21T", "start_time_to"},
    {LIST "start_time_to=2026-11-21T24:00:00Z", "start_time_to"},
    {LIST "start_time_to=", "start_time_to"},
    {LIST "end_time=1700000000", "end_time"},
    {LIST "end_time=0000000000", "end_time"},
    {LIST "sort_by=start_time&sort_order=asc", NULL},
    {LIST "sort_by=end_time&sort_order=desc", NULL},
    {LIST "sort_by=message_count", NULL},
    {LIST "sort_by=total_tokens", NULL},
    {LIST "sort_by=user_id", NULL},
    {LIST "sort_by=duration", NULL},
    {LIST "sort_by=last_activity", NULL},
    {LIST "sort_by=lastActivity", "sort_by"},
    {LIST "sort_by=", "sort_by"},
    {LIST "sort_by=n;--", "sort_by"},
    {LIST "sort_order=up", "sort_order"},
    {LIST "sort_order=", "sort_order"},
    {USER "limit=7&offset=1", NULL},
    {USER "limit=1001", "limit"},
    {USER "offset=x", "offset"},
    {METRICS, NULL},
    {METRICS "start_time=2026-01-01&end_time=2026-01-01", NULL},
    {METRICS "start_time=2026-01-01T00:00:00Z&end_time=2026-01-01T00:00:00Z",
     NULL},
    {METRICS "end_time=1970-01-01", NULL},
    {METRICS "start_time=2026-01-02&end_time=2026-01-01", "end_time"},
    {METRICS "start_time=9999-01-01", "end_time"},
    {METRICS "start_time=x", "start_time"},
    {METRICS "end_time=", "end_time"},
};

static void
test_a_bad_value_is_named_and_a_good_one_taken(void **state)
{
    struct house h;

    (void)state;
    house_open(&h);
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        int status = queries[i].field == NULL ? 200 : 400;
        struct answer a;

        ask_operator(&h, "olga", queries[i].line, &a);
        if (a.status != status) {
            fail_msg("%s: %d", queries[i].line, a.status);
        }
        if (status == 400) {
            assert_error(&a, 400, "BAD_REQUEST", queries[i].field);
        }
        answer_fini(&a);
    }
    house_close(&h);
}

/* The range that an answer tells. */
static void
assert_range(struct house *h, const char *line, const char *from,
             const char *to)
{
    struct answer a;
    const json_t *range;

    ask_operator(h, "olga", line, &a);
    assert_int_equal(a.status, 200);
    range = json_object_get(a.json, "time_range");
    assert_string_equal(text_at(range, "start_time"), from);
    assert_string_equal(text_at(range, "end_time"), to);
    answer_fini(&a);
}

static void
test_a_bare_date_is_a_whole_day_and_no_start_the_day_before(void **state)
{
    struct house h;

    (void)state;
    house_open(&h);
    assert_range(&h, METRICS "start_time=2026-02-28&end_time=2026-02-28",
                 "2026-02-28T00:00:00.000Z", "2026-02-28T23:59:59.999Z");
    assert_range(&h, METRICS "end_time=2026-03-01T10:00:00Z",
                 "2026-02-28T10:00:00.000Z", "2026-03-01T10:00:00.000Z");
    assert_range(&h,
                 METRICS "start_time=2026-03-01T01:00:00%2B01:00"
                         "&end_time=2026-03-01T00:00:00.001Z",
                 "2026-03-01T00:00:00.000Z", "2026-03-01T00:00:00.001Z");
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bad_value_is_named_and_a_good_one_taken),
        cmocka_unit_test(
            test_a_bare_date_is_a_whole_day_and_no_start_the_day_before),
    };

    return cmocka_run_group_tests_name("gate/filter", tests, NULL, NULL);
}
