/* SPDX-License-Identifier: MIT */
/* The MongoDB backend's links: the pool that they share, how it is opened, and
 * groups of writing jobs. What a job does is in store_mongo_write.c,
 * store_mongo_question.c, store_mongo_answer.c, store_mongo_read.c and
 * store_mongo_review.c; how the database is spoken to in store_mongo_call.c;
 * its indexes in store_mongo_index.c. */
#include "store/store_mongo.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "store/mongo_name.h"
#include "store/store_mongo_answer.h"
#include "store/store_mongo_call.h"
#include "store/store_mongo_delete.h"
#include "store/store_mongo_erase.h"
#include "store/store_mongo_finish.h"
#include "store/store_mongo_group.h"
#include "store/store_mongo_index.h"
#include "store/store_mongo_known.h"
#include "store/store_mongo_lease.h"
#include "store/store_mongo_mark.h"
#include "store/store_mongo_old.h"
#include "store/store_mongo_question.h"
#include "store/store_mongo_read.h"
#include "store/store_mongo_rekey.h"
#include "store/store_mongo_review.h"
#include "store/store_mongo_seals.h"
#include "store/store_mongo_secret.h"
#include "store/store_mongo_uri.h"
#include "store/store_mongo_usage.h"
#include "store/store_mongo_write.h"
#include "store/store_worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TIMES_DEFAULT 100
#define GROUP_MAX 512

/* Between two attempts to reach the database at the start. */
#define CONNECT_AGAIN_MS 100

/* Between two looks at a database that nobody asks. */
#define WATCH_MS 2000

struct mongo_link *
store_mongo_of(struct store_link *link)
{
    return CONTAINER_OF(link, struct mongo_link, link);
}

static struct store_fault
fault(struct store_link *link)
{
    return store_mongo_of(link)->fault;
}

/* -- groups of writing jobs -- */

/* What is left of a group. */
struct rest {
    struct store_job *first; /* of the group */
    struct mongo_group left; /* to be done */
    bool open;               /* of one that was done it is not known how */
};

/* Whether a question of the same session, before this one, is open: then this
 * one must not be stored first. What stands before it in its session is done,
 * so its result is of now. */
static bool
is_behind_open(const struct rest *rest, const struct store_job *job)
{
    const struct store_job *j = rest->first;

    while (rest->open && j != job) {
        if (j->result == ERR_AGAIN &&
            strcmp(j->session.sid, job->session.sid) == 0) {
            return true;
        }
        j = store_worker_next(j);
    }
    return false;
}

/* Questions that may be stored now, to the front; the others are refused. */
static size_t
refuse_behind_open(const struct rest *rest, struct store_job **jobs,
                   size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        struct store_job *job = jobs[i];

        if (is_behind_open(rest, job)) {
            job->result = ERR_DATABASE_ERROR;
        } else {
            jobs[i] = jobs[kept];
            jobs[kept++] = job;
        }
    }
    return kept;
}

static void
write_questions(struct mongo_link *link, const struct rest *rest,
                struct store_job **jobs, size_t count)
{
    count = refuse_behind_open(rest, jobs, count);
    if (count > 0) {
        store_mongo_question_group(link, jobs, count);
    }
}

static enum err
worst_of(struct store_job *const *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (jobs[i]->result == ERR_DATABASE_ERROR ||
            jobs[i]->result == ERR_AGAIN) {
            return ERR_DATABASE_ERROR;
        }
    }
    return ERR_OK;
}

/* The next jobs that go together; false: nothing is left. */
static bool
write_some(struct mongo_link *link, struct rest *rest, enum err *worst)
{
    struct store_job *jobs[STORE_MONGO_GROUP];
    size_t count = store_mongo_group_cut(&rest->left, jobs);

    if (count == 0) {
        return false;
    }
    if (jobs[0]->op == STORE_MESSAGE_APPEND) {
        write_questions(link, rest, jobs, count);
    } else if (jobs[0]->op == STORE_ANSWER_FINISH) {
        store_mongo_finish_group(link, jobs, count);
    } else {
        store_mongo_known_forget(link->known, jobs[0]->session.sid);
        jobs[0]->result = store_mongo.ops[jobs[0]->op](&link->link, jobs[0]);
    }
    for (size_t i = 0; i < count; i++) {
        rest->open = rest->open || jobs[i]->result == ERR_AGAIN;
    }
    if (worst_of(jobs, count) != ERR_OK) {
        *worst = ERR_DATABASE_ERROR;
    }
    return true;
}

