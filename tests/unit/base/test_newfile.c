/* SPDX-License-Identifier: MIT */
#include "base/newfile.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    char dir[64];
    char path[80];
    char partial[96];
    char why[256];
};

static int
setup(void **state)
{
    static struct place p;

    snprintf(p.dir, sizeof(p.dir), "/tmp/chatbox-newfile-XXXXXX");
    assert_non_null(mkdtemp(p.dir));
    snprintf(p.path, sizeof(p.path), "%s/file", p.dir);
    snprintf(p.partial, sizeof(p.partial), "%s.partial", p.path);
    *state = &p;
    return 0;
}

static int
teardown(void **state)
{
    struct place *p = *state;

    (void)unlink(p->path);
    (void)unlink(p->partial);
    return rmdir(p->dir);
}

static void
put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

/* What stands under the name; "-" when nothing does. */
static const char *
at(const char *path)
{
    static char text[64];
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    if (n < 0) {
        return "-";
    }
    text[n] = '\0';
    close(fd);
    return text;
}

static struct newfile
begin(struct place *p, const char *text)
{
    struct newfile f;

    assert_int_equal(newfile_open(&f, p->path, p->why, sizeof(p->why)), ERR_OK);
    assert_int_equal(write(f.fd, text, strlen(text)), (ssize_t)strlen(text));
    return f;
}

static void
it_has_its_name_only_when_it_is_published(void **state)
{
    struct place *p = *state;
    struct newfile f = begin(p, "whole");
    struct stat st;

    assert_string_equal(at(p->path), "-");
    assert_string_equal(at(p->partial), "whole");
    assert_int_equal(newfile_publish(&f, false, p->why, sizeof(p->why)),
                     ERR_OK);
    newfile_end(&f);
    newfile_end(&f);
    assert_string_equal(at(p->path), "whole");
    assert_string_equal(at(p->partial), "-");
    assert_int_equal(stat(p->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void
what_is_not_published_is_removed(void **state)
{
    struct place *p = *state;
    struct newfile f = begin(p, "half");

    newfile_end(&f);
    assert_string_equal(at(p->path), "-");
    assert_string_equal(at(p->partial), "-");
}

static void
only_replace_takes_a_name_that_is_taken(void **state)
{
    struct place *p = *state;
    struct newfile f = begin(p, "new");

    put(p->path, "old");
    assert_int_equal(newfile_publish(&f, false, p->why, sizeof(p->why)),
                     ERR_CONFLICT);
    assert_non_null(strstr(p->why, "is there already"));
    assert_string_equal(at(p->path), "old");
    assert_int_equal(newfile_publish(&f, true, p->why, sizeof(p->why)), ERR_OK);
    newfile_end(&f);
    assert_string_equal(at(p->path), "new");
}

static void
what_a_kill_has_left_is_taken_and_emptied(void **state)
{
    struct place *p = *state;
    struct newfile f;

    put(p->partial, "left");
    f = begin(p, "new");
    assert_string_equal(at(p->partial), "new");
    newfile_end(&f);
}

static void
two_do_not_write_the_same_file(void **state)
{
    struct place *p = *state;
    struct newfile f = begin(p, "first"), second;

    assert_int_equal(newfile_open(&second, p->path, p->why, sizeof(p->why)),
                     ERR_CONFLICT);
    assert_non_null(strstr(p->why, "another process"));
    assert_string_equal(at(p->partial), "first");
    newfile_end(&f);
}

static void
a_partial_that_may_be_somebody_elses_is_refused(void **state)
{
    struct place *p = *state;
    char other[96];
    struct newfile f;

    snprintf(other, sizeof(other), "%s/other", p->dir);
    put(other, "kept");
    assert_int_equal(symlink(other, p->partial), 0);
    assert_int_equal(newfile_open(&f, p->path, p->why, sizeof(p->why)), ERR_IO);
    assert_int_equal(unlink(p->partial), 0);
    assert_int_equal(link(other, p->partial), 0);
    assert_int_equal(newfile_open(&f, p->path, p->why, sizeof(p->why)),
                     ERR_CONFLICT);
    assert_non_null(strstr(p->why, "somebody else's"));
    assert_string_equal(at(other), "kept");
    assert_int_equal(unlink(other), 0);
}

static void
what_cannot_be_made_is_told_with_its_reason(void **state)
{
    struct place *p = *state;
    char path[128], *longest = test_malloc(5000);
    struct newfile f;

    snprintf(path, sizeof(path), "%s/none/file", p->dir);
    assert_int_equal(newfile_open(&f, path, p->why, sizeof(p->why)), ERR_IO);
    assert_non_null(strstr(p->why, "No such file"));
    memset(longest, 'x', 4999);
    longest[4999] = '\0';
    assert_int_equal(newfile_open(&f, longest, p->why, sizeof(p->why)), ERR_IO);
    test_free(longest);
    assert_int_equal(newfile_sync_folder(path), ERR_IO);
    assert_int_equal(newfile_sync_folder(p->path), ERR_OK);
    assert_int_equal(newfile_sync_folder("/x"), ERR_OK);
    assert_int_equal(newfile_sync_folder("x"), ERR_OK);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_has_its_name_only_when_it_is_published),
        TEST(what_is_not_published_is_removed),
        TEST(only_replace_takes_a_name_that_is_taken),
        TEST(what_a_kill_has_left_is_taken_and_emptied),
        TEST(two_do_not_write_the_same_file),
        TEST(a_partial_that_may_be_somebody_elses_is_refused),
        TEST(what_cannot_be_made_is_told_with_its_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
