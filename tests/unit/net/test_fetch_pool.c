/* SPDX-License-Identifier: MIT */
#include "net/fetch.h"

#include "fetch_fixture.h"

static struct fixture f;
static struct server server;

static bool
answer(struct reply *r)
{
    char text[256];
    bool last = strstr(r->path, "close") != NULL;

    if (strcmp(r->path, "/silent") == 0) {
        reply_until_closed(r);
        return false;
    }
    (void)snprintf(text, sizeof(text),
                   "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                   strlen(r->path), r->path);
    reply_text(r, text);
    return !last;
}

static int
setup(void **state)
{
    (void)state;
    return fetch_setup(&f, &server, answer);
}

static int
teardown(void **state)
{
    (void)state;
    return fetch_teardown(&f, &server);
}

static void
get(const char *path)
{
    struct asker a;

    asker_init(&a, &f);
    asker_get(&a, &server, path);
    PUMP_UNTIL(&f, a.ends == 1);
    assert_int_equal(a.why, FETCH_DONE);
    assert_true(asker_got(&a, path));
    buf_fini(&a.got);
}

static void
an_upstream_connection_is_used_again(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        get("/again");
    }
    assert_int_equal(server.connections, 1);
    assert_int_equal(server.requests, 5);
}

static void
a_kept_connection_that_the_server_closed_is_replaced_silently(void **state)
{
    (void)state;
    get("/close");
    PUMP_UNTIL(&f, server.open == 0);
    get("/fine");
    assert_int_equal(server.connections, 2);
}

/* Answers the first request of a connection and resets it at the second. */
static bool
answer_once(struct reply *r)
{
    if (r->number == 0) {
        return answer(r);
    }
    reply_reset(r);
    return false;
}

static void
a_request_lost_by_a_kept_connection_is_sent_once_more(void **state)
{
    (void)state;
    server.run = answer_once;
    get("/first");
    get("/second");
    assert_int_equal(server.connections, 2);
    assert_int_equal(server.requests, 3);
    get("/third");
    assert_int_equal(server.connections, 3);
}

static bool
answer_first_connection(struct reply *r)
{
    return r->server->connections == 1 ? answer_once(r) : false;
}

static void
a_request_that_a_new_connection_loses_too_has_failed(void **state)
{
    struct asker a;

    (void)state;
    server.run = answer_first_connection;
    get("/first");
    asker_init(&a, &f);
    asker_get(&a, &server, "/lost");
    PUMP_UNTIL(&f, a.ends == 1);
    assert_int_equal(a.why, FETCH_CONNECT_FAILED);
    assert_int_equal(server.connections, 2);
    buf_fini(&a.got);
}

static atomic_bool may_answer;

/* At the second request of a connection, a part of an answer and a reset, when
 * the test allows it. */
static bool
answer_in_part(struct reply *r)
{
    if (r->number == 0) {
        return answer(r);
    }
    while (!may_answer) {
        (void)sched_yield();
    }
    reply_text(r, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart");
    reply_reset(r);
    return false;
}

static void
what_came_before_a_reset_is_not_lost(void **state)
{
    struct asker a;

    (void)state;
    server.run = answer_in_part;
    may_answer = false;
    get("/first");
    asker_init(&a, &f);
    asker_get(&a, &server, "/second");
    PUMP_UNTIL(&f, server.requests == 2);
    may_answer = true;
    while (server.open > 0) {
        (void)sched_yield(); /* the loop stands: it finds text and reset */
    }
    PUMP_UNTIL(&f, a.ends == 1);
    assert_true(asker_got(&a, "part"));
    assert_int_equal(a.why, FETCH_CUT);
    assert_int_equal(server.requests, 2);
    buf_fini(&a.got);
}

static void
many_transfers_run_at_once(void **state)
{
    enum { COUNT = 60 };
    struct asker a[COUNT];
    char path[COUNT][32];
    int done = 0;

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        asker_init(&a[i], &f);
        (void)snprintf(path[i], sizeof(path[i]), "/number/%d", i);
        asker_get(&a[i], &server, path[i]);
    }
    assert_int_equal(fetch_pool_active(&f.shard), COUNT);
    while (done < COUNT) {
        (void)uv_run(&f.shard.loop, UV_RUN_ONCE);
        done = 0;
        for (int i = 0; i < COUNT; i++) {
            done += a[i].ends;
        }
    }
    assert_int_equal(fetch_pool_active(&f.shard), 0);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(a[i].why, FETCH_DONE);
        assert_true(asker_got(&a[i], path[i]));
        buf_fini(&a[i].got);
    }
}

