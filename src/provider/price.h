/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_PRICE_H
#define CHATBOX_PROVIDER_PRICE_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* What a model costs. Which currency the unit is, is the operator's matter; all
 * prices of a server are in the same. Money is whole billionths of it (nanos),
 * so that sums are exact. */
#define PRICE_UNIT INT64_C(1000000000)

/* The highest price of a million tokens, in units: the cost of any answer then
 * has its place in 64 bits. */
#define PRICE_MAX 100000

/* In nanos for a million tokens. */
struct price {
    int64_t input;
    int64_t cached_input; /* what the provider had read before */
    int64_t output;
    int64_t reasoning; /* output that is not shown */
};

struct provider_usage;

/* A decimal number of units, "2.50", with at most `whole_max` units and nine
 * places, as nanos. False for anything else: signs, exponents, spaces, leading
 * zeros. */
bool price_read(struct str text, int64_t whole_max, int64_t *nanos_out);

/* What the tokens cost: each is input, cached input, output or reasoning, and
 * the sum is rounded once, half a nano up. */
int64_t price_cost(const struct price *p, const struct provider_usage *u);

#endif
