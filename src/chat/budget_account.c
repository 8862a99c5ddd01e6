/* SPDX-License-Identifier: MIT */
/* Words of a period's number and an amount: see budget_account.h. */
#include "chat/budget_account.h"

#define AMOUNT_BITS 50
_Static_assert(BUDGET_AMOUNT_MAX + 1 == INT64_C(1) << AMOUNT_BITS,
               "the bits that are left are the number's");

/* --- words -------------------------------------------------------------- */

static uint32_t
number_of(uint64_t word)
{
    return (uint32_t)(word >> AMOUNT_BITS);
}

static int64_t
amount_of(uint64_t word)
{
    return (int64_t)(word & (uint64_t)BUDGET_AMOUNT_MAX);
}

static uint64_t
pack(uint32_t number, int64_t amount)
{
    amount = amount < 0                   ? 0
             : amount > BUDGET_AMOUNT_MAX ? BUDGET_AMOUNT_MAX
                                          : amount;
    return (uint64_t)number << AMOUNT_BITS | (uint64_t)amount;
}

/* What the word has of the period, which is the word's if that is later. */
static int64_t
used_in(uint64_t word, uint32_t number)
{
    return number_of(word) >= number ? amount_of(word) : 0;
}

static uint64_t
raise(uint64_t word, uint32_t number, int64_t amount)
{
    uint32_t later = number_of(word) > number ? number_of(word) : number;

    return pack(later, used_in(word, number) + amount);
}

static void
add(_Atomic uint64_t *at, uint32_t number, int64_t amount)
{
    uint64_t word = atomic_load_explicit(at, memory_order_relaxed);

    while (!atomic_compare_exchange_weak_explicit(
        at, &word, raise(word, number, amount), memory_order_relaxed,
        memory_order_relaxed)) {
    }
}

/* False: it would reach the limit. */
static bool
take(_Atomic uint64_t *at, uint32_t number, int64_t amount, int64_t limit)
{
    uint64_t word = atomic_load_explicit(at, memory_order_relaxed);

    do {
        if (limit > 0 && used_in(word, number) + amount >= limit) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(
        at, &word, raise(word, number, amount), memory_order_relaxed,
        memory_order_relaxed));
    return true;
}

static void
load(_Atomic uint64_t *at, uint32_t number, int64_t amount)
{
    uint64_t unknown = 0;

    (void)atomic_compare_exchange_strong_explicit(
        at, &unknown, pack(number, amount), memory_order_relaxed,
        memory_order_relaxed);
}

/* --- accounts ----------------------------------------------------------- */

bool
budget_account_ready(const struct budget_account *a)
{
    for (int p = 0; p < BUDGET_PERIODS; p++) {
        if (atomic_load_explicit(&a->tokens[p], memory_order_relaxed) == 0 ||
            atomic_load_explicit(&a->nanos[p], memory_order_relaxed) == 0) {
            return false;
        }
    }
    return true;
}

void
budget_account_load(struct budget_account *a, enum budget_period p,
                    uint32_t number, struct budget_amount used)
{
    load(&a->tokens[p], number, used.tokens);
    load(&a->nanos[p], number, used.nanos);
}

void
budget_account_add(struct budget_account *a, enum budget_period p,
                   uint32_t number, struct budget_amount amount)
{
    add(&a->tokens[p], number, amount.tokens);
    add(&a->nanos[p], number, amount.nanos);
}

bool
budget_account_take(struct budget_account *a, enum budget_period p,
                    uint32_t number, struct budget_amount amount,
                    struct budget_amount limit)
{
    if (!take(&a->tokens[p], number, amount.tokens, limit.tokens)) {
        return false;
    }
    if (!take(&a->nanos[p], number, amount.nanos, limit.nanos)) {
        add(&a->tokens[p], number, -amount.tokens);
        return false;
    }
    return true;
}

struct budget_amount
budget_account_used(const struct budget_account *a, enum budget_period p,
                    uint32_t number)
{
    return (struct budget_amount){
        used_in(atomic_load_explicit(&a->tokens[p], memory_order_relaxed),
                number),
        used_in(atomic_load_explicit(&a->nanos[p], memory_order_relaxed),
                number)};
}
