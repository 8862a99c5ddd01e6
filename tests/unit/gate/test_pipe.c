/* SPDX-License-Identifier: MIT */
#include "gate/pipe.h"

#include "../net/net_fixture.h"

/* A pipe with two peers that the test plays: the client at fd[0], the server at
 * fd[1]. */
struct line {
    struct fixture f;
    struct pipe *pipe;
    struct conn *conn[2];
    int fd[2];
    int ends;
    enum pipe_end why;
};

static void
on_end(void *user, enum pipe_end why)
{
    struct line *l = user;

    l->ends++;
    l->why = why;
}

static void
open_side(struct line *l, int side, bool tcp)
{
    int fds[2];

    if (tcp) {
        tcp_pair(fds);
    } else {
        assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    }
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(conn_open(&l->f.shard, fds[0], NULL, &l->conn[side]),
                     ERR_OK);
    l->fd[side] = fds[1];
}

static void
join(struct line *l)
{
    l->pipe = pipe_join(l->conn[0], l->conn[1], on_end, l);
}

static void
line_open_on(struct line *l, bool tcp)
{
    memset(l, 0, sizeof(*l));
    fixture_open(&l->f);
    open_side(l, 0, tcp);
    open_side(l, 1, tcp);
}

static void
line_open(struct line *l)
{
    line_open_on(l, false);
    join(l);
}

/* The pipe has ended, for that reason, once. */
static void
line_close(struct line *l, enum pipe_end why)
{
    PUMP_UNTIL(&l->f, l->ends > 0);
    pump_idle(&l->f);
    assert_int_equal(l->ends, 1);
    assert_int_equal(l->why, why);
    assert_int_equal(net_conn_count(&l->f.shard), 0);
    for (int i = 0; i < 2; i++) {
        if (l->fd[i] >= 0) {
            (void)close(l->fd[i]);
        }
    }
    fixture_close(&l->f);
}

static void
hang_up(struct line *l, int side)
{
    (void)close(l->fd[side]);
    l->fd[side] = -1;
}

/* What recv says behind all that comes: 0, or errno. */
static int
end_of(struct line *l, int side)
{
    char room[65536];
    int end = EAGAIN;

    while (end == EAGAIN) {
        ssize_t n = recv(l->fd[side], room, sizeof(room), 0);

        end = n > 0 ? EAGAIN : n == 0 ? 0 : errno;
        (void)uv_run(&l->f.shard.loop, UV_RUN_NOWAIT);
    }
    return end;
}

static void
bytes_pass_both_ways(void **state)
{
    enum { SIZE = 300000 };
    char *bytes = pattern(SIZE), *back = xmalloc(SIZE);
    struct line l;

    (void)state;
    line_open(&l);
    for (int from = 0; from < 2; from++) {
        size_t sent = 0, got = 0;

        while (got < SIZE) {
            ssize_t n = send(l.fd[from], bytes + sent, SIZE - sent, 0);

            sent += n > 0 ? (size_t)n : 0;
            (void)uv_run(&l.f.shard.loop, UV_RUN_NOWAIT);
            n = recv(l.fd[1 - from], back + got, SIZE - got, 0);
            got += n > 0 ? (size_t)n : 0;
        }
        assert_memory_equal(back, bytes, SIZE);
    }
    pipe_close(l.pipe);
    hang_up(&l, 0);
    hang_up(&l, 1);
    line_close(&l, PIPE_CLOSED);
    xfree(bytes);
    xfree(back);
}

/* Sends until nothing more goes in; returns how much did. */
static size_t
send_until_full(struct line *l, int side, const char *bytes, size_t size)
{
    size_t sent = 0;
    int refused = 0;

    while (refused < 20 && sent < size) {
        ssize_t n = send(l->fd[side], bytes + sent, size - sent, MSG_NOSIGNAL);

        refused = n > 0 ? 0 : refused + 1;
        sent += n > 0 ? (size_t)n : 0;
        (void)uv_run(&l->f.shard.loop, UV_RUN_NOWAIT);
        assert_true(conn_queued(l->conn[1 - side]) <= PIPE_QUEUE_BYTES);
    }
    assert_true(sent < size);
    return sent;
}

/* Both directions: the reader takes nothing, then all. */
static void
who_does_not_read_stops_the_other_one_and_loses_nothing(void **state)
{
    enum { SIZE = 16 << 20 };
    char *bytes = pattern(SIZE), *back = xmalloc(SIZE);

    (void)state;
    for (int from = 0; from < 2; from++) {
        struct line l;
        size_t sent;

        line_open(&l);
        sent = send_until_full(&l, from, bytes, SIZE);
        assert_true(sent > CONN_HIGH_WATER);
        fixture_recv(&l.f, l.fd[1 - from], back, sent);
        assert_memory_equal(back, bytes, sent);
        fixture_send(&l.f, l.fd[from], "again", 5); /* reading goes on */
        fixture_recv(&l.f, l.fd[1 - from], back, 5);
        assert_memory_equal(back, "again", 5);
        pipe_abort(l.pipe);
        line_close(&l, PIPE_CLOSED);
    }
    xfree(bytes);
    xfree(back);
}

