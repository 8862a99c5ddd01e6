/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_BOOT_SHARDS_H
#define CHATBOX_APP_BOOT_SHARDS_H

#include "app/boot_state.h"

/* What main has the shards do. */

/* Starts the threads and, on each, the rooms; b->started counts. Returns the
 * number of threads that run. */
unsigned boot_shards_start(struct boot *b);

/* A letter to every shard: step runs on its thread. */
void boot_shards_post(struct boot *b,
                      void (*step)(struct boot *b, struct shard *s));

/* Takes the rooms down and ends the threads, connections aborted; waits for
 * them. */
void boot_shards_end(struct boot *b, unsigned running);

#endif
