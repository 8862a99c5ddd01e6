/* SPDX-License-Identifier: MIT */
/* The limit by address: see limit_shared.h. A check is: hash, look through one
 * cache line, compare-and-swap one word; who loses the swap looks again. The
 * time of a word is GCRA's, "when the bucket is full again", in units since
 * the clock began, modulo 2^40. A word whose time is neither in the next window
 * nor just behind it is a bucket that is full: it may be old by any amount. */
#include "guard/limit_shared.h"

#include "base/check.h"
#include "base/map.h"
#include "base/xalloc.h"

#include <stdatomic.h>

enum { WAYS = 8, TIME_BITS = 40 };

#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)
/* The longest window in units: a quarter of the circle, so that a word is
 * misread only when it is between 3/4 and 1 circle old, and a purge has come
 * by long before. */
#define WINDOW_MAX (UINT64_C(1) << (TIME_BITS - 2))

/* How far the clocks of two threads may be apart: one may have read it, and
 * then waited for its processor. */
#define SKEW_US 60000000

struct limit_shared {
    uint64_t unit_us;
    uint64_t interval; /* in units, as tolerance */
    uint64_t tolerance;
    uint64_t horizon;  /* no time that counts is further ahead */
    size_t line_count; /* a power of two */
    atomic_size_t count;
    _Atomic uint64_t *words; /* 0: nobody's */
};

static size_t
power_of_two(size_t at_least)
{
    size_t n = 1;

    while (n < at_least) {
        n *= 2;
    }
    return n;
}

struct limit_shared *
limit_shared_new(uint64_t count, uint64_t window_ms, size_t max_keys)
{
    struct limit_shared *l = xcalloc(1, sizeof(*l));
    unsigned __int128 window_us = (unsigned __int128)window_ms * 1000;
    uint64_t interval;

    CHECK(count > 0 && window_ms > 0 && max_keys > 0);
    l->unit_us = (uint64_t)(window_us / WINDOW_MAX) + 1;
    interval = (uint64_t)(window_us / l->unit_us / count);
    l->interval = interval > 0 ? interval : 1;
    count = count < WINDOW_MAX / l->interval ? count : WINDOW_MAX / l->interval;
    l->tolerance = l->interval * (count - 1);
    l->horizon = l->tolerance + l->interval + SKEW_US / l->unit_us;
    l->line_count = power_of_two((max_keys + WAYS - 1) / WAYS);
    l->words = xcalloc(l->line_count * WAYS, sizeof(*l->words));
    return l;
}

void
limit_shared_free(struct limit_shared *l)
{
    if (l != NULL) {
        xfree(l->words);
        xfree(l);
    }
}

size_t
limit_shared_count(const struct limit_shared *l)
{
    return atomic_load_explicit(&l->count, memory_order_relaxed);
}

/* How long until the word's bucket is full; 0 when it is, or nobody's. */
static uint64_t
debt(const struct limit_shared *l, uint64_t word, uint64_t now)
{
    uint64_t ahead = ((word & TIME_MASK) - now) & TIME_MASK;

    return word != 0 && ahead <= l->horizon ? ahead : 0;
}

/* What a word owes in requests stays the same, up to a whole bucket. */
static uint64_t
translate(const struct limit_shared *l, const struct limit_shared *from,
          uint64_t word, uint64_t now_us)
{
    uint64_t owed = debt(from, word, now_us / from->unit_us);
    uint64_t most = l->tolerance + l->interval;
    unsigned __int128 here =
        (unsigned __int128)owed * l->interval / from->interval;

    if (owed == 0) {
        return 0;
    }
    owed = here < most ? (uint64_t)here : most;
    return (word & ~TIME_MASK) | ((now_us / l->unit_us + owed) & TIME_MASK);
}

