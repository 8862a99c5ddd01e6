/* SPDX-License-Identifier: MIT */
/* The audit as requests see it: events in, and a list of them, newest
 * first. */
#include "gate/audit.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "codec/json.h"
#include "gate/gate_state.h"
#include "gate/input.h"
#include "gate/reply.h"
#include "gate/shape.h"
#include "store/store.h"

#define EVENTS_DEFAULT 100
#define EVENTS_MAX 1000
#define NAME_BYTES 255
#define CURSOR_BYTES 64

/* An event's texts are short; every byte of them escaped. */
#define ANSWER_BYTES ((size_t)EVENTS_MAX * 8192)

struct review *
audit_by(const char *actor, const char *action, const char *sid,
         const char *detail)
{
    struct review *review = review_new();

    review->event = (struct review_event){
        .at_ms = clock_wall_ms(),
        .actor = xstrdup(actor),
        .action = xstrdup(action),
        .sid = sid != NULL ? xstrdup(sid) : NULL,
        .detail = xstrdup(detail),
    };
    return review;
}

struct review *
audit_of(const struct request *r, const char *action, const char *sid,
         const char *detail)
{
    return audit_by(r->identity->user_id, action, sid, detail);
}

void
audit_log(const struct review_event *e)
{
    if (e->sid == NULL) {
        log_info(EVENT_AUDIT, "an audited action",
                 log_cstr("action", e->action), log_cstr("user_id", e->actor),
                 log_cstr("detail", e->detail));
        return;
    }
    log_info(EVENT_AUDIT, "an audited action", log_cstr("action", e->action),
             log_cstr("user_id", e->actor), log_cstr("session_id", e->sid),
             log_cstr("detail", e->detail));
}

static void
put_event(struct buf *out, const struct review_event *e)
{
    json_put_comma(out);
    buf_putc(out, '{');
    shape_time(out, "at", e->at_ms);
    json_put_member(out, "actor", str_from(e->actor));
    json_put_member(out, "action", str_from(e->action));
    if (e->sid != NULL) {
        json_put_member(out, "session_id", str_from(e->sid));
    }
    json_put_member(out, "detail", str_from(e->detail));
    buf_putc(out, '}');
}

static void
put_events(struct buf *out, const struct store_job *job)
{
    const struct review *review = job->review;

    buf_puts(out, "{\"events\":[");
    for (size_t i = 0; i < review->event_count; i++) {
        put_event(out, &review->events[i]);
    }
    buf_putc(out, ']');
    if (job->next_cursor != NULL) {
        json_put_member(out, "next_cursor", str_from(job->next_cursor));
    }
    buf_putc(out, '}');
}

static void
on_events(struct store_job *job)
{
    struct request *r = job->cookie;
    struct buf body;

    if (job->result != ERR_OK) {
        reply_error(r, job->result,
                    job->result == ERR_BAD_REQUEST ? "cursor" : NULL);
    } else {
        buf_init(&body, ANSWER_BYTES);
        put_events(&body, job);
        reply_json(r, 200, buf_str(&body));
        buf_fini(&body);
    }
    store_job_free(job);
}

static bool
read_query(struct request *r, struct store_job *job)
{
    uint64_t limit = EVENTS_DEFAULT;
    bool ok = input_number(r, "limit", 1, EVENTS_MAX, &limit) &&
              input_id(r, "session_id", job->session.sid) &&
              input_line(r, "actor", NAME_BYTES, &job->user_id) &&
              input_text(r, "cursor", CURSOR_BYTES, &job->cursor);

    job->limit = limit;
    return ok;
}

void
audit_list(struct request *r)
{
    struct store_job *job =
        store_job_new(STORE_AUDIT_LIST, r->gate->shard, on_events, r);

    job->review = review_new();
    if (read_query(r, job)) {
        store_submit(r->gate->settings->store, job);
    } else {
        store_job_free(job);
    }
}
