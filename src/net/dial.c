/* SPDX-License-Identifier: MIT */
/* Connecting: a socket that is watched until the kernel has an answer, or until
 * the time is up. What fails at once is told by the same timer, so that nobody
 * hears of it inside of dial_start. */
#include "net/dial.h"

#include "base/xalloc.h"
#include "net/conn_internal.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

struct dial {
    uv_poll_t poll;
    struct shard *shard;
    struct timer timer;
    dial_done *on_done;
    void *user;
    union conn_addr to;
    int fd;      /* -1: none */
    int error;   /* what the timer tells: errno of the start, or ETIMEDOUT */
    bool polled; /* poll is a live handle */
};

static void
on_poll_closed(uv_handle_t *handle)
{
    xfree(CONTAINER_OF((uv_poll_t *)handle, struct dial, poll));
}

/* Frees d but for its descriptor, which is the caller's. The kernel's watch on
 * it has ended. */
static int
release(struct dial *d)
{
    int fd = d->fd;

    timer_cancel(&d->shard->timers, &d->timer);
    if (d->polled) {
        shard_close_handle(d->shard, (uv_handle_t *)&d->poll, on_poll_closed);
    } else {
        xfree(d);
    }
    return fd;
}

void
dial_cancel(struct dial *d)
{
    int fd = d != NULL ? release(d) : -1;

    if (fd >= 0) {
        (void)close(fd);
    }
}

static void
fail(struct dial *d, int error)
{
    dial_done *on_done = d->on_done;
    void *user = d->user;

    dial_cancel(d);
    on_done(user, NULL, strerror(error));
}

static void
succeed(struct dial *d)
{
    dial_done *on_done = d->on_done;
    struct shard *s = d->shard;
    union conn_addr to = d->to;
    void *user = d->user;
    struct conn *c;

    if (conn_open(s, release(d), &to.any, &c) == ERR_OK) {
        on_done(user, c, NULL);
    } else {
        on_done(user, NULL, "the event loop takes no more descriptors");
    }
}

static void
on_ready(uv_poll_t *poll, int status, int events)
{
    struct dial *d = CONTAINER_OF(poll, struct dial, poll);
    socklen_t n = sizeof(int);
    int error = 0;

    (void)events;
    if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0) {
        error = errno;
    }
    if (error == 0 && status < 0) {
        error = -status;
    }
    if (error == 0) {
        succeed(d);
    } else {
        fail(d, error);
    }
}

static void
on_time_up(struct timer *t)
{
    struct dial *d = CONTAINER_OF(t, struct dial, timer);

    fail(d, d->error);
}

static socklen_t
size_of(const struct sockaddr *a)
{
    return a->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                    : sizeof(struct sockaddr_in);
}

/* 0: the kernel works on it, or has done it already; else errno. */
static int
begin(struct dial *d)
{
    int on = 1;

    d->fd = socket(d->to.any.sa_family,
                   SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (d->fd < 0) {
        return errno;
    }
    (void)setsockopt(d->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(d->fd, &d->to.any, size_of(&d->to.any)) != 0 &&
        errno != EINPROGRESS && errno != EINTR) {
        return errno;
    }
    d->polled = uv_poll_init(&d->shard->loop, &d->poll, d->fd) == 0;
    return d->polled ? -uv_poll_start(&d->poll, UV_WRITABLE, on_ready) : ENOMEM;
}

struct dial *
dial_start(struct shard *s, const struct sockaddr *to, uint64_t limit_ms,
           dial_done *on_done, void *user)
{
    struct dial *d = xcalloc(1, sizeof(*d));

    d->shard = s;
    d->on_done = on_done;
    d->user = user;
    memcpy(&d->to, to, size_of(to));
    timer_init(&d->timer, on_time_up);
    d->error = begin(d);
    timer_start(&s->timers, &d->timer, d->error == 0 ? limit_ms : 0);
    d->error = d->error == 0 ? ETIMEDOUT : d->error;
    return d;
}
