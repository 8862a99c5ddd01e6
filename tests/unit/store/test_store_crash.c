/* SPDX-License-Identifier: MIT */
/* A process that is killed while it writes: what it acknowledged is there. */
#include "fixture.h"
#include "loop/shard.h"
#include "store/store.h"

#include <signal.h>
#include <sys/wait.h>

/* The child writes questions and drafts as fast as it can and reports each
 * number that was acknowledged, until it is killed. */
struct report {
    unsigned session;
    unsigned id;
    int64_t seq;
};

struct writer {
    struct shard shard;
    struct store *store;
    int report_fd;
    unsigned next_id;
};

static void
on_child_done(struct store_job *job)
{
    struct writer *w = job->cookie;
    struct report r = {0, 0, job->message.seq};

    r.session = (unsigned)strtoul(job->message.sid, NULL, 16);
    r.id = (unsigned)strtoul(job->message.id, NULL, 16);
    if (job->result == ERR_OK && job->op == STORE_MESSAGE_APPEND) {
        (void)!write(w->report_fd, &r, sizeof(r));
    }
    store_job_free(job);
    job = new_question(r.session, "ann", w->next_id++, "hello");
    job->home = &w->shard;
    job->done = on_child_done;
    job->cookie = w;
    store_submit(w->store, job);
}

static void
submit_piece(struct writer *w, unsigned session, size_t offset,
             const char *text)
{
    struct store_job *job =
        new_piece(session, 0x10000000 + session, offset, text);

    job->home = &w->shard;
    job->done = store_job_free;
    store_submit(w->store, job);
}

static void
start_child_jobs(struct shard *s)
{
    struct writer *w = CONTAINER_OF(s, struct writer, shard);

    for (unsigned i = 0; i < 30; i++) {
        struct store_job *job = new_question(i, "ann", w->next_id++, "hello");

        job->home = s;
        job->done = on_child_done;
        job->cookie = w;
        store_submit(w->store, job);
        submit_piece(w, i, 0, "cut");
        submit_piece(w, i, 3, " of");
    }
}

static void
child_main(const struct fixture *f, int report_fd)
{
    struct writer *w = xcalloc(1, sizeof(*w));
    char why[512];

    w->report_fd = report_fd;
    w->next_id = 1000;
    if (store_open(&f->settings, &w->store, why, sizeof(why)) != ERR_OK ||
        shard_init(&w->shard, 0) != ERR_OK) {
        _exit(1);
    }
    start_child_jobs(&w->shard);
    shard_run(&w->shard);
    _exit(1); /* not reached */
}

/* Kills the child after so many reports; all that it said afterwards still
 * counts. */
static size_t
run_and_kill(const struct fixture *f, struct report *reports, size_t max)
{
    int fds[2], status;
    size_t count = 0;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        child_main(f, fds[1]);
    }
    close(fds[1]);
    while (count < max && read(fds[0], &reports[count], sizeof(*reports)) ==
                              sizeof(*reports)) {
        if (count++ == max / 2) {
            assert_int_equal(kill(pid, SIGKILL), 0);
        }
    }
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    return count;
}

static void
check_reports(struct fixture *f, const struct report *reports, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct store_job *job =
            new_job(STORE_MESSAGE_FIND, reports[i].session, "ann");

        id_of(reports[i].id, job->message.id);
        assert_int_equal(run(f, job), ERR_OK);
        assert_int_equal(job->message.seq, reports[i].seq);
        store_job_free(job);
    }
}

static void
what_was_acknowledged_survives_kill_9(void **state)
{
    enum { MOST = 20000 };
    struct report *reports = xcalloc(MOST, sizeof(*reports));
    struct fixture f;
    size_t count;

    (void)state;
    fixture_init(&f);
    count = run_and_kill(&f, reports, MOST);
    assert_true(count > MOST / 2);
    fixture_open(&f);
    check_reports(&f, reports, count);
    /* No number is missing or there twice, and no draft is left. */
    assert_int_equal(number(&f, "SELECT count(*) FROM sessions"), 30);
    assert_int_equal(
        number(&f, "SELECT count(*) FROM sessions WHERE seq!=(SELECT count(*)"
                   " FROM messages WHERE sid=sessions._id)"),
        0);
    assert_int_equal(
        number(&f, "SELECT count(*) FROM sessions WHERE seq!=(SELECT max(seq)"
                   " FROM messages WHERE sid=sessions._id)"),
        0);
    assert_int_equal(number(&f, "SELECT count(*) FROM messages"
                                " WHERE status='interrupted' AND"
                                " content='cut of'"),
                     30);
    assert_int_equal(number(&f, "SELECT count(*) FROM messages"
                                " WHERE status='streaming' OR seq IS NULL"),
                     0);
    fixture_close(&f);
    fixture_fini(&f);
    xfree(reports);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_acknowledged_survives_kill_9),
    };

    return cmocka_run_group_tests_name("store/store_crash", tests, NULL, NULL);
}