/* The database is another process's now. */
static bool
is_lost(struct mongo_link *link)
{
    bool lost = store_mongo_lease_lost(link->db);

    if (lost) {
        link->fault = (struct store_fault){"taken_over", 0, false};
    }
    return lost;
}

static enum err
refuse_group(struct store_job *chain)
{
    for (; chain != NULL; chain = store_worker_next(chain)) {
        chain->result = ERR_DATABASE_ERROR;
    }
    return ERR_DATABASE_ERROR;
}

static enum err
write_group(struct store_link *base, struct store_job *chain)
{
    struct mongo_link *link = store_mongo_of(base);
    struct rest rest = {.first = chain};
    enum err worst = ERR_OK;

    if (is_lost(link)) {
        return refuse_group(chain);
    }
    if (!store_mongo_lease_fresh(link->db)) {
        store_mongo_known_clear(link->known);
    }
    store_mongo_group_init(&rest.left, chain);
    while (write_some(link, &rest, &worst)) {
    }
    store_mongo_group_fini(&rest.left);
    return worst;
}

/* -- whether it works -- */

static enum err
probe(struct store_link *base)
{
    struct mongo_link *link = store_mongo_of(base);
    struct mongo_result result;

    if (is_lost(link) || !store_mongo_call_may(link)) {
        return ERR_DATABASE_ERROR;
    }
    return store_mongo_call_ping(link, &result)
               ? ERR_OK
               : store_mongo_call_failed(link, &result.attempt);
}

static enum err
probe_writer(struct store_link *base)
{
    struct mongo_link *link = store_mongo_of(base);

    if (!link->writes) {
        return probe(base);
    }
    return is_lost(link) ? ERR_DATABASE_ERROR : store_mongo_index_touch(link);
}

static bool
ours(const struct store_link *first)
{
    const struct mongo_link *link =
        CONTAINER_OF(first, const struct mongo_link, link);

    return !store_mongo_lease_lost(link->db);
}

static int
tend(struct store_link *base)
{
    (void)base;
    return -1;
}

/* -- the database, shared by the links -- */

static struct mongo_db *
new_db(const struct store_settings *settings)
{
    static const char *const names[MONGO_COLLECTIONS] = {
        [MONGO_MESSAGES] = MONGO_NAME_MESSAGES,
        [MONGO_PIECES] = MONGO_NAME_PIECES,
        [MONGO_AUDIT] = MONGO_NAME_AUDIT,
        [MONGO_USAGE] = MONGO_NAME_USAGE,
        [MONGO_META] = MONGO_NAME_META};
    const struct store_mongo_settings *m = settings->mongo;
    struct mongo_db *db = xcalloc(1, sizeof(*db));

    db->keys = settings->keys;
    db->peers = settings->peers;
    db->database = xstrdup(m->database);
    for (int i = 0; i < MONGO_COLLECTIONS; i++) {
        db->collections[i] =
            xstrdup(i == MONGO_SESSIONS ? m->collection : names[i]);
    }
    db->rules =
        (struct mongo_retry_rules){.attempts = m->retry_attempts,
                                   .delay_ms = m->retry_delay_ms,
                                   .max_delay_ms = m->retry_max_delay_ms};
    return db;
}

static void
free_db(struct mongo_db *db)
{
    if (db->pool != NULL) {
        db->lib.mongoc_client_pool_destroy(db->pool);
        db->lib.mongoc_read_prefs_destroy(db->primary);
    }
    for (int i = 0; i < MONGO_COLLECTIONS; i++) {
        xfree(db->collections[i]);
    }
    xfree(db->database);
    xfree(db);
}

