/* SPDX-License-Identifier: MIT */
/* The response times of stored sessions for test_times.py: a database without
 * threads, in one transaction that is never asked to last. */
#include "base/check.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "pure.h"
#include "store/backend.h"
#include "store/store_sqlite.h"

#include <stdio.h>
#include <string.h>

struct times {
    struct store_link *writer;
    unsigned ids; /* given out so far */
};

struct times *
times_open(const char *dir)
{
    struct times *t = xcalloc(1, sizeof(*t));
    struct store_settings settings = {
        .data_dir = dir, .queue_max = 10, .readers = 1};
    char why[256];

    log_set_level(LOG_ERROR);
    CHECK(store_sqlite.open(&settings, &t->writer, why, sizeof(why)) == ERR_OK);
    CHECK(store_sqlite.begin(t->writer) == ERR_OK);
    return t;
}

void
times_close(struct times *t)
{
    CHECK(store_sqlite.commit(t->writer) == ERR_OK);
    store_sqlite.close(t->writer);
    xfree(t);
}

static void
put_id(unsigned n, char out[static RAND_ID_CHARS + 1])
{
    (void)snprintf(out, RAND_ID_CHARS + 1, "%032x", n);
}

static struct store_job *
message(struct times *t, enum store_op op, unsigned session, const char *type)
{
    struct store_job *job = store_job_new(op, NULL, NULL, NULL);

    put_id(session, job->session.sid);
    put_id(session, job->message.sid);
    put_id(++t->ids, job->message.id);
    job->message.at_ms = 1700000000000 + t->ids;
    job->message.type = xstrdup(type);
    job->message.content = xstrdup("x");
    job->message.content_n = 1;
    return job;
}

static void
carry_out(struct times *t, struct store_job *job)
{
    CHECK(store_sqlite.ops[job->op](t->writer, job) == ERR_OK);
}

/* The session's number is its question's. */
unsigned
times_session(struct times *t)
{
    unsigned session = t->ids + 1;
    struct store_job *job =
        message(t, STORE_MESSAGE_APPEND, session, "user_message");

    job->user_id = xstrdup("ann");
    job->session.user_id = xstrdup("ann");
    job->session.model_id = xstrdup("demo");
    carry_out(t, job);
    store_job_free(job);
    return session;
}

static void
read_list(struct times *t, const char *sid, char list_out[static 4096])
{
    sqlite3_stmt *stmt;

    CHECK(sqlite3_prepare_v2(store_sqlite_of(t->writer)->db,
                             "SELECT respTimes FROM sessions WHERE _id=?", -1,
                             &stmt, NULL) == SQLITE_OK);
    CHECK(sqlite3_bind_text(stmt, 1, sid, -1, SQLITE_STATIC) == SQLITE_OK);
    CHECK(sqlite3_step(stmt) == SQLITE_ROW);
    (void)snprintf(list_out, 4096, "%s",
                   (const char *)sqlite3_column_text(stmt, 0));
    CHECK(sqlite3_finalize(stmt) == SQLITE_OK);
}

double
times_answer(struct times *t, unsigned session, int64_t duration_ms,
             size_t most, char list_out[static 4096], int64_t counts_out[2])
{
    struct store_job *job =
        message(t, STORE_ANSWER_FINISH, session, "ai_response");
    double average;

    store_sqlite_of(t->writer)->times_max = most;
    job->message.sender = SENDER_AI;
    job->message.reply_to = xmalloc(RAND_ID_CHARS + 1);
    put_id(session, job->message.reply_to);
    job->message.finish_reason = xstrdup("stop");
    job->message.duration_ms = duration_ms;
    carry_out(t, job);
    average = job->session.avg_response_ms;
    counts_out[0] = job->session.response_count;
    counts_out[1] = job->session.max_response_ms;
    read_list(t, job->session.sid, list_out);
    store_job_free(job);
    return average;
}
