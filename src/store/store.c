/* SPDX-License-Identifier: MIT */
/* The front: jobs in, health out, and which database it is. The threads are
 * store_worker.c's, the work is a backend's. */
#include "store/store.h"

#include "base/check.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "loop/shard.h"
#include "store/backend.h"
#include "store/store_sqlite.h"
#include "store/store_worker.h"

#include <stdio.h>
#include <string.h>

struct store {
    const struct store_backend *backend;
    struct store_inbox writes;
    struct store_inbox reads;
    struct store_health write_health;
    struct store_health read_health;
    unsigned reader_count;
    struct store_worker writer;
    struct store_worker readers[]; /* reader_count of them */
};

/* One row per kind of database. */
static const struct store_backend *const backends[] = {&store_sqlite};

/* -- jobs -- */

struct store_job *
store_job_new(enum store_op op, struct shard *home,
              void (*done)(struct store_job *), void *cookie)
{
    struct store_job *job = xcalloc(1, sizeof(*job));

    job->op = op;
    job->home = home;
    job->done = done;
    job->cookie = cookie;
    job->message.duration_ms = -1;
    job->message.ttft_ms = -1;
    return job;
}

/* LIST and BROWSE give sessions, the others messages: count belongs to one of
 * them. */
static void
free_results(struct store_job *job)
{
    for (size_t i = 0; i < job->count; i++) {
        if (job->sessions != NULL) {
            session_record_fini(&job->sessions[i]);
        } else {
            message_record_fini(&job->messages[i]);
        }
    }
    xfree(job->sessions);
    xfree(job->messages);
}

void
store_job_free(struct store_job *job)
{
    if (job == NULL) {
        return;
    }
    free_results(job);
    session_record_fini(&job->session);
    message_record_fini(&job->message);
    review_free(job->review);
    xfree(job->user_id);
    xfree(job->query);
    xfree(job->cursor);
    xfree(job->share_token);
    xfree(job->next_cursor);
    xfree(job);
}

static void
unite_text(char **a, char **b)
{
    if (*a == NULL && *b != NULL) {
        *a = xstrdup(*b);
    } else if (*b == NULL && *a != NULL) {
        *b = xstrdup(*a);
    }
}

static void
unite_sid(char a[static RAND_ID_CHARS + 1], char b[static RAND_ID_CHARS + 1])
{
    if (a[0] == '\0') {
        memcpy(a, b, RAND_ID_CHARS + 1);
    } else {
        memcpy(b, a, RAND_ID_CHARS + 1);
    }
}

/* -- the front -- */

void
store_submit(struct store *s, struct store_job *job)
{
    bool write = job->op >= STORE_SESSION_PUT;

    CHECK(job->op < STORE_OPS && job->home != NULL && job->done != NULL);
    CHECK(job->count == 0 && job->next_cursor == NULL);
    unite_sid(job->session.sid, job->message.sid);
    unite_text(&job->user_id, &job->session.user_id);
    job->duplicate = job->more = false;
    atomic_fetch_add(&job->home->awaited, 1);
    metric_add(METRIC_STORE_QUEUE, 1);
    if (!store_worker_push(write ? &s->writes : &s->reads, job)) {
        metric_add(METRIC_STORE_QUEUE, -1);
        store_worker_answer(job, ERR_DATABASE_ERROR);
    }
}

bool
store_healthy(const struct store *s)
{
    return atomic_load(&s->write_health.ok) && atomic_load(&s->read_health.ok);
}

const char *
store_kind(const struct store *s)
{
    return s->backend->kind;
}

static struct store *
new_store(const struct store_settings *settings)
{
    unsigned readers = settings->readers > 0 ? settings->readers : 1;
    struct store *s = xcalloc(1, sizeof(*s) + readers * sizeof(s->readers[0]));

    s->backend = backends[0];
    s->reader_count = readers;
    atomic_init(&s->write_health.ok, true);
    atomic_init(&s->read_health.ok, true);
    store_worker_inbox_init(&s->writes, settings->queue_max, STORE_LINGER_MS);
    store_worker_inbox_init(&s->reads, settings->queue_max, 0);
    s->writer.inbox = &s->writes;
    s->writer.health = &s->write_health;
    for (unsigned i = 0; i < readers; i++) {
        s->readers[i].inbox = &s->reads;
        s->readers[i].health = &s->read_health;
    }
    return s;
}

static enum err
open_links(struct store *s, const struct store_settings *settings, char *why,
           size_t why_size)
{
    enum err e = s->backend->open(settings, &s->writer.link, why, why_size);

    for (unsigned i = 0; e == ERR_OK && i < s->reader_count; i++) {
        e = s->backend->open_reader(settings, &s->readers[i].link, why,
                                    why_size);
    }
    return e;
}

static enum err
start_threads(struct store *s, char *why, size_t why_size)
{
    enum err e = store_worker_start_writer(&s->writer);

    for (unsigned i = 0; e == ERR_OK && i < s->reader_count; i++) {
        e = store_worker_start_reader(&s->readers[i]);
    }
    if (e != ERR_OK) {
        snprintf(why, why_size, "A thread for the storage cannot be started.");
    }
    return e;
}

enum err
store_open(const struct store_settings *settings, struct store **store_out,
           char *why, size_t why_size)
{
    struct store *s = new_store(settings);
    enum err e = open_links(s, settings, why, why_size);

    if (e == ERR_OK) {
        e = start_threads(s, why, why_size);
    }
    if (e != ERR_OK) {
        store_close(s);
        return e;
    }
    *store_out = s;
    return ERR_OK;
}

static void
close_link(struct store *s, struct store_worker *w)
{
    if (w->link != NULL) {
        s->backend->close(w->link);
    }
}

void
store_close(struct store *s)
{
    if (s == NULL) {
        return;
    }
    store_worker_inbox_close(&s->writes);
    store_worker_inbox_close(&s->reads);
    store_worker_join(&s->writer);
    for (unsigned i = 0; i < s->reader_count; i++) {
        store_worker_join(&s->readers[i]);
        close_link(s, &s->readers[i]);
    }
    close_link(s, &s->writer); /* opened first, closed last */
    store_worker_inbox_fini(&s->writes);
    store_worker_inbox_fini(&s->reads);
    xfree(s);
}
