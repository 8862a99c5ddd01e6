/* SPDX-License-Identifier: MIT */
/* The operators' reading side: everybody's sessions, anybody's messages, and
 * figures. A handler asks the store; what only memory knows, how many
 * connections a session has, the census then asks the sessions' shards. */
#include "gate/admin.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "chat/chat.h"
#include "codec/http1_target.h"
#include "codec/json.h"
#include "gate/audit.h"
#include "gate/census.h"
#include "gate/filter.h"
#include "gate/gate_state.h"
#include "gate/input.h"
#include "gate/reply.h"
#include "gate/shape.h"
#include "loop/shard.h"
#include "store/store.h"

#include <string.h>

#define LIST_DEFAULT 50
#define PAGE_DEFAULT 200
#define PAGE_MAX 1000

/* Of one answer: STORE_PAGE_BYTES of text, every byte escaped. */
#define ANSWER_BYTES (8 * STORE_PAGE_BYTES)

static struct store_job *
job_of(struct request *r, enum store_op op, void (*done)(struct store_job *))
{
    struct store_job *job = store_job_new(op, r->gate->shard, done, r);

    job->review = review_new();
    return job;
}

static void
submit(struct request *r, struct store_job *job)
{
    store_submit(r->gate->settings->store, job);
}

/* False: the job's request has been answered and the job is freed. Nobody
 * waits for an answer without a connection. */
static bool
goes_on(struct store_job *job)
{
    struct request *r = job->cookie;

    if (job->result == ERR_OK && r->http != NULL) {
        return true;
    }
    reply_error(r, job->result != ERR_OK ? job->result : ERR_NOT_FOUND, NULL);
    store_job_free(job);
    return false;
}

/* Answers with the body that put writes, or, when the census took too long,
 * with 503. Takes the job. */
static void
answer(struct store_job *job, const uint32_t *counts,
       void (*put)(struct buf *, const struct store_job *, const uint32_t *))
{
    struct request *r = job->cookie;
    struct buf body;

    if (counts == NULL) {
        reply_error(r, ERR_SERVICE_UNAVAILABLE, NULL);
    } else {
        buf_init(&body, ANSWER_BYTES);
        put(&body, job, counts);
        reply_json(r, 200, buf_str(&body));
        buf_fini(&body);
    }
    store_job_free(job);
}

/* --- lists -------------------------------------------------------------- */

static void
put_items(struct buf *out, const struct store_job *job, const uint32_t *counts)
{
    buf_putc(out, '[');
    for (size_t i = 0; i < job->count; i++) {
        json_put_comma(out);
        buf_putc(out, '{');
        shape_item_members(out, &job->sessions[i]);
        shape_connections(out, counts[i]);
        buf_putc(out, '}');
    }
    buf_putc(out, ']');
}

static void
put_list(struct buf *out, const struct store_job *job, const uint32_t *counts)
{
    buf_putc(out, '{');
    json_put_key(out, "sessions");
    put_items(out, job, counts);
    json_put_member_i64(out, "count", (int64_t)job->count);
    json_put_member_i64(out, "total", job->review->total);
    json_put_member_i64(out, "limit", (int64_t)job->limit);
    json_put_member_i64(out, "offset", (int64_t)job->review->offset);
    buf_putc(out, '}');
}

static void
on_list_counted(struct store_job *job, const uint32_t *counts)
{
    answer(job, counts, put_list);
}

static void
on_list(struct store_job *job)
{
    struct request *r = job->cookie;

    if (goes_on(job)) {
        census_start(r->gate, job, on_list_counted);
    }
}

void
admin_list(struct request *r)
{
    struct store_job *job = job_of(r, STORE_SESSION_BROWSE, on_list);

    if (filter_page(r, LIST_DEFAULT, job) && filter_sessions(r, job)) {
        submit(r, job);
    } else {
        store_job_free(job);
    }
}

static void
on_user_counted(struct store_job *job, const uint32_t *counts)
{
    answer(job, counts, put_items);
}

static void
on_user(struct store_job *job)
{
    struct request *r = job->cookie;

    if (goes_on(job)) {
        census_start(r->gate, job, on_user_counted);
    }
}

/* User ids are anybody's choice and may hold slashes. */
static char *
user_of(const struct request *r)
{
    struct buf name;

    buf_init(&name, r->param.n);
    CHECK(http1_target_decode_segment(r->param, &name) == ERR_OK);
    return buf_give(&name);
}

void
admin_user(struct request *r)
{
    struct store_job *job = job_of(r, STORE_SESSION_BROWSE, on_user);

    if (filter_page(r, FILTER_SESSIONS_MAX, job)) {
        job->user_id = user_of(r);
        submit(r, job);
    } else {
        store_job_free(job);
    }
}

/* --- a transcript ------------------------------------------------------- */

static void
put_transcript(struct buf *out, const struct store_job *job,
               const uint32_t *counts)
{
    buf_putc(out, '{');
    shape_item_members(out, &job->session);
    shape_connections(out, counts[0]);
    shape_page(out, job->home->gate->settings->upload, job->messages,
               job->count, job->more);
    buf_putc(out, '}');
}

static void
on_transcript_counted(struct store_job *job, const uint32_t *counts)
{
    answer(job, counts, put_transcript);
}

static void
on_messages(struct store_job *job)
{
    struct request *r = job->cookie;

    if (goes_on(job)) {
        census_start(r->gate, job, on_transcript_counted);
    }
}