static atomic_bool busy;

/* Takes and gives back the lowest numbers that are free. */
static void *
use_descriptors(void *arg)
{
    (void)arg;
    while (busy) {
        int fd = dup(STDERR_FILENO);

        if (fd >= 0) {
            (void)close(fd);
        }
    }
    return NULL;
}

/* ThreadSanitizer is the judge: it knows whose a descriptor is. */
static void
a_connection_that_is_given_up_touches_no_descriptor_of_others(void **state)
{
    pthread_t other;

    (void)state;
    busy = true;
    assert_int_equal(pthread_create(&other, NULL, use_descriptors, NULL), 0);
    for (int i = 0; i < 300; i++) {
        struct asker a;

        asker_init(&a, &f);
        asker_get(&a, &server, "/given-up");
        (void)uv_run(&f.shard.loop, UV_RUN_NOWAIT);
        asker_cancel(&a);
        (void)uv_run(&f.shard.loop, UV_RUN_NOWAIT);
        buf_fini(&a.got);
    }
    busy = false;
    assert_int_equal(pthread_join(other, NULL), 0);
    assert_int_equal(fetch_pool_active(&f.shard), 0);
}

static void
a_proxy_of_the_environment_is_used(void **state)
{
    struct asker a;
    char proxy[64];
    struct fetch_request r = {.method = "GET",
                              .url = "http://model.invalid/v1/x"};

    (void)state;
    (void)snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", server.port);
    assert_int_equal(setenv("http_proxy", proxy, 1), 0);
    asker_init(&a, &f);
    asker_start(&a, &r);
    PUMP_UNTIL(&f, a.ends == 1);
    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_int_equal(a.why, FETCH_DONE);
    assert_true(asker_got(&a, "http://model.invalid/v1/x"));
    buf_fini(&a.got);
}

static void
taking_the_pool_down_cancels_what_runs(void **state)
{
    (void)state;
    for (int after_loop = 0; after_loop < 2; after_loop++) {
        struct fixture own;
        struct asker waiting;
        struct asker fresh;
        int hangups = server.hangups;

        fixture_open(&own);
        fetch_pool_init(&own.shard);
        asker_init(&waiting, &own);
        asker_get(&waiting, &server, "/silent");
        for (int seen = server.requests; server.requests == seen;) {
            (void)uv_run(&own.shard.loop, UV_RUN_NOWAIT);
        }
        if (after_loop) {
            shard_stop(&own.shard);
            shard_run(&own.shard);
        }
        asker_init(&fresh, &own);
        asker_get(&fresh, &server, "/never-asked");
        fetch_pool_fini(&own.shard);
        fixture_close(&own);
        PUMP_UNTIL(&f, server.hangups == hangups + 1);
        assert_int_equal(waiting.ends + fresh.ends, 0);
        buf_fini(&waiting.got);
        buf_fini(&fresh.got);
    }
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(an_upstream_connection_is_used_again),
        CASE(a_kept_connection_that_the_server_closed_is_replaced_silently),
        CASE(a_request_lost_by_a_kept_connection_is_sent_once_more),
        CASE(a_request_that_a_new_connection_loses_too_has_failed),
        CASE(what_came_before_a_reset_is_not_lost),
        CASE(many_transfers_run_at_once),
        CASE(a_connection_that_is_given_up_touches_no_descriptor_of_others),
        CASE(a_proxy_of_the_environment_is_used),
        CASE(taking_the_pool_down_cancels_what_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
