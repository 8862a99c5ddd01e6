/* SPDX-License-Identifier: MIT */
/* What operators ask for, and the audit: see store_mongo_review.h. */
#include "store/store_mongo_review.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "store/store_mongo_batch.h"
#include "store/store_mongo_call.h"
#include "store/store_mongo_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool
has_text(const char *s)
{
    return s != NULL && s[0] != '\0';
}

/* -- the list of sessions -- */

static const char *const order_fields[] = {
    [REVIEW_START] = "ts",
    [REVIEW_END] = "endTs",
    [REVIEW_MESSAGES] = "msgCount",
    [REVIEW_TOKENS] = "totalTokens",
    [REVIEW_USER] = "uid",
    [REVIEW_DURATION] = "dur",
    [REVIEW_ACTIVITY] = "lastActivity",
};

static void
put_active(struct mongo_bson *filter, enum review_choice choice)
{
    struct mongo_bson inner;

    if (choice == REVIEW_YES) {
        mongo_bson_null(filter, "endTs");
    } else if (choice == REVIEW_NO) {
        mongo_bson_open(filter, "endTs", &inner);
        mongo_bson_null(&inner, "$ne");
        mongo_bson_close(filter, &inner);
    }
}

static void
put_choice(struct mongo_bson *filter, const char *field,
           enum review_choice choice)
{
    struct mongo_bson inner;

    if (choice == REVIEW_YES) {
        mongo_bson_bool(filter, field, true);
    } else if (choice == REVIEW_NO) {
        mongo_bson_open(filter, field, &inner);
        mongo_bson_bool(&inner, "$ne", true);
        mongo_bson_close(filter, &inner);
    }
}

static void
put_filter(struct mongo_bson *filter, const struct store_job *job)
{
    const struct review *r = job->review;

    if (has_text(job->user_id)) {
        mongo_bson_text(filter, "uid", job->user_id);
    }
    mongo_bson_between(filter, "ts", r->from_ms, r->to_ms);
    put_active(filter, r->active);
    put_choice(filter, "adminAssisted", r->assisted);
    put_choice(filter, "helpRequested", r->help);
}

static enum err
count_sessions(struct mongo_link *link, const struct mongo_bson *filter,
               struct review *r)
{
    struct mongo_bson command;
    struct mongo_result result;
    enum err e;

    mongo_bson_init(&command, &link->db->lib);
    mongo_bson_text(&command, "count", link->db->collections[MONGO_SESSIONS]);
    mongo_bson_doc(&command, "query", filter);
    e = store_mongo_call_read(link, &command, &result);
    mongo_bson_fini(&command);
    if (e == ERR_OK) {
        r->total = mongo_bson_find_int(&link->db->lib, &result.reply, "n", 0);
        link->db->lib.bson_destroy(&result.reply);
    }
    return e;
}

static void
put_page(struct mongo_bson *options, const struct store_job *job)
{
    const struct review *r = job->review;
    int way = r->ascending ? 1 : -1;
    struct mongo_bson sort;

    CHECK(r->order < COUNT_OF(order_fields));
    mongo_bson_open(options, "sort", &sort);
    mongo_bson_int(&sort, order_fields[r->order], way);
    if (r->order != REVIEW_START) {
        mongo_bson_int(&sort, "ts", way);
    }
    mongo_bson_int(&sort, "_id", way);
    mongo_bson_close(options, &sort);
    mongo_bson_int(options, "skip", (int64_t)r->offset);
    mongo_bson_int(options, "limit", (int64_t)job->limit);
    mongo_bson_bool(options, "allowDiskUse", true);
}

static void
give_sessions(struct store_job *job, struct mongo_found *f)
{
    job->sessions = xcalloc(f->count + 1, sizeof(*job->sessions));
    for (size_t i = 0; i < f->count; i++) {
        job->sessions[job->count++] = f->sessions[i].record;
        f->sessions[i].record = (struct session_record){.seq = 0};
    }
}

static enum err
find_page(struct mongo_link *link, const struct mongo_bson *filter,
          struct store_job *job)
{
    struct mongo_found f = store_mongo_rows_none(link);
    struct mongo_bson options;
    enum err e;

