/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_BILL_H
#define CHATBOX_CHAT_BILL_H

#include "base/str.h"
#include "provider/price.h"
#include "store/record.h"

#include <stdint.h>

/* What an answer used, and what that costs. Pure but for the metrics; on the
 * shard's thread. */
struct provider_slots;

/* What the metrics tell apart. */
enum bill_kind {
    BILL_INPUT,
    BILL_CACHED_INPUT,
    BILL_OUTPUT,
    BILL_REASONING,
    BILL_KINDS
};

const char *bill_kind_word(enum bill_kind k); /* "cached_input" */

/* Of an answer of which no provider said it: by the estimates of what was sent
 * and of what came (provider/estimate.h), marked as such. */
struct usage bill_estimate(uint64_t prompt_tokens, uint64_t completion_tokens);

/* The cost, and the total if it was not told. Once, when the answer ends; of
 * one provider's part of it. */
void bill_settle(struct usage *u, const struct price *p);

/* Into the provider's metrics. */
void bill_count(const struct usage *u, const struct provider_slots *slots);

#endif
