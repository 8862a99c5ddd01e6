/* SPDX-License-Identifier: MIT */
/* Questions and ends of answers come mixed, from many sessions at once; what
 * can be one command is picked out of the mixture here. See
 * store_mongo_group.h. */
#include "store/store_mongo_group.h"

#include "base/xalloc.h"
#include "store/store_worker.h"

#include <stdbool.h>
#include <string.h>

void
store_mongo_group_init(struct mongo_group *g, struct store_job *chain)
{
    size_t room = 0;

    for (struct store_job *j = chain; j != NULL; j = store_worker_next(j)) {
        room++;
    }
    *g = (struct mongo_group){.jobs = xcalloc(room, sizeof(void *))};
    for (; chain != NULL; chain = store_worker_next(chain)) {
        g->jobs[g->count++] = chain;
    }
}

void
store_mongo_group_fini(struct mongo_group *g)
{
    xfree(g->jobs);
    *g = (struct mongo_group){.count = 0};
}

/* One that it is not known of whether it is stored goes alone: that may be
 * its own fault, which those beside it would share each time. */
static bool
goes_together(const struct store_job *job)
{
    return job->open_ms == 0 &&
           (job->op == STORE_MESSAGE_APPEND || job->op == STORE_ANSWER_FINISH);
}

static bool
is_among(struct store_job *const *jobs, size_t count,
         const struct store_job *job)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(jobs[i]->session.sid, job->session.sid) == 0) {
            return true;
        }
    }
    return false;
}

/* Those that stay close ranks at the front, so that they are also what a later
 * one must not overtake. */
size_t
store_mongo_group_cut(struct mongo_group *g,
                      struct store_job *out[STORE_MONGO_GROUP])
{
    size_t taken = 0, kept = 0;

    for (size_t i = 0; i < g->count; i++) {
        struct store_job *job = g->jobs[i];

        if (i == 0 ||
            (taken < STORE_MONGO_GROUP && job->op == out[0]->op &&
             goes_together(out[0]) && goes_together(job) &&
             !is_among(out, taken, job) && !is_among(g->jobs, kept, job))) {
            out[taken++] = job;
        } else {
            g->jobs[kept++] = job;
        }
    }
    g->count = kept;
    return taken;
}
