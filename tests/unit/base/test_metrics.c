/* SPDX-License-Identifier: MIT */
#include "base/metrics.h"

#include "base/xalloc.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int
begin(void **state)
{
    (void)state;
    metrics_thread_init();
    return 0;
}

static int
end(void **state)
{
    (void)state;
    metrics_fini();
    return 0;
}

static char *
render(void)
{
    struct buf b;

    buf_init(&b, 1 << 22);
    metrics_render(&b);
    assert_int_equal(buf_err(&b), ERR_OK);
    return buf_give(&b);
}

static void *
count_thousand(void *arg)
{
    (void)arg;
    metrics_thread_init();
    for (int i = 0; i < 1000; i++) {
        metric_count(METRIC_MESSAGES_SENT);
        metric_count_at(METRIC_LLM_REQUESTS,
                        metrics_slot(METRIC_LLM_REQUESTS, "p1"));
    }
    return NULL;
}

static void
adds_up_the_rows_of_all_threads(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, count_thousand, NULL), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    metric_add(METRIC_MESSAGES_SENT, 5);
    assert_int_equal(metric_value(METRIC_MESSAGES_SENT, 0), 4005);
    assert_int_equal(metric_value(METRIC_LLM_REQUESTS,
                                  metrics_slot(METRIC_LLM_REQUESTS, "p1")),
                     4000);
}

static void
writes_prometheus_text(void **state)
{
    unsigned slot = metrics_slot(METRIC_HTTP_DURATION, "/sessions,GET");
    char *text;

    (void)state;
    metric_add(METRIC_WS_CONNECTIONS, 3);
    metric_add(METRIC_WS_CONNECTIONS, -1);
    metric_observe_at(METRIC_HTTP_DURATION, slot, 0.002);
    metric_observe_at(METRIC_HTTP_DURATION, slot, 1000);
    text = render();
    assert_non_null(strstr(text,
                           "# TYPE chatbox_websocket_connections_total gauge\n"
                           "chatbox_websocket_connections_total 2\n"));
    assert_non_null(
        strstr(text, "chatbox_http_request_duration_seconds_bucket{endpoint="
                     "\"/sessions\",method=\"GET\",le=\"0.001\"} 0\n"));
    assert_non_null(strstr(text, "method=\"GET\",le=\"0.0025\"} 1\n"));
    assert_non_null(strstr(text, "method=\"GET\",le=\"+Inf\"} 2\n"));
    assert_non_null(strstr(text, "_sum{endpoint=\"/sessions\",method=\"GET\"} "
                                 "1000.002000\n"));
    assert_non_null(
        strstr(text, "_count{endpoint=\"/sessions\",method=\"GET\"} 2\n"));
    xfree(text);
}

static void
escapes_label_values(void **state)
{
    char *text;

    (void)state;
    metric_count_at(METRIC_LLM_ERRORS,
                    metrics_slot(METRIC_LLM_ERRORS, "a\"b\\c"));
    text = render();
    assert_non_null(
        strstr(text, "chatbox_llm_errors_total{provider=\"a\\\"b\\\\c\"} 1\n"));
    xfree(text);
}

static void
counts_what_does_not_fit_as_other(void **state)
{
    unsigned last = 0;
    char name[16];

    (void)state;
    for (int i = 0; i < METRICS_SLOTS + 10; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        last = metrics_slot(METRIC_TOKENS_USED, name);
        metric_count_at(METRIC_TOKENS_USED, last);
    }
    assert_int_equal(last, metrics_slot(METRIC_TOKENS_USED, "another"));
    assert_true(metric_value(METRIC_TOKENS_USED, last) > 10);
}

static void *
count_without_a_row(void *arg)
{
    (void)arg;
    metric_count(METRIC_MESSAGES_SENT);
    metric_observe_at(METRIC_WS_DURATION, 0, 1);
    return NULL;
}

static void
counts_nothing_in_a_thread_without_a_row(void **state)
{
    pthread_t t;

    (void)state;
    assert_int_equal(pthread_create(&t, NULL, count_without_a_row, NULL), 0);
    pthread_join(t, NULL);
    assert_int_equal(metric_value(METRIC_MESSAGES_SENT, 0), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(adds_up_the_rows_of_all_threads, begin,
                                        end),
        cmocka_unit_test_setup_teardown(writes_prometheus_text, begin, end),
        cmocka_unit_test_setup_teardown(escapes_label_values, begin, end),
        cmocka_unit_test_setup_teardown(counts_what_does_not_fit_as_other,
                                        begin, end),
        cmocka_unit_test_setup_teardown(
            counts_nothing_in_a_thread_without_a_row, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
