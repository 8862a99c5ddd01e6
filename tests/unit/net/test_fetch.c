/* SPDX-License-Identifier: MIT */
#include "net/fetch.h"

#include "fetch_fixture.h"
#include "net/fetch_internal.h"

static struct fixture f;
static struct server server;

#define HEAD "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"

/* The path says what comes. */
static bool
behave(struct reply *r)
{
    if (strcmp(r->path, "/silent") == 0) {
        reply_until_closed(r);
    } else if (strcmp(r->path, "/head") == 0) {
        reply_text(r, HEAD);
        reply_until_closed(r);
    } else if (strcmp(r->path, "/some") == 0) {
        reply_text(r, HEAD "some");
        reply_until_closed(r);
    } else if (strcmp(r->path, "/dribble") == 0) {
        char c;

        reply_text(r, HEAD);
        while (recv(r->fd, &c, 1, MSG_DONTWAIT) < 0) {
            reply_bytes(r, "x", 1);
            (void)usleep(1000);
        }
    } else if (strcmp(r->path, "/large") == 0) {
        char *bytes = pattern(1000000);

        reply_text(r, HEAD);
        reply_bytes(r, bytes, 1000000);
        xfree(bytes);
        return true;
    } else {
        reply_text(r, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        return true;
    }
    return false;
}

static int
setup(void **state)
{
    (void)state;
    return fetch_setup(&f, &server, behave);
}

static int
teardown(void **state)
{
    (void)state;
    return fetch_teardown(&f, &server);
}

static void
every_wait_has_its_own_limit(void **state)
{
    static const struct {
        const char *scheme;
        const char *path;
        uint64_t connect_ms;
        uint64_t first_byte_ms;
        uint64_t idle_ms;
        uint64_t total_ms;
        enum fetch_end end;
    } cases[] = {
        /* TLS to a server that waits for a request line: no handshake ends */
        {"https", "/", 60, 0, 0, 0, FETCH_CONNECT_TIMEOUT},
        {"http", "/silent", 60000, 60, 0, 0, FETCH_FIRST_BYTE_TIMEOUT},
        {"http", "/head", 60000, 60000, 60, 0, FETCH_IDLE_TIMEOUT},
        {"http", "/some", 60000, 60000, 60, 60000, FETCH_IDLE_TIMEOUT},
        {"http", "/some", 0, 0, 0, 60, FETCH_TOTAL_TIMEOUT},
        {"http", "/silent", 0, 0, 0, 60, FETCH_TOTAL_TIMEOUT},
        {"http", "/dribble", 5000, 5000, 5000, 100, FETCH_TOTAL_TIMEOUT},
        {"https", "/", 5000, 0, 0, 60, FETCH_TOTAL_TIMEOUT},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct asker a;
        char url[128];
        struct fetch_request r = {.method = "GET",
                                  .url = url,
                                  .connect_timeout_ms = cases[i].connect_ms,
                                  .first_byte_timeout_ms =
                                      cases[i].first_byte_ms,
                                  .idle_timeout_ms = cases[i].idle_ms,
                                  .total_timeout_ms = cases[i].total_ms};
        uint64_t began_ms = uv_hrtime() / 1000000;

        (void)snprintf(url, sizeof(url), "%s://127.0.0.1:%u%s", cases[i].scheme,
                       server.port, cases[i].path);
        asker_init(&a, &f);
        asker_start(&a, &r);
        PUMP_UNTIL(&f, a.ends == 1);
        if (a.why != cases[i].end) {
            fail_msg("case %zu: %s", i, fetch_end_word(a.why));
        }
        assert_true(uv_hrtime() / 1000000 - began_ms >= 60);
        buf_fini(&a.got);
    }
}

static void
bytes_that_keep_coming_are_not_idle(void **state)
{
    struct asker a;
    char url[128];
    struct fetch_request r = {
        .method = "GET", .url = url, .idle_timeout_ms = 3000};
    uint64_t until_ms = uv_hrtime() / 1000000 + 3300;

    (void)state;
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/dribble",
                   server.port);
    asker_init(&a, &f);
    asker_start(&a, &r);
    PUMP_UNTIL(&f, uv_hrtime() / 1000000 > until_ms);
    assert_int_equal(a.ends, 0);
    assert_true(a.got.n > 1);
    asker_cancel(&a);
    pump_idle(&f);
    buf_fini(&a.got);
}

