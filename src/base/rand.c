/* SPDX-License-Identifier: MIT */
/* Randomness. Ids are drawn from a small per-thread reserve, so that an id
 * does not cost a system call each. */
#include "base/rand.h"

#include "base/check.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

static void
draw(void *out, size_t n)
{
    size_t have = 0;

    while (have < n) {
        ssize_t got = getrandom((char *)out + have, n - have, 0);

        /* The kernel's pool is ready long before we start. */
        CHECK(got > 0 || (got < 0 && errno == EINTR));
        have += got > 0 ? (size_t)got : 0;
    }
}

void
rand_bytes(void *out, size_t n)
{
    static _Thread_local unsigned char reserve[256];
    static _Thread_local size_t left;

    if (n > sizeof(reserve)) {
        draw(out, n);
        return;
    }
    if (left < n) {
        draw(reserve, sizeof(reserve));
        left = sizeof(reserve);
    }
    left -= n;
    memcpy(out, reserve + left, n);
    explicit_bzero(reserve + left, n);
}

void
rand_id(char out[static RAND_ID_CHARS + 1])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[RAND_ID_CHARS / 2];

    rand_bytes(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[RAND_ID_CHARS] = '\0';
}

uint64_t
rand_below(uint64_t bound)
{
    uint64_t word;

    CHECK(bound > 0);
    rand_bytes(&word, sizeof(word));
    return word % bound; /* jitter does not need better than this bias */
}

static uint64_t process_key[2];

static void
draw_process_key(void)
{
    draw(process_key, sizeof(process_key));
}

const uint64_t *
rand_process_key(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, draw_process_key);
    return process_key;
}
