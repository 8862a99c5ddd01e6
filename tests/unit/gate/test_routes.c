/* SPDX-License-Identifier: MIT */
#include "gate/routes.h"

#include "base/check.h"
#include "base/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ID "0123456789abcdef0123456789abcdef"

static const struct {
    enum http1_method method;
    const char *path;
    enum err result;
    const char *pattern;
    const char *param;
} finds[] = {
    {HTTP1_GET, "/ws", ERR_OK, "/ws", ""},
    {HTTP1_HEAD, "/ws", ERR_OK, "/ws", ""},
    {HTTP1_GET, "/sessions", ERR_OK, "/sessions", ""},
    {HTTP1_HEAD, "/sessions", ERR_OK, "/sessions", ""},
    {HTTP1_POST, "/sessions", ERR_OK, "/sessions", ""},
    {HTTP1_GET, "/sessions/" ID, ERR_OK, "/sessions/{id}", ID},
    {HTTP1_PATCH, "/sessions/" ID, ERR_OK, "/sessions/{id}", ID},
    {HTTP1_DELETE, "/sessions/" ID, ERR_OK, "/sessions/{id}", ID},
    {HTTP1_GET, "/sessions/{id}", ERR_OK, "/sessions/{id}", "{id}"},
    {HTTP1_GET, "/admin/users/a%2Fb%25/sessions", ERR_OK,
     "/admin/users/{id}/sessions", "a%2Fb%25"},
    {HTTP1_POST, "/sessions/x/end", ERR_OK, "/sessions/{id}/end", "x"},
    {HTTP1_POST, "/sessions/x/share", ERR_OK, "/sessions/{id}/share", "x"},
    {HTTP1_DELETE, "/sessions/x/share", ERR_OK, "/sessions/{id}/share", "x"},
    {HTTP1_GET, "/sessions/x/export", ERR_OK, "/sessions/{id}/export", "x"},
    {HTTP1_GET, "/shared/x", ERR_OK, "/shared/{token}", "x"},
    {HTTP1_GET, "/shared/", ERR_NOT_FOUND, NULL, NULL},
    {HTTP1_GET, "/shared", ERR_NOT_FOUND, NULL, NULL},
    {HTTP1_GET, "/models", ERR_OK, "/models", ""},
    {HTTP1_GET, "/healthz", ERR_OK, "/healthz", ""},
    {HTTP1_GET, "/readyz", ERR_OK, "/readyz", ""},
    {HTTP1_GET, "/metrics/prometheus", ERR_OK, "/metrics/prometheus", ""},
    {HTTP1_GET, "/", ERR_OK, "/", ""},
    {HTTP1_HEAD, "/", ERR_OK, "/", ""},

    {HTTP1_POST, "/ws", ERR_METHOD_NOT_ALLOWED, NULL, NULL},
    {HTTP1_POST, "/healthz", ERR_METHOD_NOT_ALLOWED, NULL, NULL},
    {HTTP1_PUT, "/sessions", ERR_METHOD_NOT_ALLOWED, NULL, NULL},
    {HTTP1_POST, "/sessions/" ID, ERR_METHOD_NOT_ALLOWED, NULL, NULL},
    {HTTP1_GET, "/sessions/" ID "/end", ERR_METHOD_NOT_ALLOWED, NULL, NULL},
    {HTTP1_HEAD, "/sessions/" ID "/end", ERR_METHOD_NOT_ALLOWED, NULL, NULL},
    {HTTP1_OTHER, "/models", ERR_METHOD_NOT_ALLOWED, NULL, NULL},
    {HTTP1_DELETE, "/", ERR_METHOD_NOT_ALLOWED, NULL, NULL},

    {HTTP1_GET, "", ERR_NOT_FOUND, NULL, NULL},
    {HTTP1_GET, "//", ERR_NOT_FOUND, NULL, NULL},
    {HTTP1_GET, "/ws/", ERR_NOT_FOUND, NULL, NULL},
    {HTTP1_GET, "//ws", ERR_NOT_FOUND, NULL, NULL},
    {HTTP1_GET, "/WS", ERR_NOT_FOUND, NULL, NULL},
    {HTTP1_GET, "/w", ERR_NOT_FOUND, NULL, NULL},
    {HTTP1_GET, "/wss", ERR_NOT_FOUND, NULL, NULL},
    {HTTP1_GET, "ws", ERR_NOT_FOUND, NULL, NULL},
    {HTTP1_GET, "/sessions/", ERR_NOT_FOUND, NULL, NULL},
    {HTTP1_GET, "/sessions//end", ERR_NOT_FOUND, NULL, NULL},
    {HTTP1_POST, "/sessions//end", ERR_NOT_FOUND, NULL, NULL},
    {HTTP1_POST, "/sessions/x/end/", ERR_NOT_FOUND, NULL, NULL},
    {HTTP1_GET, "/sessions/x/y", ERR_NOT_FOUND, NULL, NULL},
    {HTTP1_GET, "/metrics", ERR_NOT_FOUND, NULL, NULL},
    {HTTP1_GET, "/metrics/prometheus/x", ERR_NOT_FOUND, NULL, NULL},
    {HTTP1_GET, "/no-such-asset.js", ERR_NOT_FOUND, NULL, NULL},
};

