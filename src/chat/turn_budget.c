/* SPDX-License-Identifier: MIT */
/* A turn and the budgets of its user: between READ and ASK the prompt is
 * reserved, while it streams each chunk is counted (budget.h), and what a
 * crash leaves of it says what it had used. */
#include "chat/session.h"
#include "chat/turn_parts.h"
#include "provider/estimate.h"

static void
judge(struct turn *t)
{
    enum err e = budget_verdict(t->claim, &t->retry_after_ms);

    if (e == ERR_OK) {
        t->answer.budget_roles = budget_roles(t->claim);
        turn_enter(t, TURN_ASK);
    } else {
        turn_end(t,
                 e == ERR_BUDGET_EXCEEDED ? TURN_END_BUDGET : TURN_END_STORAGE);
    }
}

/* The turn may have been ended meanwhile. */
static void
on_decided(void *cookie)
{
    struct turn *t = cookie;

    if (t->step == TURN_READ && !t->dropped) {
        judge(t);
    }
}

void
turn_budget_claim(struct turn *t)
{
    const struct budget_ask ask = {.settings = t->asking.terms->settings,
                                   .user_id = user_id(t->session->user),
                                   .roles = {t->roles, t->roles_n},
                                   .prompt_tokens = t->prompt_tokens,
                                   .price =
                                       &asking_provider(&t->asking)->price};
    bool ready;

    t->claim =
        budget_start(t->session->user->chat, &ask, on_decided, t, &ready);
    if (ready) {
        judge(t);
    }
}

/* So many tokens of the prompt or of the answer more, at the price of who is
 * asked. */
static void
add(struct turn *t, const struct provider_usage *more)
{
    struct usage *u = &t->so_far;

    u->present = u->estimated = true;
    u->prompt_tokens += more->prompt_tokens;
    u->completion_tokens += more->completion_tokens;
    u->total_tokens = u->prompt_tokens + u->completion_tokens;
    u->cost_nanos += price_cost(&asking_provider(&t->asking)->price, more);
}

/* Of those that failed before the first text nothing is known. What goes on is
 * sent what there is, and that counts, too; whether a budget allows it is seen
 * at its first chunk. */
void
turn_budget_asked(struct turn *t)
{
    const struct provider_usage prompt = {.prompt_tokens =
                                              (int64_t)t->prompt_tokens};

    if (t->text.n == 0) {
        t->so_far = (struct usage){.present = false};
    } else {
        (void)!budget_spend(t->claim, &prompt,
                            &asking_provider(&t->asking)->price);
    }
    add(t, &prompt);
}

bool
turn_budget_spend(struct turn *t, struct str text)
{
    const struct provider_usage chunk = {.completion_tokens =
                                             (int64_t)estimate_tokens(text)};

    add(t, &chunk);
    if (budget_spend(t->claim, &chunk, &asking_provider(&t->asking)->price)) {
        return true;
    }
    (void)budget_verdict(t->claim, &t->retry_after_ms);
    turn_end(t, TURN_END_BUDGET);
    return false;
}
