/* SPDX-License-Identifier: MIT */
/* The front: jobs in, health out, and which database it is. The threads are
 * store_worker.c's, the work is a backend's. */
#include "store/store.h"

#include "base/check.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "loop/shard.h"
#include "store/backend.h"
#include "store/backup.h"
#include "store/migrate.h"
#include "store/rekey.h"
#include "store/secret.h"
#include "store/store_mongo.h"
#include "store/store_mongo_migrate.h"
#include "store/store_sqlite.h"
#include "store/store_worker.h"
#include "store/tool.h"

#include <stdio.h>
#include <string.h>

struct store {
    const struct store_backend *backend;
    struct store_inbox *writes; /* one for each writer */
    struct store_inbox reads;
    struct store_health write_health;
    struct store_health read_health;
    unsigned writer_count;
    unsigned reader_count;
    struct store_worker *writers;
    struct store_worker *readers;
    char *secret;
};

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

/* The jobs of one session are one writer's; what is about none is the first
 * one's. FNV-1a: ids are random, but a client may name its session. */
static struct store_inbox *
writes_of(struct store *s, const struct store_job *job)
{
    uint32_t hash = 2166136261u;

    for (const char *p = job->session.sid; *p != '\0'; p++) {
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    }
    return &s->writes[job->session.sid[0] == '\0' ? 0 : hash % s->writer_count];
}

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
    if (!store_worker_push(write ? writes_of(s, job) : &s->reads, job)) {
        metric_add(METRIC_STORE_QUEUE, -1);
        store_worker_answer(job, ERR_DATABASE_ERROR);
    }
}

bool
store_healthy(const struct store *s)
{
    return atomic_load(&s->write_health.ok) &&
           atomic_load(&s->read_health.ok) &&
           (s->backend->ours == NULL || s->backend->ours(s->writers[0].link));
}

bool
store_is_far(const struct store *s)
{
    return s->backend->far;
}

struct str
store_secret(const struct store *s)
{
    return str_from(s->secret);
}

const char *
store_kind(const struct store *s)
{
    return s->backend->kind;
}

static const struct store_backend *
backend_of(const struct store_settings *settings)
{
    return settings->mongo != NULL ? &store_mongo : &store_sqlite;
}

/* So many threads of a kind on these queues; one queue for all of them, or one
 * each. */
static struct store_worker *
new_workers(unsigned count, struct store_inbox *inboxes, bool each,
            struct store_health *health)
{
    struct store_worker *workers = xcalloc(count, sizeof(*workers));

    atomic_init(&health->ok, true);
    for (unsigned i = 0; i < count; i++) {
        workers[i].inbox = each ? &inboxes[i] : inboxes;
        workers[i].health = health;
    }
    return workers;
}

static struct store *
new_store(const struct store_settings *settings)
{
    struct store *s = xcalloc(1, sizeof(*s));

    s->backend = backend_of(settings);
    s->reader_count = settings->readers > 0 ? settings->readers : 1;
    s->writer_count = 1;
    if (s->backend->open_writer != NULL && settings->writers > 1) {
        s->writer_count = settings->writers;
    }
    s->writes = xcalloc(s->writer_count, sizeof(*s->writes));
    for (unsigned i = 0; i < s->writer_count; i++) {
        store_worker_inbox_init(&s->writes[i],
                                settings->queue_max / s->writer_count + 1,
                                STORE_LINGER_MS);
    }
    store_worker_inbox_init(&s->reads, settings->queue_max, 0);
    s->writers =
        new_workers(s->writer_count, s->writes, true, &s->write_health);
    s->readers =
        new_workers(s->reader_count, &s->reads, false, &s->read_health);
    s->readers[0].watches = true;
    return s;
}

static enum err
open_links(struct store *s, const struct store_settings *settings, char *why,
           size_t why_size)
{
    enum err e = s->backend->open(settings, &s->writers[0].link, why, why_size);

    for (unsigned i = 1; e == ERR_OK && i < s->writer_count; i++) {
        e = s->backend->open_writer(s->writers[0].link, &s->writers[i].link);
    }
    for (unsigned i = 0; e == ERR_OK && i < s->reader_count; i++) {
        e = s->backend->open_reader(settings, s->writers[0].link,
                                    &s->readers[i].link, why, why_size);
    }
    return e;
}

/* Two ids are 256 random bits. */
enum err
store_tool_secret(struct store_link *link, char **out)
{
    char fresh[2 * RAND_ID_CHARS + 1];
    enum err e;

    rand_id(fresh);
    rand_id(fresh + RAND_ID_CHARS);
    e = link->backend->secret(link, "users", fresh, out);
    xwipe(fresh, sizeof(fresh));
    return e;
}

