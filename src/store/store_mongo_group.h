/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_GROUP_H
#define CHATBOX_STORE_STORE_MONGO_GROUP_H

#include "store/store.h"

#include <stddef.h>

/* Private to the backend: which jobs of a writer's group are done together.
 * The jobs of one session keep their order; those of different sessions have
 * none. Pure. */

/* Most jobs of one command. */
#define STORE_MONGO_GROUP 128

/* What is left of a group, in its order. Borrows the jobs. */
struct mongo_group {
    struct store_job **jobs;
    size_t count;
};

/* The jobs that are linked by their letters; at least one. */
void store_mongo_group_init(struct mongo_group *g, struct store_job *chain);
void store_mongo_group_fini(struct mongo_group *g);

/* Takes the first job out; and if it is a question, or the end of an answer,
 * the next ones of its kind, each of another session, that nothing of their
 * own session stands before. Those with open_ms go alone. Returns how many
 * there are in out; 0: nothing is left. */
size_t store_mongo_group_cut(struct mongo_group *g,
                             struct store_job *out[STORE_MONGO_GROUP]);

#endif