static void
the_total_limit_holds_when_bytes_came_after_it(void **state)
{
    struct asker a;
    char url[128];
    struct fetch_request r = {.method = "GET",
                              .url = url,
                              .idle_timeout_ms = 60000,
                              .total_timeout_ms = 60000};

    (void)state;
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/dribble",
                   server.port);
    asker_init(&a, &f);
    asker_start(&a, &r);
    PUMP_UNTIL(&f, a.pieces > 0 && a.fetch->last_ms > a.fetch->start_ms + 5);
    /* As if the loop had been held up: the limit lies before the last byte. */
    a.fetch->limits.total_timeout_ms = 1;
    timer_start(&f.shard.timers, &a.fetch->timer, 0);
    PUMP_UNTIL(&f, a.ends == 1);
    assert_int_equal(a.why, FETCH_TOTAL_TIMEOUT);
    buf_fini(&a.got);
}

static void
pause_first(struct asker *a)
{
    if (a->pieces == 1) {
        fetch_pause(a->fetch);
        fetch_pause(a->fetch);
    }
}

static void
a_paused_transfer_delivers_nothing_and_is_never_idle(void **state)
{
    struct asker a;
    struct asker clock;
    char url[128];
    char *bytes = pattern(1000000);
    struct fetch_request r = {
        .method = "GET", .url = url, .idle_timeout_ms = 500};

    (void)state;
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/large", server.port);
    asker_init(&a, &f);
    a.at_data = pause_first;
    asker_start(&a, &r);
    PUMP_UNTIL(&f, a.pieces > 0);
    /* Longer than the idle limit: until a later limit of the same length. */
    asker_init(&clock, &f);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/silent", server.port);
    r.first_byte_timeout_ms = 700;
    asker_start(&clock, &r);
    PUMP_UNTIL(&f, clock.ends == 1);
    assert_int_equal(a.pieces, 1);
    assert_int_equal(a.ends, 0);
    fetch_resume(a.fetch);
    fetch_resume(a.fetch);
    assert_int_equal(a.pieces, 1);
    PUMP_UNTIL(&f, a.ends == 1);
    assert_int_equal(a.why, FETCH_DONE);
    assert_int_equal(a.got.n, 1000000);
    assert_memory_equal(a.got.p, bytes, 1000000);
    xfree(bytes);
    buf_fini(&a.got);
    buf_fini(&clock.got);
}

static void
the_idle_limit_begins_anew_when_a_transfer_is_resumed(void **state)
{
    struct asker a;
    char url[128];
    struct fetch_request r = {
        .method = "GET", .url = url, .idle_timeout_ms = 100};
    uint64_t at_ms = uv_hrtime() / 1000000 + 300;

    (void)state;
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/some", server.port);
    asker_init(&a, &f);
    a.at_data = pause_first;
    asker_start(&a, &r);
    PUMP_UNTIL(&f, a.pieces == 1 && uv_hrtime() / 1000000 > at_ms);
    assert_int_equal(a.ends, 0);
    at_ms = uv_hrtime() / 1000000;
    fetch_resume(a.fetch);
    PUMP_UNTIL(&f, a.ends == 1);
    assert_int_equal(a.why, FETCH_IDLE_TIMEOUT);
    assert_true(uv_hrtime() / 1000000 - at_ms >= 99);
    buf_fini(&a.got);
}

static void
stop_and_go(struct asker *a)
{
    fetch_pause(a->fetch);
    if (a->pieces % 3 == 0) {
        fetch_resume(a->fetch);
    }
}

static void
pausing_inside_on_data_loses_nothing(void **state)
{
    struct asker a;
    char *bytes = pattern(1000000);

    (void)state;
    asker_init(&a, &f);
    a.at_data = stop_and_go;
    asker_get(&a, &server, "/large");
    while (a.ends == 0) {
        (void)uv_run(&f.shard.loop, UV_RUN_NOWAIT);
        if (a.fetch != NULL) {
            fetch_resume(a.fetch);
        }
    }
    assert_int_equal(a.why, FETCH_DONE);
    assert_int_equal(a.got.n, 1000000);
    assert_memory_equal(a.got.p, bytes, 1000000);
    xfree(bytes);
    buf_fini(&a.got);
}

static void
cancel_here(struct asker *a)
{
    asker_cancel(a);
}

static void
cancelling_closes_upstream_and_silences_the_transfer(void **state)
{
    static const struct {
        const char *path;
        void (*at_head)(struct asker *);
        void (*at_data)(struct asker *);
    } cases[] = {
        {"/some", cancel_here, NULL},  {"/some", NULL, cancel_here},
        {"/large", NULL, cancel_here}, {"/ok", cancel_here, NULL},
        {"/ok", NULL, cancel_here},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct asker a;

        asker_init(&a, &f);
        a.at_head = cases[i].at_head;
        a.at_data = cases[i].at_data;
        asker_get(&a, &server, cases[i].path);
        PUMP_UNTIL(&f, a.over);
        PUMP_UNTIL(&f, fetch_pool_active(&f.shard) == 0);
        PUMP_UNTIL(&f, server.open == 0);
        assert_int_equal(a.ends, 0);
        buf_fini(&a.got);
    }
    assert_true(server.hangups >= 2);
}

