/* SPDX-License-Identifier: MIT */
#include "net/dial.h"

#include "net_fixture.h"

#include <stdlib.h>
#include <sys/resource.h>

#define SOON_MS 20

static struct fixture f;

/* What a dial came to. */
struct outcome {
    struct user user; /* of the connection */
    int calls;
    char why[128];
};

static int
setup(void **state)
{
    (void)state;
    fixture_open(&f);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

static void
on_done(void *arg, struct conn *c, const char *why)
{
    struct outcome *o = arg;

    assert_true((c == NULL) != (why == NULL));
    o->calls++;
    if (c != NULL) {
        user_init(&o->user);
        o->user.conn = c;
        conn_attach(c, &user_events, &o->user);
    } else {
        (void)snprintf(o->why, sizeof(o->why), "%s", why);
    }
}

/* A port of loopback that is ours, where nobody listens yet. */
static int
bind_at(struct sockaddr_in *at)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    socklen_t n = sizeof(*at);

    *at = (struct sockaddr_in){.sin_family = AF_INET};
    at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)at, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)at, &n), 0);
    return fd;
}

static int
listen_at(int backlog, struct sockaddr_in *at)
{
    int fd = bind_at(at);

    assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

static struct dial *
begin(const struct sockaddr_in *to, uint64_t limit_ms, struct outcome *o)
{
    struct dial *d;

    *o = (struct outcome){0};
    d = dial_start(&f.shard, (const struct sockaddr *)to, limit_ms, on_done, o);
    assert_int_equal(o->calls, 0); /* never inside the call */
    return d;
}

static int
accept_one(int listener)
{
    int fd;

    PUMP_UNTIL(&f, (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0);
    return fd;
}

static void
gives_a_connection_that_carries_bytes_both_ways(void **state)
{
    struct sockaddr_in at;
    struct outcome o;
    int listener = listen_at(1, &at);
    char text[64];
    int peer;

    (void)state;
    (void)begin(&at, FIXTURE_DEADLINE_MS, &o);
    PUMP_UNTIL(&f, o.calls > 0);
    peer = accept_one(listener);
    conn_peer(o.user.conn, text, sizeof(text));
    assert_string_equal(text, "127.0.0.1");
    assert_int_equal(conn_write(o.user.conn, "there", 5), ERR_OK);
    fixture_recv(&f, peer, text, 5);
    assert_memory_equal(text, "there", 5);
    fixture_send(&f, peer, "back", 4);
    PUMP_UNTIL(&f, o.user.got.n == 4);
    assert_memory_equal(o.user.got.p, "back", 4);
    assert_int_equal(o.calls, 1);
    fixture_drop(&f, &o.user, peer);
    (void)close(listener);
}

static void
says_why_when_nobody_listens(void **state)
{
    struct sockaddr_in at;
    struct outcome o;
    int fd = bind_at(&at);

    (void)state;
    (void)begin(&at, FIXTURE_DEADLINE_MS, &o);
    PUMP_UNTIL(&f, o.calls > 0);
    assert_string_equal(o.why, strerror(ECONNREFUSED));
    pump_idle(&f);
    assert_int_equal(o.calls, 1);
    assert_int_equal(net_conn_count(&f.shard), 0);
    (void)close(fd);
}

/* A queue of connections that nobody accepts, so full that the kernel leaves
 * the next one without an answer. */
static int
fill(const struct sockaddr_in *at, int fds[4])
{
    int n = 0;

    while (n < 4) {
        fds[n] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        assert_true(fds[n] >= 0);
        (void)connect(fds[n++], (const struct sockaddr *)at, sizeof(*at));
    }
    return n;
}

static void
gives_up_when_the_time_is_over(void **state)
{
    struct sockaddr_in at;
    struct outcome o;
    int listener = listen_at(0, &at);
    int fds[4];
    int n = fill(&at, fds);

    (void)state;
    (void)begin(&at, SOON_MS, &o);
    PUMP_UNTIL(&f, o.calls > 0);
    assert_string_equal(o.why, strerror(ETIMEDOUT));
    pump_idle(&f);
    assert_int_equal(o.calls, 1);
    while (n > 0) {
        (void)close(fds[--n]);
    }
    (void)close(listener);
}

static void
what_fails_at_once_is_told_later(void **state)
{
    struct rlimit was, none;
    struct sockaddr_in at;
    struct outcome o;
    int fd = bind_at(&at);

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    none = was;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    (void)begin(&at, FIXTURE_DEADLINE_MS, &o);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    PUMP_UNTIL(&f, o.calls > 0);
    assert_string_equal(o.why, strerror(EMFILE));
    (void)close(fd);
}

static void
after_cancel_nothing_is_heard_and_nothing_is_left(void **state)
{
    struct sockaddr_in at;
    struct outcome o;
    int listener = listen_at(1, &at);
    char byte;
    int peer;

    (void)state;
    dial_cancel(begin(&at, SOON_MS, &o));
    peer = accept_one(listener);
    PUMP_UNTIL(&f, recv(peer, &byte, 1, 0) == 0); /* the descriptor is closed */
    pump_idle(&f);
    assert_int_equal(o.calls, 0);
    (void)close(peer);
    (void)close(listener);
    dial_cancel(NULL);
}

static void
can_be_cancelled_when_the_loop_has_ended(void **state)
{
    struct fixture own;
    struct sockaddr_in at;
    struct outcome o = {0};
    int listener = listen_at(1, &at);
    struct dial *d;

    (void)state;
    fixture_open(&own);
    d = dial_start(&own.shard, (struct sockaddr *)&at, SOON_MS, on_done, &o);
    shard_stop(&own.shard);
    shard_run(&own.shard);
    dial_cancel(d);
    fixture_close(&own);
    assert_int_equal(o.calls, 0);
    (void)close(listener);
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(gives_a_connection_that_carries_bytes_both_ways),
        CASE(says_why_when_nobody_listens),
        CASE(gives_up_when_the_time_is_over),
        CASE(what_fails_at_once_is_told_later),
        CASE(after_cancel_nothing_is_heard_and_nothing_is_left),
        CASE(can_be_cancelled_when_the_loop_has_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
