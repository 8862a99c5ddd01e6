/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_STORE_FIXTURE_H
#define CHATBOX_TESTS_STORE_FIXTURE_H

/* What the storage's tests share: a data folder of their own, records, and
 * jobs carried out on a link without any thread. */
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "store/backend.h"
#include "store/store.h"
#include "store/store_sqlite.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define T0 1700000000000

struct fixture {
    char root[64]; /* a temporary folder */
    char dir[80];  /* the data folder in it, not yet there */
    struct store_settings settings;
    struct store_link *writer; /* after fixture_open */
    struct store_link *reader;
    char why[512];
};

static inline void
fixture_init(struct fixture *f)
{
    *f = (struct fixture){0};
    snprintf(f->root, sizeof(f->root), "/tmp/chatbox-store-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    snprintf(f->dir, sizeof(f->dir), "%s/data", f->root);
    f->settings = (struct store_settings){
        .data_dir = f->dir, .queue_max = 10000, .readers = 2};
    log_set_level(LOG_ERROR);
}

static inline void
fixture_path(const struct fixture *f, const char *name, char out[static 160])
{
    snprintf(out, 160, "%s/%s", f->dir, name);
}

static inline void
fixture_fini(struct fixture *f)
{
    static const char *const names[] = {"chatbox.db", "chatbox.db-wal",
                                        "chatbox.db-shm"};
    char path[160];

    for (size_t i = 0; i < 3; i++) {
        fixture_path(f, names[i], path);
        (void)unlink(path);
    }
    (void)rmdir(f->dir);
    assert_int_equal(rmdir(f->root), 0);
}

static inline void
fixture_open(struct fixture *f)
{
    enum err e =
        store_sqlite.open(&f->settings, &f->writer, f->why, sizeof(f->why));

    if (e != ERR_OK) {
        fail_msg("%s", f->why);
    }
    assert_int_equal(store_sqlite.open_reader(&f->settings, f->writer,
                                              &f->reader, f->why,
                                              sizeof(f->why)),
                     ERR_OK);
}

static inline void
fixture_close(struct fixture *f)
{
    store_sqlite.close(f->reader);
    store_sqlite.close(f->writer);
}

static inline int
fixture_setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    fixture_init(f);
    fixture_open(f);
    *state = f;
    return 0;
}

static inline int
fixture_teardown(void **state)
{
    struct fixture *f = *state;

    fixture_close(f);
    fixture_fini(f);
    xfree(f);
    return 0;
}

/* Ids that a reader of a failure can tell apart: 32 digits, 7 → "00…07". */
static inline void
id_of(unsigned n, char out[static RAND_ID_CHARS + 1])
{
    snprintf(out, RAND_ID_CHARS + 1, "%032x", n);
}

static inline struct store_job *
new_job(enum store_op op, unsigned session, const char *user)
{
    struct store_job *job = store_job_new(op, NULL, NULL, NULL);

    id_of(session, job->session.sid);
    id_of(session, job->message.sid);
    if (user != NULL) {
        job->user_id = xstrdup(user);
        job->session.user_id = xstrdup(user);
    }
    job->limit = 100;
    return job;
}

static inline void
set_content(struct message_record *m, const char *text)
{
    xfree(m->content);
    m->content = xstrdup(text);
    m->content_n = strlen(text);
}

/* A question of the user, ready to be appended. */
static inline struct store_job *
new_question(unsigned session, const char *user, unsigned id, const char *text)
{
    struct store_job *job = new_job(STORE_MESSAGE_APPEND, session, user);

    job->session.model_id = xstrdup("demo");
    id_of(id, job->message.id);
    job->message.at_ms = T0 + (int64_t)id;
    job->message.type = xstrdup("user_message");
    set_content(&job->message, text);
    return job;
}

/* The answer (or its draft) to a question. */
static inline struct store_job *
new_answer(enum store_op op, unsigned session, unsigned id, unsigned question,
           const char *text)
{
    struct store_job *job = new_job(op, session, NULL);

    id_of(id, job->message.id);
    job->message.sender = SENDER_AI;
    job->message.at_ms = T0 + (int64_t)id;
    job->message.type = xstrdup("ai_response");
    job->message.reply_to = xmalloc(RAND_ID_CHARS + 1);
    id_of(question, job->message.reply_to);
    set_content(&job->message, text);
    return job;
}

/* A piece of the answer's text. */
static inline struct store_job *
new_piece(unsigned session, unsigned id, size_t offset, const char *text)
{
    struct store_job *job = new_answer(STORE_DRAFT_PUT, session, id, 11, text);

    job->draft_offset = offset;
    return job;
}

/* Does the job in a transaction of its own, as a worker would. */
static inline enum err
run(struct fixture *f, struct store_job *job)
{
    bool write = job->op >= STORE_SESSION_PUT;
    struct store_link *link = write ? f->writer : f->reader;

    if (write) {
        assert_int_equal(store_sqlite.begin(link), ERR_OK);
    }
    job->result = store_sqlite.ops[job->op](link, job);
    if (write) {
        assert_int_equal(store_sqlite.commit(link), ERR_OK);
    }
    return job->result;
}

/* The same, for jobs whose answer is of no interest beyond the result. */
static inline enum err
run_free(struct fixture *f, struct store_job *job)
{
    enum err e = run(f, job);

    store_job_free(job);
    return e;
}

static inline void
ask(struct fixture *f, unsigned session, const char *user, unsigned id)
{
    assert_int_equal(run_free(f, new_question(session, user, id, "hello")),
                     ERR_OK);
}

/* The message by id, or a result that says why not. */
static inline struct store_job *
find(struct fixture *f, unsigned session, unsigned id)
{
    struct store_job *job = new_job(STORE_MESSAGE_FIND, session, NULL);

    id_of(id, job->message.id);
    (void)run(f, job);
    return job;
}

/* Changes by hand, on the writer's connection. */
static inline void
by_hand(struct fixture *f, const char *sql)
{
    assert_int_equal(
        sqlite3_exec(store_sqlite_of(f->writer)->db, sql, NULL, NULL, NULL),
        SQLITE_OK);
}

/* A number that SQL answers, on a reader's connection. */
static inline int64_t
number(struct fixture *f, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int64_t value;

    assert_int_equal(sqlite3_prepare_v2(store_sqlite_of(f->reader)->db, sql, -1,
                                        &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return value;
}

#define TEST(fn)                                                               \
    cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

#endif
