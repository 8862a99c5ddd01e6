/* SPDX-License-Identifier: MIT */
/* libuv's pool, with the shard's count of answers that it is owed: a loop with
 * work under way cannot be closed. */
#include "loop/work.h"

#include "base/check.h"
#include "loop/shard.h"

static void
on_run(uv_work_t *req)
{
    struct work *w = CONTAINER_OF(req, struct work, req);

    w->run(w);
}

/* Nothing is ever cancelled: status is 0. */
static void
on_done(uv_work_t *req, int status)
{
    struct work *w = CONTAINER_OF(req, struct work, req);

    CHECK(status == 0);
    atomic_fetch_sub(&w->home->awaited, 1);
    if (w->home->stopped) {
        w->destroy(w);
    } else {
        w->done(w);
    }
}

void
work_start(struct shard *s, struct work *w)
{
    CHECK(!s->stopped);
    w->home = s;
    atomic_fetch_add(&s->awaited, 1);
    CHECK(uv_queue_work(&s->loop, &w->req, on_run, on_done) == 0);
}