    mongo_bson_init(&options, &link->db->lib);
    put_page(&options, job);
    e = store_mongo_rows_sessions(&f, filter, &options);
    mongo_bson_fini(&options);
    give_sessions(job, &f);
    store_mongo_rows_free(&f);
    return e;
}

enum err
store_mongo_review_browse(struct store_link *base, struct store_job *job)
{
    struct mongo_link *link = store_mongo_of(base);
    struct mongo_bson filter;
    enum err e;

    CHECK(job->limit > 0 && job->limit < INT32_MAX);
    mongo_bson_init(&filter, &link->db->lib);
    put_filter(&filter, job);
    e = count_sessions(link, &filter, job->review);
    if (e == ERR_OK) {
        e = find_page(link, &filter, job);
    }
    mongo_bson_fini(&filter);
    return e;
}

/* -- figures -- */

struct summing {
    struct mongo_link *link;
    const struct review *review;
    struct figures_sum sum;
};

/* The end of a session's life (figures.h). */
static int64_t
lived_until(const struct session_record *r, const struct review *review)
{
    int64_t idle = r->last_ms + review->idle_ms;

    if (r->end_ms != 0) {
        return r->end_ms;
    }
    idle = idle < review->now_ms ? idle : review->now_ms;
    return idle > r->last_ms ? idle : r->last_ms;
}

static void
sum_again(void *cookie)
{
    struct summing *s = cookie;

    (void)figures_end(&s->sum);
    figures_begin(&s->sum, s->review->from_ms, s->review->to_ms);
}

static bool
on_lived(void *cookie, const bson_t *doc)
{
    struct summing *s = cookie;
    struct mongo_link *link = s->link;
    struct mongo_session one;
    const struct session_record *r = &one.record;

    if (!mongo_doc_get_session(&link->db->lib, doc, &one, &link->odd_fields)) {
        link->odd_documents++;
        return true;
    }
    figures_add(&s->sum,
                &(struct figures_session){.start_ms = r->start_ms,
                                          .until_ms = lived_until(r, s->review),
                                          .active = r->end_ms == 0,
                                          .assisted = r->admin_assisted,
                                          .tokens = r->total_tokens,
                                          .max_ms = r->max_response_ms,
                                          .avg_ms = r->avg_response_ms,
                                          .answers = r->response_count});
    mongo_doc_session_fini(&one);
    return true;
}

static void
put_lived(struct mongo_bson *filter, struct mongo_bson *options,
          const struct review *r)
{
    struct mongo_bson inner;

    mongo_bson_between(filter, "ts", 0, r->to_ms);
    mongo_bson_open(options, "sort", &inner);
    mongo_bson_int(&inner, "ts", 1);
    mongo_bson_close(options, &inner);
    mongo_bson_open(options, "projection", &inner);
    mongo_bson_int(&inner, "nm", 0);
    mongo_bson_int(&inner, "shareToken", 0);
    mongo_bson_int(&inner, "msgs", 0);
    mongo_bson_close(options, &inner);
}

enum err
store_mongo_review_figures(struct store_link *base, struct store_job *job)
{
    struct mongo_link *link = store_mongo_of(base);
    struct review *r = job->review;
    struct summing s = {.link = link, .review = r};
    struct mongo_bson filter, options;
    enum err e;

    mongo_bson_init(&filter, &link->db->lib);
    mongo_bson_init(&options, &link->db->lib);
    put_lived(&filter, &options, r);
    figures_begin(&s.sum, r->from_ms, r->to_ms);
    e = store_mongo_call_query(link,
                               &(struct mongo_query){.from = MONGO_SESSIONS,
                                                     .filter = &filter,
                                                     .options = &options,
                                                     .row = on_lived,
                                                     .again = sum_again,
                                                     .cookie = &s});
    r->figures = figures_end(&s.sum);
    mongo_bson_fini(&filter);
    mongo_bson_fini(&options);
    return e;
}

/* -- the audit: events in the order of their ids -- */

/* 16 digits of time in microseconds, rising on this link; 16 of chance. */
#define EVENT_ID_CHARS 32

static void
make_event_id(struct mongo_link *link, char out[static EVENT_ID_CHARS + 1])
{
    uint64_t now = (uint64_t)clock_wall_ms() * 1000, chance;

    link->last_event = now > link->last_event ? now : link->last_event + 1;
    rand_bytes(&chance, sizeof(chance));
    snprintf(out, EVENT_ID_CHARS + 1, "%016" PRIx64 "%016" PRIx64,
             link->last_event, chance);
}

