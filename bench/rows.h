/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_BENCH_ROWS_H
#define CHATBOX_BENCH_ROWS_H

/* The rows that both programs of "durable append" write: random ids, so that
 * index pages are met as in a real database, and a text of a usual length. */
#include "base/rand.h"
#include "base/xalloc.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define ROWS_CONTENT_BYTES 200

static const char rows_content[ROWS_CONTENT_BYTES + 1] =
    "Could you explain in a few words how a write-ahead log lets readers go "
    "on while a writer commits, and what has to happen before the answer may "
    "be given to whoever waits for it? Thank you very much.";

struct rows {
    uint64_t state; /* SplitMix64: Steele, Lea and Flood, 2014 */
    size_t sessions;
    char (*sids)[RAND_ID_CHARS + 1];
};

static inline uint64_t
rows_next(struct rows *r)
{
    uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline void
rows_id(struct rows *r, char out[static RAND_ID_CHARS + 1])
{
    for (int i = 0; i < RAND_ID_CHARS; i += 16) {
        uint64_t bits = rows_next(r);

        for (int k = 0; k < 16; k++, bits >>= 4) {
            out[i + k] = "0123456789abcdef"[bits & 15];
        }
    }
    out[RAND_ID_CHARS] = '\0';
}

static inline void
rows_init(struct rows *r, size_t sessions, uint64_t seed)
{
    r->state = seed;
    r->sessions = sessions;
    r->sids = xcalloc(sessions, sizeof(*r->sids));
    for (size_t i = 0; i < sessions; i++) {
        rows_id(r, r->sids[i]);
    }
}

static inline void
rows_fini(struct rows *r)
{
    xfree(r->sids);
}

/* A user has ten sessions. */
#define ROWS_USER_SIZE 32

static inline void
rows_user(size_t session, char out[static ROWS_USER_SIZE])
{
    snprintf(out, ROWS_USER_SIZE, "user-%zu", session / 10);
}

static inline const char *
rows_session(const struct rows *r, size_t i)
{
    return r->sids[i];
}

#endif
