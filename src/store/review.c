/* SPDX-License-Identifier: MIT */
/* Making and freeing what a job of an operator carries; what it means is
 * review.h's matter, how it is answered the backend's. */
#include "store/review.h"

#include "base/xalloc.h"

struct review *
review_new(void)
{
    struct review *r = xcalloc(1, sizeof(*r));

    r->to_ms = INT64_MAX;
    return r;
}

static void
free_event(struct review_event *e)
{
    xfree(e->actor);
    xfree(e->action);
    xfree(e->sid);
    xfree(e->detail);
}

void
review_free(struct review *r)
{
    if (r == NULL) {
        return;
    }
    free_event(&r->event);
    for (size_t i = 0; i < r->event_count; i++) {
        free_event(&r->events[i]);
    }
    xfree(r->events);
    usage_list_fini(&r->usage);
    xfree(r->role);
    xfree(r->entry.user_id);
    xfree(r->entry.model_id);
    xfree(r->entry.budget_roles);
    xfree(r);
}
