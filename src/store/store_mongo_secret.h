/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_SECRET_H
#define CHATBOX_STORE_STORE_MONGO_SECRET_H

#include "base/err.h"

struct store_link;

/* The backend's secret (backend.h): {_id: "secret.<name>", value: …} in
 * `meta`. */
enum err store_mongo_secret_keep(struct store_link *link, const char *name,
                                 const char *fresh, char **out) MUST_CHECK;

#endif