static void
cancelling_at_any_moment_is_quiet(void **state)
{
    (void)state;
    for (int turns = 0; turns < 40; turns++) {
        struct asker a;

        asker_init(&a, &f);
        asker_get(&a, &server, turns % 2 == 0 ? "/some" : "/large");
        for (int i = 0; i < turns / 2 && a.ends == 0; i++) {
            (void)uv_run(&f.shard.loop, UV_RUN_NOWAIT);
        }
        if (a.fetch != NULL) {
            asker_cancel(&a);
        }
        PUMP_UNTIL(&f, fetch_pool_active(&f.shard) == 0);
        buf_fini(&a.got);
    }
    PUMP_UNTIL(&f, server.open <= 1); /* one may have been kept for reuse */
}

static void
cancel_other(struct asker *a)
{
    if (a->other != NULL && !a->other->over) {
        asker_cancel(a->other);
    }
}

static void
one_transfer_may_cancel_another_inside_any_callback(void **state)
{
    (void)state;
    for (int at = 0; at < 3; at++) {
        struct asker a;
        struct asker victim;

        asker_init(&a, &f);
        asker_init(&victim, &f);
        a.other = &victim;
        a.at_head = at == 0 ? cancel_other : NULL;
        a.at_data = at == 1 ? cancel_other : NULL;
        a.at_end = at == 2 ? cancel_other : NULL;
        asker_get(&victim, &server, "/some");
        asker_get(&a, &server, "/ok");
        PUMP_UNTIL(&f, a.ends == 1);
        PUMP_UNTIL(&f, fetch_pool_active(&f.shard) == 0);
        assert_true(victim.over);
        assert_int_equal(victim.ends, 0);
        buf_fini(&a.got);
        buf_fini(&victim.got);
    }
}

static void
start_other(struct asker *a)
{
    if (a->other->fetch == NULL && a->other->ends == 0) {
        asker_get(a->other, &server, "/ok");
    }
}

static void
a_transfer_may_be_started_inside_any_callback(void **state)
{
    (void)state;
    for (int at = 0; at < 3; at++) {
        struct asker a;
        struct asker next;

        asker_init(&a, &f);
        asker_init(&next, &f);
        a.other = &next;
        a.at_head = at == 0 ? start_other : NULL;
        a.at_data = at == 1 ? start_other : NULL;
        a.at_end = at == 2 ? start_other : NULL;
        asker_get(&a, &server, "/ok");
        PUMP_UNTIL(&f, a.ends == 1 && next.ends == 1);
        assert_int_equal(next.why, FETCH_DONE);
        assert_true(asker_got(&next, "ok"));
        buf_fini(&a.got);
        buf_fini(&next.got);
    }
}

static void
every_end_has_its_own_word(void **state)
{
    (void)state;
    for (int a = FETCH_DONE; a <= FETCH_FAILED; a++) {
        assert_non_null(fetch_end_word((enum fetch_end)a));
        for (int b = FETCH_DONE; b < a; b++) {
            assert_string_not_equal(fetch_end_word((enum fetch_end)a),
                                    fetch_end_word((enum fetch_end)b));
        }
    }
}

/* What a limit of time ended, and what is not worth another try. */
static void
some_ends_may_pass(void **state)
{
    (void)state;
    for (int i = FETCH_DONE; i <= FETCH_FAILED; i++) {
        const char *word = fetch_end_word((enum fetch_end)i);
        bool wrong = strncmp(word, "tls_", 4) == 0 || i == FETCH_PROXY_REFUSED;
        bool long_wait = i == FETCH_FIRST_BYTE_TIMEOUT ||
                         i == FETCH_IDLE_TIMEOUT || i == FETCH_TOTAL_TIMEOUT;

        assert_int_equal(fetch_end_is_late((enum fetch_end)i),
                         strstr(word, "timeout") != NULL);
        assert_int_equal(fetch_end_may_pass((enum fetch_end)i),
                         !wrong && !long_wait);
    }
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(every_wait_has_its_own_limit),
        CASE(bytes_that_keep_coming_are_not_idle),
        CASE(the_total_limit_holds_when_bytes_came_after_it),
        CASE(a_paused_transfer_delivers_nothing_and_is_never_idle),
        CASE(the_idle_limit_begins_anew_when_a_transfer_is_resumed),
        CASE(pausing_inside_on_data_loses_nothing),
        CASE(cancelling_closes_upstream_and_silences_the_transfer),
        CASE(cancelling_at_any_moment_is_quiet),
        CASE(one_transfer_may_cancel_another_inside_any_callback),
        CASE(a_transfer_may_be_started_inside_any_callback),
        CASE(every_end_has_its_own_word),
        CASE(some_ends_may_pass),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
