/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_BUDGET_H
#define CHATBOX_CHAT_BUDGET_H

#include "base/err.h"
#include "base/str.h"
#include "chat/budget_account.h"
#include "provider/price.h"
#include "store/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Budgets: how much of the models' tokens and money users and roles may use in
 * a day and in a month (decision 45). Of a turn of a conversation as of a
 * request at the OpenAI door: whoever asks a model makes a claim before, tells
 * it each chunk of the answer, and settles it with what the provider says. A
 * shard's; its thread alone, but for the accounts of roles.
 *
 *     claim = budget_start(c, &ask, on_decided, cookie, &ready);
 *     if (ready) { on_decided's work, with budget_verdict(claim, …) }
 *     …  asked; for each chunk:
 *     if (!budget_spend(claim, &tokens, price)) { stop it }
 *     …  at the end, when the usage is known:
 *     budget_settle(claim, &usage);
 *     …  when its usage entry is durable, or there is none:
 *     budget_free(claim);
 *
 * A claim that is freed without budget_settle counts what was spent by it as
 * used, until the process ends; if nothing was spent, nothing. Nobody is under
 * a budget: claim is NULL, which every function here takes. */
struct budget_claim;
struct chat;
struct chat_settings;

/* One row of llm.budgets. Immutable, from the settings. */
struct budget_row {
    const char *role; /* "": everybody */
    bool shared;      /* all users of the role have it together */
    struct budget_limits limits;
    struct budget_account *account; /* of a shared one; outlives this */
};

struct budget_ask {
    const struct chat_settings *settings;
    struct str user_id;
    struct str roles;       /* the token's: names, each with a NUL behind it */
    uint64_t prompt_tokens; /* of what will be sent, by estimate */
    const struct price *price; /* of the provider that is asked first */
};

/* Reserves the prompt with every budget that the user is under, after reading
 * what they have used if that is not in memory. Borrows the ask during the
 * call. *ready: it is decided, done does not run. Else done runs exactly
 * once, later than this call, unless the claim is freed before; it may free
 * the claim. Gives. */
struct budget_claim *budget_start(struct chat *c, const struct budget_ask *ask,
                                  void (*done)(void *cookie), void *cookie,
                                  bool *ready);

/* ERR_OK: go on. ERR_BUDGET_EXCEEDED: less is left than the prompt and a token
 * need; *retry_after_ms until the period is over. ERR_DATABASE_ERROR: it cannot
 * be read what was used. Once it is decided; after budget_spend has said
 * false, BUDGET_EXCEEDED. */
enum err budget_verdict(const struct budget_claim *claim,
                        int64_t *retry_after_ms);

/* So many tokens of the answer have come, by estimate, at this price (or so
 * many more of a prompt go to a provider that goes on with it): with what all
 * others of the same budgets are using at this moment. False: a budget is
 * exceeded by them; nothing more should come. Counted all the same. */
bool budget_spend(struct budget_claim *claim,
                  const struct provider_usage *tokens,
                  const struct price *price);

/* What it really was takes the place of what was reserved and spent. In the
 * day and month of this moment, as the usage entry has it. */
void budget_settle(struct budget_claim *claim, const struct usage *usage);

/* The roles whose shared budgets the claim is under, as message_record and
 * usage_entry want them: "\nrole\nrole\n", or NULL. Gives. */
char *budget_roles(const struct budget_claim *claim);

/* NULL is fine. */
void budget_free(struct budget_claim *claim);

/* Of chat_init and chat_fini: no claims are left then. */
struct budgets;
struct budgets *budget_open(struct chat *c);
void budget_close(struct budgets *b); /* NULL is fine */

/* The most users whose usage is kept in memory by a shard; beyond it the one
 * who asked longest ago is forgotten, and read again when he asks. */
#define BUDGET_USERS_MAX 20000

#endif
