/* SPDX-License-Identifier: MIT */
/* The kind that is a folder; S3's needs a server (tests/e2e/s3). */
#include "upload/shelf.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY STR("0123456789abcdef")

struct place {
    char dir[64];
    char folder[80];
    char why[SHELF_WHY_BYTES];
    struct shelf shelf;
};

static int
setup(void **state)
{
    static struct place p;
    bool away = true;

    snprintf(p.dir, sizeof(p.dir), "/tmp/chatbox-shelf-XXXXXX");
    assert_non_null(mkdtemp(p.dir));
    snprintf(p.folder, sizeof(p.folder), "%s/uploads", p.dir);
    shelf_init(&p.shelf, p.folder, NULL);
    assert_int_equal(shelf_open(&p.shelf, &away, p.why, sizeof(p.why)), ERR_OK);
    assert_false(away);
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

static void
put(struct place *p, const char *user, struct shelf_file *out)
{
    char id[FILE_ID_CHARS + 1];
    struct newfile f;

    file_id_make(KEY, 2, str_from(user), id);
    shelf_file_init(out, str_from(id));
    assert_int_equal(shelf_create(&p->shelf, str_from(id), &f, p->why), ERR_OK);
    assert_int_equal(shelf_write(&f, STR("he"), p->why), ERR_OK);
    assert_int_equal(shelf_write(&f, STR("llo"), p->why), ERR_OK);
    assert_int_equal(shelf_publish(&p->shelf, str_from(id), &f, p->why),
                     ERR_OK);
    newfile_end(&f);
}

static void
a_file_is_there_until_it_is_removed(void **state)
{
    struct place *p = *state;
    struct shelf_file f;
    char out[4] = "";

    put(p, "u", &f);
    assert_string_equal(shelf_kind_name(&p->shelf), "local");
    assert_int_equal(shelf_file_open(&p->shelf, &f), ERR_OK);
    assert_int_equal(f.size, 5);
    assert_int_equal(shelf_file_read(&p->shelf, &f, 2, out, 3), ERR_OK);
    assert_string_equal(out, "llo");
    assert_int_equal(shelf_file_read(&p->shelf, &f, 3, out, 3), ERR_IO);
    assert_string_equal(f.why, strerror(ENODATA));
    shelf_file_close(&f);
    assert_int_equal(shelf_remove(&p->shelf, str_from(f.id), p->why), ERR_OK);
    assert_int_equal(shelf_remove(&p->shelf, str_from(f.id), p->why), ERR_OK);
    assert_int_equal(shelf_file_open(&p->shelf, &f), ERR_NOT_FOUND);
    shelf_file_close(&f);
}

static void
what_a_user_has_is_found_and_erased(void **state)
{
    struct place *p = *state;
    struct shelf_search s = {.key = KEY, .user_id = STR("u")};
    struct shelf_file one, two, other;

    put(p, "u", &one);
    put(p, "u", &two);
    put(p, "other", &other);
    assert_int_equal(shelf_of_user(&p->shelf, &s, p->why), ERR_OK);
    assert_int_equal(s.files, 2);
    assert_int_equal(s.bytes, 10);
    s.erase = true;
    assert_int_equal(shelf_of_user(&p->shelf, &s, p->why), ERR_OK);
    assert_int_equal(s.files, 2);
    assert_int_equal(shelf_file_open(&p->shelf, &one), ERR_NOT_FOUND);
    assert_int_equal(shelf_file_open(&p->shelf, &other), ERR_OK);
    shelf_file_close(&other);
}

static void
what_cannot_be_written_says_why(void **state)
{
    struct place *p = *state;
    char id[FILE_ID_CHARS + 1];
    struct newfile f;

    file_id_make(KEY, 2, STR("u"), id);
    assert_int_equal(rmdir(p->folder), 0);
    assert_int_equal(shelf_create(&p->shelf, str_from(id), &f, p->why), ERR_IO);
    assert_string_equal(p->why, strerror(ENOENT));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_there_until_it_is_removed,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_user_has_is_found_and_erased,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_says_why, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
