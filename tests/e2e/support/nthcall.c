/* SPDX-License-Identifier: MIT */
/* Loaded before everything else: calls into the C library are counted by name,
 * and the n-th of one name fails as the page in the file NTH_CALL says, or ends
 * the process when the error is a signal's number below nought. The
 * test writes that page while the program runs (support/nthcall.py). What is
 * counted as "memory" are malloc, calloc and realloc together. abort says who
 * called it: a check of the program, or a library. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Names in the page; several functions can share one. */
#define NAMES                                                                  \
    NAME(memory)                                                               \
    NAME(accept4)                                                              \
    NAME(bind)                                                                 \
    NAME(close)                                                                \
    NAME(connect)                                                              \
    NAME(dup)                                                                  \
    NAME(epoll_create)                                                         \
    NAME(epoll_ctl)                                                            \
    NAME(epoll_wait)                                                           \
    NAME(eventfd)                                                              \
    NAME(fcntl)                                                                \
    NAME(fstat)                                                                \
    NAME(fsync)                                                                \
    NAME(ftruncate)                                                            \
    NAME(getpeername)                                                          \
    NAME(getrandom)                                                            \
    NAME(getsockname)                                                          \
    NAME(getsockopt)                                                           \
    NAME(listen)                                                               \
    NAME(mmap)                                                                 \
    NAME(open)                                                                 \
    NAME(poll)                                                                 \
    NAME(pread)                                                                \
    NAME(pthread_create)                                                       \
    NAME(pwrite)                                                               \
    NAME(read)                                                                 \
    NAME(recv)                                                                 \
    NAME(rename)                                                               \
    NAME(send)                                                                 \
    NAME(setsockopt)                                                           \
    NAME(shutdown)                                                             \
    NAME(socket)                                                               \
    NAME(stat)                                                                 \
    NAME(unlink)                                                               \
    NAME(write)

enum name {
#define NAME(name) NAME_##name,
    NAMES
#undef NAME
        NAME_COUNT
};

/* nthcall.py knows this shape. */
struct page {
    _Atomic int32_t target; /* whose calls fail; -1: nobody's */
    int32_t error;
    uint64_t first; /* counted from the last time that seen was set to 0 */
    uint64_t every; /* after that; 0: never again */
    _Atomic uint64_t failed;
    _Atomic uint64_t seen[64];
    char names[64][24];
};

static struct page *page;

__attribute__((constructor)) static void
look(void)
{
    static const char *const names[] = {
#define NAME(name) #name,
        NAMES
#undef NAME
    };
    const char *path = getenv("NTH_CALL");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *found = MAP_FAILED;

    if (fd >= 0) {
        found = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED,
                     fd, 0);
        (void)close(fd);
    }
    if (found == MAP_FAILED) {
        return;
    }
    page = found;
    for (int i = 0; i < NAME_COUNT; i++) {
        (void)snprintf(page->names[i], sizeof(page->names[i]), "%s", names[i]);
    }
}

static bool
fails(enum name name)
{
    uint64_t n;

    if (page == NULL) {
        return false;
    }
    n = atomic_fetch_add(&page->seen[name], 1) + 1;
    if (atomic_load(&page->target) != (int32_t)name || n < page->first ||
        (n > page->first &&
         (page->every == 0 || (n - page->first) % page->every != 0))) {
        return false;
    }
    atomic_fetch_add(&page->failed, 1);
    if (page->error < 0) {
        (void)kill(getpid(), -page->error); /* before the call has its effect */
    }
    errno = page->error;
    return true;
}

