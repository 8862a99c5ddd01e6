/* SPDX-License-Identifier: MIT */
/* Fills a data folder with conversations, through the storage's front: session
 * number i belongs to user-i and has the i-th id of bench/rows.h (seed 1).
 * Questions and answers of 200 bytes, in turn. All sessions end at the same
 * time, so that their messages lie mixed as in a database that is in use.
 *
 *     store_fill FOLDER MESSAGES[xSESSIONS]... */
#include "base/check.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "bench/rows.h"
#include "loop/shard.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNDER_WAY_MAX 4096
#define USER_SIZE 32

struct fill {
    struct shard shard;
    struct store *store;
    struct rows rows;
    size_t *counts;                       /* messages of each session */
    char (*questions)[RAND_ID_CHARS + 1]; /* the last one's id of each */
    size_t sessions;
    size_t rounds; /* messages of the longest session */
    size_t round;
    size_t session; /* that comes next in this round */
    size_t under_way;
    size_t done;
};

static void on_stored(struct store_job *job);

static struct store_job *
new_job(struct fill *f, size_t i, bool answer)
{
    struct store_job *job =
        store_job_new(answer ? STORE_ANSWER_FINISH : STORE_MESSAGE_APPEND,
                      &f->shard, on_stored, f);
    struct message_record *m = &job->message;
    char user[USER_SIZE];

    snprintf(user, sizeof(user), "user-%zu", i);
    memcpy(job->session.sid, rows_session(&f->rows, i),
           sizeof(job->session.sid));
    job->user_id = xstrdup(user);
    rows_id(&f->rows, m->id);
    m->at_ms = clock_wall_ms();
    m->content = xmemdup(rows_content, ROWS_CONTENT_BYTES + 1);
    m->content_n = ROWS_CONTENT_BYTES;
    return job;
}

static void
put_question(struct fill *f, size_t i)
{
    struct store_job *job = new_job(f, i, false);

    job->session.model_id = xstrdup("m");
    job->message.type = xstrdup("user_message");
    job->message.client_id = xstrdup(job->message.id);
    memcpy(f->questions[i], job->message.id, sizeof(f->questions[i]));
    store_submit(f->store, job);
}

static void
put_answer(struct fill *f, size_t i)
{
    struct store_job *job = new_job(f, i, true);
    struct message_record *m = &job->message;

    m->sender = SENDER_AI;
    m->type = xstrdup("ai_response");
    m->model_id = xstrdup("m");
    m->finish_reason = xstrdup("stop");
    m->reply_to = xstrdup(f->questions[i]);
    m->usage = (struct usage){40, 50, 90, true, false};
    m->duration_ms = 1800;
    m->ttft_ms = 300;
    store_submit(f->store, job);
}

/* The next message in order; false when all were submitted. */
static bool
put_next(struct fill *f)
{
    while (f->round < f->rounds) {
        size_t i = f->session++, left = f->rounds - f->round;

        if (f->session == f->sessions) {
            f->session = 0;
            f->round++;
        }
        if (left <= f->counts[i]) {
            f->under_way++;
            if ((f->counts[i] - left) % 2 == 0) {
                put_question(f, i);
            } else {
                put_answer(f, i);
            }
            return true;
        }
    }
    return false;
}

static void
on_stored(struct store_job *job)
{
    struct fill *f = job->cookie;

    CHECK(job->result == ERR_OK);
    f->done++;
    f->under_way--;
    if (!put_next(f) && f->under_way == 0) {
        shard_stop(&f->shard);
    }
    store_job_free(job);
}

static void
on_start(struct shard *s)
{
    struct fill *f = CONTAINER_OF(s, struct fill, shard);

    while (f->under_way < UNDER_WAY_MAX && put_next(f)) {
    }
    CHECK(f->under_way > 0);
}

/* "500x100": a hundred sessions of 500 messages. */
static void
add_sessions(struct fill *f, const char *text)
{
    char *end;
    size_t messages = strtoul(text, &end, 10), count = 1;

    count = *end == 'x' ? strtoul(end + 1, NULL, 10) : count;
    f->counts = xrealloc(f->counts, (f->sessions + count) * sizeof(*f->counts));
    for (size_t i = 0; i < count; i++) {
        f->counts[f->sessions++] = messages;
    }
    f->rounds = messages > f->rounds ? messages : f->rounds;
}

int
main(int argc, char **argv)
{
    struct store_settings settings = {.queue_max = 100000, .readers = 1};
    struct fill f = {0};
    char why[512];

    for (int i = 2; i < argc; i++) {
        add_sessions(&f, argv[i]);
    }
    if (f.rounds == 0) {
        fprintf(stderr, "usage: store_fill FOLDER MESSAGES[xSESSIONS]...\n");
        return 2;
    }
    settings.data_dir = argv[1];
    if (store_open(&settings, &f.store, why, sizeof(why)) != ERR_OK) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    f.questions = xcalloc(f.sessions, sizeof(*f.questions));
    rows_init(&f.rows, f.sessions, 1);
    CHECK(shard_init(&f.shard, 0) == ERR_OK);
    CHECK(shard_start(&f.shard, on_start) == ERR_OK);
    shard_join(&f.shard);
    store_close(f.store);
    shard_fini(&f.shard);
    rows_fini(&f.rows);
    xfree(f.questions);
    xfree(f.counts);
    printf("%zu messages in %zu sessions\n", f.done, f.sessions);
    return 0;
}
