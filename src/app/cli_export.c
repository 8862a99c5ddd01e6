/* SPDX-License-Identifier: MIT */
/* One user's sessions in the order in which they began: that never changes, so
 * a page can begin where the last one ended, whatever a running server does
 * meanwhile. */
#include "app/cli_export.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "codec/json.h"
#include "gate/shape.h"
#include "store/review.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SESSIONS 100
#define MESSAGES 500
#define EVENTS 500
#define PAGE_BYTES ((size_t)256 * 1024)

/* A page and one message of the largest size, every byte escaped. */
#define PART_BYTES ((size_t)512 << 20)

struct export
{
    struct store_link *link;
    const char *user_id;
    int fd;
    struct buf out;  /* not yet written */
    int64_t from_ms; /* start of the last session */
    size_t ties;     /* sessions that were written and began then */
    uint64_t sessions;
    uint64_t messages;
    uint64_t unreadable;
    uint64_t events;
    uint64_t sums;
};

/* -- out -- */

static enum err
flush(struct export *x)
{
    struct str rest = buf_str(&x->out);

    if (x->out.failed) {
        errno = EFBIG;
        return ERR_IO;
    }
    while (rest.n > 0) {
        ssize_t n = write(x->fd, rest.p, rest.n);

        if (n > 0) {
            rest = str_from_at(rest, (size_t)n);
        } else if (n == 0 || errno != EINTR) {
            return ERR_IO;
        }
    }
    xwipe(x->out.p, x->out.n);
    buf_reset(&x->out, PAGE_BYTES);
    return ERR_OK;
}

/* A comma before all but the first. */
static void
begin_element(struct export *x, uint64_t before)
{
    if (before > 0) {
        buf_putc(&x->out, ',');
    }
    buf_putc(&x->out, '\n');
}

/* -- messages -- */

static struct store_job *
new_job(struct export *x, enum store_op op)
{
    struct store_job *job = store_job_new(op, NULL, NULL, NULL);

    job->user_id = xstrdup(x->user_id);
    return job;
}

/* With what no client is told: what its provider calls the conversation. */
static void
put_message(struct export *x, const struct message_record *m)
{
    buf_putc(&x->out, '{');
    shape_message_members(&x->out, NULL, m);
    if (m->conversation != NULL) {
        json_put_member(&x->out, "conversation_id", str_from(m->conversation));
    }
    buf_putc(&x->out, '}');
}

/* *after moves behind the page; *more: there is another one. */
static enum err
put_page(struct export *x, const struct session_record *s, int64_t *after,
         bool *more)
{
    struct store_job *job = new_job(x, STORE_MESSAGES);
    enum err e;

    memcpy(job->session.sid, s->sid, sizeof(job->session.sid));
    job->after_seq = *after;
    job->limit = MESSAGES;
    job->limit_bytes = PAGE_BYTES;
    e = store_tool_read(x->link, job);
    for (size_t i = 0; e == ERR_OK && i < job->count; i++) {
        const struct message_record *m = &job->messages[i];

        begin_element(x, (uint64_t)*after);
        put_message(x, m);
        *after = m->seq;
        x->messages++;
        x->unreadable += m->unreadable;
    }
    *more = e == ERR_OK && job->more;
    store_job_free(job);
    return e == ERR_OK ? flush(x) : e;
}