/* Nobody else draws the same id. */
static enum err
own_event(struct mongo_link *link, const struct mongo_item *item)
{
    (void)link;
    (void)item;
    return ERR_OK;
}

enum err
store_mongo_review_add(struct mongo_link *link, const struct review_event *e)
{
    char id[EVENT_ID_CHARS + 1];
    struct mongo_batch b;
    enum err result;

    CHECK(e->actor != NULL && e->action != NULL);
    make_event_id(link, id);
    store_mongo_batch_init(&b, link, MONGO_INSERT, MONGO_AUDIT, 1);
    b.own = own_event;
    mongo_doc_put_event(&store_mongo_batch_add(&b, NULL)->doc, id, e);
    result = store_mongo_batch_write(&b);
    store_mongo_batch_fini(&b);
    return result;
}

enum err
store_mongo_review_put(struct store_link *base, struct store_job *job)
{
    return store_mongo_review_add(store_mongo_of(base), &job->review->event);
}

struct listing {
    struct mongo_link *link;
    struct store_job *job;
    char last[EVENT_ID_CHARS + 1];
};

static void
keep_id(struct listing *l, const bson_t *doc)
{
    bson_iter_t it;
    struct str id;

    if (mongo_bson_find(&l->link->db->lib, doc, "_id", &it) &&
        mongo_bson_get_text(&l->link->db->lib, &it, &id) &&
        id.n == EVENT_ID_CHARS) {
        memcpy(l->last, id.p, id.n);
    }
}

/* One more than the limit comes, to know whether there is more. */
static bool
on_event(void *cookie, const bson_t *doc)
{
    struct listing *l = cookie;
    struct mongo_link *link = l->link;
    struct review *r = l->job->review;

    if (r->event_count == l->job->limit) {
        l->job->next_cursor = xstrdup(l->last);
        return false;
    }
    if (mongo_doc_get_event(&link->db->lib, doc, &r->events[r->event_count],
                            &link->odd_fields)) {
        r->event_count++;
        keep_id(l, doc);
    } else {
        link->odd_documents++;
    }
    return true;
}

static void
put_events(struct mongo_bson *filter, struct mongo_bson *options,
           const struct store_job *job)
{
    struct mongo_bson inner;

    if (job->cursor != NULL) {
        mongo_bson_open(filter, "_id", &inner);
        mongo_bson_text(&inner, "$lt", job->cursor);
        mongo_bson_close(filter, &inner);
    }
    if (has_text(job->session.sid)) {
        mongo_bson_text(filter, "sid", job->session.sid);
    }
    if (has_text(job->user_id)) {
        mongo_bson_text(filter, "actor", job->user_id);
    }
    mongo_bson_open(options, "sort", &inner);
    mongo_bson_int(&inner, "_id", -1);
    mongo_bson_close(options, &inner);
    mongo_bson_int(options, "limit", (int64_t)job->limit + 1);
}

enum err
store_mongo_review_list(struct store_link *base, struct store_job *job)
{
    struct mongo_link *link = store_mongo_of(base);
    struct listing l = {.link = link, .job = job};
    struct mongo_bson filter, options;
    enum err e;

    CHECK(job->limit > 0 && job->limit < INT32_MAX);
    if (job->cursor != NULL &&
        (strlen(job->cursor) != EVENT_ID_CHARS ||
         strspn(job->cursor, "0123456789abcdef") != EVENT_ID_CHARS)) {
        return ERR_BAD_REQUEST;
    }
    job->review->events = xcalloc(job->limit, sizeof(*job->review->events));
    mongo_bson_init(&filter, &link->db->lib);
    mongo_bson_init(&options, &link->db->lib);
    put_events(&filter, &options, job);
    e = store_mongo_call_query(link, &(struct mongo_query){.from = MONGO_AUDIT,
                                                           .filter = &filter,
                                                           .options = &options,
                                                           .row = on_event,
                                                           .cookie = &l});
    mongo_bson_fini(&filter);
    mongo_bson_fini(&options);
    return e;
}
