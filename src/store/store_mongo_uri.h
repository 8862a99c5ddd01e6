/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_URI_H
#define CHATBOX_STORE_STORE_MONGO_URI_H

#include "store/store_settings.h"

#include <stdbool.h>
#include <stddef.h>

struct mongo_lib;
struct _mongoc_uri_t; /* the driver's; whoever checks settings needs none of it
                       */

/* Private to the backend: the settings as the driver's URI, with our limits
 * where it has none. Gives. NULL: one sentence in why, without the user and
 * the password. Main thread. */
struct _mongoc_uri_t *store_mongo_uri_read(const struct mongo_lib *lib,
                                           const struct store_mongo_settings *m,
                                           char *why, size_t why_size);

/* Whether the driver takes the address; also true when there is no driver to
 * ask, which opening says. Else why is the end of a sentence ("is ..."),
 * without the user and the password. It listens to all that the driver says
 * meanwhile: only while no storage is open. Main thread. */
bool store_mongo_uri_try(const char *uri, char *why, size_t why_size);

#endif
