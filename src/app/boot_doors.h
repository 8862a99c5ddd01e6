/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_BOOT_DOORS_H
#define CHATBOX_APP_BOOT_DOORS_H

#include "app/boot_state.h"

/* Where the server listens: at the public door, and with cluster.address at
 * one for the other servers of the database, which speaks no TLS. Each shard
 * has a socket at each. */

/* Room for the descriptors; boot_doors_fini is due. */
void boot_doors_init(struct boot *b);

/* Main: binds them all. ERR_IO with a sentence. */
enum err boot_doors_bind(struct boot *b, char *why, size_t why_size) MUST_CHECK;

/* On the shard: listens at them. False: it cannot, and they are closed. */
bool boot_doors_open(struct boot *b, struct shard *s) MUST_CHECK;
void boot_doors_close(struct boot *b, struct shard *s);

/* Main: closes what was bound and never opened. */
void boot_doors_fini(struct boot *b);

#endif
