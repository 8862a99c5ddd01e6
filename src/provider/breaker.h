/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_BREAKER_H
#define CHATBOX_PROVIDER_BREAKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Whether a provider is worth asking: the circuit breaker of M. Nygard's
 * "Release It!", one for a provider in the whole process. Lock-free, one
 * 64-bit word (docs/threads.md); any thread. All times are monotonic
 * milliseconds of one clock for all threads.
 *
 * Closed: asked. After BREAKER_FAILURES failures in a row it is open for
 * BREAKER_OPEN_MS, and twice as long each time that its probe fails, up to
 * BREAKER_OPEN_MAX_MS. Then it is half open: one request is let through as a
 * probe, whose success closes it. A probe of which nothing is heard for
 * BREAKER_PROBE_MS is given up, and another one may go.
 *
 * A provider that says itself when it wants to be asked again (Retry-After) is
 * open until then, BREAKER_OPEN_MAX_MS at most: it has said so to everybody,
 * not to the user whose request it was. */
struct breaker {
    _Atomic uint64_t word; /* 0: closed, no failures */
};

#define BREAKER_FAILURES 5
#define BREAKER_OPEN_MS 5000
#define BREAKER_OPEN_MAX_MS 60000
#define BREAKER_PROBE_MS 30000

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

enum breaker_state breaker_state(const struct breaker *b, uint64_t now_ms);

/* Whether a request may go. One of the three below follows, also for one that
 * went though it was not admitted. */
bool breaker_admit(struct breaker *b, uint64_t now_ms);

/* It answered, or it failed; true: the breaker closed, or opened, by this.
 * retry_after_ms: as the provider said, -1: it did not. */
bool breaker_succeed(struct breaker *b);
bool breaker_fail(struct breaker *b, uint64_t now_ms, int64_t retry_after_ms);

/* Nobody is to ask the provider any more: what is under way is let be, and
 * nothing opens the breaker until it is revived. True: it was open. */
bool breaker_retire(struct breaker *b);
void breaker_revive(struct breaker *b); /* closed, if it was retired */

/* The request was given up, and says nothing: if a probe is under way it may
 * have been that, and another one may go. */
void breaker_give_up(struct breaker *b, uint64_t now_ms);

#endif
