/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_KEYS_FETCH_H
#define CHATBOX_GATE_KEYS_FETCH_H

#include <stdbool.h>

/* One fetch of the published key set at a time: at most 5 s and
 * JWKS_BYTES_MAX. Each failure is one log line and one count. One shard's
 * thread, which has a fetch pool. */
struct gate_settings;
struct jwks;
struct keys_fetch;
struct shard;

/* done: never inside keys_fetch_start; takes set (NULL: it failed). Borrows
 * everything. Gives. */
struct keys_fetch *keys_fetch_new(struct shard *s,
                                  const struct gate_settings *settings,
                                  void (*done)(void *cookie, struct jwks *set),
                                  void *cookie);

/* Cancels what is under way. Not inside done. NULL is fine. */
void keys_fetch_free(struct keys_fetch *f);

/* Begins one, unless one is under way. */
void keys_fetch_start(struct keys_fetch *f);
bool keys_fetch_busy(const struct keys_fetch *f);

#endif
