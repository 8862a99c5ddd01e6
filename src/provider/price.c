/* SPDX-License-Identifier: MIT */
/* Prices as decimal numbers, and what tokens cost by them: see price.h. */
#include "provider/price.h"

#include "base/check.h"
#include "provider/provider.h"

#define PLACES 9
#define MILLION 1000000

/* Digits without a leading zero. */
static bool
read_whole(struct str s, int64_t max, int64_t *out)
{
    uint64_t value;

    if (s.n == 0 || (s.n > 1 && s.p[0] == '0') ||
        !str_to_u64(s, (uint64_t)max, &value)) {
        return false;
    }
    *out = (int64_t)value;
    return true;
}

/* The places behind the point, as nanos. */
static bool
read_places(struct str s, int64_t *out)
{
    uint64_t value;

    if (s.n == 0 || s.n > PLACES || !str_to_u64(s, UINT64_MAX, &value)) {
        return false;
    }
    for (size_t i = s.n; i < PLACES; i++) {
        value *= 10;
    }
    *out = (int64_t)value;
    return true;
}

bool
price_read(struct str text, int64_t whole_max, int64_t *nanos_out)
{
    struct str places = text, whole;
    int64_t units, nanos = 0;

    CHECK(whole_max >= 0 && whole_max < INT64_MAX / PRICE_UNIT);
    if (!str_split(&places, '.', &whole) ||
        !read_whole(whole, whole_max, &units) ||
        (places.p != NULL && !read_places(places, &nanos)) ||
        (units == whole_max && nanos > 0)) {
        return false;
    }
    *nanos_out = units * PRICE_UNIT + nanos;
    return true;
}

static unsigned __int128
times(int64_t tokens, int64_t price)
{
    return tokens > 0 ? (unsigned __int128)tokens * (uint64_t)price : 0;
}

int64_t
price_cost(const struct price *p, const struct provider_usage *u)
{
    unsigned __int128 sum =
        times(u->prompt_tokens - u->cached_tokens, p->input) +
        times(u->cached_tokens, p->cached_input) +
        times(u->completion_tokens - u->reasoning_tokens, p->output) +
        times(u->reasoning_tokens, p->reasoning);

    return (int64_t)((sum + MILLION / 2) / MILLION);
}
