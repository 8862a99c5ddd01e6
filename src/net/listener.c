/* SPDX-License-Identifier: MIT */
/* Accepting. Peers do not get the last descriptors, so that those who are
 * inside can still be served. When descriptors run out all the same the kernel
 * keeps saying "readable": the spare descriptor is given up to take one waiting
 * peer and close it, so that it is not left hanging, and then the listener
 * looks away for a moment. */
#include "net/listener.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "net/conn_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Connections taken in one turn of the loop before others have theirs: few, as
 * those who are inside wait meanwhile; several, as the look-ups of many who
 * come at once wake the storage's thread once. */
#define ACCEPTS_MAX 16
#define PAUSE_MS 100
#define FEW 64 /* descriptors of which none can be spared */
#define LOG_PAUSE_MS 1000

struct listener {
    uv_poll_t poll;
    struct shard *shard;
    void (*on_accept)(struct shard *, struct conn *, void *);
    void *cookie;
    struct timer pause;
    uint64_t silent_until_ms; /* no second line in the log before */
    int fd;
    int spare_fd;
    bool plain;
};

static void
close_fd(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
}

static int
open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Descriptors, memory or watches are short: not the peer's doing. */
static void
complain(struct listener *l, const char *what)
{
    uint64_t now_ms = shard_now_ms(l->shard);

    metric_count(METRIC_ACCEPT_ERRORS);
    if (now_ms >= l->silent_until_ms) {
        l->silent_until_ms = now_ms + LOG_PAUSE_MS;
        log_error(EVENT_ACCEPT_ERROR, "a connection could not be accepted",
                  log_cstr("reason", what));
    }
}

static void
look_away(struct listener *l)
{
    CHECK(uv_poll_stop(&l->poll) == 0);
    timer_start(&l->shard->timers, &l->pause, PAUSE_MS);
}

static void
turn_one_away(struct listener *l)
{
    int fd;

    if (l->spare_fd >= 0) {
        (void)close(l->spare_fd);
        fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    l->spare_fd = open_spare();
}

/* The kernel gives the lowest descriptor that is free, so this one and those
 * above it are what peers leave for the rest of the process. */
static int
first_reserved(void)
{
    struct rlimit limit;
    rlim_t reserve;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT_MAX) {
        return INT_MAX;
    }
    reserve = limit.rlim_cur / 8;
    reserve = reserve < LISTENER_RESERVE ? reserve : LISTENER_RESERVE;
    return (int)limit.rlim_cur - (limit.rlim_cur < FEW ? 0 : (int)reserve);
}

static void
begin(struct listener *l, int fd, const struct sockaddr *peer)
{
    struct tls *tls = l->plain ? NULL : l->shard->net->settings->tls;
    struct conn *c;

    if (conn_open(l->shard, fd, peer, &c) != ERR_OK) {
        complain(l, "the event loop takes no more descriptors");
        return;
    }
    if (tls != NULL && conn_tls_start(c, tls) != ERR_OK) {
        complain(l, "no TLS session");
        conn_abort(c);
    }
    l->on_accept(l->shard, c, l->cookie);
}

/* Errors of accept that belong to one peer, or to nobody (accept(2)). */
static bool
passes(int error)
{
    switch (error) {
    case ECONNABORTED:
    case EINTR:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM:
        return true;
    default:
        return false;
    }
}

static void
accept_failed(struct listener *l, int error)
{
    complain(l, strerror(error));
    if (error == EMFILE || error == ENFILE) {
        turn_one_away(l);
    }
    look_away(l);
}

static void
on_ready(uv_poll_t *poll, int status, int events)
{
    struct listener *l = CONTAINER_OF(poll, struct listener, poll);
    int reserved = first_reserved();

    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        union conn_addr peer;
        socklen_t n = sizeof(peer);
        int fd = accept4(l->fd, &peer.any, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= reserved) {
            complain(l, "only the reserve of descriptors is left");
            (void)close(fd);
        } else if (fd >= 0) {
            begin(l, fd, &peer.any);
        } else if (errno == EAGAIN) {
            return;
        } else if (!passes(errno)) {
            accept_failed(l, errno);
            return;
        }
    }
}

static void
on_pause_over(struct timer *t)
{
    struct listener *l = CONTAINER_OF(t, struct listener, pause);

    if (l->spare_fd < 0) {
        l->spare_fd = open_spare();
    }
    CHECK(uv_poll_start(&l->poll, UV_READABLE, on_ready) == 0);
}