/* Also when the client reads nothing until all has been said. */
static void
the_servers_end_comes_behind_all_that_it_said(void **state)
{
    enum { SIZE = 16 << 20 };
    char *bytes = pattern(SIZE), *back = xmalloc(SIZE);
    struct line l;
    size_t sent;

    (void)state;
    line_open(&l);
    sent = send_until_full(&l, 1, bytes, SIZE);
    hang_up(&l, 1);
    fixture_recv(&l.f, l.fd[0], back, sent);
    assert_memory_equal(back, bytes, sent);
    assert_int_equal(end_of(&l, 0), 0);
    hang_up(&l, 0);
    line_close(&l, PIPE_DONE);
    xfree(bytes);
    xfree(back);
}

static void
the_clients_fin_is_passed_on_and_the_answer_still_comes(void **state)
{
    char got[8] = {0};
    struct line l;

    (void)state;
    line_open(&l);
    fixture_send(&l.f, l.fd[0], "ask", 3);
    assert_int_equal(shutdown(l.fd[0], SHUT_WR), 0);
    fixture_recv(&l.f, l.fd[1], got, 3);
    assert_string_equal(got, "ask");
    assert_int_equal(end_of(&l, 1), 0);
    assert_int_equal(l.ends, 0);
    fixture_send(&l.f, l.fd[1], "answer", 6);
    hang_up(&l, 1);
    fixture_recv(&l.f, l.fd[0], got, 6);
    assert_memory_equal(got, "answer", 6);
    assert_int_equal(end_of(&l, 0), 0);
    line_close(&l, PIPE_DONE);
}

static void
reset(struct line *l, int side)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    assert_int_equal(
        setsockopt(l->fd[side], SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    hang_up(l, side);
}

static void
a_client_that_breaks_is_a_server_that_hears_so(void **state)
{
    struct line l;

    (void)state;
    line_open_on(&l, true);
    join(&l);
    reset(&l, 0);
    (void)end_of(&l, 1);
    line_close(&l, PIPE_CLIENT_LOST);
}

/* What the client has, or what waits for it, is a part: it must not look like
 * the whole. */
static void
a_server_that_breaks_resets_the_client(void **state)
{
    enum { SIZE = 64 << 20 };
    char *bytes = pattern(SIZE);

    (void)state;
    for (int waits = 0; waits < 2; waits++) {
        struct line l;

        line_open_on(&l, true);
        join(&l);
        if (waits) {
            (void)send_until_full(&l, 1, bytes, SIZE);
        } else {
            fixture_send(&l.f, l.fd[1], "part", 4);
            fixture_recv(&l.f, l.fd[0], bytes, 4);
        }
        reset(&l, 1);
        assert_int_equal(end_of(&l, 0), ECONNRESET);
        line_close(&l, PIPE_SERVER_LOST);
    }
    xfree(bytes);
}

static size_t
take_one(void *user, char *bytes, size_t n)
{
    struct line *l = user;

    (void)bytes;
    conn_pause(l->conn[0]);
    return n > 0 ? 1 : 0;
}

static void
what_was_not_consumed_before_is_passed_on_behind_what_was_queued(void **state)
{
    static const struct conn_events before = {.on_bytes = take_one};
    char got[16] = {0};
    struct line l;

    (void)state;
    line_open_on(&l, false);
    conn_attach(l.conn[0], &before, &l);
    fixture_send(&l.f, l.fd[0], "head", 4);
    pump_idle(&l.f);
    assert_int_equal(conn_write(l.conn[1], "H", 1), ERR_OK);
    join(&l);
    fixture_recv(&l.f, l.fd[1], got, 4);
    assert_string_equal(got, "Head");
    pipe_abort(l.pipe);
    line_close(&l, PIPE_CLOSED);
}

static void
closing_sends_what_waits(void **state)
{
    char got[8] = {0};
    struct line l;

    (void)state;
    line_open_on(&l, false);
    assert_int_equal(conn_write(l.conn[0], "down", 4), ERR_OK);
    assert_int_equal(conn_write(l.conn[1], "up", 2), ERR_OK);
    join(&l);
    assert_true(pipe_holds_bytes(l.pipe));
    pipe_close(l.pipe);
    pipe_close(l.pipe);
    fixture_recv(&l.f, l.fd[0], got, 4);
    assert_memory_equal(got, "down", 4);
    fixture_recv(&l.f, l.fd[1], got, 2);
    assert_memory_equal(got, "up", 2);
    assert_false(pipe_holds_bytes(l.pipe));
    assert_int_equal(end_of(&l, 0), 0);
    assert_int_equal(end_of(&l, 1), 0);
    hang_up(&l, 0);
    hang_up(&l, 1);
    line_close(&l, PIPE_CLOSED);
}

static void
the_rooms_end_ends_the_pipe_once(void **state)
{
    struct line l;

    (void)state;
    line_open(&l);
    shard_stop(&l.f.shard);
    shard_run(&l.f.shard);
    fixture_close(&l.f);
    assert_int_equal(l.ends, 1);
    hang_up(&l, 0);
    hang_up(&l, 1);
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test(fn)
    const struct CMUnitTest tests[] = {
        CASE(bytes_pass_both_ways),
        CASE(who_does_not_read_stops_the_other_one_and_loses_nothing),
        CASE(the_servers_end_comes_behind_all_that_it_said),
        CASE(the_clients_fin_is_passed_on_and_the_answer_still_comes),
        CASE(a_client_that_breaks_is_a_server_that_hears_so),
        CASE(a_server_that_breaks_resets_the_client),
        CASE(what_was_not_consumed_before_is_passed_on_behind_what_was_queued),
        CASE(closing_sends_what_waits),
        CASE(the_rooms_end_ends_the_pipe_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