void
limit_shared_inherit(struct limit_shared *l, const struct limit_shared *from,
                     uint64_t now_us)
{
    if (l->line_count != from->line_count) {
        return;
    }
    for (size_t i = 0; i < l->line_count * WAYS; i++) {
        uint64_t word =
            atomic_load_explicit(&from->words[i], memory_order_relaxed);

        word = translate(l, from, word, now_us);
        if (word != 0) {
            atomic_init(&l->words[i], word);
            atomic_fetch_add_explicit(&l->count, 1, memory_order_relaxed);
        }
    }
}

/* Where a key is looked for, and by what it is known there. */
struct place {
    _Atomic uint64_t *line;
    uint64_t tag; /* in the upper 24 bits; never 0 */
};

static struct place
place_of(const struct limit_shared *l, struct str key)
{
    uint64_t hash = map_hash(key);
    uint64_t tag = hash & ~TIME_MASK;

    return (struct place){
        l->words + (hash & (l->line_count - 1)) * WAYS,
        tag != 0 ? tag : UINT64_C(1) << TIME_BITS,
    };
}

/* The key's own word, or else the one with the least debt. */
static _Atomic uint64_t *
choose(const struct limit_shared *l, struct place at, uint64_t now,
       uint64_t *word_out)
{
    _Atomic uint64_t *best = NULL;
    uint64_t least = UINT64_MAX;

    for (int i = 0; i < WAYS; i++) {
        uint64_t word = atomic_load_explicit(&at.line[i], memory_order_relaxed);
        uint64_t owed = debt(l, word, now);

        if ((word & ~TIME_MASK) == at.tag) {
            *word_out = word;
            return &at.line[i];
        }
        if (owed < least) {
            least = owed;
            best = &at.line[i];
            *word_out = word;
        }
    }
    return best;
}

static bool
refuse(const struct limit_shared *l, uint64_t owed, uint64_t *retry_after_ms)
{
    if (retry_after_ms != NULL) {
        uint64_t wait_us = (owed - l->tolerance) * l->unit_us;

        *retry_after_ms = (wait_us + 999) / 1000;
    }
    return false;
}

bool
limit_shared_check(struct limit_shared *l, struct str key, uint64_t now_us,
                   uint64_t *retry_after_ms)
{
    struct place at = place_of(l, key);
    uint64_t now = now_us / l->unit_us;

    for (;;) {
        uint64_t old, fresh, owed;
        _Atomic uint64_t *slot = choose(l, at, now, &old);

        owed = (old & ~TIME_MASK) == at.tag ? debt(l, old, now) : 0;
        if (owed > l->tolerance) {
            return refuse(l, owed, retry_after_ms);
        }
        fresh = at.tag | ((now + owed + l->interval) & TIME_MASK);
        if (atomic_compare_exchange_weak_explicit(slot, &old, fresh,
                                                  memory_order_relaxed,
                                                  memory_order_relaxed)) {
            atomic_fetch_add_explicit(&l->count, old == 0,
                                      memory_order_relaxed);
            return true;
        }
    }
}

bool
limit_shared_peek(struct limit_shared *l, struct str key, uint64_t now_us,
                  uint64_t *retry_after_ms)
{
    struct place at = place_of(l, key);
    uint64_t now = now_us / l->unit_us, word, owed;

    choose(l, at, now, &word);
    owed = (word & ~TIME_MASK) == at.tag ? debt(l, word, now) : 0;
    return owed <= l->tolerance || refuse(l, owed, retry_after_ms);
}

size_t
limit_shared_purge(struct limit_shared *l, uint64_t now_us)
{
    uint64_t now = now_us / l->unit_us;
    size_t removed = 0;

    for (size_t i = 0; i < l->line_count * WAYS; i++) {
        uint64_t word =
            atomic_load_explicit(&l->words[i], memory_order_relaxed);

        if (word != 0 && debt(l, word, now) == 0 &&
            atomic_compare_exchange_strong_explicit(&l->words[i], &word, 0,
                                                    memory_order_relaxed,
                                                    memory_order_relaxed)) {
            removed++;
        }
    }
    atomic_fetch_sub_explicit(&l->count, removed, memory_order_relaxed);
    return removed;
}
