/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_META_H
#define CHATBOX_STORE_STORE_MONGO_META_H

#include "store/mongo_bson.h"
#include "store/store_mongo.h"

#include <stdbool.h>
#include <stdint.h>

/* Private to the backend: the collection `meta`, what the database has as a
 * whole. Its documents by _id:
 *
 *   schema       the number of the schema (store_mongo_index.h)
 *   server       the process that writes (store_mongo_lease.h)
 *   sealing      the key that seals; seal.<key>: its check value
 *                (store_mongo_seals.h)
 *   activity.<collection>  every session has the time of its latest
 *                activity (store_mongo_old.h)
 *   secret.<name>  a random value that is made once (store_mongo_secret.h)
 *   moving.<id>  sessions that are about to be moved
 *                (store_mongo_migrate.c)
 *   writing.<n>  sessions that may be behind (store_mongo_mark.h)
 */

/* The documents whose ids begin with the prefix, or the one with this id. row
 * as in store_mongo_call.h. */
enum err store_mongo_meta_list(struct mongo_link *link, const char *prefix,
                               bool (*row)(void *cookie, const bson_t *doc),
                               void *cookie) MUST_CHECK;
enum err store_mongo_meta_find(struct mongo_link *link, const char *id,
                               bool (*row)(void *cookie, const bson_t *doc),
                               void *cookie) MUST_CHECK;

/* The sessions' ids in the document's list `sids`, in order; what else is in
 * it is passed over. take borrows. */
void store_mongo_meta_sids(const struct mongo_lib *lib, const bson_t *doc,
                           void (*take)(void *cookie, struct str sid),
                           void *cookie);

/* Updates the document with this id, or makes it. lasting as in
 * store_mongo_batch.h. Borrows update, a whole document or operators. */
enum err store_mongo_meta_put(struct mongo_link *link, const char *id,
                              const struct mongo_bson *update,
                              bool lasting) MUST_CHECK;

/* Deletes those whose ids begin with the prefix, but not the one called `but`
 * (may be NULL). */
enum err store_mongo_meta_clear(struct mongo_link *link, const char *prefix,
                                const char *but) MUST_CHECK;

#endif
