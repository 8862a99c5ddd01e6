/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_CLI_HEALTH_H
#define CHATBOX_APP_CLI_HEALTH_H

#include "app/config.h"

/* `chatbox health`: asks the server of these settings (of which server.*
 * counts alone, config_sources.listener_only) on this machine whether it
 * lives, for three seconds at most. Appends one line to out when it does;
 * otherwise says one on standard error and gives CLI_FAILED. */
int cli_health_run(const struct config *c, struct buf *out);

#endif
