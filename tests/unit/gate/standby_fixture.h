/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_GATE_STANDBY_FIXTURE_H
#define CHATBOX_TESTS_GATE_STANDBY_FIXTURE_H

/* A standby on a shard that the test turns, clients at socket pairs, and a
 * holder that the test plays, at a port of loopback. */
#include "base/log.h"
#include "base/metrics.h"
#include "gate/caller.h"
#include "gate/standby.h"
#include "gate/standby_state.h"

#include "../net/net_fixture.h"

#include <jansson.h>

struct post {
    struct fixture f;
    struct gate_settings settings;
    struct gate_network proxies[1];
    struct gate_network networks[1];
    struct standby *standby;
    int empties; /* how often on_empty ran */
};

/* The other end of a client's connection, or of one that the holder took. */
struct peer {
    struct post *post;
    int fd;
    struct buf got;
    int end; /* 0: FIN, or errno; -1: not yet */
};

static inline struct gate_network
v4_network(const char *address, unsigned bits)
{
    struct gate_network n = {.bits = 96 + bits};

    n.address[10] = n.address[11] = 0xff;
    assert_int_equal(inet_pton(AF_INET, address, n.address + 12), 1);
    return n;
}

static inline void
post_open(struct post *p)
{
    memset(p, 0, sizeof(*p));
    log_set_level(LOG_ERROR);
    metrics_thread_init();
    fixture_open(&p->f);
    p->proxies[0] = v4_network("10.0.0.0", 8);
    p->networks[0] = v4_network("127.0.0.0", 8);
    p->settings = (struct gate_settings){.path_prefix = "/chatbox",
                                         .trusted_proxies = p->proxies,
                                         .trusted_proxy_count = 1,
                                         .metrics_networks = p->networks,
                                         .metrics_network_count = 1};
    assert_int_equal(standby_init(&p->f.shard, &p->settings, &p->standby),
                     ERR_OK);
}

static inline void
post_close(struct post *p)
{
    fixture_close(&p->f);
    standby_fini(p->standby);
    metrics_fini();
}

/* --- the holder --------------------------------------------------------- */

/* Its listening descriptor, and where it is; the standby is told. */
static inline int
holder_at(struct post *p, struct sockaddr_storage *at, int backlog)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    if (backlog >= 0) { /* else it is bound, and nobody listens */
        assert_int_equal(listen(fd, backlog), 0);
    }
    memset(at, 0, sizeof(*at));
    memcpy(at, &a, sizeof(a));
    standby_set_holder(p->standby, at);
    return fd;
}

static inline int
holder_open(struct post *p)
{
    struct sockaddr_storage at;

    return holder_at(p, &at, 16);
}

static inline void
peer_init(struct post *p, struct peer *one, int fd)
{
    *one = (struct peer){.post = p, .fd = fd, .end = -1};
    buf_init(&one->got, 32 << 20);
}

static inline void
holder_accept(struct post *p, int listener, struct peer *one)
{
    int fd;

    PUMP_UNTIL(&p->f, (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0);
    peer_init(p, one, fd);
}

/* --- clients ------------------------------------------------------------ */

static inline void
client_open_from(struct post *p, struct peer *one, const char *address)
{
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(999)};
    struct conn *conn;
    int fds[2];

    assert_int_equal(inet_pton(AF_INET, address, &from.sin_addr), 1);
    tcp_pair(fds);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(
        conn_open(&p->f.shard, fds[0], (struct sockaddr *)&from, &conn),
        ERR_OK);
    standby_on_accept(&p->f.shard, conn, p->standby);
    peer_init(p, one, fds[1]);
}

static inline void
client_open(struct post *p, struct peer *one)
{
    client_open_from(p, one, "203.0.113.7");
}

static inline void
peer_close(struct peer *one)
{
    (void)close(one->fd);
    buf_fini(&one->got);
}

static inline void
peer_send(struct peer *one, const char *text)
{
    fixture_send(&one->post->f, one->fd, text, strlen(text));
}

static inline void
peer_read(struct peer *one)
{
    char room[65536];
    ssize_t n = recv(one->fd, room, sizeof(room), 0);

    if (n > 0) {
        buf_put(&one->got, room, (size_t)n);
    } else if (n == 0 || errno != EAGAIN) {
        one->end = n == 0 ? 0 : errno;
    }
}

/* What came is this, exactly, and no end with it. */
static inline void
peer_expect(struct peer *one, const char *want)
{
    PUMP_UNTIL(&one->post->f,
               (peer_read(one), one->got.n >= strlen(want) || one->end >= 0));
    assert_true(str_is(buf_str(&one->got), want));
    buf_reset(&one->got, 0);
}

/* Reads to the end, which is given. */
static inline int
peer_end(struct peer *one)
{
    PUMP_UNTIL(&one->post->f, (peer_read(one), one->end >= 0));
    return one->end;
}

/* --- answers of the standby itself -------------------------------------- */

static inline bool
says(const struct peer *one, const char *line)
{
    char want[256];

    (void)snprintf(want, sizeof(want), "\r\n%s\r\n", line);
    return memmem(one->got.p, one->got.n, want, strlen(want)) != NULL;
}

/* The answer is whole, ended by FIN, and has that status; its body, or NULL.
 * Gives. */
static inline json_t *
take_answer(struct peer *one, int status)
{
    char line[32];
    const char *body;

    assert_int_equal(peer_end(one), 0);
    (void)snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
    assert_true(str_starts(buf_str(&one->got), str_from(line)));
    assert_true(says(one, "Connection: close"));
    assert_true(says(one, "X-Content-Type-Options: nosniff"));
    body = memmem(one->got.p, one->got.n, "\r\n\r\n", 4);
    assert_non_null(body);
    body += 4;
    return json_loadb(body, one->got.n - (size_t)(body - one->got.p), 0, NULL);
}

static inline struct caller *
only_caller(const struct post *p)
{
    assert_false(list_empty(&p->standby->callers));
    return CONTAINER_OF(p->standby->callers.next, struct caller, link);
}

static inline bool
is_in(const struct post *p, enum caller_state state)
{
    return !list_empty(&p->standby->callers) && only_caller(p)->state == state;
}

/* The one who waits is tried for the last time; not after three seconds. */
static inline void
end_patience(struct post *p)
{
    PUMP_UNTIL(&p->f, is_in(p, CALLER_WAITS));
    only_caller(p)->until_ms = 0;
}

/* A request on a connection of its own, answered by the standby. Gives. */
static inline json_t *
ask_from(struct post *p, const char *address, const char *request, int status,
         struct peer *one)
{
    client_open_from(p, one, address);
    peer_send(one, request);
    return take_answer(one, status);
}

static inline const char *
text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

static inline int64_t
failures(const char *reason)
{
    return metric_value(METRIC_STANDBY_FAILED,
                        metrics_slot(METRIC_STANDBY_FAILED, reason));
}

#endif