/* Nothing is shown before it is put down who looks. */
static void
on_audited(struct store_job *job)
{
    if (goes_on(job)) {
        audit_log(&job->review->event);
        job->op = STORE_MESSAGES;
        job->done = on_messages;
        submit(job->cookie, job);
    }
}

static void
on_session(struct store_job *job)
{
    struct request *r = job->cookie;

    if (goes_on(job)) {
        review_free(job->review);
        job->review =
            audit_of(r, REVIEW_TRANSCRIPT_READ, job->session.sid, "over HTTP");
        job->op = STORE_AUDIT_PUT;
        job->done = on_audited;
        submit(r, job);
    }
}

/* The same job goes three times, its range set from the beginning. */
void
admin_read(struct request *r)
{
    uint64_t limit = PAGE_DEFAULT, before = INT64_MAX;
    struct store_job *job;

    if (r->param.n != RAND_ID_CHARS) {
        reply_error(r, ERR_NOT_FOUND, NULL);
        return;
    }
    if (!input_number(r, "limit", 1, PAGE_MAX, &limit) ||
        !input_number(r, "before_seq", 1, INT64_MAX, &before)) {
        return;
    }
    job = job_of(r, STORE_SESSION_GET, on_session);
    memcpy(job->session.sid, r->param.p, RAND_ID_CHARS);
    job->limit = limit;
    job->before_seq = (int64_t)before;
    submit(r, job);
}

/* --- figures ------------------------------------------------------------ */

static void
put_real(struct buf *out, const char *name, double value)
{
    json_put_key(out, name);
    buf_printf(out, "%.3f", value);
}

static int64_t
cost_of(const struct usage_list *l)
{
    int64_t sum = 0;

    for (size_t i = 0; i < l->count; i++) {
        sum += l->sums[i].cost_nanos;
    }
    return sum;
}

static void
put_figures(struct buf *out, const struct review *review, size_t connections)
{
    const struct figures *f = &review->figures;

    json_put_member_i64(out, "active_sessions", f->active);
    json_put_member_i64(out, "inactive_sessions", f->total - f->active);
    json_put_member_i64(out, "total_sessions", f->total);
    put_real(out, "avg_concurrent", f->avg_at_once);
    json_put_member_i64(out, "max_concurrent", f->max_at_once);
    json_put_member_i64(out, "total_tokens", f->tokens);
    json_put_member_nanos(out, "total_cost", cost_of(&review->usage));
    put_real(out, "avg_response_time", f->avg_ms);
    json_put_member_i64(out, "max_response_time", f->max_ms);
    json_put_member_i64(out, "admin_assisted_count", f->assisted);
    json_put_member_i64(out, "connections", (int64_t)connections);
}

/* What the process holds at this moment, whatever range was asked for. */
static void
put_memory(struct buf *out)
{
    int64_t active = metric_value(METRIC_ACTIVE_SESSIONS, 0);
    int64_t inactive = metric_value(METRIC_INACTIVE_SESSIONS, 0);

    json_put_key(out, "sessions_in_memory");
    buf_putc(out, '{');
    json_put_member_i64(out, "active", active);
    json_put_member_i64(out, "inactive", inactive);
    json_put_member_i64(out, "total", active + inactive);
    buf_putc(out, '}');
}

static void
put_usage(struct buf *out, const struct usage_list *l)
{
    json_put_key(out, "usage");
    buf_putc(out, '[');
    for (size_t i = 0; i < l->count; i++) {
        json_put_comma(out);
        usage_put_sum(out, &l->sums[i]);
    }
    buf_putc(out, ']');
}

static void
put_metrics(struct buf *out, const struct store_job *job)
{
    const struct request *r = job->cookie;
    const struct review *review = job->review;
    size_t connections = atomic_load(r->gate->settings->websockets);

    buf_putc(out, '{');
    put_figures(out, review, connections);
    json_put_key(out, "metrics");
    buf_putc(out, '{');
    put_figures(out, review, connections);
    buf_putc(out, '}');
    put_usage(out, &review->usage);
    put_memory(out);
    json_put_key(out, "time_range");
    buf_putc(out, '{');
    shape_time(out, "start_time", review->from_ms);
    shape_time(out, "end_time", review->to_ms);
    buf_puts(out, "}}");
}

static void
on_usage(struct store_job *job)
{
    struct buf body;

    if (!goes_on(job)) {
        return;
    }
    buf_init(&body, ANSWER_BYTES);
    put_metrics(&body, job);
    reply_json(job->cookie, 200, buf_str(&body));
    buf_fini(&body);
    store_job_free(job);
}

/* The same job goes on with what was used in the range. */
static void
on_metrics(struct store_job *job)
{
    if (goes_on(job)) {
        job->op = STORE_USAGE_LIST;
        job->done = on_usage;
        submit(job->cookie, job);
    }
}

void
admin_metrics(struct request *r)
{
    struct store_job *job = job_of(r, STORE_SESSION_FIGURES, on_metrics);
    struct review *review = job->review;

    review->now_ms = clock_wall_ms();
    review->idle_ms = (int64_t)chat_settings_of(r->gate->shard)->session_ttl_ms;
    if (filter_range(r, review->now_ms, &review->from_ms, &review->to_ms)) {
        submit(r, job);
    } else {
        store_job_free(job);
    }
}
