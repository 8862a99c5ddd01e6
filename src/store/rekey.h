/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_REKEY_H
#define CHATBOX_STORE_REKEY_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store_settings;

/* What a backend's rekey (backend.h) did. */
struct rekey {
    uint64_t messages;   /* sealed anew */
    uint64_t names;      /* of sessions, sealed anew */
    uint64_t unreadable; /* texts that do not open: left as they are */
    bool beside;         /* a server was running on the database */
    bool remains;        /* the log file could not be emptied yet: what texts
                            were before may still be in it */
};

/* Seals all texts with the first of settings->keys; backend.h says how. On
 * error one sentence in why. Main thread, no store open in this process. */
enum err store_rekey(const struct store_settings *settings, struct rekey *out,
                     char *why, size_t why_size) MUST_CHECK;

#endif
