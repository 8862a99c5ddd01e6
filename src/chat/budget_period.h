/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_BUDGET_PERIOD_H
#define CHATBOX_CHAT_BUDGET_PERIOD_H

#include <stdint.h>

/* The days and the calendar months of UTC that budgets are for. Pure; any
 * thread. */
enum budget_period { BUDGET_DAY, BUDGET_MONTH, BUDGET_PERIODS };

/* The number of the period at a moment, 1 and more; the moment at which it is
 * over. Wall-clock milliseconds, from 2020 to 2064 (clamped). */
uint32_t budget_period_number(enum budget_period p, int64_t at_ms);
int64_t budget_period_end_ms(enum budget_period p, int64_t at_ms);

/* When the period began. */
int64_t budget_period_begin_ms(enum budget_period p, int64_t at_ms);

#endif
