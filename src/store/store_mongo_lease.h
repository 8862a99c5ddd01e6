/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_LEASE_H
#define CHATBOX_STORE_STORE_MONGO_LEASE_H

#include "base/proc.h"
#include "store/store_mongo.h"
#include "store/store_settings.h"

#include <stdbool.h>
#include <stddef.h>

/* Private to the backend: a database belongs to one writing process at a time
 * (docs/decisions/0034). Who that is stands in `meta`, {_id: "server", holder,
 * host, pid, start, place, address, beat, at}; a thread raises the beat while
 * the process lives. Several servers may stand by for it
 * (docs/decisions/0058). */

/* From one beat to the next. */
#define STORE_MONGO_BEAT_MS 1000

/* A holder whose beat has not changed for so long has ended, when nothing else
 * tells. */
#define STORE_MONGO_SILENT_MS 5000

/* Who has it, as the document says. */
#define STORE_MONGO_HOST_SIZE 65

struct mongo_holder {
    bool present;
    char key[RAND_ID_CHARS + 1]; /* drawn at the start of the process */
    char host[STORE_MONGO_HOST_SIZE];
    char address[STORE_ADDRESS_SIZE]; /* empty: it wants to be alone */
    struct proc_id proc;
    int64_t beat;
};

/* Of any document; what is absent in it or of another type is empty, or 0, and
 * what is too long is cut. Overwrites *out. */
void store_mongo_lease_read(const struct mongo_lib *lib, const bson_t *doc,
                            struct mongo_holder *out);

/* Takes the database, and starts the thread. At once when nobody has it, or
 * when whoever had it was a process of this machine that has ended; otherwise
 * waits until its beat tells. ERR_CONFLICT: another process has it; why names
 * it. With peers of the settings: when it has an address the database is waited
 * for, as long as peers->held says so. Main thread, all signals blocked. */
enum err store_mongo_lease_take(struct mongo_link *link, char *why,
                                size_t why_size) MUST_CHECK;

/* Another process has taken the database over, as this one was silent for
 * long: nothing may be written any more. It does not come back. */
bool store_mongo_lease_lost(const struct mongo_db *db);

/* The last beat is so young that nobody can have done that since. Otherwise
 * what this process knows of the database's documents may be another one's by
 * now, though it has not heard of it yet. */
bool store_mongo_lease_fresh(const struct mongo_db *db);

/* Ends the thread and lets the next process in. Nothing, when it was not
 * taken. Main thread. */
void store_mongo_lease_drop(struct mongo_link *link);

#endif
