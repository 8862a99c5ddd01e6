/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_CONFIG_RULES_H
#define CHATBOX_APP_CONFIG_RULES_H

#include "app/config_raw.h"

/* What no row can say of itself: which settings need, exclude or bound one
 * another. Reports; l->bad settings are left alone. */
void config_rules_check(struct config_layers *l, const struct config *c);

/* The same for the providers, whose members have been read. */
void config_rules_check_providers(struct config_layers *l,
                                  const struct config *c);

/* Each budget has a limit. */
void config_rules_check_budgets(struct config_layers *l,
                                const struct config *c);

/* For `chatbox token`: only that there is a secret to sign with. */
void config_rules_check_secret(struct config_layers *l, const struct config *c);

/* For commands on the storage: what store.* need of one another. */
void config_rules_check_store(struct config_layers *l, const struct config *c);

#endif
