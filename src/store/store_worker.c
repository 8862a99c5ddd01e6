/* SPDX-License-Identifier: MIT */
/* Queues and threads of the storage: see store_worker.h. The writer takes all
 * that waits, does it in one transaction and answers only when that is
 * durable; a reader takes one job at a time. Which database it is, only the
 * link knows. */
#include "store/store_worker.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "loop/shard.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>

#define LOG_EVERY_MS 1000

static struct store_job *
job_of(struct letter *l)
{
    return CONTAINER_OF(l, struct store_job, letter);
}

struct store_job *
store_worker_next(const struct store_job *job)
{
    return job->letter.next == NULL ? NULL : job_of(job->letter.next);
}

/* -- the queue -- */

void
store_worker_inbox_init(struct store_inbox *inbox, size_t max,
                        uint64_t linger_ms)
{
    pthread_condattr_t attr;

    *inbox = (struct store_inbox){.max = max, .linger_ms = linger_ms};
    CHECK(pthread_mutex_init(&inbox->lock, NULL) == 0);
    CHECK(pthread_condattr_init(&attr) == 0);
    CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&inbox->wake, &attr) == 0);
    pthread_condattr_destroy(&attr);
}

void
store_worker_inbox_fini(struct store_inbox *inbox)
{
    CHECK(inbox->count == 0);
    pthread_cond_destroy(&inbox->wake);
    pthread_mutex_destroy(&inbox->lock);
}

/* Nobody waits for a checkpoint, nor for what an answer has used. */
static bool
is_pressing(const struct store_job *job)
{
    return (job->op != STORE_DRAFT_PUT && job->op != STORE_USAGE_PUT) ||
           job->urgent;
}

/* Whether the job was put; *wake whether somebody has to hear of it: of the
 * first one, and of the first that does not linger. */
static bool
put(struct store_inbox *inbox, struct store_job *job, bool *wake)
{
    bool pressing = is_pressing(job);

    if (inbox->count + atomic_load(&inbox->open) >= inbox->max) {
        return false;
    }
    *wake = inbox->count == 0 || (pressing && inbox->pressing == 0);
    job->letter.next = NULL;
    if (inbox->count == 0) {
        inbox->first = job;
        inbox->since_ms = clock_mono_ms();
    } else {
        inbox->last->letter.next = &job->letter;
    }
    inbox->last = job;
    inbox->count++;
    inbox->pressing += pressing;
    return true;
}

bool
store_worker_push(struct store_inbox *inbox, struct store_job *job)
{
    bool taken, wake = false;

    pthread_mutex_lock(&inbox->lock);
    taken = put(inbox, job, &wake);
    pthread_mutex_unlock(&inbox->lock);
    if (wake) {
        pthread_cond_signal(&inbox->wake);
    }
    return taken;
}

void
store_worker_inbox_close(struct store_inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    inbox->closing = true;
    pthread_mutex_unlock(&inbox->lock);
    pthread_cond_broadcast(&inbox->wake);
}

/* Milliseconds until the queue is worth a transaction; 0: now, -1: that
 * depends on what comes. */
static int64_t
ripe_in_ms(const struct store_inbox *inbox)
{
    uint64_t waited_ms;

    if (inbox->closing || inbox->pressing > 0) {
        return 0;
    }
    if (inbox->count == 0) {
        return -1;
    }
    waited_ms = clock_mono_ms() - inbox->since_ms;
    return waited_ms >= inbox->linger_ms
               ? 0
               : (int64_t)(inbox->linger_ms - waited_ms);
}

static void
wait_until_ms(struct store_inbox *inbox, uint64_t at_ms)
{
    struct timespec at = {.tv_sec = (time_t)(at_ms / 1000),
                          .tv_nsec = (long)(at_ms % 1000) * 1000000};

    (void)pthread_cond_timedwait(&inbox->wake, &inbox->lock, &at);
}

/* Waits, unlocked, until the queue is ripe; false when idle_ms (-1: for ever)
 * passed first. */
