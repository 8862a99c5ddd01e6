/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_CLI_REKEY_H
#define CHATBOX_APP_CLI_REKEY_H

#include "app/config.h"
#include "base/buf.h"

/* `chatbox rekey` on the storage of the settings: appends what was done to out,
 * or logs why it was not. An exit status of cli.h: CLI_FAILED also when texts
 * are left that do not open. Main thread. */
int cli_rekey_run(const struct config *c, struct buf *out);

#endif
