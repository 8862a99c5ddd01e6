/* SPDX-License-Identifier: MIT */
/* Loaded before everything else: the wall clock, and the clock of waiting, are
 * what the kernel says plus the seconds that stand in the file CLOCK_SHIFT
 * names. Who sleeps until a time of the second one is not woken by it. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile long long *shift;

__attribute__((constructor)) static void
look(void)
{
    const char *path = getenv("CLOCK_SHIFT");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *page = MAP_FAILED;

    if (fd >= 0) {
        page = mmap(NULL, 2 * sizeof(*shift), PROT_READ, MAP_SHARED, fd, 0);
        (void)close(fd);
    }
    shift = page != MAP_FAILED ? page : NULL;
}

int
clock_gettime(clockid_t id, struct timespec *out)
{
    int rc = (int)syscall(SYS_clock_gettime, id, out);

    if (rc == 0 && shift != NULL &&
        (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        out->tv_sec += shift[0];
    }
    if (rc == 0 && shift != NULL &&
        (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)) {
        out->tv_sec += shift[1];
    }
    return rc;
}

int
gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec t;
    int rc = clock_gettime(CLOCK_REALTIME, &t);

    (void)zone;
    out->tv_sec = t.tv_sec;
    out->tv_usec = t.tv_nsec / 1000;
    return rc;
}

time_t
time(time_t *out)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    if (out != NULL) {
        *out = t.tv_sec;
    }
    return t.tv_sec;
}