static void
test_a_path_and_a_method_mean_one_route(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(finds); i++) {
        const struct route *route = NULL;
        struct str param = {NULL, 0};
        enum err e = routes_find(finds[i].method, str_from(finds[i].path),
                                 &route, &param);

        if (e != finds[i].result) {
            fail_msg("%s: %s", finds[i].path, err_info(e)->code);
        }
        if (e == ERR_OK) {
            assert_string_equal(route->pattern, finds[i].pattern);
            assert_true(str_is(param, finds[i].param));
        }
    }
}

static const struct {
    const char *path;
    const char *allow;
} allows[] = {
    {"/ws", "GET, HEAD, OPTIONS"},
    {"/sessions", "GET, HEAD, POST, OPTIONS"},
    {"/sessions/x", "GET, HEAD, PATCH, DELETE, OPTIONS"},
    {"/sessions/x/end", "POST, OPTIONS"},
    {"/", "GET, HEAD, OPTIONS"},
    {"*", "GET, HEAD, POST, PATCH, DELETE, OPTIONS"},
    {"/*", ""},
    {"/nothing", ""},
    {"", ""},
};

static void
test_allow_names_every_method_of_a_path_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(allows); i++) {
        struct buf b;

        buf_init(&b, 256);
        routes_allow(str_from(allows[i].path), &b);
        if (!str_is(buf_str(&b), allows[i].allow)) {
            fail_msg("%s: %.*s", allows[i].path, STR_ARG(buf_str(&b)));
        }
        buf_fini(&b);
    }
}

static const struct {
    const char *path;
    const char *prefix;
    const char *rest; /* NULL: outside the prefix */
} strips[] = {
    {"/chatbox/ws", "/chatbox", "/ws"},
    {"/chatbox/", "/chatbox", "/"},
    {"/chatbox", "/chatbox", ""},
    {"/chatboxws", "/chatbox", NULL},
    {"/chatbo", "/chatbox", NULL},
    {"/", "/chatbox", NULL},
    {"", "/chatbox", NULL},
    {"*", "/chatbox", NULL},
    {"/Chatbox/ws", "/chatbox", NULL},
    {"/x/chatbox/ws", "/chatbox", NULL},
    {"/a/b/ws", "/a/b", "/ws"},
    {"/a/bws", "/a/b", NULL},
    {"/ws", "", "/ws"},
    {"/", "", "/"},
    {"*", "", NULL},
};

static void
test_the_prefix_ends_where_a_segment_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(strips); i++) {
        struct str rest = {NULL, 0};
        bool ok =
            routes_strip(str_from(strips[i].path), strips[i].prefix, &rest);

        if (ok != (strips[i].rest != NULL)) {
            fail_msg("%s behind %s", strips[i].path, strips[i].prefix);
        }
        if (ok) {
            assert_true(str_is(rest, strips[i].rest));
        }
    }
}

static void
test_each_route_counts_its_time_by_pattern_and_method(void **state)
{
    const struct route *route;
    struct str param;
    struct buf b;

    (void)state;
    metrics_thread_init();
    assert_int_equal(
        routes_find(HTTP1_DELETE, STR("/sessions/" ID), &route, &param),
        ERR_OK);
    metric_observe_at(METRIC_HTTP_DURATION, routes_slot(route), 0.001);
    buf_init(&b, 1 << 20);
    metrics_render(&b);
    buf_putc(&b, '\0');
    assert_non_null(strstr(b.p, "chatbox_http_request_duration_seconds_count"
                                "{endpoint=\"/sessions/{id}\","
                                "method=\"DELETE\"} 1\n"));
    assert_null(strstr(b.p, ID));
    buf_fini(&b);
    metrics_fini();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_path_and_a_method_mean_one_route),
        cmocka_unit_test(test_allow_names_every_method_of_a_path_once),
        cmocka_unit_test(test_the_prefix_ends_where_a_segment_ends),
        cmocka_unit_test(test_each_route_counts_its_time_by_pattern_and_method),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
