/* SPDX-License-Identifier: MIT */
/* What a look at a limit costs, in time and memory: of both kinds, the one by
 * user (guard/limit.h) and the one by address (guard/limit_shared.h). Keys are
 * as long as an id, and come in no order.
 *
 *     limiter [KEYS [ROUNDS]]     (100,000 keys: limit.max_keys' default) */
#include "base/check.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "guard/limit.h"
#include "guard/limit_shared.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define KEY_CHARS 32
#define CHECKS ((size_t)4000000)
#define LOOK_AHEAD 16

struct keys {
    size_t count;
    char (*text)[KEY_CHARS + 1];
    uint32_t *order; /* a random one, CHECKS long */
};

static uint64_t dice = 1;

/* SplitMix64: Steele, Lea and Flood, 2014. */
static uint64_t
roll(void)
{
    uint64_t z = (dice += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void
keys_init(struct keys *k, size_t count)
{
    k->count = count;
    k->text = xcalloc(count, sizeof(*k->text));
    k->order = xcalloc(CHECKS, sizeof(*k->order));
    for (size_t i = 0; i < count; i++) {
        snprintf(k->text[i], sizeof(k->text[i]), "%016llx%016zx",
                 (unsigned long long)roll(), i);
    }
    for (size_t i = 0; i < CHECKS; i++) {
        k->order[i] = (uint32_t)(roll() % count);
    }
}

static struct str
key_at(const struct keys *k, size_t i)
{
    return (struct str){k->text[i], KEY_CHARS};
}

/* Of this process: others that run on the machine cost it nothing but caches.
 */
static double
cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static size_t
heap_bytes(void)
{
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
}

/* The two limiters behind one form. */
struct kind {
    const char *name;
    void *(*make)(size_t max_keys);
    bool (*check)(void *l, struct str key, uint64_t now_us);
    void (*drop)(void *l);
    bool grows; /* else all of its memory is there from the start */
};

static void *
make_own(size_t max_keys)
{
    return limit_new(100, 60000, max_keys);
}

static bool
check_own(void *l, struct str key, uint64_t now_us)
{
    return limit_check(l, key, now_us, NULL);
}

static void
drop_own(void *l)
{
    limit_free(l);
}

static void *
make_shared(size_t max_keys)
{
    return limit_shared_new(100, 60000, max_keys);
}

static bool
check_shared(void *l, struct str key, uint64_t now_us)
{
    return limit_shared_check(l, key, now_us, NULL);
}

static void
drop_shared(void *l)
{
    limit_shared_free(l);
}

static const struct kind kinds[] = {
    {"by user", make_own, check_own, drop_own, true},
    {"by address", make_shared, check_shared, drop_shared, false},
};

/* ns a check: each of the first `among` keys at random, all in the table, or
 * (new ones only) in turn through a table that holds a tenth of them. */
static double
time_checks(const struct kind *kind, const struct keys *k, size_t among,
            bool flood)
{
    void *l = kind->make(flood ? k->count / 10 : k->count);
    uint64_t now_us = clock_mono_us();
    size_t allowed = 0;
    double took_ns;

    for (size_t i = 0; i < among; i++) {
        allowed += kind->check(l, key_at(k, i), now_us);
    }
    took_ns = cpu_ns();
    for (size_t i = 0; i < CHECKS; i++) {
        size_t at = flood ? i % k->count : k->order[i] % among;
        size_t later = (i + LOOK_AHEAD) % CHECKS;

        /* Who asks has just been read from somewhere: its id is at hand. */
        later = flood ? later % k->count : k->order[later] % among;
        __builtin_prefetch(k->text[later]);
        allowed += kind->check(l, key_at(k, at), now_us + i / 10);
    }
    took_ns = cpu_ns() - took_ns;
    kind->drop(l);
    if (allowed == 0) {
        fprintf(stderr, "nothing was allowed\n");
        exit(1);
    }
    return took_ns / (double)CHECKS;
}

/* Memory by key when the table is full; and, of one that grows, the most that
 * it was while it filled, from a thousand keys on. */
static void
weigh(const struct kind *kind, const struct keys *k)
{
    size_t before = heap_bytes();
    void *l = kind->make(k->count);
    double most = 0, now = 0;

    for (size_t i = 0; i < k->count; i++) {
        (void)kind->check(l, key_at(k, i), 1000000);
        now = (double)(heap_bytes() - before) / (double)(i + 1);
        most = kind->grows && i + 1 >= 1000 && now > most ? now : most;
    }
    printf("%s: %.1f B a key when full, %.1f at most on the way\n", kind->name,
           now, kind->grows ? most : now);
    kind->drop(l);
}

int
main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
    unsigned long rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 3;
    struct keys keys;

    if (count < 1000 || count > UINT32_MAX || rounds == 0) {
        fprintf(stderr, "usage: limiter [KEYS [ROUNDS]]\n");
        return 2;
    }
    keys_init(&keys, count);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        for (unsigned long n = 0; n < rounds; n++) {
            printf("%s: %.0f ns a check among 1000 keys, %.0f among %zu, %.0f "
                   "when each is new and the table full\n",
                   kinds[i].name, time_checks(&kinds[i], &keys, 1000, false),
                   time_checks(&kinds[i], &keys, count, false), count,
                   time_checks(&kinds[i], &keys, count, true));
        }
        weigh(&kinds[i], &keys);
    }
    xfree(keys.text);
    xfree(keys.order);
    return 0;
}
