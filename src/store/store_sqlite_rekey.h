/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_SQLITE_REKEY_H
#define CHATBOX_STORE_STORE_SQLITE_REKEY_H

#include "store/backend.h"
#include "store/rekey.h"

/* The backend's rekey. */
enum err store_sqlite_rekey_run(const struct store_settings *settings,
                                struct rekey *out, char *why, size_t why_size);

#endif
