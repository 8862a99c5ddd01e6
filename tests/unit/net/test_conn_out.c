/* SPDX-License-Identifier: MIT */
#include "net/conn.h"

#include "net/conn_internal.h"
#include "net_fixture.h"

#include <stdlib.h>

static struct fixture f;

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
what_a_user_writes_in_one_turn_leaves_as_one_packet(void **state)
{
    struct user u;
    int peer = fixture_pair(&f, &u, SOCK_SEQPACKET);
    char packet[16];

    (void)state;
    assert_int_equal(conn_write(u.conn, "one ", 4), ERR_OK);
    memcpy(conn_reserve(u.conn, 4), "two ", 4);
    assert_int_equal(conn_write(u.conn, "three", 5), ERR_OK);
    assert_int_equal(conn_queued(u.conn), 13);
    assert_int_equal(recv(peer, packet, sizeof(packet), 0), -1);
    PUMP_UNTIL(&f, conn_queued(u.conn) == 0);
    assert_int_equal(recv(peer, packet, sizeof(packet), 0), 13);
    assert_memory_equal(packet, "one two three", 13);
    fixture_drop(&f, &u, peer);
}

static void
what_is_gathered_leaves_with_the_next_write(void **state)
{
    struct user u;
    int peer = fixture_pair(&f, &u, SOCK_SEQPACKET);
    char packet[16];

    (void)state;
    assert_int_equal(conn_write(u.conn, "first ", 6), ERR_OK);
    conn_gather(u.conn, 3600000);
    pump_idle(&f);
    assert_int_equal(recv(peer, packet, sizeof(packet), 0), -1);
    assert_int_equal(conn_queued(u.conn), 6);
    assert_int_equal(conn_write(u.conn, "second", 6), ERR_OK);
    PUMP_UNTIL(&f, conn_queued(u.conn) == 0);
    assert_int_equal(recv(peer, packet, sizeof(packet), 0), 12);
    assert_memory_equal(packet, "first second", 12);
    assert_int_equal(conn_write(u.conn, "third", 5), ERR_OK);
    PUMP_UNTIL(&f, conn_queued(u.conn) == 0);
    assert_int_equal(recv(peer, packet, sizeof(packet), 0), 5);
    fixture_drop(&f, &u, peer);
}

static void
what_is_gathered_leaves_alone_when_nothing_follows_in_time(void **state)
{
    struct user u;
    int peer = fixture_pair(&f, &u, SOCK_SEQPACKET);
    char packet[16];

    (void)state;
    assert_int_equal(conn_write(u.conn, "first", 5), ERR_OK);
    conn_gather(u.conn, 1);
    PUMP_UNTIL(&f, conn_queued(u.conn) == 0);
    assert_int_equal(recv(peer, packet, sizeof(packet), 0), 5);
    pump_idle(&f);
    assert_int_equal(u.closed, 0);
    fixture_drop(&f, &u, peer);
}

static void
what_is_gathered_leaves_when_the_connection_is_finished(void **state)
{
    struct user u;
    int peer = fixture_pair(&f, &u, SOCK_STREAM);
    char got[5];

    (void)state;
    assert_int_equal(conn_write(u.conn, "first", 5), ERR_OK);
    conn_gather(u.conn, 3600000);
    conn_finish(u.conn, 3600000);
    fixture_recv(&f, peer, got, 5);
    assert_memory_equal(got, "first", 5);
    (void)close(peer);
    PUMP_UNTIL(&f, u.closed == 1);
    assert_int_equal(u.why, CONN_END_LOCAL);
    buf_fini(&u.got);
}

