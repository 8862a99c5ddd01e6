/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_LOOP_WORK_H
#define CHATBOX_LOOP_WORK_H

#include <uv.h>

/* What has to wait for a disk, away from the shard: run on one of the few
 * threads that libuv keeps for the whole process, then done at home. A member
 * of the object it works for. From start to done only run touches what run
 * needs; one work runs once at a time. */
struct shard;

struct work {
    uv_work_t req;      /* private */
    struct shard *home; /* private */
    /* May block. Counts nothing, logs nothing, and touches nothing of a
     * shard's. */
    void (*run)(struct work *w);
    /* On the home shard's thread, exactly once, later. */
    void (*done)(struct work *w);
    /* Instead of done when the shard has stopped and its rooms are gone. */
    void (*destroy)(struct work *w);
};

/* A shard that ends waits for it as for answers of the store. */
void work_start(struct shard *s, struct work *w);

#endif
