/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_BOOT_ALERT_H
#define CHATBOX_APP_BOOT_ALERT_H

#include "loop/shard.h"

#include <stdbool.h>

struct store;

/* What no shard sees in the course of its work, and operators are told of:
 * the storage fails, or works again. The first shard looks every second, and
 * believes what it saw twice. On that shard's thread. */
struct boot_alert {
    struct timer timer;
    struct shard *shard; /* NULL: not started */
    struct store *store;
    bool down;    /* what operators know */
    bool differs; /* the last look saw something else */
};

/* Borrows both until stopped. a is zeroed. */
void boot_alert_start(struct boot_alert *a, struct shard *s,
                      struct store *store);
void boot_alert_stop(struct boot_alert *a); /* fine when not started */

#endif
