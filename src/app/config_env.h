/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_CONFIG_ENV_H
#define CHATBOX_APP_CONFIG_ENV_H

#include "app/config_raw.h"

/* Puts the environment into the layers; reads the files that NAME_FILE names.
 * Warns of names that look like a slip of the pen. */
void config_env_read(struct config_layers *l);

/* Puts the "path=value" of --set into the layers. */
void config_env_read_sets(struct config_layers *l);

/* The value of one variable, NULL when absent or empty. Borrows. */
const char *config_env_get(const char *const *environment, const char *name);

/* The path of a setting at most two letters away, or NULL. */
const char *config_env_near_path(struct str path);

/* Letters to insert, delete or change to get from one to the other; above
 * limit: limit + 1. */
unsigned config_env_distance(struct str a, struct str b, unsigned limit);

#endif
