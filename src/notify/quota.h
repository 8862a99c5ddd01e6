/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_NOTIFY_QUOTA_H
#define CHATBOX_NOTIFY_QUOTA_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* How often operators are told the same: at most QUOTA_COUNT times of a key in
 * any QUOTA_WINDOW_MS. Unlike guard/limit.h it never lets more through in a
 * window, and remembers each time for that. At QUOTA_KEYS_MAX keys the one that
 * was let through longest ago is forgotten. One shard's thread. */
#define QUOTA_COUNT 5
#define QUOTA_WINDOW_MS (5 * 60 * 1000)
#define QUOTA_KEYS_MAX 10000

struct quota;

struct quota *quota_new(void);
void quota_free(struct quota *q);

/* True: one more is let through, and counted. now_ms: monotonic. Borrows. */
bool quota_take(struct quota *q, struct str key, uint64_t now_ms);

/* Keys held. */
size_t quota_count(const struct quota *q);

#endif