static bool
wait_ripe(struct store_inbox *inbox, int idle_ms)
{
    uint64_t begin_ms = clock_mono_ms();
    int64_t ripe_ms;

    while ((ripe_ms = ripe_in_ms(inbox)) != 0) {
        uint64_t now_ms = clock_mono_ms();

        if (ripe_ms > 0) {
            wait_until_ms(inbox, now_ms + (uint64_t)ripe_ms);
        } else if (idle_ms < 0) {
            pthread_cond_wait(&inbox->wake, &inbox->lock);
        } else if (now_ms - begin_ms >= (uint64_t)idle_ms) {
            return false;
        } else {
            wait_until_ms(inbox, begin_ms + (uint64_t)idle_ms);
        }
    }
    return true;
}

/* Cuts the first jobs, `most` at the utmost, off the queue. */
static struct store_job *
cut(struct store_inbox *inbox, size_t most, size_t *count)
{
    struct store_job *first = inbox->first, *last = NULL;
    struct store_job *rest = first;

    for (*count = 0; rest != NULL && *count < most; (*count)++) {
        inbox->pressing -= is_pressing(rest);
        last = rest;
        rest = store_worker_next(rest);
    }
    if (last != NULL) {
        last->letter.next = NULL;
    }
    inbox->first = rest;
    inbox->count -= *count;
    return first;
}

enum taken { TAKEN_JOBS, TAKEN_IDLE, TAKEN_CLOSED };

/* Blocks; *chain are the jobs in order, linked by their letters. */
static enum taken
take(struct store_inbox *inbox, size_t most, int idle_ms,
     struct store_job **chain)
{
    size_t count = 0;
    bool ripe, left, closed;

    pthread_mutex_lock(&inbox->lock);
    ripe = wait_ripe(inbox, idle_ms);
    *chain = ripe ? cut(inbox, most, &count) : NULL;
    left = inbox->count > 0;
    closed = inbox->closing;
    pthread_mutex_unlock(&inbox->lock);
    if (left) {
        pthread_cond_signal(&inbox->wake); /* for the other readers */
    }
    metric_add(METRIC_STORE_QUEUE, -(int64_t)count);
    if (count > 0) {
        return TAKEN_JOBS;
    }
    return closed ? TAKEN_CLOSED : TAKEN_IDLE;
}

/* -- answers, failures -- */

static void
deliver(struct shard *here, struct letter *self)
{
    struct store_job *job = job_of(self);

    atomic_fetch_sub(&here->awaited, 1);
    job->done(job);
}

static void
destroy(struct letter *self)
{
    store_job_free(job_of(self));
}

void
store_worker_answer(struct store_job *job, enum err result)
{
    metric_count(METRIC_STORE_JOBS);
    if (result == ERR_DATABASE_ERROR) {
        metric_count(METRIC_STORE_ERRORS);
    }
    job->result = result;
    job->letter.deliver = deliver;
    job->letter.destroy = destroy;
    shard_post(job->home, &job->letter);
}

/* A storage that is down fails every job; one line a second says so. */
static void
log_failure(struct store_worker *w, const char *what)
{
    uint64_t now_ms = clock_mono_ms();
    struct store_fault fault = w->link->backend->fault(w->link);

    if (w->logged_ms != 0 && now_ms - w->logged_ms < LOG_EVERY_MS) {
        w->unlogged++;
        return;
    }
    log_error(EVENT_STORE_ERROR, what, log_cstr("code", fault.name),
              log_int("number", fault.code),
              log_int("unlogged", (int64_t)w->unlogged));
    w->logged_ms = now_ms;
    w->unlogged = 0;
}

static bool
is_damaged(const struct store_worker *w)
{
    return clock_mono_ms() < atomic_load(&w->health->damaged_until_ms);
}

