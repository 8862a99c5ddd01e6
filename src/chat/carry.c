/* SPDX-License-Identifier: MIT */
/* See carry.h. Neighbours: turn_carry.c and exchange.c. */
#include "chat/carry.h"

#include "provider/estimate.h"

void
carry_init(struct carry *c, size_t said)
{
    *c = (struct carry){.said = said};
}

void
carry_fini(struct carry *c)
{
    overlap_fini(&c->overlap);
}

void
carry_break(struct carry *c, struct str shown, const struct usage *part)
{
    carry_add(&c->used, part);
    c->from = shown.n;
    c->said = 0;
    overlap_fini(&c->overlap);
    overlap_init(&c->overlap, shown);
}

struct str
carry_text(struct carry *c, struct str text)
{
    c->said += text.n;
    return overlap_feed(&c->overlap, text);
}

struct str
carry_rest(struct carry *c)
{
    return overlap_end(&c->overlap);
}

/* What was said again is not in the text twice, but was said: it is what that
 * ended with when the part began. */
uint64_t
carry_tokens(const struct carry *c, struct str shown)
{
    struct str before = {shown.p, c->from};
    size_t again = c->said - (shown.n - c->from);

    again = again < c->from ? again : c->from;
    return estimate_tokens(str_from_at(shown, c->from)) +
           estimate_tokens(str_from_at(before, c->from - again));
}

void
carry_add(struct usage *to, const struct usage *part)
{
    to->prompt_tokens += part->prompt_tokens;
    to->completion_tokens += part->completion_tokens;
    to->total_tokens += part->total_tokens;
    to->cached_tokens += part->cached_tokens;
    to->reasoning_tokens += part->reasoning_tokens;
    to->cost_nanos += part->cost_nanos;
    to->estimated = to->estimated || part->estimated;
    to->present = true;
}
