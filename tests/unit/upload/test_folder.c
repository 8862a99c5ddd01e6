/* SPDX-License-Identifier: MIT */
#include "upload/folder.h"

#include "upload/file_id.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY STR("0123456789abcdef")

struct place {
    char dir[64];
    char folder[80];
    char why[256];
};

static int
setup(void **state)
{
    static struct place p;

    snprintf(p.dir, sizeof(p.dir), "/tmp/chatbox-folder-XXXXXX");
    assert_non_null(mkdtemp(p.dir));
    snprintf(p.folder, sizeof(p.folder), "%s/uploads", p.dir);
    assert_int_equal(folder_init(p.folder, p.why, sizeof(p.why)), ERR_OK);
    *state = &p;
    return 0;
}

static int
drop(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int
teardown(void **state)
{
    struct place *p = *state;

    return nftw(p->dir, drop, 8, FTW_DEPTH | FTW_PHYS);
}

/* A file of this user, made and published. */
static void
put(struct place *p, const char *user, struct str bytes,
    char id[static FILE_ID_CHARS + 1])
{
    struct newfile f;

    file_id_make(KEY, 2, str_from(user), id);
    assert_int_equal(
        folder_create(p->folder, str_from(id), &f, p->why, sizeof(p->why)),
        ERR_OK);
    assert_int_equal(newfile_write(f.fd, bytes), ERR_OK);
    assert_int_equal(newfile_publish(&f, false, p->why, sizeof(p->why)),
                     ERR_OK);
    newfile_end(&f);
}

static void
a_file_is_read_as_it_was_written(void **state)
{
    struct place *p = *state;
    char id[FILE_ID_CHARS + 1], out[16] = "";
    uint64_t size;
    int fd;

    put(p, "ann", STR("some bytes"), id);
    assert_int_equal(folder_open(p->folder, str_from(id), &fd, &size), ERR_OK);
    assert_int_equal(size, 10);
    assert_int_equal(folder_read(fd, 5, out, 5), ERR_OK);
    assert_string_equal(out, "bytes");
    assert_int_equal(folder_read(fd, 5, out, 6), ERR_IO);
    close(fd);
    assert_int_equal(folder_remove(p->folder, str_from(id)), ERR_OK);
    assert_int_equal(folder_remove(p->folder, str_from(id)), ERR_OK);
    assert_int_equal(folder_open(p->folder, str_from(id), &fd, &size),
                     ERR_NOT_FOUND);
}

/* Nothing under the name, and a start takes it away. */
static void
what_was_cut_goes_at_the_next_start(void **state)
{
    struct place *p = *state;
    char id[FILE_ID_CHARS + 1], kept[FILE_ID_CHARS + 1];
    struct newfile f;
    struct stat st;
    uint64_t size;
    char *partial;
    int fd;

    put(p, "ann", STR("whole"), kept);
    file_id_make(KEY, 2, STR("ann"), id);
    assert_int_equal(
        folder_create(p->folder, str_from(id), &f, p->why, sizeof(p->why)),
        ERR_OK);
    assert_int_equal(newfile_write(f.fd, STR("half")), ERR_OK);
    assert_int_equal(folder_open(p->folder, str_from(id), &fd, &size),
                     ERR_NOT_FOUND);
    partial = strdup(f.partial);
    assert_int_equal(stat(partial, &st), 0);
    assert_int_equal(folder_init(p->folder, p->why, sizeof(p->why)), ERR_OK);
    assert_int_equal(stat(partial, &st), -1);
    assert_int_equal(folder_open(p->folder, str_from(kept), &fd, &size),
                     ERR_OK);
    close(fd);
    free(partial);
    newfile_end(&f);
}

static void
links_out_of_the_folder_are_not_followed(void **state)
{
    struct place *p = *state;
    char id[FILE_ID_CHARS + 1], path[256];
    uint64_t size;
    int fd;

    file_id_make(KEY, 2, STR("ann"), id);
    snprintf(path, sizeof(path), "%s/%s", p->folder, id);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(folder_open(p->folder, str_from(id), &fd, &size), ERR_IO);
}

/* Also where a second name leads to the same bytes. */
static void
a_user_is_erased_and_nobody_else(void **state)
{
    struct place *p = *state;
    char a[FILE_ID_CHARS + 1], b[FILE_ID_CHARS + 1], c[FILE_ID_CHARS + 1];
    char path[256], other[256], text[8] = "";
    struct folder_sum sum;
    uint64_t size;
    int fd;

    put(p, "ann", STR("first"), a);
    put(p, "ann", STR("second"), b);
    put(p, "bob", STR("third"), c);
    snprintf(path, sizeof(path), "%s/%s", p->folder, a);
    snprintf(other, sizeof(other), "%s/other", p->dir);
    assert_int_equal(link(path, other), 0);
    assert_int_equal(folder_of_user(p->folder, KEY, STR("ann"), false, &sum),
                     ERR_OK);
    assert_int_equal(sum.files, 2);
    assert_int_equal(sum.bytes, 11);
    assert_int_equal(folder_open(p->folder, str_from(a), &fd, &size), ERR_OK);
    close(fd);
    assert_int_equal(folder_of_user(p->folder, KEY, STR("ann"), true, &sum),
                     ERR_OK);
    assert_int_equal(sum.files, 2);
    assert_int_equal(folder_open(p->folder, str_from(a), &fd, &size),
                     ERR_NOT_FOUND);
    assert_int_equal(folder_open(p->folder, str_from(b), &fd, &size),
                     ERR_NOT_FOUND);
    assert_int_equal(folder_open(p->folder, str_from(c), &fd, &size), ERR_OK);
    close(fd);
    fd = open(other, O_RDONLY);
    assert_int_equal(read(fd, text, sizeof(text)), 5);
    assert_memory_equal(text, "\0\0\0\0\0", 5);
    close(fd);
    assert_int_equal(folder_of_user(p->folder, KEY, STR("ann"), true, &sum),
                     ERR_OK);
    assert_int_equal(sum.files, 0);
}

static void
a_folder_that_is_not_there_has_nothing(void **state)
{
    struct place *p = *state;
    struct folder_sum sum;
    char path[256];

    snprintf(path, sizeof(path), "%s/none", p->dir);
    assert_int_equal(folder_of_user(path, KEY, STR("ann"), true, &sum), ERR_OK);
    assert_int_equal(sum.files, 0);
    snprintf(path, sizeof(path), "%s/none/deeper", p->dir);
    assert_int_equal(folder_init(path, p->why, sizeof(p->why)), ERR_IO);
    assert_non_null(strstr(p->why, path));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(a_file_is_read_as_it_was_written),
        TEST(what_was_cut_goes_at_the_next_start),
        TEST(links_out_of_the_folder_are_not_followed),
        TEST(a_user_is_erased_and_nobody_else),
        TEST(a_folder_that_is_not_there_has_nothing),
#undef TEST
    };

    return cmocka_run_group_tests_name("upload/folder", tests, NULL, NULL);
}
