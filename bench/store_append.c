/* SPDX-License-Identifier: MIT */
/* How many messages a second the storage takes through its front: two shards,
 * each with its own sessions, every session with one message under way; the
 * next one is submitted when the last is durable. Beside it stands
 * bench/limit/sqlite_append.c, which writes the same rows by hand.
 *
 *     store_append FOLDER [SECONDS [SESSIONS]]     durable appends
 *     store_append FOLDER SECONDS SESSIONS draft   one checkpoint a second of
 *                                                  each session's answer */
#include "base/check.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "bench/rows.h"
#include "loop/shard.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define PRODUCERS 2

struct producer {
    struct shard shard;
    struct store *store;
    struct rows rows;
    uint64_t until_ms;
    size_t under_way;
    int64_t done;
    int64_t failed;
    bool drafts;
    struct timer tick;   /* drafts: some sessions each time */
    size_t turn;         /* session that comes next */
    size_t answer_bytes; /* of each, before this round's piece */
};

static double
cpu_seconds(void)
{
    struct rusage u;

    CHECK(getrusage(RUSAGE_SELF, &u) == 0);
    return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static bool
is_over(struct producer *p)
{
    if (clock_mono_ms() < p->until_ms) {
        return false;
    }
    if (p->under_way == 0) {
        shard_stop(&p->shard);
    }
    return true;
}

static struct store_job *
new_job(struct producer *p, enum store_op op, void (*done)(struct store_job *),
        size_t session)
{
    struct store_job *job = store_job_new(op, &p->shard, done, p);
    char user[ROWS_USER_SIZE];

    rows_user(session, user);
    memcpy(job->session.sid, rows_session(&p->rows, session),
           sizeof(job->session.sid));
    job->user_id = xstrdup(user);
    rows_id(&p->rows, job->message.id);
    job->message.at_ms = clock_wall_ms();
    return job;
}

static void
submit(struct producer *p, struct store_job *job)
{
    p->under_way++;
    store_submit(p->store, job);
}

static void on_appended(struct store_job *job);

static void
append(struct producer *p, size_t session)
{
    struct store_job *job =
        new_job(p, STORE_MESSAGE_APPEND, on_appended, session);

    job->session.model_id = xstrdup("demo");
    job->message.type = xstrdup("user_message");
    job->message.client_id = xstrdup(job->message.id);
    job->message.content = xmemdup(rows_content, ROWS_CONTENT_BYTES);
    job->message.content_n = ROWS_CONTENT_BYTES;
    submit(p, job);
}

static void
count(struct producer *p, const struct store_job *job)
{
    p->under_way--;
    p->done++;
    p->failed += job->result != ERR_OK;
}

static void
on_appended(struct store_job *job)
{
    struct producer *p = job->cookie;

    count(p, job);
    if (!is_over(p)) {
        append(p, p->turn++ % p->rows.sessions);
    }
    store_job_free(job);
}

/* -- drafts -- */

static void
on_drafted(struct store_job *job)
{
    struct producer *p = job->cookie;

    count(p, job);
    (void)is_over(p);
    store_job_free(job);
}

/* Each session's answer has its session's id and 30 tokens a second. */
#define PIECE_BYTES 120

static void
draft(struct producer *p, size_t session)
{
    struct store_job *job = new_job(p, STORE_DRAFT_PUT, on_drafted, session);

    memcpy(job->message.id, job->session.sid, sizeof(job->message.id));
    job->message.sender = SENDER_AI;
    job->message.type = xstrdup("ai_response");
    job->message.content = xmemdup(rows_content, PIECE_BYTES);
    job->message.content_n = PIECE_BYTES;
    job->draft_offset = p->answer_bytes;
    submit(p, job);
}

/* A few sessions each millisecond, so that each has its turn once a second. */
static void
on_tick(struct timer *t)
{
    struct producer *p = CONTAINER_OF(t, struct producer, tick);
    size_t share = (p->rows.sessions + 999) / 1000;

    if (is_over(p)) {
        return;
    }
    for (size_t i = 0; i < share; i++) {
        draft(p, p->turn++ % p->rows.sessions);
        p->answer_bytes += p->turn % p->rows.sessions == 0 ? PIECE_BYTES : 0;
    }
    timer_start(&p->shard.timers, t,
                p->rows.sessions < 1000 ? 1000 / p->rows.sessions : 1);
}

static void
on_session(struct store_job *job)
{
    struct producer *p = job->cookie;

    CHECK(job->result == ERR_OK);
    if (--p->under_way == 0) {
        timer_init(&p->tick, on_tick);
        timer_start(&p->shard.timers, &p->tick, 0);
    }
    store_job_free(job);
}

/* -- the run -- */

static void
on_start(struct shard *s)
{
    struct producer *p = CONTAINER_OF(s, struct producer, shard);

    for (size_t i = 0; i < p->rows.sessions; i++) {
        if (p->drafts) {
            submit(p, new_job(p, STORE_SESSION_PUT, on_session, i));
        } else {
            append(p, i);
        }
    }
}

static void
run(struct producer *producers, struct store *store, unsigned seconds)
{
    uint64_t begin_ms = clock_mono_ms();
    double cpu = cpu_seconds(), took;
    int64_t done = 0, failed = 0, commits;

    for (unsigned i = 0; i < PRODUCERS; i++) {
        producers[i].store = store;
        producers[i].until_ms = begin_ms + seconds * UINT64_C(1000);
        CHECK(shard_init(&producers[i].shard, i) == ERR_OK);
        CHECK(shard_start(&producers[i].shard, on_start) == ERR_OK);
    }
    for (unsigned i = 0; i < PRODUCERS; i++) {
        shard_join(&producers[i].shard);
        done += producers[i].done;
        failed += producers[i].failed;
    }
    took = (double)(clock_mono_ms() - begin_ms) / 1000;
    cpu = cpu_seconds() - cpu;
    commits = metric_value(METRIC_STORE_COMMITS, 0);
    printf("front: %.0f rows/s, %.2f us CPU/row, %.1f rows/commit, "
           "%lld failed\n",
           (double)done / took, cpu * 1e6 / (double)done,
           (double)done / (double)(commits > 0 ? commits : 1),
           (long long)failed);
}

int
main(int argc, char **argv)
{
    unsigned seconds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 5;
    size_t sessions = argc > 3 ? strtoul(argv[3], NULL, 10) : 1000;
    struct store_settings settings = {.queue_max = 100000, .readers = 1};
    struct producer producers[PRODUCERS] = {0};
    struct store *store;
    char why[512];

    if (argc < 2 || sessions < PRODUCERS) {
        fprintf(stderr, "usage: store_append FOLDER [SECONDS [SESSIONS "
                        "[draft]]]\n");
        return 2;
    }
    settings.data_dir = argv[1];
    if (store_open(&settings, &store, why, sizeof(why)) != ERR_OK) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    for (unsigned i = 0; i < PRODUCERS; i++) {
        rows_init(&producers[i].rows, sessions / PRODUCERS, i + 1);
        producers[i].drafts = argc > 4;
    }
    run(producers, store, seconds);
    store_close(store);
    for (unsigned i = 0; i < PRODUCERS; i++) {
        shard_fini(&producers[i].shard);
        rows_fini(&producers[i].rows);
    }
    return 0;
}
