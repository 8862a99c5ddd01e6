/* SPDX-License-Identifier: MIT */
/* The only place where bytes of a connection cross into the kernel and back,
 * so that a test build can make every socket slow and stingy here. */
#include "net/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef NET_FAULTS

#include <stdint.h>
#include <stdlib.h>

/* How often a call moves nothing, of 256. */
#define REFUSED_OF_256 48

/* xorshift64* (Marsaglia 2003, Vigna 2016), one state per thread. */
static uint64_t
next_random(void)
{
    static _Thread_local uint64_t state;

    if (state == 0) {
        const char *seed = getenv("NET_FAULTS_SEED");

        state = 0x9e3779b97f4a7c15U;
        while (seed != NULL && *seed != '\0') {
            state = (state ^ (unsigned char)*seed++) * 0x100000001b3U;
        }
        state |= 1;
    }
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1dU;
}

/* How many of n bytes may move now: most often few, sometimes none. */
static size_t
permitted(size_t n)
{
    uint64_t r = next_random() >> 16;
    size_t most = (r >> 8) % 4 == 0 ? n : (r >> 10) % 40 + 1;

    if (r % 256 < REFUSED_OF_256) {
        return 0;
    }
    most = most < n ? most : n;
    return (r >> 20) % most + 1;
}

#else

static inline size_t
permitted(size_t n)
{
    return n;
}

#endif

ssize_t
sys_recv(int fd, void *into, size_t n)
{
    n = permitted(n);
    if (n == 0) {
        errno = EAGAIN;
        return -1;
    }
    return recv(fd, into, n, 0);
}

ssize_t
sys_send(int fd, const void *from, size_t n)
{
    n = permitted(n);
    if (n == 0) {
        errno = EAGAIN;
        return -1;
    }
    return send(fd, from, n, MSG_NOSIGNAL);
}

bool
sys_is_silent(int fd)
{
    char c;

    return recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
}

int
sys_dup(int fd)
{
    int other = dup(fd); /* F_DUPFD_CLOEXEC would hide it from TSan */

    if (other >= 0) {
        (void)fcntl(other, F_SETFD, FD_CLOEXEC);
    }
    return other;
}
