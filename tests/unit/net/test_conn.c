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

static void
drop(struct user *u, int peer)
{
    if (!u->closed) {
        conn_abort(u->conn);
        PUMP_UNTIL(&f, u->closed);
    }
    pump_idle(&f);
    assert_int_equal(u->closed, 1);
    (void)close(peer);
    buf_fini(&u->got);
}

static bool
got_is(const struct user *u, const char *text)
{
    return str_is(buf_str(&u->got), text);
}

static void
a_quiet_connection_is_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct conn) <= 352);
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
    drop(&u, peer);
}

static void
echoes_large_input_intact(void **state)
{
    enum { SIZE = 3 << 20, STEP = 100000 };
    struct user u;
    int peer = fixture_pair(&f, &u, SOCK_STREAM);
    char *sent = pattern(SIZE);
    char *back = xmalloc(SIZE);

    (void)state;
    u.echoes = true;
    for (size_t at = 0; at < SIZE; at += STEP) {
        size_t n = SIZE - at < STEP ? SIZE - at : STEP;

        fixture_send(&f, peer, sent + at, n);
        fixture_recv(&f, peer, back + at, n);
    }
    assert_memory_equal(back, sent, SIZE);
    xfree(sent);
    xfree(back);
    drop(&u, peer);
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
    drop(&u, peer);
}

static void
a_user_that_never_consumes_ends_the_connection_at_the_limit(void **state)
{
    struct user u;
    int peer = fixture_pair(&f, &u, SOCK_STREAM);
    char *bytes = pattern(CONN_UNREAD_MAX);

    (void)state;
    u.consume = 0;
    fixture_send(&f, peer, bytes, CONN_UNREAD_MAX - 1);
    PUMP_UNTIL(&f, u.shown_most == CONN_UNREAD_MAX - 1);
    assert_int_equal(u.closed, 0);
    fixture_send(&f, peer, bytes, 1);
    PUMP_UNTIL(&f, u.closed);
    assert_int_equal(u.why, CONN_END_ERROR);
    xfree(bytes);
    drop(&u, peer);
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
    drop(&u, peer);
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
    drop(&u, peer);
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
    drop(&loud, loud_peer);
    drop(&soft, soft_peer);
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
    drop(&u, peer);
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
    pump_idle(&f);
    assert_int_equal(u.drains, 1);
    xfree(bytes);
    xfree(back);
    drop(&u, peer);
}

static void
finishing_sends_everything_and_waits_for_the_peer(void **state)
{
    enum { SIZE = 900000 };
    struct user u;
    int peer = fixture_pair(&f, &u, SOCK_STREAM);
    char *bytes = pattern(SIZE);
    char *back = xmalloc(SIZE);
    char none;

    (void)state;
    assert_int_equal(conn_write(u.conn, bytes, SIZE), ERR_OK);
    conn_finish(u.conn, 60000);
    conn_finish(u.conn, 1);
    assert_int_equal(conn_write(u.conn, "x", 1), ERR_IO);
    assert_null(conn_reserve(u.conn, 1));
    fixture_send(&f, peer, "too late", 8);
    fixture_recv(&f, peer, back, SIZE);
    assert_memory_equal(back, bytes, SIZE);
    pump_idle(&f);
    assert_int_equal(recv(peer, &none, 1, 0), 0);
    assert_int_equal(u.closed, 0);
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
    PUMP_UNTIL(&f, u.closed);
    assert_int_equal(u.why, CONN_END_LOCAL);
    assert_int_equal(u.shown + u.eofs + u.drains, 0);
    xfree(bytes);
    xfree(back);
    drop(&u, peer);
}

static void
finishing_does_not_wait_longer_than_it_was_told(void **state)
{
    struct user quick;
    struct user silent;
    struct user stuck;
    int quick_peer = fixture_pair(&f, &quick, SOCK_STREAM);
    int silent_peer = fixture_pair(&f, &silent, SOCK_STREAM);
    int stuck_peer = fixture_pair(&f, &stuck, SOCK_STREAM);
    char *bytes = pattern(900000);

    (void)state;
    conn_finish(quick.conn, 0);
    conn_finish(silent.conn, 20);
    assert_int_equal(conn_write(stuck.conn, bytes, 900000), ERR_OK);
    conn_finish(stuck.conn, 20);
    PUMP_UNTIL(&f, quick.closed && silent.closed && stuck.closed);
    assert_int_equal(quick.why, CONN_END_LOCAL);
    assert_int_equal(silent.why, CONN_END_LOCAL);
    assert_int_equal(stuck.why, CONN_END_ERROR);
    xfree(bytes);
    drop(&quick, quick_peer);
    drop(&silent, silent_peer);
    drop(&stuck, stuck_peer);
}

static void
answer_and_finish(struct user *u)
{
    assert_int_equal(conn_write(u->conn, "bye", 3), ERR_OK);
    conn_finish(u->conn, 60000);
}

