/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_CLI_STORE_H
#define CHATBOX_APP_CLI_STORE_H

#include "app/config.h"
#include "app/options.h"
#include "base/buf.h"

/* The administrators' commands on the storage, of settings that were loaded
 * with store_only. What was asked for is appended to out, or (an export without
 * a file) written to standard output; what went wrong is one sentence on
 * standard error. An exit status of cli.h: CLI_FAILED also when the user is
 * unknown, or the person says no. Main thread. */
int cli_store_backup(const struct config *c, const struct options *o,
                     struct buf *out);
int cli_store_restore(const struct config *c, const struct options *o,
                      struct buf *out);
int cli_store_export(const struct config *c, const struct options *o,
                     struct buf *out);
int cli_store_erase(const struct config *c, const struct options *o,
                    struct buf *out);

#endif
