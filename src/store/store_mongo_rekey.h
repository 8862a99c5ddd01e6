/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_REKEY_H
#define CHATBOX_STORE_STORE_MONGO_REKEY_H

#include "store/backend.h"
#include "store/rekey.h"

#include <stddef.h>

/* The backend's rekey (backend.h). */
enum err store_mongo_rekey_run(const struct store_settings *settings,
                               struct rekey *out, char *why,
                               size_t why_size) MUST_CHECK;

#endif