/* Every outcome passes here, so that the health is what was seen last. */
static void
note_outcome(struct store_worker *w, enum err e, const char *what)
{
    if (e != ERR_OK) {
        log_failure(w, what);
        if (w->link->backend->fault(w->link).damage) {
            atomic_store(&w->health->damaged_until_ms,
                         clock_mono_ms() + STORE_DAMAGE_MS);
        }
        atomic_store(&w->health->ok, false);
    } else if (!atomic_load(&w->health->ok) && !is_damaged(w) &&
               !atomic_exchange(&w->health->ok, true)) {
        log_warn(EVENT_STORE_RECOVERED, "The storage works again.");
    }
}

static void
probe_if_failing(struct store_worker *w)
{
    if (!atomic_load(&w->health->ok)) {
        note_outcome(w, w->link->backend->probe(w->link),
                     "The storage still fails.");
    }
}

/* -- the writer -- */

static enum err
do_jobs(struct store_link *link, struct store_job *chain)
{
    for (struct store_job *j = chain; j != NULL; j = store_worker_next(j)) {
        j->result = link->backend->ops[j->op](link, j);
        if (j->result == ERR_DATABASE_ERROR) {
            return ERR_DATABASE_ERROR;
        }
    }
    return ERR_OK;
}

/* One transaction; when it fails, none of its jobs has happened. */
static enum err
commit_jobs(struct store_link *link, struct store_job *chain)
{
    const struct store_backend *b = link->backend;
    enum err e = b->begin(link);

    if (e != ERR_OK) {
        return e;
    }
    e = do_jobs(link, chain);
    if (e == ERR_OK) {
        e = b->commit(link);
    }
    if (e != ERR_OK) {
        b->rollback(link);
    }
    return e;
}

/* In one transaction, or one by one. */
static enum err
do_group(struct store_link *link, struct store_job *chain)
{
    enum err e;

    if (link->backend->write != NULL) {
        return link->backend->write(link, chain);
    }
    e = commit_jobs(link, chain);
    for (struct store_job *j = chain; j != NULL && e != ERR_OK;
         j = store_worker_next(j)) {
        j->result = e;
    }
    return e;
}

/* The open jobs, and behind them the chain. */
static struct store_job *
behind_open(struct store_worker *w, struct store_job *chain)
{
    struct store_job *first = w->open, *last = first;

    if (first == NULL) {
        return chain;
    }
    while (store_worker_next(last) != NULL) {
        last = store_worker_next(last);
    }
    last->letter.next = chain != NULL ? &chain->letter : NULL;
    w->open = NULL;
    return first;
}

static void
keep_open(struct store_worker *w, struct store_job *job)
{
    struct store_job *last = w->open;

    job->letter.next = NULL;
    if (last == NULL) {
        w->open = job;
        return;
    }
    while (store_worker_next(last) != NULL) {
        last = store_worker_next(last);
    }
    last->letter.next = &job->letter;
}

/* The same client_id will find it if it is there. */
static void
give_up(struct store_job *job)
{
    log_error(EVENT_STORE_ERROR,
              "Whether a message is stored was not learned in time.",
              log_cstr("session_id", job->session.sid),
              log_cstr("message_id", job->message.id));
    store_worker_answer(job, ERR_DATABASE_ERROR);
}

/* It comes again, unless it has done so for too long. */
static bool
stays_open(const struct store_job *job, uint64_t now_ms)
{
    return job->result == ERR_AGAIN &&
           (job->open_ms == 0 || now_ms - job->open_ms < STORE_OPEN_MS);
}

/* Their places stay taken; before anybody hears of the others. */
static void
note_open(struct store_worker *w, const struct store_job *chain,
          uint64_t now_ms)
{
    size_t open = 0;

    for (; chain != NULL; chain = store_worker_next(chain)) {
        open += stays_open(chain, now_ms);
    }
    atomic_store(&w->inbox->open, open);
}

/* The job has its result, or comes again. */
static void
settle(struct store_worker *w, struct store_job *job, uint64_t now_ms)
{
    if (stays_open(job, now_ms)) {
        job->open_ms = job->open_ms == 0 ? now_ms : job->open_ms;
        keep_open(w, job);
    } else if (job->result == ERR_AGAIN) {
        give_up(job);
    } else {
        store_worker_answer(job, job->result);
    }
}