static enum err
make_pool(struct mongo_db *db, mongoc_uri_t *uri, char *why, size_t why_size)
{
    const struct mongo_lib *lib = &db->lib;
    bson_error_t error = {.code = 0};

    db->pool = lib->mongoc_client_pool_new_with_error(uri, &error);
    if (db->pool == NULL) {
        snprintf(why, why_size, "store.mongo.uri (MONGO_URI) is refused: %s.",
                 error.message);
        return ERR_DATABASE_ERROR;
    }
    db->primary = lib->mongoc_read_prefs_new(MONGOC_READ_PRIMARY);
    CHECK(lib->mongoc_client_pool_set_error_api(db->pool, 2));
    store_mongo_call_watch(db);
    return ERR_OK;
}

/* The driver's reasons name hosts and never who logs in. */
static enum err
reach(struct mongo_link *link, const char *host, uint64_t timeout_ms, char *why,
      size_t why_size)
{
    const struct timespec again = {.tv_nsec = CONNECT_AGAIN_MS * 1000000};
    uint64_t until_ms = clock_mono_ms() + timeout_ms;
    struct mongo_result result;

    while (!store_mongo_call_ping(link, &result)) {
        if (!mongo_retry_passing(&result.attempt) ||
            clock_mono_ms() + CONNECT_AGAIN_MS >= until_ms) {
            snprintf(why, why_size, "The database at %s cannot be reached: %s.",
                     host,
                     result.error.message[0] != '\0' ? result.error.message
                                                     : "no connection in time");
            return ERR_DATABASE_ERROR;
        }
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &again, NULL);
    }
    return ERR_OK;
}

/* -- links -- */

static struct mongo_link *
new_link(struct mongo_db *db, size_t times_max, bool writes)
{
    struct mongo_link *link = xcalloc(1, sizeof(*link));

    link->vault = vault_new(db->keys);
    link->link.backend = &store_mongo;
    link->db = db;
    link->times_max = times_max;
    link->writes = writes;
    link->number = writes ? db->writers++ : 0;
    link->known = writes ? store_mongo_known_new() : NULL;
    return link;
}

static void
close_link(struct store_link *base)
{
    struct mongo_link *link = store_mongo_of(base);

    if (link->writes && !is_lost(link)) {
        store_mongo_mark_clear(link);
    }
    if (link->owns_db) {
        store_mongo_lease_drop(link);
        free_db(link->db);
    }
    store_mongo_known_free(link->known);
    vault_free(link->vault);
    xfree(link);
}

static enum err
open_db(struct mongo_link *link, const struct store_mongo_settings *m,
        char *why, size_t why_size)
{
    struct mongo_db *db = link->db;
    mongoc_uri_t *uri = NULL;
    enum err e = mongo_lib_load(&db->lib, why, why_size);

    if (e != ERR_OK) {
        return e;
    }
    db->lib.mongoc_init();
    uri = store_mongo_uri_read(&db->lib, m, why, why_size);
    if (uri == NULL) {
        return ERR_DATABASE_ERROR;
    }
    e = make_pool(db, uri, why, why_size);
    if (e == ERR_OK) {
        const mongoc_host_list_t *host = db->lib.mongoc_uri_get_hosts(uri);

        e = reach(link, host != NULL ? host->host_and_port : "its service",
                  m->connect_timeout_ms, why, why_size);
    }
    db->lib.mongoc_uri_destroy(uri);
    return e;
}

static enum err
prepare(struct mongo_link *link, char *why, size_t why_size)
{
    enum err e = store_mongo_lease_take(link, why, why_size);

    if (e == ERR_OK) {
        e = store_mongo_index_prepare(link, why, why_size);
    }
    if (e == ERR_OK) {
        e = store_mongo_seals_admit(link, why, why_size);
    }
    if (e != ERR_OK) {
        return e;
    }
    e = store_mongo_old_prepare(link);
    if (e == ERR_OK) {
        e = store_mongo_delete_recover(link);
    }
    if (e == ERR_OK) {
        e = store_mongo_mark_recover(link);
    }
    if (e == ERR_OK) {
        e = store_mongo_answer_recover(link);
    }
    if (e != ERR_OK) {
        snprintf(why, why_size,
                 "What a crash left undone cannot be ended: %s (%d).",
                 link->fault.name, link->fault.code);
    }
    return e;
}