static void
the_queue_never_exceeds_its_limit(void **state)
{
    struct user u;
    int peer = fixture_pair(&f, &u, SOCK_STREAM);
    char *bytes = pattern(1000);

    (void)state;
    conn_set_limit(u.conn, 1000);
    assert_int_equal(conn_write(u.conn, bytes, 600), ERR_OK);
    assert_int_equal(conn_write(u.conn, bytes, 401), ERR_TOO_BIG);
    assert_null(conn_reserve(u.conn, 401));
    assert_int_equal(conn_queued(u.conn), 600);
    assert_int_equal(conn_write(u.conn, bytes, 400), ERR_OK);
    PUMP_UNTIL(&f, conn_queued(u.conn) == 0);
    assert_int_equal(conn_write(u.conn, bytes, 1000), ERR_OK);
    xfree(bytes);
    fixture_drop(&f, &u, peer);
}

static void
a_slow_reader_gets_everything_and_the_user_hears_when_it_drained(void **state)
{
    enum { SIZE = 900000 };
    struct user u;
    int peer = fixture_pair(&f, &u, SOCK_STREAM);
    char *bytes = pattern(SIZE);
    char *back = xmalloc(SIZE);
    size_t queued = 0;

    (void)state;
    while (queued < SIZE) {
        size_t n = SIZE - queued < 7001 ? SIZE - queued : 7001;

        assert_int_equal(conn_write(u.conn, bytes + queued, n), ERR_OK);
        queued += n;
        (void)uv_run(&f.shard.loop, UV_RUN_NOWAIT);
    }
    assert_true(conn_queued(u.conn) > CONN_HIGH_WATER);
    assert_int_equal(u.drains, 0);
    fixture_recv(&f, peer, back, SIZE);
    assert_memory_equal(back, bytes, SIZE);
    PUMP_UNTIL(&f, u.drains == 1);
    assert_int_equal(conn_queued(u.conn), 0);
    assert_int_equal(conn_write(u.conn, "x", 1), ERR_OK);
    fixture_recv(&f, peer, back, 1);
    pump_idle(&f);
    assert_int_equal(u.drains, 1);
    xfree(bytes);
    xfree(back);
    fixture_drop(&f, &u, peer);
}

static void
nothing_is_lost_or_mixed_up_by_any_order_of_writing_and_reading(void **state)
{
    enum { SIZE = 4 << 20 };
    struct user u;
    int peer = fixture_pair(&f, &u, SOCK_STREAM);
    char *bytes = pattern(SIZE);
    char *back = xmalloc(SIZE);
    size_t out = 0;
    size_t in = 0;
    unsigned seed = 11;
    int small = 8192;

    (void)state;
    assert_int_equal(
        setsockopt(u.conn->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)),
        0);
    while (in < SIZE) {
        size_t n = (size_t)rand_r(&seed) % 9000 + 1;
        ssize_t got;

        n = n < SIZE - out ? n : SIZE - out;
        /* long at first, then short in the memory that it has */
        if (conn_queued(u.conn) < (in < SIZE / 2 ? 150000 : 40000) && n > 0) {
            assert_int_equal(conn_write(u.conn, bytes + out, n), ERR_OK);
            out += n;
        }
        (void)uv_run(&f.shard.loop, UV_RUN_NOWAIT);
        if (out < SIZE && rand_r(&seed) % 2 != 0) {
            continue; /* so that the queue grows */
        }
        got = recv(peer, back + in, (size_t)rand_r(&seed) % 10000 + 1, 0);
        in += got > 0 ? (size_t)got : 0;
    }
    assert_memory_equal(back, bytes, SIZE);
    xfree(bytes);
    xfree(back);
    fixture_drop(&f, &u, peer);
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(what_a_user_writes_in_one_turn_leaves_as_one_packet),
        CASE(what_is_gathered_leaves_with_the_next_write),
        CASE(what_is_gathered_leaves_alone_when_nothing_follows_in_time),
        CASE(what_is_gathered_leaves_when_the_connection_is_finished),
        CASE(the_queue_never_exceeds_its_limit),
        CASE(nothing_is_lost_or_mixed_up_by_any_order_of_writing_and_reading),
        CASE(a_slow_reader_gets_everything_and_the_user_hears_when_it_drained),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
