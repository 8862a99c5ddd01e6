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
a_quiet_connection_is_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct conn) <= 352);
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
    fixture_drop(&f, &u, peer);
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
    fixture_drop(&f, &u, peer);
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
    fixture_drop(&f, &quick, quick_peer);
    fixture_drop(&f, &silent, silent_peer);
    fixture_drop(&f, &stuck, stuck_peer);
}

static void
what_comes_is_still_read_after_the_end_of_the_output(void **state)
{
    enum { SIZE = 900000 };
    struct user u;
    int peer = fixture_pair(&f, &u, SOCK_STREAM);
    char *bytes = pattern(SIZE);
    char *back = xmalloc(SIZE);
    char none;

    (void)state;
    assert_int_equal(conn_write(u.conn, bytes, SIZE), ERR_OK);
    conn_end_output(u.conn);
    conn_end_output(u.conn);
    assert_int_equal(conn_write(u.conn, "x", 1), ERR_IO);
    assert_null(conn_reserve(u.conn, 1));
    fixture_recv(&f, peer, back, SIZE);
    assert_memory_equal(back, bytes, SIZE);
    PUMP_UNTIL(&f, recv(peer, &none, 1, 0) == 0);
    fixture_send(&f, peer, "answer", 6);
    PUMP_UNTIL(&f, u.got.n == 6);
    assert_int_equal(u.closed, 0);
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
    PUMP_UNTIL(&f, u.eofs == 1);
    conn_finish(u.conn, 60000);
    PUMP_UNTIL(&f, u.closed);
    assert_int_equal(u.why, CONN_END_PEER);
    xfree(bytes);
    xfree(back);
    fixture_drop(&f, &u, peer);
}

static void
finishing_may_follow_the_end_of_the_output(void **state)
{
    struct user u;
    int peer = fixture_pair(&f, &u, SOCK_STREAM);
    char got[4] = {0};

    (void)state;
    assert_int_equal(conn_write(u.conn, "bye", 3), ERR_OK);
    conn_end_output(u.conn);
    conn_finish(u.conn, 60000);
    fixture_recv(&f, peer, got, 3);
    assert_string_equal(got, "bye");
    PUMP_UNTIL(&f, recv(peer, got, 1, 0) == 0);
    assert_int_equal(u.closed, 0);
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
    PUMP_UNTIL(&f, u.closed);
    assert_int_equal(u.why, CONN_END_LOCAL);
    fixture_drop(&f, &u, peer);
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
    fixture_drop(&f, &u, peer);
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
    fixture_drop(&f, &early, early_peer);
    fixture_drop(&f, &late, late_peer);
}

static void
an_end_of_file_while_finishing_is_not_told_and_drops_nothing(void **state)
{
    enum { SIZE = 900000 };
    struct user u;
    int peer = fixture_pair(&f, &u, SOCK_STREAM);
    char *bytes = pattern(SIZE);
    char *back = xmalloc(SIZE);

    (void)state;
    assert_int_equal(conn_write(u.conn, bytes, SIZE), ERR_OK);
    conn_finish(u.conn, 60000);
    pump_idle(&f);
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
    pump_idle(&f);
    assert_int_equal(u.closed, 0);
    fixture_recv(&f, peer, back, SIZE);
    assert_memory_equal(back, bytes, SIZE);
    PUMP_UNTIL(&f, u.closed);
    assert_int_equal(u.eofs, 0);
    assert_int_equal(u.why, CONN_END_PEER);
    xfree(bytes);
    xfree(back);
    fixture_drop(&f, &u, peer);
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
    fixture_drop(&f, &u, peer);
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
    fixture_drop(&f, &u, fds[1]);
}

static void
a_reset_is_one_though_nothing_is_queued(void **state)
{
    struct user u;
    char none;
    int fds[2];

    (void)state;
    user_init(&u);
    tcp_pair(fds);
    assert_int_equal(conn_open(&f.shard, fds[0], NULL, &u.conn), ERR_OK);
    conn_attach(u.conn, &user_events, &u);
    conn_reset(u.conn);
    PUMP_UNTIL(&f, u.closed);
    assert_int_equal(u.why, CONN_END_ABORT);
    assert_int_equal(recv(fds[1], &none, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    fixture_drop(&f, &u, fds[1]);
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
        fixture_drop(&f, &u, -1);
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
    fixture_drop(&f, &u, peer);
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
        fixture_drop(&f, &u, fds[1]);
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
    fixture_drop(&f, &a, pa);
    fixture_drop(&f, &b, pb);
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_quiet_connection_is_small),
        CASE(echoes_large_input_intact),
        CASE(finishing_sends_everything_and_waits_for_the_peer),
        CASE(finishing_does_not_wait_longer_than_it_was_told),
        CASE(what_comes_is_still_read_after_the_end_of_the_output),
        CASE(finishing_may_follow_the_end_of_the_output),
        CASE(output_still_works_after_the_peer_closed_its_side),
        CASE(a_user_may_finish_inside_on_bytes_and_inside_on_eof),
        CASE(an_end_of_file_while_finishing_is_not_told_and_drops_nothing),
        CASE(a_user_may_abort_inside_on_bytes_and_hears_nothing_more),
        CASE(aborting_with_output_left_resets_the_peer),
        CASE(a_reset_is_one_though_nothing_is_queued),
        CASE(a_reset_by_the_peer_is_an_error_whatever_the_connection_waits_for),
        CASE(handing_over_to_the_same_shard_arrives_in_the_same_turn),
        CASE(tells_the_address_of_its_peer),
        CASE(ids_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