static void
write_group(struct store_worker *w, struct store_job *chain)
{
    enum err e = do_group(w->link, chain);
    uint64_t now_ms = clock_mono_ms();

    metric_add(METRIC_STORE_COMMITS, e == ERR_OK);
    if (e == ERR_OK) {
        probe_if_failing(w); /* the group may have had nothing to write */
    } else {
        note_outcome(w, e, "Writing failed; jobs were refused.");
    }
    note_open(w, chain, now_ms);
    while (chain != NULL) {
        struct store_job *job = chain;

        chain = store_worker_next(job); /* before the letter goes away */
        settle(w, job, now_ms);
    }
}

/* The end: one more attempt, and nobody is left without an answer. */
static void
end_open(struct store_worker *w)
{
    if (w->open != NULL) {
        write_group(w, behind_open(w, NULL));
    }
    while (w->open != NULL) {
        struct store_job *job = w->open;

        w->open = store_worker_next(job);
        give_up(job);
    }
}

/* The shorter of two waits of which -1 has no end. */
static int
shorter(int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

static void *
writer_main(void *arg)
{
    struct store_worker *w = arg;
    const struct store_backend *b = w->link->backend;
    struct store_job *chain;
    enum taken taken = TAKEN_IDLE;

    metrics_thread_init();
    while (taken != TAKEN_CLOSED) {
        int tend_ms = b->tend(w->link);
        bool soon = w->open != NULL || !atomic_load(&w->health->ok);

        taken = take(w->inbox, b->group_max,
                     shorter(tend_ms, soon ? STORE_PROBE_MS : -1), &chain);
        if (taken == TAKEN_JOBS || (taken == TAKEN_IDLE && w->open != NULL)) {
            write_group(w, behind_open(w, chain));
        } else if (taken == TAKEN_IDLE) {
            probe_if_failing(w);
        }
    }
    end_open(w);
    return NULL;
}

/* -- the readers -- */

/* Milliseconds after which it looks by itself; -1: never. */
static int
idle_ms_of(const struct store_worker *w)
{
    int watch_ms = w->watches ? w->link->backend->watch_ms : 0;

    if (!atomic_load(&w->health->ok)) {
        return STORE_PROBE_MS;
    }
    return watch_ms > 0 ? watch_ms : -1;
}

static void
read_one(struct store_worker *w, struct store_job *job)
{
    enum err e = w->link->backend->ops[job->op](w->link, job);

    note_outcome(w, e == ERR_DATABASE_ERROR ? e : ERR_OK, "A read failed.");
    store_worker_answer(job, e);
}

static void *
reader_main(void *arg)
{
    struct store_worker *w = arg;
    struct store_job *job;
    enum taken taken = TAKEN_IDLE;

    metrics_thread_init();
    while (taken != TAKEN_CLOSED) {
        taken = take(w->inbox, 1, idle_ms_of(w), &job);
        if (taken == TAKEN_JOBS) {
            read_one(w, job);
        } else if (taken == TAKEN_IDLE) {
            note_outcome(w, w->link->backend->probe(w->link),
                         "The storage cannot be read.");
        }
    }
    return NULL;
}

/* -- threads -- */

/* Signals are the main thread's; a thread inherits the mask of its maker. */
static enum err
start(struct store_worker *w, void *(*run)(void *), const char *name)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    rc = pthread_create(&w->thread, NULL, run, w);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (rc != 0) {
        return ERR_IO;
    }
    (void)pthread_setname_np(w->thread, name);
    w->started = true;
    return ERR_OK;
}

enum err
store_worker_start_writer(struct store_worker *w)
{
    return start(w, writer_main, "store-writer");
}

enum err
store_worker_start_reader(struct store_worker *w)
{
    return start(w, reader_main, "store-reader");
}

void
store_worker_join(struct store_worker *w)
{
    if (w->started) {
        CHECK(pthread_join(w->thread, NULL) == 0);
        w->started = false;
    }
}
