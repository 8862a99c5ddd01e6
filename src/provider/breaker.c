/* SPDX-License-Identifier: MIT */
/* The breaker's word and its changes, each a compare-and-swap of the whole:
 * see breaker.h.
 *
 *   bits  0 … 39   until when nothing goes through; 0: closed
 *        40 … 47   failures in a row
 *        48 … 55   how often it has opened in a row
 *        56        a probe is under way (until then)
 *        57        retired; then all others are 0 */
#include "provider/breaker.h"

#define UNTIL_MASK ((UINT64_C(1) << 40) - 1)
#define PROBING (UINT64_C(1) << 56)
#define RETIRED (UINT64_C(1) << 57)
#define COUNT_MAX 255

struct parts {
    uint64_t until_ms;
    uint64_t failures;
    uint64_t opened;
    bool probing;
};

static struct parts
unpack(uint64_t word)
{
    return (struct parts){.until_ms = word & UNTIL_MASK,
                          .failures = (word >> 40) & COUNT_MAX,
                          .opened = (word >> 48) & COUNT_MAX,
                          .probing = (word & PROBING) != 0};
}

static uint64_t
pack(const struct parts *p)
{
    return (p->until_ms & UNTIL_MASK) | p->failures << 40 | p->opened << 48 |
           (p->probing ? PROBING : 0);
}

static uint64_t
read_word(const struct breaker *b)
{
    return atomic_load_explicit(&b->word, memory_order_relaxed);
}

/* False: somebody else was faster; *word is what there is now. */
static bool
swap(struct breaker *b, uint64_t *word, uint64_t next)
{
    return atomic_compare_exchange_weak_explicit(
        &b->word, word, next, memory_order_relaxed, memory_order_relaxed);
}

static bool
replace(struct breaker *b, uint64_t *word, const struct parts *p)
{
    return swap(b, word, pack(p));
}

enum breaker_state
breaker_state(const struct breaker *b, uint64_t now_ms)
{
    struct parts p = unpack(read_word(b));

    if (p.until_ms == 0) {
        return BREAKER_CLOSED;
    }
    return now_ms < p.until_ms && !p.probing ? BREAKER_OPEN : BREAKER_HALF_OPEN;
}

bool
breaker_admit(struct breaker *b, uint64_t now_ms)
{
    uint64_t word = read_word(b);
    struct parts p;

    do {
        p = unpack(word);
        if (p.until_ms == 0 || now_ms < p.until_ms) {
            return p.until_ms == 0;
        }
        p.probing = true;
        p.until_ms = now_ms + BREAKER_PROBE_MS;
    } while (!replace(b, &word, &p));
    return true;
}

bool
breaker_succeed(struct breaker *b)
{
    uint64_t word = read_word(b);

    do {
        if (word == 0 || word == RETIRED) { /* mostly */
            return false;
        }
    } while (!swap(b, &word, 0));
    return unpack(word).until_ms != 0;
}

static uint64_t
open_ms(uint64_t opened)
{
    uint64_t ms = BREAKER_OPEN_MS;

    for (uint64_t i = 1; i < opened && ms < BREAKER_OPEN_MAX_MS; i++) {
        ms *= 2;
    }
    return ms < BREAKER_OPEN_MAX_MS ? ms : BREAKER_OPEN_MAX_MS;
}

static uint64_t
one_more(uint64_t count)
{
    return count < COUNT_MAX ? count + 1 : COUNT_MAX;
}

/* Whoever was asked before it opened fails late, and that is no news. */
static void
count_failure(struct parts *p, uint64_t now_ms)
{
    bool open = now_ms < p->until_ms && !p->probing;

    p->failures = one_more(p->failures);
    if (!open && (p->until_ms != 0 || p->failures >= BREAKER_FAILURES)) {
        p->opened = one_more(p->opened);
        p->until_ms = now_ms + open_ms(p->opened);
        p->probing = false;
    }
}

static void
keep_wait(struct parts *p, uint64_t now_ms, int64_t wait_ms)
{
    uint64_t wait =
        wait_ms < BREAKER_OPEN_MAX_MS ? (uint64_t)wait_ms : BREAKER_OPEN_MAX_MS;

    if (now_ms + wait > p->until_ms || p->probing) {
        p->until_ms = now_ms + wait;
        p->probing = false;
    }
}

bool
breaker_fail(struct breaker *b, uint64_t now_ms, int64_t retry_after_ms)
{
    uint64_t word = read_word(b);
    struct parts before, p;

    do {
        if (word == RETIRED) {
            return false;
        }
        before = p = unpack(word);
        count_failure(&p, now_ms);
        if (retry_after_ms > 0) {
            keep_wait(&p, now_ms, retry_after_ms);
        }
    } while (!replace(b, &word, &p));
    return before.until_ms == 0 && p.until_ms != 0;
}

void
breaker_give_up(struct breaker *b, uint64_t now_ms)
{
    uint64_t word = read_word(b);
    struct parts p;

    do {
        p = unpack(word);
        if (!p.probing) {
            return;
        }
        p.probing = false;
        p.until_ms = now_ms > 0 ? now_ms : 1;
    } while (!replace(b, &word, &p));
}

bool
breaker_retire(struct breaker *b)
{
    uint64_t word =
        atomic_exchange_explicit(&b->word, RETIRED, memory_order_relaxed);

    return unpack(word).until_ms != 0;
}

void
breaker_revive(struct breaker *b)
{
    uint64_t word = RETIRED;

    (void)atomic_compare_exchange_strong_explicit(
        &b->word, &word, 0, memory_order_relaxed, memory_order_relaxed);
}
