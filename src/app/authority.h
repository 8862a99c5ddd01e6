/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_AUTHORITY_H
#define CHATBOX_APP_AUTHORITY_H

#include "base/buf.h"

/* Where the server is, as it stands in a URL. */

/* Appends "127.0.0.1:8080" or "[::1]:8080". */
void authority_put(const char *host, unsigned port, struct buf *out);

/* Where this machine finds a server that listens on host: loopback when it
 * listens everywhere, otherwise host itself. */
const char *authority_local(const char *host);

#endif
