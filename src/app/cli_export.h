/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_CLI_EXPORT_H
#define CHATBOX_APP_CLI_EXPORT_H

#include "base/err.h"
#include "store/tool.h"

#include <stddef.h>

/* Everything that is stored of a user as one JSON object (docs/operations.md),
 * written to the descriptor page by page: it takes no more memory than the
 * largest message. Sessions that come or go meanwhile are in it or not; none is
 * twice. ERR_IO: the descriptor takes no more; ERR_DATABASE_ERROR. On error one
 * sentence in why, and what was written is no JSON. Main thread. */
enum err cli_export_write(struct store_link *link, const char *user_id, int fd,
                          char *why, size_t why_size) MUST_CHECK;

#endif