static void
output_still_works_after_the_peer_closed_its_side(void **state)
{
    struct user u;
    int peer = fixture_pair(&f, &u, SOCK_STREAM);
    char text[4] = {0};

    (void)state;
    fixture_send(&f, peer, "hello", 5);
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
    PUMP_UNTIL(&f, u.eofs == 1);
    assert_true(got_is(&u, "hello"));
    pump_idle(&f);
    assert_int_equal(u.closed, 0);
    answer_and_finish(&u);
    PUMP_UNTIL(&f, u.closed);
    assert_int_equal(u.why, CONN_END_PEER);
    assert_int_equal(recv(peer, text, sizeof(text), 0), 3);
    assert_string_equal(text, "bye");
    assert_int_equal(u.eofs, 1);
    drop(&u, peer);
}

static void
a_user_may_finish_inside_on_bytes_and_inside_on_eof(void **state)
{
    struct user early;
    struct user late;
    int early_peer = fixture_pair(&f, &early, SOCK_STREAM);
    int late_peer = fixture_pair(&f, &late, SOCK_STREAM);

    (void)state;
    early.then = answer_and_finish;
    late.at_eof = answer_and_finish;
    fixture_send(&f, early_peer, "x", 1);
    assert_int_equal(shutdown(early_peer, SHUT_WR), 0);
    assert_int_equal(shutdown(late_peer, SHUT_WR), 0);
    PUMP_UNTIL(&f, early.closed && late.closed);
    assert_int_equal(early.shown, 1);
    assert_int_equal(early.eofs, 0);
    assert_int_equal(late.why, CONN_END_PEER);
    drop(&early, early_peer);
    drop(&late, late_peer);
}

static void
abort_now(struct user *u)
{
    conn_abort(u->conn);
    conn_abort(u->conn);
    assert_int_equal(conn_write(u->conn, "x", 1), ERR_IO);
    assert_int_equal(u->closed, 0);
}

static void
a_user_may_abort_inside_on_bytes_and_hears_nothing_more(void **state)
{
    struct user u;
    int peer = fixture_pair(&f, &u, SOCK_STREAM);
    char *bytes = pattern(200000);
    char none;

    (void)state;
    u.then = abort_now;
    (void)send(peer, bytes, 200000, 0);
    (void)shutdown(peer, SHUT_WR);
    PUMP_UNTIL(&f, u.closed);
    assert_int_equal(u.why, CONN_END_ABORT);
    assert_int_equal(u.shown, 1);
    assert_int_equal(u.eofs, 0);
    assert_int_equal(net_conn_count(&f.shard), 0);
    assert_true(recv(peer, &none, 1, 0) <= 0);
    xfree(bytes);
    drop(&u, peer);
}

static void
aborting_with_output_left_resets_the_peer(void **state)
{
    struct user u;
    int fds[2];
    char *bytes = pattern(1 << 20);
    char none[4096];
    ssize_t n;

    (void)state;
    user_init(&u);
    tcp_pair(fds);
    assert_int_equal(conn_open(&f.shard, fds[0], NULL, &u.conn), ERR_OK);
    conn_attach(u.conn, &user_events, &u);
    conn_set_limit(u.conn, 64 << 20);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(conn_write(u.conn, bytes, 1 << 20), ERR_OK);
    }
    pump_idle(&f);
    assert_true(conn_queued(u.conn) > 0);
    conn_abort(u.conn);
    PUMP_UNTIL(&f, u.closed);
    do {
        n = recv(fds[1], none, sizeof(none), 0);
    } while (n > 0);
    assert_int_equal(n, -1);
    assert_int_equal(errno, ECONNRESET);
    xfree(bytes);
    drop(&u, fds[1]);
}

static void
a_reset_by_the_peer_is_an_error_whatever_the_connection_waits_for(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct linger reset = {.l_onoff = 1, .l_linger = 0};
        struct user u;
        int fds[2];

        user_init(&u);
        tcp_pair(fds);
        assert_int_equal(conn_open(&f.shard, fds[0], NULL, &u.conn), ERR_OK);
        conn_attach(u.conn, &user_events, &u);
        if (i == 1) {
            (void)shutdown(fds[1], SHUT_WR);
            PUMP_UNTIL(&f, u.eofs == 1);
        } else if (i == 2) {
            conn_finish(u.conn, 60000);
            pump_idle(&f);
        }
        (void)setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        (void)close(fds[1]);
        if (i == 1) {
            /* Nobody watches a side that is over; writing notices. */
            pump_idle(&f);
            assert_int_equal(conn_write(u.conn, "x", 1), ERR_OK);
        }
        PUMP_UNTIL(&f, u.closed);
        assert_int_equal(u.why, CONN_END_ERROR);
        drop(&u, -1);
    }
}

static void
arrived(struct shard *here, void *arg)
{
    struct user *u = arg;

    assert_ptr_equal(here, &f.shard);
    assert_int_equal(u->shown, 1);
    u->then = NULL;
    u->consume = SIZE_MAX;
    conn_resume(u->conn);
    assert_int_equal(conn_write(u->conn, "here", 4), ERR_OK);
}

