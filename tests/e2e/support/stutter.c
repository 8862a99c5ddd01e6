/* SPDX-License-Identifier: MIT */
/* Loaded before everything else: calls into the C library take longer by
 * chance, before they have their effect or after it, each on its own thread.
 * What only holds because one thing is usually faster than another one stops to
 * hold. STUTTER names the program (as in /proc/PID/comm) that is slow; the
 * others that inherit this library are left as they are. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Of so many calls one is slow, by so many milliseconds at most, and of so many
 * of these one very much so. Calls that change files are made by threads that
 * may block, beside the shards; what the shards call is called all the time. */
#define OFTEN 3
#define SELDOM 48
#define OFTEN_MS 40
#define SELDOM_MS 8
#define LONG_ONE_OF 24
#define LONG_MS 200

static bool on;

__attribute__((constructor)) static void
look(void)
{
    const char *name = getenv("STUTTER");

    on = name != NULL && strcmp(name, program_invocation_short_name) == 0;
}

/* xorshift64 (Marsaglia, 2003) */
static uint64_t
chance(void)
{
    static _Thread_local uint64_t x;

    if (x == 0) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        x = (uint64_t)now.tv_nsec * 2654435761U ^ (uintptr_t)&x ^ 1;
    }
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x >> 11;
}

static void
stutter(unsigned one_of)
{
    int was = errno;
    unsigned most_ms = one_of == OFTEN ? OFTEN_MS : SELDOM_MS;
    struct timespec t = {0};

    if (!on || chance() % one_of != 0) {
        return;
    }
    if (chance() % LONG_ONE_OF == 0) {
        most_ms = LONG_MS;
    }
    t.tv_nsec = (long)(chance() % (most_ms * 1000000UL));
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
    errno = was;
}

/* The function of the same name behind this library. */
#define NEXT(function, type, params)                                           \
    static type(*next) params;                                                 \
                                                                               \
    if (next == NULL) {                                                        \
        *(void **)&next = dlsym(RTLD_NEXT, #function);                         \
    }

#define CALL(one_of, function, type, params, args)                             \
    type function params                                                       \
    {                                                                          \
        type result;                                                           \
        NEXT(function, type, params)                                           \
        stutter(one_of);                                                       \
        result = next args;                                                    \
        stutter(one_of);                                                       \
        return result;                                                         \
    }

CALL(SELDOM, accept4, int,
     (int fd, struct sockaddr *restrict peer, socklen_t *restrict n, int flags),
     (fd, peer, n, flags))
CALL(SELDOM, connect, int, (int fd, const struct sockaddr *to, socklen_t n),
     (fd, to, n))
CALL(SELDOM, epoll_wait, int,
     (int set, struct epoll_event *events, int most, int ms),
     (set, events, most, ms))
CALL(SELDOM, epoll_pwait, int,
     (int set, struct epoll_event *events, int most, int ms,
      const sigset_t *mask),
     (set, events, most, ms, mask))
CALL(OFTEN, fsync, int, (int fd), (fd))
CALL(OFTEN, fdatasync, int, (int fd), (fd))
CALL(OFTEN, pwrite64, ssize_t, (int fd, const void *from, size_t n, off64_t at),
     (fd, from, n, at))
CALL(SELDOM, read, ssize_t, (int fd, void *into, size_t n), (fd, into, n))
CALL(SELDOM, recv, ssize_t, (int fd, void *into, size_t n, int flags),
     (fd, into, n, flags))
CALL(SELDOM, recvmsg, ssize_t, (int fd, struct msghdr *m, int flags),
     (fd, m, flags))
CALL(OFTEN, rename, int, (const char *from, const char *to), (from, to))
CALL(OFTEN, renameat, int, (int f, const char *from, int t, const char *to),
     (f, from, t, to))
CALL(SELDOM, send, ssize_t, (int fd, const void *from, size_t n, int flags),
     (fd, from, n, flags))
CALL(SELDOM, sendmsg, ssize_t, (int fd, const struct msghdr *m, int flags),
     (fd, m, flags))
CALL(OFTEN, unlink, int, (const char *path), (path))
CALL(OFTEN, unlinkat, int, (int fd, const char *path, int flags),
     (fd, path, flags))
CALL(SELDOM, write, ssize_t, (int fd, const void *from, size_t n),
     (fd, from, n))
CALL(SELDOM, writev, ssize_t, (int fd, const struct iovec *v, int n),
     (fd, v, n))

/* An older one is there under the same name. */
int
pthread_cond_signal(pthread_cond_t *c)
{
    static int (*next)(pthread_cond_t *);

    if (next == NULL) {
        *(void **)&next =
            dlvsym(RTLD_NEXT, "pthread_cond_signal", "GLIBC_2.3.2");
    }
    stutter(OFTEN);
    return next(c);
}
