/* SPDX-License-Identifier: MIT */
#include "net/listener.h"

#include "base/metrics.h"
#include "net_fixture.h"

#include <netinet/tcp.h>
#include <sys/resource.h>

enum { PEERS_MAX = 300 };

static struct fixture f;
static struct user users[PEERS_MAX];
static int accepted;
static char why[256];

static int
setup(void **state)
{
    (void)state;
    metrics_thread_init();
    fixture_open(&f);
    accepted = 0;
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    metrics_fini();
    for (int i = 0; i < accepted; i++) {
        buf_fini(&users[i].got);
    }
    return 0;
}

static void
on_accept(struct shard *s, struct conn *c, void *cookie)
{
    struct user *u = &users[accepted++];

    assert_ptr_equal(s, &f.shard);
    assert_ptr_equal(cookie, &f);
    user_init(u);
    u->conn = c;
    u->echoes = true;
    conn_attach(c, &user_events, u);
}

static struct listener *
listen_on(const char *host, uint16_t *port)
{
    int fd;

    *port = 0;
    assert_int_equal(listener_bind(host, port, &fd, why, sizeof(why)), ERR_OK);
    assert_int_not_equal(*port, 0);
    return listener_start(&f.shard, fd, on_accept, &f);
}

/* A connected, non-blocking client. */
static int
dial(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static void
accepts_many_and_tells_who_they_are(void **state)
{
    uint16_t port;
    struct listener *l = listen_on("127.0.0.1", &port);
    int peers[PEERS_MAX];
    char text[64];

    (void)state;
    for (int i = 0; i < PEERS_MAX; i++) {
        peers[i] = dial(port);
    }
    PUMP_UNTIL(&f, accepted == PEERS_MAX);
    assert_int_equal(net_conn_count(&f.shard), PEERS_MAX);
    for (int i = 0; i < PEERS_MAX; i++) {
        char back[5];

        fixture_send(&f, peers[i], "hello", 5);
        fixture_recv(&f, peers[i], back, 5);
        assert_memory_equal(back, "hello", 5);
        conn_peer(users[i].conn, text, sizeof(text));
        assert_string_equal(text, "127.0.0.1");
        (void)close(peers[i]);
    }
    listener_stop(l);
}

static void
accepted_sockets_send_small_packets_at_once(void **state)
{
    uint16_t port;
    struct listener *l = listen_on("127.0.0.1", &port);
    int peer = dial(port);
    int on = 0;
    socklen_t n = sizeof(on);
    int before;

    (void)state;
    before = dup(0); /* the lowest free descriptor is what accept returns */
    (void)close(before);
    PUMP_UNTIL(&f, accepted == 1);
    assert_int_equal(getsockopt(before, IPPROTO_TCP, TCP_NODELAY, &on, &n), 0);
    assert_int_equal(on, 1);
    (void)close(peer);
    listener_stop(l);
}

static void
shards_share_a_port_but_a_probe_sees_that_it_is_taken(void **state)
{
    uint16_t port;
    uint16_t same;
    struct listener *l = listen_on("127.0.0.1", &port);
    struct listener *second;
    int fd;
    char text[8];

    (void)state;
    (void)snprintf(text, sizeof(text), "%u", port);
    same = port;
    assert_int_equal(listener_bind("127.0.0.1", &same, &fd, why, sizeof(why)),
                     ERR_OK);
    assert_int_equal(same, port);
    second = listener_start(&f.shard, fd, on_accept, &f);
    assert_int_equal(listener_probe("127.0.0.1", port, why, sizeof(why)),
                     ERR_IO);
    assert_non_null(strstr(why, text));
    listener_stop(l);
    listener_stop(second);
    assert_int_equal(listener_probe("127.0.0.1", port, why, sizeof(why)),
                     ERR_OK);
}

static void
says_why_it_cannot_listen(void **state)
{
    static const char *const hosts[] = {"192.0.2.1", "no such host",
                                        "256.1.1.1"};
    uint16_t port = 0;
    int fd;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        why[0] = '\0';
        assert_int_equal(listener_bind(hosts[i], &port, &fd, why, sizeof(why)),
                         ERR_IO);
        assert_non_null(strstr(why, hosts[i]));
    }
}

static void
the_unspecified_address_of_ipv6_takes_both_families(void **state)
{
    uint16_t port;
    struct listener *l = listen_on("::", &port);
    int peer = dial(port);
    char text[64];

    (void)state;
    PUMP_UNTIL(&f, accepted == 1);
    conn_peer(users[0].conn, text, sizeof(text));
    assert_string_equal(text, "127.0.0.1");
    (void)close(peer);
    listener_stop(l);
}

/* Takes every descriptor but n of the process; gives how to undo it. */
static struct rlimit
leave_descriptors(int n)
{
    struct rlimit old;
    struct rlimit tight;
    int lowest = dup(0);

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = old;
    tight.rlim_cur = (rlim_t)(lowest + n);
    (void)close(lowest);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    return old;
}

