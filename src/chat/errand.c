/* SPDX-License-Identifier: MIT */
/* Holding a client's further frames while the store answers one of them. */
#include "chat/errand.h"

#include "chat/session.h"

void
errand_start(struct errand *e, struct outlet *o)
{
    CHECK(o->errand == NULL);
    e->outlet = o;
    e->session = o->session;
    o->errand = e;
    session_job_begin(e->session);
    o->ops->hold(o, true);
}

void
errand_end(struct errand *e)
{
    struct outlet *o = e->outlet;

    if (o != NULL) {
        o->errand = NULL;
        o->ops->hold(o, false);
    }
    session_job_end(e->session);
}

void
errand_forget(struct outlet *o)
{
    if (o->errand != NULL) {
        o->errand->outlet = NULL;
        o->errand = NULL;
    }
}
