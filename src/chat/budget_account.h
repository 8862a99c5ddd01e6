/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_BUDGET_ACCOUNT_H
#define CHATBOX_CHAT_BUDGET_ACCOUNT_H

#include "chat/budget_period.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What was used in the day and in the month of UTC that are running, in tokens
 * and in nanos of money: by one user, or by all users of a role. Each of the
 * four is one 64-bit word of a period's number and an amount, changed by
 * compare-and-swap: an account of a role is shared by all shards
 * (docs/threads.md), one of a user belongs to his shard. Any thread.
 *
 * A word of an earlier period counts as 0. A thread whose clock is behind adds
 * to the later period. 0, which is no period, means that it is not known yet
 * what the usage entries say: such an account is not ready. */
struct budget_amount {
    int64_t tokens;
    int64_t nanos;
};

struct budget_account {
    _Atomic uint64_t tokens[BUDGET_PERIODS];
    _Atomic uint64_t nanos[BUDGET_PERIODS];
};

/* The largest amount that a word holds (more counts as this), in nanos more
 * than a million units. */
#define BUDGET_AMOUNT_MAX ((INT64_C(1) << 50) - 1)

/* What may be used in each period; 0: no limit. */
struct budget_limits {
    struct budget_amount of[BUDGET_PERIODS];
};

bool budget_account_ready(const struct budget_account *a);

/* What the entries say of the period with this number, unless somebody has
 * told it before. */
void budget_account_load(struct budget_account *a, enum budget_period p,
                         uint32_t number, struct budget_amount used);

/* Adds to the period (a negative amount: takes back, not below 0). */
void budget_account_add(struct budget_account *a, enum budget_period p,
                        uint32_t number, struct budget_amount amount);

/* Adds unless a limit (0: none) would then be reached, in one step for each
 * word: of many who try at once none gets beyond it. False: nothing was
 * added. */
bool budget_account_take(struct budget_account *a, enum budget_period p,
                         uint32_t number, struct budget_amount amount,
                         struct budget_amount limit);

/* What was used in the period with this number. */
struct budget_amount budget_account_used(const struct budget_account *a,
                                         enum budget_period p, uint32_t number);

#endif
