/* SPDX-License-Identifier: MIT */
#include "store/store_sqlite_folder.h"

#include "fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

#define DB STORE_SQLITE_FILE
#define NEW STORE_SQLITE_RESTORED
#define OLD STORE_SQLITE_BEFORE

/* A folder with files whose content says what they are. */
struct folder {
    struct fixture f;
    int fd;
};

static int
setup(void **state)
{
    struct folder *d = xcalloc(1, sizeof(*d));

    fixture_init(&d->f);
    assert_int_equal(
        store_sqlite_folder_lock(d->f.dir, &d->fd, d->f.why, sizeof(d->f.why)),
        ERR_OK);
    *state = d;
    return 0;
}

static void
empty(struct folder *d)
{
    DIR *dir = opendir(d->f.dir);
    const struct dirent *e;

    assert_non_null(dir);
    while ((e = readdir(dir)) != NULL) {
        (void)unlinkat(d->fd, e->d_name, 0);
    }
    closedir(dir);
}

static int
teardown(void **state)
{
    struct folder *d = *state;

    empty(d);
    close(d->fd);
    fixture_fini(&d->f);
    xfree(d);
    return 0;
}

static void
put(struct folder *d, const char *name, const char *text)
{
    int fd = openat(d->fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void
expect(struct folder *d, const char *name, const char *text)
{
    char found[16] = "";
    int fd = openat(d->fd, name, O_RDONLY);

    if (text == NULL) {
        assert_int_equal(fd, -1);
        return;
    }
    assert_true(fd >= 0);
    assert_int_equal(read(fd, found, sizeof(found) - 1), (ssize_t)strlen(text));
    assert_string_equal(found, text);
    close(fd);
}

static void
settle(struct folder *d)
{
    if (store_sqlite_folder_settle(d->f.dir, d->fd, d->f.why,
                                   sizeof(d->f.why)) != ERR_OK) {
        fail_msg("%s", d->f.why);
    }
}

static void
without_a_restore_nothing_moves(void **state)
{
    struct folder *d = *state;

    put(d, DB, "old");
    put(d, DB "-wal", "log");
    put(d, OLD, "older");
    settle(d);
    expect(d, DB, "old");
    expect(d, DB "-wal", "log");
    expect(d, OLD, "older");
}

static void
half_of_a_restored_database_is_removed(void **state)
{
    struct folder *d = *state;

    put(d, DB, "old");
    put(d, NEW ".partial", "half");
    put(d, NEW ".partial-journal", "half");
    settle(d);
    expect(d, DB, "old");
    expect(d, NEW ".partial", NULL);
    expect(d, NEW ".partial-journal", NULL);
}

/* Every state that a kill can leave behind the decision, in order: what stands
 * there, and what an earlier restore had set aside. */
static void
from_every_step_the_new_one_takes_its_place(void **state)
{
    static const struct {
        const char *db, *log, *before, *before_log;
    } steps[] = {
        {"old", "log", "older", "older-log"}, /* just decided */
        {"old", "log", "older", NULL},
        {NULL, "log", "old", NULL},
        {NULL, NULL, "old", "log"},
    };
    struct folder *d = *state;

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        empty(d);
        put(d, NEW, "new");
        put(d, DB "-shm", "shared");
        if (steps[i].db != NULL) {
            put(d, DB, steps[i].db);
        }
        if (steps[i].log != NULL) {
            put(d, DB "-wal", steps[i].log);
        }
        put(d, OLD, steps[i].before);
        if (steps[i].before_log != NULL) {
            put(d, OLD "-wal", steps[i].before_log);
        }
        settle(d);
        expect(d, DB, "new");
        expect(d, DB "-wal", NULL);
        expect(d, DB "-shm", NULL);
        expect(d, NEW, NULL);
        expect(d, OLD, "old");
        expect(d, OLD "-wal", "log");
    }
}

static void
an_old_one_without_a_log_gets_nobody_elses(void **state)
{
    struct folder *d = *state;

    put(d, NEW, "new");
    put(d, DB, "old");
    put(d, OLD, "older");
    put(d, OLD "-wal", "older-log");
    put(d, OLD "-journal", "older-journal");
    settle(d);
    expect(d, OLD, "old");
    expect(d, OLD "-wal", NULL);
    expect(d, OLD "-journal", NULL);
}

static void
an_empty_folder_gets_the_new_one(void **state)
{
    struct folder *d = *state;

    put(d, NEW, "new");
    settle(d);
    expect(d, DB, "new");
    expect(d, OLD, NULL);
}

static void
a_second_process_does_not_get_the_folder(void **state)
{
    struct folder *d = *state;
    int fd;

    assert_int_equal(
        store_sqlite_folder_lock(d->f.dir, &fd, d->f.why, sizeof(d->f.why)),
        ERR_CONFLICT);
    assert_non_null(strstr(d->f.why, "another process uses it"));
}

static void
a_path_that_is_too_long_is_told(void **state)
{
    struct folder *d = *state;
    char path[STORE_SQLITE_PATH_BYTES], dir[STORE_SQLITE_PATH_BYTES];

    memset(dir, 'd', sizeof(dir) - 1);
    dir[sizeof(dir) - 1] = '\0';
    assert_int_equal(
        store_sqlite_folder_path(dir, DB, path, d->f.why, sizeof(d->f.why)),
        ERR_DATABASE_ERROR);
    assert_false(store_sqlite_folder_has(dir, DB));
    assert_false(store_sqlite_folder_has(d->f.dir, DB));
    put(d, DB, "");
    assert_true(store_sqlite_folder_has(d->f.dir, DB));
}

static void
the_file_is_its_owners_alone(void **state)
{
    struct folder *d = *state;
    char path[160];
    struct stat st;

    fixture_path(&d->f, DB, path);
    assert_int_equal(store_sqlite_folder_make(path, d->f.why, sizeof(d->f.why)),
                     ERR_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(store_sqlite_folder_make("/no/such/folder/x", d->f.why,
                                              sizeof(d->f.why)),
                     ERR_DATABASE_ERROR);
}

#define FOLDER_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(without_a_restore_nothing_moves),
        FOLDER_TEST(half_of_a_restored_database_is_removed),
        FOLDER_TEST(from_every_step_the_new_one_takes_its_place),
        FOLDER_TEST(an_old_one_without_a_log_gets_nobody_elses),
        FOLDER_TEST(an_empty_folder_gets_the_new_one),
        FOLDER_TEST(a_second_process_does_not_get_the_folder),
        FOLDER_TEST(a_path_that_is_too_long_is_told),
        FOLDER_TEST(the_file_is_its_owners_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
