/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned
mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

static void
folder_and_files_are_the_owners_only(void **state)
{
    static const char *const names[] = {"chatbox.db", "chatbox.db-wal",
                                        "chatbox.db-shm"};
    struct fixture *f = *state;
    char path[160];

    ask(f, 1, "ann", 11);
    assert_int_equal(mode_of(f->dir), 0700);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        fixture_path(f, names[i], path);
        assert_int_equal(mode_of(path), 0600);
    }
}

static void
expect_refused(struct fixture *f, const char *part)
{
    struct store_link *link = NULL;

    assert_int_not_equal(
        store_sqlite.open(&f->settings, &link, f->why, sizeof(f->why)), ERR_OK);
    if (strstr(f->why, part) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", f->why, part);
    }
}

static void
a_second_process_is_refused(void **state)
{
    expect_refused(*state, "another process uses it");
}

static void
a_folder_that_cannot_be_made_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[160], *longest = xmalloc(5001);

    f->settings.data_dir = "/proc/none/data";
    expect_refused(f, "/proc/none/data cannot be used");
    fixture_path(f, "chatbox.db", path);
    f->settings.data_dir = path;
    expect_refused(f, "cannot be used");
    memset(longest, 'x', 5000);
    longest[5000] = '\0';
    f->settings.data_dir = longest;
    expect_refused(f, "too long");
    f->settings.data_dir = f->dir;
    xfree(longest);
}

static void
a_file_that_is_no_database_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[160];
    FILE *file;

    fixture_close(f);
    fixture_path(f, "chatbox.db", path);
    file = fopen(path, "w");
    for (int i = 0; i < 2000; i++) {
        fputs("This is not a database. ", file);
    }
    fclose(file);
    expect_refused(f, "file is not a database");
    assert_int_equal(unlink(path), 0);
    fixture_open(f);
}

static void
close_leaves_one_file_with_everything(void **state)
{
    struct fixture *f = *state;
    char path[160];

    ask(f, 1, "ann", 11);
    fixture_close(f);
    fixture_path(f, "chatbox.db-wal", path);
    assert_int_equal(access(path, F_OK), -1);
    fixture_open(f);
    assert_int_equal(number(f, "SELECT count(*) FROM messages"), 1);
}

/* A page limit stands for a full disk. */
static void
limit_pages(struct fixture *f, int pages)
{
    char sql[64];

    snprintf(sql, sizeof(sql), "PRAGMA max_page_count=%d", pages);
    assert_int_equal(
        sqlite3_exec(store_sqlite_of(f->writer)->db, sql, NULL, NULL, NULL),
        SQLITE_OK);
}

static void
a_full_disk_loses_the_group_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    char *big = xmalloc(500001);
    struct store_job *small, *large;

    memset(big, 'x', 500000);
    big[500000] = '\0';
    ask(f, 1, "ann", 11);
    limit_pages(f, 1); /* SQLite takes the present size instead */
    small = new_question(1, "ann", 12, "small");
    large = new_question(1, "ann", 13, big);
    assert_int_equal(store_sqlite.begin(f->writer), ERR_OK);
    assert_int_equal(store_sqlite.ops[small->op](f->writer, small), ERR_OK);
    assert_int_equal(store_sqlite.ops[large->op](f->writer, large),
                     ERR_DATABASE_ERROR);
    store_sqlite.rollback(f->writer);
    assert_string_equal(store_sqlite.fault(f->writer).name, "SQLITE_FULL");
    assert_int_equal(number(f, "SELECT count(*) FROM messages"), 1);
    assert_int_equal(number(f, "SELECT seq FROM sessions"), 1);
    store_job_free(small);
    store_job_free(large);

    limit_pages(f, 1000000); /* the cause goes away */
    assert_int_equal(store_sqlite.probe(f->writer), ERR_OK);
    assert_int_equal(run_free(f, new_question(1, "ann", 14, big)), ERR_OK);
    assert_int_equal(number(f, "SELECT seq FROM sessions"), 2);
    xfree(big);
}

/* From now on the process gets no descriptor; gives what the limit was. */
static struct rlimit
no_more_descriptors(void)
{
    struct rlimit old, tight;
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC);

    assert_true(next >= 0);
    assert_int_equal(close(next), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = (struct rlimit){(rlim_t)next, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    return old;
}

static void
a_reader_has_all_its_files_from_the_start(void **state)
{
    struct fixture *f = *state;
    struct rlimit old;
    enum err first;

    ask(f, 1, "ann", 11);
    old = no_more_descriptors();
    first = run_free(f, new_job(STORE_SESSION_GET, 1, "ann"));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(first, ERR_OK);
}

static void
a_rolled_back_group_never_happened(void **state)
{
    struct fixture *f = *state;
    struct store_job *job = new_question(1, "ann", 11, "hello");

    assert_int_equal(store_sqlite.begin(f->writer), ERR_OK);
    assert_int_equal(store_sqlite.ops[job->op](f->writer, job), ERR_OK);
    store_sqlite.rollback(f->writer);
    store_job_free(job);
    assert_int_equal(number(f, "SELECT count(*) FROM sessions"), 0);
    assert_int_equal(number(f, "SELECT count(*) FROM messages"), 0);
}

static void
a_refused_job_does_not_harm_its_neighbours(void **state)
{
    struct fixture *f = *state;
    struct store_job *jobs[] = {
        new_question(1, "ann", 11, "one"),
        new_question(1, "bob", 12, "not mine"),
        new_question(1, "ann", 11, "id taken"),
        new_answer(STORE_DRAFT_PUT, 7, 13, 1, "no session"),
        new_question(1, "ann", 14, "two"),
    };
    static const enum err expected[] = {ERR_OK, ERR_NOT_FOUND, ERR_CONFLICT,
                                        ERR_NOT_FOUND, ERR_OK};

    assert_int_equal(store_sqlite.begin(f->writer), ERR_OK);
    for (size_t i = 0; i < COUNT_OF(jobs); i++) {
        assert_int_equal(store_sqlite.ops[jobs[i]->op](f->writer, jobs[i]),
                         expected[i]);
        store_job_free(jobs[i]);
    }
    assert_int_equal(store_sqlite.commit(f->writer), ERR_OK);
    assert_int_equal(number(f, "SELECT count(*) FROM messages"), 2);
    assert_int_equal(number(f, "SELECT seq FROM sessions"), 2);
}

static void
the_log_is_copied_back_before_it_grows_large(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    char path[160], *big = xmalloc(1000001);

    memset(big, 'x', 1000000);
    big[1000000] = '\0';
    fixture_path(f, "chatbox.db-wal", path);
    for (unsigned i = 1; i <= 60; i++) { /* 60 MB */
        assert_int_equal(run_free(f, new_question(1, "ann", i, big)), ERR_OK);
        assert_int_equal(store_sqlite.tend(f->writer), -1);
        assert_int_equal(stat(path, &st), 0);
        assert_true(st.st_size < 20 << 20);
    }
    xfree(big);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(folder_and_files_are_the_owners_only),
        TEST(a_second_process_is_refused),
        TEST(a_folder_that_cannot_be_made_is_refused),
        TEST(a_file_that_is_no_database_is_refused),
        TEST(close_leaves_one_file_with_everything),
        TEST(a_full_disk_loses_the_group_and_nothing_else),
        TEST(a_reader_has_all_its_files_from_the_start),
        TEST(a_rolled_back_group_never_happened),
        TEST(a_refused_job_does_not_harm_its_neighbours),
        TEST(the_log_is_copied_back_before_it_grows_large),
    };

    return cmocka_run_group_tests_name("store/store_sqlite", tests, NULL, NULL);
}
