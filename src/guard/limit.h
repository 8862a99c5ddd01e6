/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GUARD_LIMIT_H
#define CHATBOX_GUARD_LIMIT_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How often somebody may do something: the generic cell rate algorithm (ITU-T
 * I.371, annex A) with a burst of the whole limit. One number per key, the
 * time at which its bucket is full again; a check is O(1).
 *
 * One shard's thread only. A user lives on one shard, so limits by user are
 * exact; limits by address are limit_shared.h's.
 *
 * Keys are known by their 64-bit keyed hash alone (base/map.h). Two keys with
 * the same hash share a bucket: with 100 000 keys the chance that any two do
 * is 3 in 10^10, and nobody outside can aim for it. At most 60 bytes a key, as
 * soon as there are 64 of them (bench/limiter.c). */
struct limit;

/* count (> 0) at once, refilled evenly over window_ms (> 0). At max_keys
 * (> 0) keys the one that was asked for longest ago is forgotten. The interval
 * window / count is rounded down to a nanosecond, at least one. Gives. */
struct limit *limit_new(uint64_t count, uint64_t window_ms, size_t max_keys);
void limit_free(struct limit *l); /* NULL is fine */

/* Other figures for the same keys, as limit_new takes them. What a key has
 * used stays used: who has had 3 of 3 has then had 3 of 100. Beyond a smaller
 * max_keys those that were asked for longest ago are forgotten. Costs one look
 * at each key held. now_us: monotonic. */
void limit_set(struct limit *l, uint64_t count, uint64_t window_ms,
               size_t max_keys, uint64_t now_us);

/* True: allowed, and counted. False: not counted, and *retry_after_ms (may
 * be NULL) is the least whole number of milliseconds after which the same
 * question is allowed. now_us: monotonic. Borrows key. */
bool limit_check(struct limit *l, struct str key, uint64_t now_us,
                 uint64_t *retry_after_ms);

/* Forgets the keys whose bucket is full again, which changes no answer;
 * returns how many. Costs one look at each key held. */
size_t limit_purge(struct limit *l, uint64_t now_us);

/* Keys held. */
size_t limit_count(const struct limit *l);

#endif
