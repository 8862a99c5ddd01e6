/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GUARD_LIMIT_SHARED_H
#define CHATBOX_GUARD_LIMIT_SHARED_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The same algorithm as limit.h for keys that come in on any shard: client
 * addresses. The one table of the process that threads share (docs/threads.md
 * names it): lock-free, one 64-bit atomic word a key, of fixed size.
 *
 * A word is {24 bits of the key's hash, 40 bits of time}; eight words, one
 * cache line, are where a key can be. When all eight are others' and none is
 * full again, the one that will be full first is forgotten. An address is
 * taken for another one of its line with chance 8 in 2^24 at most. Two threads
 * that add one new address at the same time may, while a purge runs, give it
 * two buckets until the first is full again. */
struct limit_shared;

/* count (> 0) at once, refilled evenly over window_ms (> 0). Room for max_keys
 * addresses, rounded up to a power of two, 8 bytes each, allocated at once.
 * Time is kept in microseconds for windows up to 3 days, coarser for longer
 * ones. Gives. */
struct limit_shared *limit_shared_new(uint64_t count, uint64_t window_ms,
                                      size_t max_keys);
void limit_shared_free(struct limit_shared *l); /* NULL is fine */

/* Takes over what the addresses of `from` have used, before others know l: who
 * has had 3 of 3 has then had 3 of 100. Nothing, when the two have not the same
 * room: a word says too little to be put elsewhere. What is counted in `from`
 * while this runs, or after, may be missing. */
void limit_shared_inherit(struct limit_shared *l,
                          const struct limit_shared *from, uint64_t now_us);

/* As limit_check. Any thread. now_us: one monotonic clock for all threads. */
bool limit_shared_check(struct limit_shared *l, struct str key, uint64_t now_us,
                        uint64_t *retry_after_ms);

/* Whether a check would pass, without counting it: for a limit on failures,
 * which is asked before and counted after. Any thread. */
bool limit_shared_peek(struct limit_shared *l, struct str key, uint64_t now_us,
                       uint64_t *retry_after_ms);

/* Forgets what is full again; returns how many. Any thread, at least once in
 * a day: the 40 bits of time wrap after 12. */
size_t limit_shared_purge(struct limit_shared *l, uint64_t now_us);

/* Keys held, about. */
size_t limit_shared_count(const struct limit_shared *l);

#endif