static void
hand_to_itself(struct user *u)
{
    conn_pause(u->conn);
    conn_handover(u->conn, &f.shard, arrived);
}

static void
handing_over_to_the_same_shard_arrives_in_the_same_turn(void **state)
{
    struct user u;
    int peer = fixture_pair(&f, &u, SOCK_STREAM);
    char back[4];

    (void)state;
    u.then = hand_to_itself;
    u.consume = 2;
    fixture_send(&f, peer, "abcdef", 6);
    fixture_recv(&f, peer, back, sizeof(back));
    assert_memory_equal(back, "here", 4);
    assert_true(got_is(&u, "abcdef"));
    drop(&u, peer);
}

static void
tells_the_address_of_its_peer(void **state)
{
    static const struct {
        int family;
        const char *address;
        const char *text;
    } cases[] = {
        {AF_INET, "203.0.113.7", "203.0.113.7"},
        {AF_INET6, "2001:db8::1", "2001:db8::1"},
        {AF_INET6, "::ffff:203.0.113.7", "203.0.113.7"},
        {AF_INET6, "::1", "::1"},
        {AF_UNIX, NULL, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        union conn_addr a = {.any.sa_family = (sa_family_t)cases[i].family};
        struct user u;
        int fds[2];
        char text[64];

        user_init(&u);
        if (cases[i].family == AF_INET) {
            (void)inet_pton(AF_INET, cases[i].address, &a.v4.sin_addr);
        } else if (cases[i].family == AF_INET6) {
            (void)inet_pton(AF_INET6, cases[i].address, &a.v6.sin6_addr);
        }
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        assert_int_equal(conn_open(&f.shard, fds[0], &a.any, &u.conn), ERR_OK);
        conn_attach(u.conn, &user_events, &u);
        conn_peer(u.conn, text, sizeof(text));
        assert_string_equal(text, cases[i].text);
        assert_int_equal(conn_peer_addr(u.conn)->sa_family,
                         cases[i].text[0] ? cases[i].family : AF_UNSPEC);
        assert_false(conn_is_tls(u.conn));
        assert_ptr_equal(conn_user(u.conn), &u);
        assert_ptr_equal(conn_shard(u.conn), &f.shard);
        drop(&u, fds[1]);
    }
}

static void
ids_differ(void **state)
{
    struct user a;
    struct user b;
    int pa = fixture_pair(&f, &a, SOCK_STREAM);
    int pb = fixture_pair(&f, &b, SOCK_STREAM);

    (void)state;
    assert_int_not_equal(conn_id(a.conn), conn_id(b.conn));
    drop(&a, pa);
    drop(&b, pb);
}

static void
taking_the_room_down_closes_what_is_open_once(void **state)
{
    struct fixture own;
    struct user u[3];
    int peer[3];

    (void)state;
    fixture_open(&own);
    for (int i = 0; i < 3; i++) {
        peer[i] = fixture_pair(&own, &u[i], SOCK_STREAM);
    }
    assert_int_equal(net_conn_count(&own.shard), 3);
    assert_int_equal(conn_write(u[0].conn, "x", 1), ERR_OK);
    conn_abort(u[1].conn);
    shard_stop(&own.shard);
    shard_run(&own.shard);
    fixture_close(&own);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(u[i].closed, 1);
        assert_int_equal(u[i].why, CONN_END_ABORT);
        (void)close(peer[i]);
        buf_fini(&u[i].got);
    }
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_quiet_connection_is_small),
        CASE(what_a_user_writes_in_one_turn_leaves_as_one_packet),
        CASE(echoes_large_input_intact),
        CASE(keeps_what_was_not_consumed_in_front_of_what_comes),
        CASE(a_user_that_never_consumes_ends_the_connection_at_the_limit),
        CASE(a_paused_connection_shows_nothing_and_loses_nothing),
        CASE(a_full_unread_buffer_survives_pausing),
        CASE(a_peer_that_floods_does_not_keep_others_waiting),
        CASE(the_queue_never_exceeds_its_limit),
        CASE(a_slow_reader_gets_everything_and_the_user_hears_when_it_drained),
        CASE(finishing_sends_everything_and_waits_for_the_peer),
        CASE(finishing_does_not_wait_longer_than_it_was_told),
        CASE(output_still_works_after_the_peer_closed_its_side),
        CASE(a_user_may_finish_inside_on_bytes_and_inside_on_eof),
        CASE(a_user_may_abort_inside_on_bytes_and_hears_nothing_more),
        CASE(aborting_with_output_left_resets_the_peer),
        CASE(a_reset_by_the_peer_is_an_error_whatever_the_connection_waits_for),
        CASE(handing_over_to_the_same_shard_arrives_in_the_same_turn),
        CASE(tells_the_address_of_its_peer),
        CASE(ids_differ),
        CASE(taking_the_room_down_closes_what_is_open_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
