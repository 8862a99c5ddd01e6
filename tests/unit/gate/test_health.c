/* SPDX-License-Identifier: MIT */
#include "gate/health.h"

#include "base/clock.h"
#include "fixture.h"

static void
assert_now(const json_t *body)
{
    int64_t at_ms = 0;

    assert_true(clock_parse(str_from(text_at(body, "timestamp")), &at_ms));
    assert_in_range(clock_wall_ms() - at_ms, 0, 60000);
}

static void
test_a_turning_loop_is_healthy(void **state)
{
    struct house h;
    struct answer a;

    (void)state;
    house_open(&h);
    atomic_store(&h.draining, true);
    ask(&h, "GET /chatbox/healthz", "", NULL, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(text_at(a.json, "status"), "healthy");
    assert_int_equal(json_object_size(a.json), 2);
    assert_now(a.json);
    answer_fini(&a);
    house_close(&h);
}

static void
test_readiness_tells_what_it_looked_at(void **state)
{
    struct house h;
    struct answer a;
    const json_t *checks;

    (void)state;
    house_open(&h);
    ask(&h, "GET /chatbox/readyz", "", NULL, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(text_at(a.json, "status"), "ready");
    assert_now(a.json);
    checks = json_object_get(a.json, "checks");
    assert_string_equal(text_at(json_object_get(checks, "storage"), "status"),
                        "ready");
    assert_int_equal(int_at(json_object_get(checks, "llm"), "providers_count"),
                     2);
    answer_fini(&a);
    house_close(&h);
}

static void
test_a_draining_server_is_not_ready(void **state)
{
    struct house h;
    struct answer a;

    (void)state;
    house_open(&h);
    atomic_store(&h.draining, true);
    ask(&h, "GET /chatbox/readyz", "", NULL, &a);
    assert_int_equal(a.status, 503);
    assert_string_equal(text_at(a.json, "status"), "not ready");
    assert_non_null(json_object_get(a.json, "checks"));
    answer_fini(&a);
    house_close(&h);
}

static void
test_metrics_are_prometheus_text(void **state)
{
    struct house h;
    struct answer a;

    (void)state;
    house_open(&h);
    ask(&h, "GET /chatbox/metrics/prometheus", "", NULL, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(header_of(&a, "Content-Type"),
                        "text/plain; version=0.0.4; charset=utf-8");
    assert_non_null(
        strstr(a.body, "# TYPE chatbox_websocket_connections_total gauge\n"));
    assert_non_null(strstr(a.body, "chatbox_websocket_connections_total 0\n"));
    answer_fini(&a);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_turning_loop_is_healthy),
        cmocka_unit_test(test_readiness_tells_what_it_looked_at),
        cmocka_unit_test(test_a_draining_server_is_not_ready),
        cmocka_unit_test(test_metrics_are_prometheus_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
