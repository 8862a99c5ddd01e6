/* SPDX-License-Identifier: MIT */
/* The workers with a played database that takes jobs one by one: those whose
 * outcome it does not know stay open. */
#include "played.h"

#include "base/clock.h"

/* Jobs one by one; those on sessions that are called "open" stay open as long
 * as fail is not 0. */
static enum err
fake_write(struct store_link *link, struct store_job *chain)
{
    struct fake *f = fake_of(link);
    enum err worst = ERR_OK;

    for (; chain != NULL; chain = store_worker_next(chain)) {
        int n = atomic_fetch_add(&f->done, 1);
        bool open = atomic_load(&f->fail) != 0 &&
                    strcmp(chain->session.sid, "open") == 0;

        f->order[n % (int)sizeof(f->order)] = *(const char *)chain->cookie;
        chain->result = open ? ERR_AGAIN : ERR_OK;
        worst = open ? ERR_DATABASE_ERROR : worst;
    }
    return worst;
}

static const struct store_backend one_by_one = {
    .kind = "one by one",
    .group_max = 4,
    .write = fake_write,
    .probe = fake_probe,
    .tend = fake_tend,
    .fault = fake_fault,
    .watch_ms = 1,
};

static void
push_open_since(struct house *h, const char *letter, uint64_t open_ms)
{
    struct store_job *job = store_job_new(STORE_MESSAGE_APPEND, &h->shard,
                                          on_done, (void *)(uintptr_t)letter);

    memcpy(job->session.sid, "open", sizeof("open"));
    memcpy(job->message.id, "id-of-", sizeof("id-of-"));
    job->message.id[6] = *letter;
    job->open_ms = open_ms;
    assert_true(store_worker_push(&h->inbox, job));
}

static void
push_open(struct house *h, const char *letter)
{
    push_open_since(h, letter, 0);
}

static void
what_is_open_comes_again_in_front_until_it_is_known(void **state)
{
    struct house *h = *state;

    h->fake.link.backend = &one_by_one;
    atomic_store(&h->fake.fail, 1);
    push_open(h, "a");
    push_open(h, "b");
    push(h, "c");
    start_writer(h);
    expect(h, 'c', ERR_OK);
    assert_false(answer_waits(h));
    assert_false(atomic_load(&h->health.ok));
    push(h, "d");
    expect(h, 'd', ERR_OK);
    assert_memory_equal(h->fake.order, "abcabd", 6);
    assert_false(answer_waits(h));
    atomic_store(&h->fake.fail, 0);
    expect(h, 'a', ERR_OK); /* by itself */
    expect(h, 'b', ERR_OK);
    assert_true(atomic_load(&h->health.ok));
}

/* Else a database of whose answers nothing is known would have the writer
 * gather more and more. */
static void
what_is_open_fills_the_queue(void **state)
{
    struct house *h = *state;

    h->fake.link.backend = &one_by_one;
    atomic_store(&h->fake.fail, 1);
    for (int i = 0; i < 6; i++) {
        push_open(h, &"abcdef"[i]);
    }
    start_writer(h);
    while (atomic_load(&h->fake.done) < 4 + 6 + 1) { /* the third round */
        usleep(1000);
    }
    push_as(h, STORE_MESSAGE_APPEND, "x", false);
    atomic_store(&h->fake.fail, 0);
    for (int i = 0; i < 6; i++) {
        expect(h, "abcdef"[i], ERR_OK);
    }
    push(h, "g"); /* there is room again */
    expect(h, 'g', ERR_OK);
}

/* What has been logged since standard error was led into the pipe, which ends
 * here. */
static void
end_log(int log[2], int saved, char *text, size_t size)
{
    ssize_t n = read(log[0], text, size - 1);

    text[n < 0 ? 0 : n] = '\0';
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(log[0]);
    close(log[1]);
}

/* And the log names it. */
static void
what_stays_open_too_long_is_told_as_an_error(void **state)
{
    struct house *h = *state;
    int log[2], saved = dup(STDERR_FILENO);
    char text[8192];

    assert_int_equal(pipe(log), 0);
    dup2(log[1], STDERR_FILENO);
    h->fake.link.backend = &one_by_one;
    atomic_store(&h->fake.fail, 1);
    push_open(h, "a");
    push_open_since(h, "b", clock_mono_ms() - STORE_OPEN_MS);
    start_writer(h);
    expect(h, 'b', ERR_DATABASE_ERROR);
    end_log(log, saved, text, sizeof(text));
    assert_non_null(strstr(text, "\"message_id\":\"id-of-b\""));
    assert_null(strstr(text, "id-of-a"));
    assert_false(answer_waits(h));
    atomic_store(&h->fake.fail, 0);
    expect(h, 'a', ERR_OK);
}

static void
an_end_leaves_nobody_without_an_answer(void **state)
{
    struct house *h = *state;

    h->fake.link.backend = &one_by_one;
    atomic_store(&h->fake.fail, 1);
    push_open(h, "a");
    push(h, "b");
    start_writer(h);
    expect(h, 'b', ERR_OK);
    store_worker_inbox_close(&h->inbox);
    expect(h, 'a', ERR_DATABASE_ERROR);
}

static void
a_reader_that_watches_sees_it_fail_without_a_job(void **state)
{
    struct house *h = *state;

    h->fake.link.backend = &one_by_one;
    h->worker.watches = true;
    atomic_store(&h->fake.fail, 1);
    assert_int_equal(store_worker_start_reader(&h->worker), ERR_OK);
    while (atomic_load(&h->health.ok)) {
        usleep(1000);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_open_comes_again_in_front_until_it_is_known),
        TEST(what_is_open_fills_the_queue),
        TEST(what_stays_open_too_long_is_told_as_an_error),
        TEST(an_end_leaves_nobody_without_an_answer),
        TEST(a_reader_that_watches_sees_it_fail_without_a_job),
    };

    return cmocka_run_group_tests_name("store/store_worker_open", tests, NULL,
                                       NULL);
}