/* Signals are the main thread's; the driver's threads inherit the mask of
 * their maker. */
static enum err
open_owner(const struct store_settings *settings, bool writes,
           struct store_link **out, char *why, size_t why_size)
{
    size_t times =
        settings->response_times > 0 ? settings->response_times : TIMES_DEFAULT;
    struct mongo_link *link = new_link(new_db(settings), times, writes);
    sigset_t all, before;
    enum err e;

    link->owns_db = true;
    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    e = open_db(link, settings->mongo, why, why_size);
    if (e == ERR_OK) {
        e = store_mongo_index_check(link, why, why_size);
    }
    if (e == ERR_OK && writes) {
        e = prepare(link, why, why_size);
    }
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (e != ERR_OK) {
        close_link(&link->link);
        return e;
    }
    *out = &link->link;
    return ERR_OK;
}

static enum err
open_first(const struct store_settings *settings, struct store_link **out,
           char *why, size_t why_size)
{
    return open_owner(settings, true, out, why, why_size);
}

enum err
store_mongo_open_beside(const struct store_settings *settings,
                        struct store_link **out, char *why, size_t why_size)
{
    return open_owner(settings, false, out, why, why_size);
}

static enum err
open_writer(struct store_link *base, struct store_link **out)
{
    struct mongo_link *first = store_mongo_of(base);

    *out = &new_link(first->db, first->times_max, true)->link;
    return ERR_OK;
}

static enum err
open_reader(const struct store_settings *settings, struct store_link *base,
            struct store_link **out, char *why, size_t why_size)
{
    struct mongo_link *first = store_mongo_of(base);

    (void)settings;
    (void)why;
    (void)why_size;
    *out = &new_link(first->db, first->times_max, false)->link;
    return ERR_OK;
}

const struct store_backend store_mongo = {
    .kind = "mongo",
    .group_max = GROUP_MAX,
    .far = true,
    .watch_ms = WATCH_MS,
    .open = open_first,
    .open_reader = open_reader,
    .open_writer = open_writer,
    .close = close_link,
    .write = write_group,
    .probe = probe_writer,
    .ours = ours,
    .tend = tend,
    .fault = fault,
    .secret = store_mongo_secret_keep,
    .rekey = store_mongo_rekey_run,
    .open_tool = store_mongo_erase_open,
    .count = store_mongo_erase_count,
    .erase = store_mongo_erase_run,
    .ops =
        {
            [STORE_SESSION_GET] = store_mongo_read_session,
            [STORE_SESSION_SHARED] = store_mongo_read_shared,
            [STORE_SESSION_LATEST] = store_mongo_read_latest,
            [STORE_SESSION_LIST] = store_mongo_read_list,
            [STORE_MESSAGES] = store_mongo_read_messages,
            [STORE_MESSAGE_FIND] = store_mongo_read_find,
            [STORE_PING] = store_mongo_read_ping,
            [STORE_SESSION_BROWSE] = store_mongo_review_browse,
            [STORE_SESSION_FIGURES] = store_mongo_review_figures,
            [STORE_AUDIT_LIST] = store_mongo_review_list,
            [STORE_USAGE_LIST] = store_mongo_usage_list,
            [STORE_SESSION_PUT] = store_mongo_write_session,
            [STORE_SESSION_PATCH] = store_mongo_write_patch,
            [STORE_SESSION_DELETE] = store_mongo_delete_session,
            [STORE_MESSAGE_APPEND] = store_mongo_question_append,
            [STORE_DRAFT_PUT] = store_mongo_answer_put,
            [STORE_DRAFT_DROP] = store_mongo_answer_drop,
            [STORE_ANSWER_FINISH] = store_mongo_answer_finish,
            [STORE_AUDIT_PUT] = store_mongo_review_put,
            [STORE_USAGE_PUT] = store_mongo_usage_put_job,
        },
};