static enum err
keep_secret(struct store *s, char *why, size_t why_size)
{
    struct store_link *first = s->writers[0].link;
    enum err e = store_tool_secret(first, &s->secret);

    if (e == ERR_OK && s->secret == NULL) {
        snprintf(why, why_size, "The secret for users' names is not there.");
        return ERR_DATABASE_ERROR;
    }
    if (e != ERR_OK) {
        store_tool_explain(first, why, why_size);
    }
    return e;
}

static enum err
start_threads(struct store *s, char *why, size_t why_size)
{
    enum err e = ERR_OK;

    for (unsigned i = 0; e == ERR_OK && i < s->writer_count; i++) {
        e = store_worker_start_writer(&s->writers[i]);
    }
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
        e = keep_secret(s, why, why_size);
    }
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

enum err
store_rekey(const struct store_settings *settings, struct rekey *out, char *why,
            size_t why_size)
{
    return backend_of(settings)->rekey(settings, out, why, why_size);
}

/* -- commands -- */

static enum err
own_tools(char *why, size_t why_size)
{
    snprintf(
        why, why_size,
        "The storage is MongoDB, which is backed up and restored by its own "
        "tools (mongodump, mongorestore): docs/operations.md says how.");
    return ERR_BAD_REQUEST;
}

enum err
store_backup(const struct store_settings *settings, struct backup *b, char *why,
             size_t why_size)
{
    const struct store_backend *backend = backend_of(settings);

    return backend->backup != NULL ? backend->backup(settings, b, why, why_size)
                                   : own_tools(why, why_size);
}

enum err
store_restore(const struct store_settings *settings, struct backup *b,
              char *why, size_t why_size)
{
    const struct store_backend *backend = backend_of(settings);

    return backend->restore != NULL
               ? backend->restore(settings, b, why, why_size)
               : own_tools(why, why_size);
}

enum err
store_tool_open(const struct store_settings *settings, struct store_link **out,
                char *why, size_t why_size)
{
    *out = NULL;
    return backend_of(settings)->open_tool(settings, out, why, why_size);
}

void
store_tool_close(struct store_link *link)
{
    if (link != NULL) {
        link->backend->close(link);
    }
}

enum err
store_tool_read(struct store_link *link, struct store_job *job)
{
    CHECK(job->op < STORE_SESSION_PUT);
    unite_sid(job->session.sid, job->message.sid);
    unite_text(&job->user_id, &job->session.user_id);
    job->result = link->backend->ops[job->op](link, job);
    return job->result;
}

void
store_tool_explain(struct store_link *link, char *why, size_t why_size)
{
    struct store_fault f = link->backend->fault(link);

    snprintf(why, why_size, "The storage failed: %s (%d).",
             f.name != NULL ? f.name : link->backend->kind, f.code);
}

enum err
store_tool_count(struct store_link *link, struct erase *e)
{
    return link->backend->count(link, e);
}

enum err
store_tool_erase(struct store_link *link, struct erase *e)
{
    return link->backend->erase(link, e);
}

/* -- the end -- */

/* The workers with their links, the first one last. */
static void
end_workers(struct store *s, struct store_worker *workers, unsigned count)
{
    for (unsigned i = count; i-- > 0;) {
        store_worker_join(&workers[i]);
        if (workers[i].link != NULL) {
            s->backend->close(workers[i].link);
        }
    }
    xfree(workers);
}

void
store_close(struct store *s)
{
    if (s == NULL) {
        return;
    }
    for (unsigned i = 0; i < s->writer_count; i++) {
        store_worker_inbox_close(&s->writes[i]);
    }
    store_worker_inbox_close(&s->reads);
    end_workers(s, s->readers, s->reader_count);
    end_workers(s, s->writers, s->writer_count);
    for (unsigned i = 0; i < s->writer_count; i++) {
        store_worker_inbox_fini(&s->writes[i]);
    }
    store_worker_inbox_fini(&s->reads);
    xfree(s->writes);
    if (s->secret != NULL) {
        xwipe(s->secret, strlen(s->secret));
    }
    xfree(s->secret);
    xfree(s);
}

enum err
store_migrate(const struct store_settings *settings,
              const struct migrate_wish *wish, struct migrate *out, char *why,
              size_t why_size)
{
    return store_mongo_migrate(settings, wish, out, why, why_size);
}
