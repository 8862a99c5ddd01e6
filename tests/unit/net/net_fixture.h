/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_NET_FIXTURE_H
#define CHATBOX_TESTS_NET_FIXTURE_H

/* One shard driven by the test's own thread, and a user of connections that
 * writes down what it is told and can be told to misbehave. */

#include "base/buf.h"
#include "base/xalloc.h"
#include "loop/shard.h"
#include "net/conn.h"
#include "net/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define FIXTURE_DEADLINE_MS 20000

struct fixture {
    struct shard shard;
    struct net_settings settings;
};

struct user {
    struct conn *conn;
    struct buf got;
    size_t consume;    /* of each presentation at most this much */
    size_t shown_most; /* the largest presentation */
    int shown;         /* how often */
    int eofs;
    int drains;
    int closed;
    enum conn_end why;
    bool echoes;
    void (*then)(struct user *); /* called at the end of on_bytes */
    void (*at_eof)(struct user *);
};

static size_t
user_on_bytes(void *arg, char *bytes, size_t n)
{
    struct user *u = arg;
    size_t used = n < u->consume ? n : u->consume;

    assert_true(n > 0 && n <= CONN_UNREAD_MAX);
    assert_int_equal(u->closed, 0);
    u->shown++;
    u->shown_most = n > u->shown_most ? n : u->shown_most;
    buf_put(&u->got, bytes, used);
    if (u->echoes) {
        assert_int_equal(conn_write(u->conn, bytes, used), ERR_OK);
    }
    if (u->then != NULL) {
        u->then(u);
    }
    return used;
}

static void
user_on_drain(void *arg)
{
    struct user *u = arg;

    assert_int_equal(u->closed, 0);
    u->drains++;
}

static void
user_on_eof(void *arg)
{
    struct user *u = arg;

    assert_int_equal(u->closed, 0);
    u->eofs++;
    if (u->at_eof != NULL) {
        u->at_eof(u);
    }
}

static void
user_on_closed(void *arg, enum conn_end why)
{
    struct user *u = arg;

    u->closed++;
    u->why = why;
}

static const struct conn_events user_events = {
    .on_bytes = user_on_bytes,
    .on_drain = user_on_drain,
    .on_eof = user_on_eof,
    .on_closed = user_on_closed,
};

static inline void
user_init(struct user *u)
{
    *u = (struct user){.consume = SIZE_MAX};
    buf_init(&u->got, 64 << 20);
}

static inline void
fixture_open(struct fixture *f)
{
    f->settings = (struct net_settings){.output_limit_bytes = 1 << 20};
    assert_int_equal(shard_init(&f->shard, 0), ERR_OK);
    assert_int_equal(net_init(&f->shard, &f->settings), ERR_OK);
}

static inline void
fixture_close(struct fixture *f)
{
    net_fini(&f->shard);
    shard_fini(&f->shard);
}

/* Turns the loop until the condition holds. */
#define PUMP_UNTIL(f, condition)                                               \
    do {                                                                       \
        uint64_t give_up_ = uv_hrtime() / 1000000 + FIXTURE_DEADLINE_MS;       \
        while (!(condition)) {                                                 \
            (void)uv_run(&(f)->shard.loop, UV_RUN_NOWAIT);                     \
            if (uv_hrtime() / 1000000 > give_up_) {                            \
                fail_msg("never true: %s", #condition);                        \
            }                                                                  \
        }                                                                      \
    } while (0)

/* Some turns in which nothing is expected to happen. */
static inline void
pump_idle(struct fixture *f)
{
    for (int i = 0; i < 20; i++) {
        (void)uv_run(&f->shard.loop, UV_RUN_NOWAIT);
    }
}

/* A connection of u over a Unix socket pair; gives the other end, which does
 * not block. */
static inline int
fixture_pair(struct fixture *f, struct user *u, int type)
{
    int fds[2];

    user_init(u);
    assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, fds), 0);
    assert_int_equal(conn_open(&f->shard, fds[0], NULL, &u->conn), ERR_OK);
    conn_attach(u->conn, &user_events, u);
    return fds[1];
}

/* Ends what has not ended yet; the user has then heard of it exactly once. */
static inline void
fixture_drop(struct fixture *f, struct user *u, int peer)
{
    if (!u->closed) {
        conn_abort(u->conn);
        PUMP_UNTIL(f, u->closed);
    }
    pump_idle(f);
    assert_int_equal(u->closed, 1);
    (void)close(peer);
    buf_fini(&u->got);
}

/* Two ends of a TCP connection over loopback. */
static inline void
tcp_pair(int fds[2])
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof(a);
    int l = socket(AF_INET, SOCK_STREAM, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(l >= 0);
    assert_int_equal(bind(l, (struct sockaddr *)&a, n), 0);
    assert_int_equal(listen(l, 1), 0);
    assert_int_equal(getsockname(l, (struct sockaddr *)&a, &n), 0);
    fds[1] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fds[1], (struct sockaddr *)&a, n), 0);
    fds[0] = accept(l, NULL, NULL);
    assert_true(fds[0] >= 0);
    assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    (void)close(l);
}

/* Sends all, turning the loop while the socket is full. */
static inline void
fixture_send(struct fixture *f, int fd, const void *bytes, size_t n)
{
    const char *p = bytes;

    while (n > 0) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

        if (sent < 0) {
            assert_int_equal(errno, EAGAIN);
            (void)uv_run(&f->shard.loop, UV_RUN_NOWAIT);
            continue;
        }
        p += sent;
        n -= (size_t)sent;
    }
}

/* Receives exactly n bytes, turning the loop. */
static inline void
fixture_recv(struct fixture *f, int fd, char *into, size_t n)
{
    size_t got = 0;

    while (got < n) {
        ssize_t r = recv(fd, into + got, n - got, 0);

        if (r < 0) {
            assert_int_equal(errno, EAGAIN);
            (void)uv_run(&f->shard.loop, UV_RUN_NOWAIT);
            continue;
        }
        assert_true(r > 0);
        got += (size_t)r;
    }
}

/* A pattern in which no two places nearby look alike. */
static inline char *
pattern(size_t n)
{
    char *p = xmalloc(n);

    for (size_t i = 0; i < n; i++) {
        p[i] = (char)(i * 31 + (i >> 8) * 7 + (i >> 16));
    }
    return p;
}

#endif