/* The function of the same name behind this library. */
#define NEXT(function, type, params)                                           \
    static type(*next) params;                                                 \
                                                                               \
    if (next == NULL) {                                                        \
        *(void **)&next = dlsym(RTLD_NEXT, #function);                         \
    }

/* name: under which it counts; refused: what it returns when it fails. */
#define CALL(name, function, refused, type, params, args)                      \
    type function params                                                       \
    {                                                                          \
        NEXT(function, type, params)                                           \
        return fails(NAME_##name) ? (refused) : next args;                     \
    }

CALL(memory, malloc, NULL, void *, (size_t n), (n))
CALL(memory, calloc, NULL, void *, (size_t count, size_t n), (count, n))
CALL(memory, realloc, NULL, void *, (void *p, size_t n), (p, n))

CALL(accept4, accept4, -1, int,
     (int fd, struct sockaddr *restrict peer, socklen_t *restrict n, int flags),
     (fd, peer, n, flags))
CALL(bind, bind, -1, int, (int fd, const struct sockaddr *to, socklen_t n),
     (fd, to, n))
CALL(connect, connect, -1, int,
     (int fd, const struct sockaddr *to, socklen_t n), (fd, to, n))
CALL(dup, dup, -1, int, (int fd), (fd))
CALL(epoll_create, epoll_create1, -1, int, (int flags), (flags))
/* Taking a descriptor out needs nothing that could be short. */
int
epoll_ctl(int set, int what, int fd, struct epoll_event *event)
{
    NEXT(epoll_ctl, int, (int, int, int, struct epoll_event *))
    return what != EPOLL_CTL_DEL && fails(NAME_epoll_ctl)
               ? -1
               : next(set, what, fd, event);
}

CALL(epoll_wait, epoll_wait, -1, int,
     (int set, struct epoll_event *events, int most, int ms),
     (set, events, most, ms))
CALL(epoll_wait, epoll_pwait, -1, int,
     (int set, struct epoll_event *events, int most, int ms,
      const sigset_t *mask),
     (set, events, most, ms, mask))
CALL(eventfd, eventfd, -1, int, (unsigned value, int flags), (value, flags))
CALL(fstat, fstat, -1, int, (int fd, struct stat *out), (fd, out))
CALL(fstat, fstat64, -1, int, (int fd, struct stat64 *out), (fd, out))
CALL(fsync, fsync, -1, int, (int fd), (fd))
CALL(fsync, fdatasync, -1, int, (int fd), (fd))
CALL(ftruncate, ftruncate, -1, int, (int fd, off_t size), (fd, size))
CALL(ftruncate, ftruncate64, -1, int, (int fd, off64_t size), (fd, size))
CALL(getpeername, getpeername, -1, int,
     (int fd, struct sockaddr *restrict out, socklen_t *restrict n),
     (fd, out, n))
CALL(getrandom, getrandom, -1, ssize_t, (void *into, size_t n, unsigned flags),
     (into, n, flags))
CALL(getsockname, getsockname, -1, int,
     (int fd, struct sockaddr *restrict out, socklen_t *restrict n),
     (fd, out, n))
CALL(getsockopt, getsockopt, -1, int,
     (int fd, int level, int option, void *restrict out, socklen_t *restrict n),
     (fd, level, option, out, n))
CALL(listen, listen, -1, int, (int fd, int backlog), (fd, backlog))
CALL(mmap, mmap, MAP_FAILED, void *,
     (void *at, size_t n, int allowed, int flags, int fd, off_t from),
     (at, n, allowed, flags, fd, from))
CALL(mmap, mmap64, MAP_FAILED, void *,
     (void *at, size_t n, int allowed, int flags, int fd, off64_t from),
     (at, n, allowed, flags, fd, from))
CALL(poll, poll, -1, int, (struct pollfd * fds, nfds_t n, int ms), (fds, n, ms))
CALL(pread, pread, -1, ssize_t, (int fd, void *into, size_t n, off_t at),
     (fd, into, n, at))
CALL(pread, pread64, -1, ssize_t, (int fd, void *into, size_t n, off64_t at),
     (fd, into, n, at))
CALL(pthread_create, pthread_create, errno, int,
     (pthread_t *restrict out, const pthread_attr_t *restrict how,
      void *(*run)(void *), void *restrict arg),
     (out, how, run, arg))
CALL(pwrite, pwrite, -1, ssize_t,
     (int fd, const void *from, size_t n, off_t at), (fd, from, n, at))
CALL(pwrite, pwrite64, -1, ssize_t,
     (int fd, const void *from, size_t n, off64_t at), (fd, from, n, at))
CALL(read, read, -1, ssize_t, (int fd, void *into, size_t n), (fd, into, n))
CALL(recv, recv, -1, ssize_t, (int fd, void *into, size_t n, int flags),
     (fd, into, n, flags))
CALL(rename, rename, -1, int, (const char *from, const char *to), (from, to))
CALL(rename, renameat, -1, int,
     (int from_fd, const char *from, int to_fd, const char *to),
     (from_fd, from, to_fd, to))
CALL(rename, renameat2, -1, int,
     (int from_fd, const char *from, int to_fd, const char *to, unsigned flags),
     (from_fd, from, to_fd, to, flags))
CALL(send, send, -1, ssize_t, (int fd, const void *from, size_t n, int flags),
     (fd, from, n, flags))
CALL(setsockopt, setsockopt, -1, int,
     (int fd, int level, int option, const void *value, socklen_t n),
     (fd, level, option, value, n))
CALL(shutdown, shutdown, -1, int, (int fd, int how), (fd, how))
CALL(socket, socket, -1, int, (int domain, int type, int protocol),
     (domain, type, protocol))
CALL(stat, stat, -1, int,
     (const char *restrict path, struct stat *restrict out), (path, out))
CALL(stat, stat64, -1, int,
     (const char *restrict path, struct stat64 *restrict out), (path, out))
CALL(unlink, unlink, -1, int, (const char *path), (path))
CALL(unlink, unlinkat, -1, int, (int fd, const char *path, int flags),
     (fd, path, flags))
CALL(write, write, -1, ssize_t, (int fd, const void *from, size_t n),
     (fd, from, n))

/* Linux has closed it, whatever it says. */
int
close(int fd)
{
    int rc;

    NEXT(close, int, (int))
    rc = next(fd);
    return fails(NAME_close) ? -1 : rc;
}

#define OPEN(function)                                                         \
    int function(const char *path, int flags, ...)                             \
    {                                                                          \
        mode_t mode = 0;                                                       \
        va_list more;                                                          \
                                                                               \
        NEXT(function, int, (const char *, int, ...))                          \
        if ((flags & O_CREAT) != 0) {                                          \
            va_start(more, flags);                                             \
            mode = va_arg(more, mode_t);                                       \
            va_end(more);                                                      \
        }                                                                      \
        return fails(NAME_open) ? -1 : next(path, flags, mode);                \
    }

OPEN(open)
OPEN(open64)

/* Giving up a lock does not fail on a local file system, and SQLite counts on
 * that. */
static bool
unlocks(int what, const void *arg)
{
    return (what == F_SETLK || what == F_SETLKW) &&
           ((const struct flock *)arg)->l_type == F_UNLCK;
}

/* Its third argument, if there is one, fits a pointer. */
#define FCNTL(function)                                                        \
    int function(int fd, int what, ...)                                        \
    {                                                                          \
        void *arg;                                                             \
        va_list more;                                                          \
                                                                               \
        NEXT(function, int, (int, int, ...))                                   \
        va_start(more, what);                                                  \
        arg = va_arg(more, void *);                                            \
        va_end(more);                                                          \
        if (!unlocks(what, arg) && fails(NAME_fcntl)) {                        \
            return -1;                                                         \
        }                                                                      \
        return next(fd, what, arg);                                            \
    }

FCNTL(fcntl)
FCNTL(fcntl64)

void
abort(void)
{
    Dl_info who = {.dli_fname = NULL};

    NEXT(abort, void, (void))
    (void)dladdr(__builtin_return_address(0), &who);
    (void)fprintf(stderr, "abort called by %s\n",
                  who.dli_fname != NULL ? who.dli_fname : "nobody");
    next();
    __builtin_unreachable();
}