static void
running_out_of_descriptors_turns_peers_away_and_recovers(void **state)
{
    uint16_t port;
    struct listener *l = listen_on("127.0.0.1", &port);
    struct rlimit old;
    int peers[4];
    char byte;
    int turns = 0;

    (void)state;
    for (int i = 0; i < 4; i++) {
        peers[i] = dial(port);
    }
    old = leave_descriptors(2);
    PUMP_UNTIL(&f, accepted == 2 && metric_value(METRIC_ACCEPT_ERRORS, 0) == 1);
    assert_int_equal(f.shard.timers.count, 1); /* it looks away */
    /* The third was taken and closed, not left hanging. */
    PUMP_UNTIL(&f, recv(peers[2], &byte, 1, 0) == 0);
    /* The fourth waits, and the loop sleeps until the pause is over. */
    while (metric_value(METRIC_ACCEPT_ERRORS, 0) == 1) {
        (void)uv_run(&f.shard.loop, UV_RUN_ONCE);
        turns++;
    }
    assert_true(turns < 20);
    PUMP_UNTIL(&f, recv(peers[3], &byte, 1, 0) == 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    peers[2] = dial(port);
    PUMP_UNTIL(&f, accepted == 3);
    fixture_send(&f, peers[2], "x", 1);
    fixture_recv(&f, peers[2], &byte, 1);
    for (int i = 0; i < 4; i++) {
        (void)close(peers[i]);
    }
    listener_stop(l);
}

static void
the_last_descriptors_are_not_for_peers(void **state)
{
    enum { LIMIT = 256, RESERVE = LIMIT / 8, PEERS = 5 };
    uint16_t port;
    struct listener *l = listen_on("127.0.0.1", &port);
    struct rlimit old;
    struct rlimit tight;
    int taken[LIMIT];
    int peers[PEERS];
    int n = 0;
    char byte;

    (void)state;
    for (int i = 0; i < PEERS; i++) {
        peers[i] = dial(port);
    }
    do { /* three are left below the reserve */
        taken[n] = dup(0);
    } while (taken[n++] < LIMIT - RESERVE - 4);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = old;
    tight.rlim_cur = LIMIT;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    PUMP_UNTIL(&f, accepted == 3 && metric_value(METRIC_ACCEPT_ERRORS, 0) == 2);
    for (int i = 3; i < PEERS; i++) {
        assert_int_equal(recv(peers[i], &byte, 1, 0), 0);
        (void)close(peers[i]);
    }
    assert_int_equal(f.shard.timers.count, 0); /* it need not look away */
    (void)close(taken[--n]);
    peers[3] = dial(port);
    PUMP_UNTIL(&f, accepted == 4);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    peers[4] = dial(port);
    PUMP_UNTIL(&f, accepted == 5);
    for (int i = 0; i < PEERS; i++) {
        (void)close(peers[i]);
    }
    while (n > 0) {
        (void)close(taken[--n]);
    }
    listener_stop(l);
}

static void
stopping_leaves_open_connections_alone(void **state)
{
    uint16_t port;
    struct listener *l = listen_on("127.0.0.1", &port);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int peer = dial(port);
    int late = socket(AF_INET, SOCK_STREAM, 0);
    char byte;

    (void)state;
    PUMP_UNTIL(&f, accepted == 1);
    listener_stop(l);
    listener_stop(NULL);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(late, (struct sockaddr *)&a, sizeof(a)), -1);
    fixture_send(&f, peer, "x", 1);
    fixture_recv(&f, peer, &byte, 1);
    (void)close(late);
    (void)close(peer);
}

/* Nobody is turned away between two that share a descriptor. */
static void
a_released_descriptor_goes_on_listening(void **state)
{
    uint16_t port;
    struct listener *l = listen_on("127.0.0.1", &port);
    int fd = listener_release(l), peer;

    (void)state;
    peer = dial(port);
    for (int i = 0; i < 5; i++) {
        (void)uv_run(&f.shard.loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(accepted, 0);
    l = listener_start(&f.shard, fd, on_accept, &f);
    PUMP_UNTIL(&f, accepted == 1);
    listener_stop(l);
    (void)close(peer);
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(accepts_many_and_tells_who_they_are),
        CASE(accepted_sockets_send_small_packets_at_once),
        CASE(shards_share_a_port_but_a_probe_sees_that_it_is_taken),
        CASE(says_why_it_cannot_listen),
        CASE(the_unspecified_address_of_ipv6_takes_both_families),
        CASE(running_out_of_descriptors_turns_peers_away_and_recovers),
        CASE(the_last_descriptors_are_not_for_peers),
        CASE(stopping_leaves_open_connections_alone),
        CASE(a_released_descriptor_goes_on_listening),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
