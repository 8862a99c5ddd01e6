/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_CLI_MIGRATE_H
#define CHATBOX_APP_CLI_MIGRATE_H

#include "app/config.h"
#include "app/options.h"
#include "base/buf.h"

/* `chatbox migrate` on the storage of the settings: appends what was done to
 * out, or logs why it was not. An exit status of cli.h: CLI_FAILED also when
 * something is left that could not be moved or read. Main thread. */
int cli_migrate_run(const struct config *c, const struct options *o,
                    struct buf *out);

#endif
