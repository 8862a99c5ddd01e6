/* SPDX-License-Identifier: MIT */
#include "net/conn.h"

#include "net/conn_internal.h"
#include "net_fixture.h"

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

static bool
got_is(const struct user *u, const char *text)
{
    return str_is(buf_str(&u->got), text);
}

static void
keeps_what_was_not_consumed_in_front_of_what_comes(void **state)
{
    struct user u;
    int peer = fixture_pair(&f, &u, SOCK_STREAM);
    static const char text[] = "abcdefghijklmnopqrstuvwxyz";

    (void)state;
    u.consume = 2;
    for (size_t i = 0; i < 13; i++) {
        int before = u.shown;

        fixture_send(&f, peer, text + i, 1);
        PUMP_UNTIL(&f, u.shown > before);
    }
    assert_true(got_is(&u, "abcdefghijklm"));
    u.consume = 0;
    fixture_send(&f, peer, text + 13, 6);
    PUMP_UNTIL(&f, u.shown_most == 6);
    u.consume = SIZE_MAX;
    fixture_send(&f, peer, text + 19, 7);
    PUMP_UNTIL(&f, got_is(&u, text));
    fixture_drop(&f, &u, peer);
}

static void
a_user_that_never_consumes_ends_the_connection_at_the_limit(void **state)
{
    struct user u;
    char *bytes = pattern(CONN_UNREAD_MAX);
    int fds[2];
    int peer;

    (void)state;
    user_init(&u);
    tcp_pair(fds); /* for TCP, reading nothing is like the end of the file */
    peer = fds[1];
    assert_int_equal(conn_open(&f.shard, fds[0], NULL, &u.conn), ERR_OK);
    conn_attach(u.conn, &user_events, &u);
    u.consume = 0;
    fixture_send(&f, peer, bytes, CONN_UNREAD_MAX - 1);
    PUMP_UNTIL(&f, u.shown_most == CONN_UNREAD_MAX - 1);
    assert_int_equal(u.closed, 0);
    fixture_send(&f, peer, bytes, 1);
    PUMP_UNTIL(&f, u.closed);
    assert_int_equal(u.why, CONN_END_ERROR);
    xfree(bytes);
    fixture_drop(&f, &u, peer);
}

static void
pause_it(struct user *u)
{
    conn_pause(u->conn);
}

static void
a_paused_connection_shows_nothing_and_loses_nothing(void **state)
{
    struct user u;
    int peer = fixture_pair(&f, &u, SOCK_STREAM);

    (void)state;
    u.then = pause_it;
    u.consume = 3;
    fixture_send(&f, peer, "abcdef", 6);
    PUMP_UNTIL(&f, u.shown == 1);
    fixture_send(&f, peer, "ghi", 3);
    pump_idle(&f);
    assert_int_equal(u.shown, 1);
    conn_resume(u.conn);
    assert_int_equal(u.shown, 1);
    PUMP_UNTIL(&f, u.shown == 2);
    assert_true(got_is(&u, "abcdef"));
    pump_idle(&f);
    assert_int_equal(u.shown, 2);
    u.then = NULL;
    conn_resume(u.conn);
    conn_resume(u.conn);
    PUMP_UNTIL(&f, got_is(&u, "abcdefghi"));
    fixture_drop(&f, &u, peer);
}

static void
a_full_unread_buffer_survives_pausing(void **state)
{
    struct user u;
    int peer = fixture_pair(&f, &u, SOCK_STREAM);
    char *bytes = pattern(2 * CONN_UNREAD_MAX);

    (void)state;
    u.consume = 0;
    fixture_send(&f, peer, bytes, CONN_UNREAD_MAX - 1);
    PUMP_UNTIL(&f, u.shown_most == CONN_UNREAD_MAX - 1);
    u.then = pause_it;
    fixture_send(&f, peer, bytes + CONN_UNREAD_MAX - 1, 2);
    PUMP_UNTIL(&f, u.shown_most == CONN_UNREAD_MAX);
    pump_idle(&f);
    assert_int_equal(u.closed, 0);
    u.then = NULL;
    u.consume = SIZE_MAX;
    conn_resume(u.conn);
    PUMP_UNTIL(&f, u.got.n == CONN_UNREAD_MAX + 1);
    assert_memory_equal(u.got.p, bytes, CONN_UNREAD_MAX + 1);
    xfree(bytes);
    fixture_drop(&f, &u, peer);
}

static struct conn *sleeper;

static void
wake_sleeper(struct user *u)
{
    (void)u;
    conn_resume(sleeper);
}

static void
resuming_before_its_own_event_of_the_same_turn_loses_nothing(void **state)
{
    struct user waker;
    struct user u;
    int waker_peer = fixture_pair(&f, &waker, SOCK_STREAM);
    int peer = fixture_pair(&f, &u, SOCK_STREAM);
    char *bytes = pattern(CONN_UNREAD_MAX);

    (void)state;
    u.consume = 0;
    fixture_send(&f, peer, bytes, CONN_UNREAD_MAX - 1);
    PUMP_UNTIL(&f, u.shown_most == CONN_UNREAD_MAX - 1);
    u.then = pause_it;
    fixture_send(&f, peer, bytes + CONN_UNREAD_MAX - 1, 1);
    PUMP_UNTIL(&f, u.shown_most == CONN_UNREAD_MAX);
    pump_idle(&f);
    /* Nothing is readable and all room is taken: both events come in one
     * turn, the one that resumes first. */
    u.then = NULL;
    u.consume = SIZE_MAX;
    u.got.n = 0;
    sleeper = u.conn;
    waker.then = wake_sleeper;
    assert_int_equal(send(waker_peer, "x", 1, 0), 1);
    assert_int_equal(send(peer, "y", 1, 0), 1);
    PUMP_UNTIL(&f, u.got.n == CONN_UNREAD_MAX + 1);
    assert_int_equal(u.eofs, 0);
    assert_memory_equal(u.got.p, bytes, CONN_UNREAD_MAX);
    xfree(bytes);
    fixture_drop(&f, &u, peer);
    fixture_drop(&f, &waker, waker_peer);
}

static void
a_peer_that_floods_does_not_keep_others_waiting(void **state)
{
    struct user loud;
    struct user soft;
    int loud_peer = fixture_pair(&f, &loud, SOCK_STREAM);
    int soft_peer = fixture_pair(&f, &soft, SOCK_STREAM);
    char *bytes = pattern(8192);
    int size = 4 << 20;

    (void)state;
    assert_int_equal(
        setsockopt(loud_peer, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)),
        0);
    while (send(loud_peer, bytes, 8192, 0) > 0) {
    }
    assert_int_equal(send(soft_peer, "x", 1, 0), 1);
    PUMP_UNTIL(&f, soft.shown == 1);
    assert_true(loud.shown <= 2 * CONN_READS_MAX);
    xfree(bytes);
    fixture_drop(&f, &loud, loud_peer);
    fixture_drop(&f, &soft, soft_peer);
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(keeps_what_was_not_consumed_in_front_of_what_comes),
        CASE(a_user_that_never_consumes_ends_the_connection_at_the_limit),
        CASE(a_paused_connection_shows_nothing_and_loses_nothing),
        CASE(a_full_unread_buffer_survives_pausing),
        CASE(resuming_before_its_own_event_of_the_same_turn_loses_nothing),
        CASE(a_peer_that_floods_does_not_keep_others_waiting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
