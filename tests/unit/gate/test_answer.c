/* SPDX-License-Identifier: MIT */
#include "gate/answer.h"

#include "base/metrics.h"
#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Gives. */
static char *
head_of(const struct answer_head *head)
{
    struct buf b;

    buf_init(&b, 4096);
    answer_put_head(&b, head);
    assert_false(b.failed);
    return buf_give(&b);
}

static bool
has(const char *head, const char *line)
{
    char want[128];

    (void)snprintf(want, sizeof(want), "\r\n%s\r\n", line);
    return strstr(head, want) != NULL;
}

static void
a_head_says_how_long_its_body_is(void **state)
{
    static const struct {
        enum answer_framing framing;
        const char *line; /* NULL: neither of them */
    } rows[] = {
        {ANSWER_BY_LENGTH, "Content-Length: 12"},
        {ANSWER_BY_CHUNKS, "Transfer-Encoding: chunked"},
        {ANSWER_BY_CLOSE, NULL},
        {ANSWER_NO_BODY, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct answer_head what = {.status = 200,
                                   .cache = "no-store",
                                   .id = "1",
                                   .framing = rows[i].framing,
                                   .length = 12};
        char *head = head_of(&what);
        const char *framing = strstr(head, "\r\nTransfer-Encoding: ");

        framing = framing ? framing : strstr(head, "\r\nContent-Length: ");
        assert_memory_equal(head, "HTTP/1.1 200 OK\r\n", 17);
        assert_true(rows[i].line ? has(head, rows[i].line) : !framing);
        assert_null(strstr(head, "\r\nContent-Type: "));
        xfree(head);
    }
}

static void
every_head_forbids_what_a_page_alone_may_do(void **state)
{
    struct answer_head what = {
        .status = 503, .type = ANSWER_JSON, .cache = "no-store", .id = "abc"};
    char *head = head_of(&what);

    (void)state;
    assert_true(has(head, "Content-Type: application/json; charset=utf-8"));
    assert_true(has(head, "Cache-Control: no-store"));
    assert_true(has(head, "X-Content-Type-Options: nosniff"));
    assert_true(has(head, "X-Frame-Options: DENY"));
    assert_true(has(head, "X-Request-Id: abc"));
    assert_true(has(head, "Content-Security-Policy: default-src 'none'; "
                          "frame-ancestors 'none'"));
    xfree(head);
    what.csp = "default-src 'self'";
    head = head_of(&what);
    assert_true(has(head, "Content-Security-Policy: default-src 'self'"));
    xfree(head);
}

static void
waiting_is_told_in_whole_seconds(void **state)
{
    static const struct {
        uint64_t ms;
        const char *line;
    } rows[] = {{0, "Retry-After: 1\r\n"},
                {1, "Retry-After: 1\r\n"},
                {1000, "Retry-After: 1\r\n"},
                {1001, "Retry-After: 2\r\n"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf b;

        buf_init(&b, 64);
        answer_put_retry_after(&b, rows[i].ms);
        assert_true(str_is(buf_str(&b), rows[i].line));
        buf_fini(&b);
    }
}

static void
assert_error(const struct answer_error *what, const char *want)
{
    struct buf b;
    char *text;

    buf_init(&b, 4096);
    answer_put_error(&b, what);
    text = buf_give(&b);
    assert_string_equal(text, want);
    xfree(text);
}

static void
an_error_has_the_members_that_are_known(void **state)
{
    (void)state;
    assert_error(
        &(struct answer_error){.err = ERR_NOT_FOUND, .wait_ms = -1, .id = "1"},
        "{\"error\":\"not_found\",\"code\":\"NOT_FOUND\",\"message\":"
        "\"There is no such thing here.\",\"request_id\":\"1\"}");
    assert_error(
        &(struct answer_error){.err = ERR_SERVICE_ERROR,
                               .field = "f",
                               .message = "Words.",
                               .wait_ms = 1000,
                               .id = "2"},
        "{\"error\":\"service_error\",\"code\":\"SERVICE_UNAVAILABLE\","
        "\"message\":\"Words.\",\"request_id\":\"2\",\"field\":\"f\","
        "\"retry_after_ms\":1000}");
}

static void
an_error_at_the_openai_door_is_an_object(void **state)
{
    (void)state;
    assert_error(&(struct answer_error){.err = ERR_SERVICE_ERROR,
                                        .message = "Words.",
                                        .wait_ms = 1000,
                                        .id = "2",
                                        .openai = true},
                 "{\"error\":{\"message\":\"Words.\",\"type\":\"server_error\","
                 "\"param\":null,\"code\":\"SERVICE_ERROR\"}}");
}

static void
refusals_are_counted_by_their_status(void **state)
{
    (void)state;
    metrics_thread_init();
    answer_count_refused(408);
    answer_count_refused(408);
    answer_count_refused(400);
    assert_int_equal(metric_value(METRIC_HTTP_REFUSED,
                                  metrics_slot(METRIC_HTTP_REFUSED, "408")),
                     2);
    metrics_fini();
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test(fn)
    const struct CMUnitTest tests[] = {
        CASE(a_head_says_how_long_its_body_is),
        CASE(every_head_forbids_what_a_page_alone_may_do),
        CASE(waiting_is_told_in_whole_seconds),
        CASE(an_error_has_the_members_that_are_known),
        CASE(an_error_at_the_openai_door_is_an_object),
        CASE(refusals_are_counted_by_their_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
