/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_SQLITE_SECRET_H
#define CHATBOX_STORE_STORE_SQLITE_SECRET_H

#include "base/err.h"

struct store_link;

/* The backend's secret (backend.h): a row of the table `secrets`. */
enum err store_sqlite_secret_keep(struct store_link *link, const char *name,
                                  const char *fresh, char **out) MUST_CHECK;

#endif
