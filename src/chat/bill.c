/* SPDX-License-Identifier: MIT */
/* The bill of an answer: see bill.h. */
#include "chat/bill.h"

#include "base/metrics.h"
#include "chat/terms.h"

const char *
bill_kind_word(enum bill_kind k)
{
    static const char *const words[BILL_KINDS] = {
        [BILL_INPUT] = "input",
        [BILL_CACHED_INPUT] = "cached_input",
        [BILL_OUTPUT] = "output",
        [BILL_REASONING] = "reasoning",
    };

    return words[k];
}

struct usage
bill_estimate(uint64_t prompt_tokens, uint64_t completion_tokens)
{
    struct usage u = {.prompt_tokens = (int64_t)prompt_tokens,
                      .completion_tokens = (int64_t)completion_tokens,
                      .present = true,
                      .estimated = true};

    u.total_tokens = u.prompt_tokens + u.completion_tokens;
    return u;
}

void
bill_settle(struct usage *u, const struct price *p)
{
    const struct provider_usage tokens = {
        .prompt_tokens = u->prompt_tokens,
        .completion_tokens = u->completion_tokens,
        .cached_tokens = u->cached_tokens,
        .reasoning_tokens = u->reasoning_tokens};

    if (u->total_tokens == 0) {
        u->total_tokens = u->prompt_tokens + u->completion_tokens;
    }
    u->cost_nanos = price_cost(p, &tokens);
}

void
bill_count(const struct usage *u, const struct provider_slots *slots)
{
    const int64_t kinds[BILL_KINDS] = {
        [BILL_INPUT] = u->prompt_tokens - u->cached_tokens,
        [BILL_CACHED_INPUT] = u->cached_tokens,
        [BILL_OUTPUT] = u->completion_tokens - u->reasoning_tokens,
        [BILL_REASONING] = u->reasoning_tokens,
    };

    metric_add_at(METRIC_TOKENS_USED, slots->tokens, u->total_tokens);
    for (int k = 0; k < BILL_KINDS; k++) {
        metric_add_at(METRIC_LLM_TOKENS, slots->kinds[k], kinds[k]);
    }
    if (u->estimated) {
        metric_add_at(METRIC_LLM_TOKENS_ESTIMATED, slots->estimated,
                      u->total_tokens);
    }
    metric_add_at(METRIC_LLM_COST, slots->cost, u->cost_nanos);
}
