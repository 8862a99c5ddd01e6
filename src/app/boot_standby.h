/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_BOOT_STANDBY_H
#define CHATBOX_APP_BOOT_STANDBY_H

#include "app/boot_state.h"
#include "store/store_settings.h"

/* A server that waits for the database, which another one has: one more shard,
 * at the first one's door, that passes connections on
 * (gate/standby.h). It is made when the store is found held, and ended when
 * this server has taken its place. All of it on main. */

/* For store_peers: cookie is the boot. Waits, and listens for signals; one to
 * stop sets b->stopped. */
bool boot_standby_held(void *cookie, const char *address);

/* For store_peers; any thread. The server is to end. */
void boot_standby_lost(void *cookie);

/* This server has the database, and is about to listen itself: who comes from
 * now on waits for that. Nothing, when it never stood by; as the next one. */
void boot_standby_pause(struct boot *b);

/* This server listens itself now, or it never will. */
void boot_standby_end(struct boot *b);

/* A signal came while it stood by: not ready, drain, and the end. */
void boot_standby_stop(struct boot *b);

#endif