/* One that is deleted meanwhile ends where it is. */
static enum err
put_session(struct export *x, const struct session_record *s)
{
    int64_t after = 0;
    bool more = true;
    enum err e = ERR_OK;

    begin_element(x, x->sessions++);
    x->unreadable += s->name_unreadable;
    buf_putc(&x->out, '{');
    shape_item_members(&x->out, s);
    json_put_member_bool(&x->out, "shared", s->share_token != NULL);
    json_put_key(&x->out, "messages");
    buf_putc(&x->out, '[');
    while (e == ERR_OK && more) {
        e = put_page(x, s, &after, &more);
    }
    buf_puts(&x->out, "]}");
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* -- sessions -- */

static enum err
put_sessions_of(struct export *x, const struct store_job *job)
{
    enum err e = ERR_OK;

    for (size_t i = 0; e == ERR_OK && i < job->count; i++) {
        const struct session_record *s = &job->sessions[i];

        x->ties = s->start_ms == x->from_ms ? x->ties + 1 : 1;
        x->from_ms = s->start_ms;
        e = put_session(x, s);
    }
    return e;
}

static enum err
put_some_sessions(struct export *x, bool *more)
{
    struct store_job *job = new_job(x, STORE_SESSION_BROWSE);
    enum err e;

    job->limit = SESSIONS;
    job->review = review_new();
    job->review->ascending = true;
    job->review->order = REVIEW_START;
    job->review->from_ms = x->from_ms;
    job->review->offset = x->ties;
    e = store_tool_read(x->link, job);
    *more = e == ERR_OK && job->count == SESSIONS;
    if (e == ERR_OK) {
        e = put_sessions_of(x, job);
    }
    store_job_free(job);
    return e;
}

static enum err
put_sessions(struct export *x)
{
    bool more = true;
    enum err e = ERR_OK;

    json_put_key(&x->out, "sessions");
    buf_putc(&x->out, '[');
    while (e == ERR_OK && more) {
        e = put_some_sessions(x, &more);
    }
    buf_puts(&x->out, "\n]");
    return e;
}

/* -- the audit -- */

static void
put_event(struct export *x, const struct review_event *event)
{
    begin_element(x, x->events++);
    buf_putc(&x->out, '{');
    shape_time(&x->out, "at", event->at_ms);
    json_put_member(&x->out, "action", str_from(event->action));
    if (event->sid != NULL) {
        json_put_member(&x->out, "session_id", str_from(event->sid));
    }
    json_put_member(&x->out, "detail", str_from(event->detail));
    buf_putc(&x->out, '}');
}

/* *cursor is the next page's, or NULL. */
static enum err
put_some_events(struct export *x, char **cursor)
{
    struct store_job *job = new_job(x, STORE_AUDIT_LIST);
    enum err e;

    job->limit = EVENTS;
    job->cursor = *cursor;
    job->review = review_new();
    e = store_tool_read(x->link, job);
    for (size_t i = 0; e == ERR_OK && i < job->review->event_count; i++) {
        put_event(x, &job->review->events[i]);
    }
    *cursor = job->next_cursor;
    job->next_cursor = NULL;
    store_job_free(job);
    return e == ERR_OK ? flush(x) : e;
}

static enum err
put_events(struct export *x)
{
    char *cursor = NULL;
    enum err e;

    json_put_key(&x->out, "audit");
    buf_putc(&x->out, '[');
    do {
        e = put_some_events(x, &cursor);
    } while (e == ERR_OK && cursor != NULL);
    xfree(cursor);
    buf_puts(&x->out, "\n]");
    return e;
}

/* -- what was used -- */

static enum err
put_usage(struct export *x)
{
    struct store_job *job = new_job(x, STORE_USAGE_LIST);
    enum err e;

    job->review = review_new();
    e = store_tool_read(x->link, job);
    json_put_key(&x->out, "usage");
    buf_putc(&x->out, '[');
    for (size_t i = 0; e == ERR_OK && i < job->review->usage.count; i++) {
        begin_element(x, x->sums++);
        usage_put_sum(&x->out, &job->review->usage.sums[i]);
    }
    buf_puts(&x->out, "\n]");
    store_job_free(job);
    return e;
}

/* -- the whole -- */

static void
put_head(struct export *x)
{
    buf_putc(&x->out, '{');
    json_put_member(&x->out, "format", STR("chatbox user export"));
    json_put_member_i64(&x->out, "version", 1);
    json_put_member(&x->out, "user_id", str_from(x->user_id));
    shape_time(&x->out, "exported_at", clock_wall_ms());
}

/* Whoever reads it can see that nothing is missing. */
static void
put_tail(struct export *x)
{
    json_put_key(&x->out, "counts");
    buf_putc(&x->out, '{');
    json_put_member_i64(&x->out, "sessions", (int64_t)x->sessions);
    json_put_member_i64(&x->out, "messages", (int64_t)x->messages);
    json_put_member_i64(&x->out, "unreadable", (int64_t)x->unreadable);
    json_put_member_i64(&x->out, "events", (int64_t)x->events);
    buf_puts(&x->out, "}}\n");
}

enum err
cli_export_write(struct store_link *link, const char *user_id, int fd,
                 char *why, size_t why_size)
{
    struct export x = {.link = link, .user_id = user_id, .fd = fd};
    enum err e;

    buf_init(&x.out, PART_BYTES);
    put_head(&x);
    e = put_sessions(&x);
    if (e == ERR_OK) {
        e = put_events(&x);
    }
    if (e == ERR_OK) {
        e = put_usage(&x);
    }
    if (e == ERR_OK) {
        put_tail(&x);
        e = flush(&x);
    }
    if (e == ERR_IO) {
        snprintf(why, why_size, "The export cannot be written: %s.",
                 strerror(errno));
    } else if (e != ERR_OK) {
        store_tool_explain(link, why, why_size);
    }
    xwipe(x.out.p, x.out.n);
    buf_fini(&x.out);
    return e;
}
