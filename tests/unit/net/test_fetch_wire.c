/* SPDX-License-Identifier: MIT */
#include "net/fetch.h"

#include "fetch_fixture.h"
#include "net/fetch_internal.h"

#include <poll.h>

static struct fixture f;
static struct server server;
static atomic_bool speak;   /* on the kept connection, without being asked */
static atomic_bool hang_up; /* close the kept connection */

static bool
answer(struct reply *r)
{
    reply_text(r, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    if (strcmp(r->path, "/then") == 0) {
        while (!speak && !hang_up) {
            (void)sched_yield();
        }
        if (speak) {
            reply_text(r, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
            reply_until_closed(r);
        }
        return false;
    }
    return true;
}

static int
setup(void **state)
{
    (void)state;
    speak = hang_up = false;
    return fetch_setup(&f, &server, answer);
}

static int
teardown(void **state)
{
    (void)state;
    return fetch_teardown(&f, &server);
}

static size_t
idle(void)
{
    return f.shard.fetch->idle_count;
}

static struct fetch_wire *
oldest(void)
{
    return CONTAINER_OF(f.shard.fetch->idle.next, struct fetch_wire, link);
}

static void
get(const char *name, const char *path)
{
    struct asker a;
    char url[64];
    struct fetch_request r = {.method = "GET", .url = url};

    (void)snprintf(url, sizeof(url), "http://%s:%u%s", name, server.port, path);
    asker_init(&a, &f);
    asker_start(&a, &r);
    PUMP_UNTIL(&f, a.ends == 1);
    assert_int_equal(a.why, FETCH_DONE);
    assert_true(asker_got(&a, "ok"));
    buf_fini(&a.got);
}

static void
a_connection_is_kept_for_its_own_origin(void **state)
{
    (void)state;
    get("127.0.0.1", "/");
    get("localhost", "/");
    assert_int_equal(server.connections, 2);
    assert_int_equal(idle(), 2);
    get("127.0.0.1", "/");
    get("localhost", "/");
    get("127.0.0.1", "/");
    assert_int_equal(server.connections, 2);
    assert_int_equal(idle(), 2);
}

static void
requests_at_one_time_have_a_connection_each(void **state)
{
    struct asker a[3];

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT_OF(a); i++) {
            asker_init(&a[i], &f);
            asker_get(&a[i], &server, "/");
        }
        PUMP_UNTIL(&f, a[0].ends + a[1].ends + a[2].ends == 3);
        for (size_t i = 0; i < COUNT_OF(a); i++) {
            assert_true(asker_got(&a[i], "ok"));
            buf_fini(&a[i].got);
        }
        assert_in_range(idle(), 1, 3);
    }
    assert_in_range(server.connections, 1, 3);
}

static void
an_idle_connection_that_its_server_closes_is_dropped(void **state)
{
    (void)state;
    get("127.0.0.1", "/then");
    assert_int_equal(idle(), 1);
    hang_up = true;
    PUMP_UNTIL(&f, idle() == 0);
    get("127.0.0.1", "/");
    assert_int_equal(server.connections, 2);
}

static void
an_idle_connection_that_speaks_unasked_is_dropped(void **state)
{
    (void)state;
    get("127.0.0.1", "/then");
    speak = true;
    PUMP_UNTIL(&f, idle() == 0);
    PUMP_UNTIL(&f, server.open == 0);
    get("127.0.0.1", "/");
    assert_int_equal(server.connections, 2);
}

/* An answer that nobody asked for must not become somebody else's. */
static void
what_came_unasked_in_this_turn_is_not_the_next_answer(void **state)
{
    (void)state;
    for (int ends = 0; ends < 2; ends++) {
        struct pollfd ready = {.events = POLLIN};

        speak = hang_up = false;
        server.connections = server.requests = 0;
        get("127.0.0.1", "/then");
        assert_int_equal(idle(), 1);
        ready.fd = oldest()->fd;
        speak = ends == 0;
        hang_up = ends == 1;
        assert_int_equal(poll(&ready, 1, FIXTURE_DEADLINE_MS), 1);
        get("127.0.0.1", "/"); /* the loop has not turned in between */
        assert_int_equal(server.connections, 2);
        assert_int_equal(server.requests, 2);
        fetch_wire_close(oldest());
        PUMP_UNTIL(&f, server.open == 0);
    }
}

static void
an_idle_connection_is_dropped_after_its_time(void **state)
{
    (void)state;
    get("127.0.0.1", "/");
    assert_true(timer_armed(&oldest()->timer));
    timer_start(&f.shard.timers, &oldest()->timer, 0); /* as if it had passed */
    PUMP_UNTIL(&f, idle() == 0);
    PUMP_UNTIL(&f, server.open == 0);
}

static void
beyond_the_most_the_oldest_goes(void **state)
{
    (void)state;
    get("127.0.0.1", "/");
    f.shard.fetch->idle_count = FETCH_IDLE_MAX; /* as if there were so many */
    get("localhost", "/");
    assert_int_equal(idle(), FETCH_IDLE_MAX);
    assert_non_null(strstr(oldest()->origin, "localhost"));
    PUMP_UNTIL(&f, server.open == 1);
    f.shard.fetch->idle_count = 1;
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_connection_is_kept_for_its_own_origin),
        CASE(requests_at_one_time_have_a_connection_each),
        CASE(an_idle_connection_that_its_server_closes_is_dropped),
        CASE(an_idle_connection_that_speaks_unasked_is_dropped),
        CASE(what_came_unasked_in_this_turn_is_not_the_next_answer),
        CASE(an_idle_connection_is_dropped_after_its_time),
        CASE(beyond_the_most_the_oldest_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
