/* SPDX-License-Identifier: MIT */
/* The end of a request: it is measured, and goes with all that it owns. */
#include "gate/request.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "gate/answer.h"
#include "gate/gate_state.h"
#include "gate/routes.h"
#include "gate/watch.h"
#include "upload/upload.h"

/* What stands around a file in its form. */
#define FORM_BYTES 65536

void
request_free(struct request *r)
{
    struct gate *g = r->gate;

    if (r->on_free != NULL) {
        r->on_free(r);
    }
    if (r->identity != NULL) {
        xwipe(r->identity, sizeof(*r->identity));
        xfree(r->identity);
    }
    watch_end(r->watch);
    list_remove(&r->link);
    buf_fini(&r->path);
    buf_fini(&r->body);
    xfree(r->bytes);
    xfree(r);
    if (g != NULL) {
        gate_check_empty(g);
    }
}

void
request_observe(const struct request *r)
{
    double seconds = (double)(clock_mono_us() - r->begun_us) / 1e6;

    if (r->route != NULL) {
        metric_observe_at(METRIC_HTTP_DURATION, routes_slot(r->route), seconds);
        return;
    }
    answer_count_refused(r->status);
}

void
request_go_on(struct request *r)
{
    void (*go_on)(struct request *) = r->go_on;

    r->go_on = NULL;
    go_on(r);
}

void
request_gone(struct request *r)
{
    if (r->on_gone != NULL) {
        r->on_gone(r);
    } else if (r->go_on != NULL) {
        request_go_on(r);
    }
}

uint64_t
request_body_limit(const struct request *r)
{
    const struct gate_settings *set = r->gate->settings;

    if (r->route->body_limit == FILE_BODY) {
        return set->upload->max_bytes + FORM_BYTES;
    }
    return r->route->body_limit == DOOR_BODY ? set->max_request_bytes
                                             : r->route->body_limit;
}
