/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_MIGRATE_H
#define CHATBOX_STORE_STORE_MONGO_MIGRATE_H

#include "store/migrate.h"
#include "store/store_mongo.h"

/* Private to the backend: store_migrate (migrate.h). */
enum err store_mongo_migrate(const struct store_settings *settings,
                             const struct migrate_wish *wish,
                             struct migrate *out, char *why,
                             size_t why_size) MUST_CHECK;

#endif