static void
tell(char *why, size_t why_size, const char *host, uint16_t port)
{
    (void)snprintf(why, why_size, "cannot listen on %s port %u: %s", host, port,
                   strerror(errno));
}

static struct addrinfo *
resolve(const char *host, uint16_t port, char *why, size_t why_size)
{
    struct addrinfo want = {.ai_family = AF_UNSPEC,
                            .ai_socktype = SOCK_STREAM,
                            .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char service[8];
    int e;

    (void)snprintf(service, sizeof(service), "%u", port);
    e = getaddrinfo(host, service, &want, &found);
    if (e != 0) {
        (void)snprintf(why, why_size, "cannot listen on %s: %s", host,
                       gai_strerror(e));
        return NULL;
    }
    return found;
}

static bool
enable(int fd, int level, int option)
{
    int on = 1;

    return setsockopt(fd, level, option, &on, sizeof(on)) == 0;
}

/* A bound socket, or -1 with errno. Accepted sockets inherit TCP_NODELAY. */
static int
bind_socket(const struct addrinfo *ai, bool shared)
{
    int off = 0;
    int error;
    int fd =
        socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    if (ai->ai_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    }
    if (enable(fd, SOL_SOCKET, SO_REUSEADDR) &&
        enable(fd, IPPROTO_TCP, TCP_NODELAY) &&
        (!shared || enable(fd, SOL_SOCKET, SO_REUSEPORT)) &&
        bind(fd, ai->ai_addr, ai->ai_addrlen) == 0) {
        return fd;
    }
    error = errno;
    (void)close(fd);
    errno = error;
    return -1;
}

static bool
bound_port(int fd, uint16_t *port)
{
    union conn_addr a = {0};
    socklen_t n = sizeof(a);

    if (getsockname(fd, &a.any, &n) != 0) {
        return false;
    }
    *port = ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
    return true;
}

enum err
listener_bind(const char *host, uint16_t *port, int *fd_out, char *why,
              size_t why_size)
{
    struct addrinfo *ai = resolve(host, *port, why, why_size);
    int fd;

    if (ai == NULL) {
        return ERR_IO;
    }
    fd = bind_socket(ai, true);
    freeaddrinfo(ai);
    if (fd < 0 || !bound_port(fd, port)) {
        tell(why, why_size, host, *port);
        close_fd(fd);
        return ERR_IO;
    }
    *fd_out = fd;
    return ERR_OK;
}

enum err
listener_probe(const char *host, uint16_t port, char *why, size_t why_size)
{
    struct addrinfo *ai = resolve(host, port, why, why_size);
    int fd;

    if (ai == NULL) {
        return ERR_IO;
    }
    fd = bind_socket(ai, false);
    freeaddrinfo(ai);
    if (fd < 0) {
        tell(why, why_size, host, port);
        return ERR_IO;
    }
    (void)close(fd);
    return ERR_OK;
}

struct listener *
listener_start(struct shard *s, int fd,
               void (*on_accept)(struct shard *, struct conn *, void *),
               void *cookie)
{
    struct listener *l = xcalloc(1, sizeof(*l));

    l->shard = s;
    l->on_accept = on_accept;
    l->cookie = cookie;
    l->fd = fd;
    l->spare_fd = open_spare();
    timer_init(&l->pause, on_pause_over);
    if (listen(fd, SOMAXCONN) != 0 ||
        uv_poll_init(&s->loop, &l->poll, fd) != 0) {
        close_fd(l->spare_fd);
        close_fd(fd);
        xfree(l);
        return NULL;
    }
    CHECK(uv_poll_start(&l->poll, UV_READABLE, on_ready) == 0);
    return l;
}

void
listener_without_tls(struct listener *l)
{
    l->plain = true;
}

static void
on_closed(uv_handle_t *handle)
{
    xfree(CONTAINER_OF((uv_poll_t *)handle, struct listener, poll));
}

int
listener_release(struct listener *l)
{
    int fd = l->fd;

    timer_cancel(&l->shard->timers, &l->pause);
    close_fd(l->spare_fd);
    shard_close_handle(l->shard, (uv_handle_t *)&l->poll, on_closed);
    return fd;
}

void
listener_stop(struct listener *l)
{
    if (l != NULL) {
        (void)close(listener_release(l)); /* behind the handle, as in
                                           * conn_close */
    }
}
