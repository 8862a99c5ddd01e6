/* SPDX-License-Identifier: MIT */
#include "store/store_sqlite_backup.h"

#include "keys.h"
#include "store/store_sqlite_folder.h"
#include "store/store_sqlite_schema.h"

#include <fcntl.h>
#include <sys/stat.h>

#define DB STORE_SQLITE_FILE
#define OLD STORE_SQLITE_BEFORE

static int
teardown(void **state)
{
    static const char *const names[] = {OLD, "../backup", "../backup.partial",
                                        "../other"};
    struct fixture *f = *state;
    char path[160];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        fixture_path(f, names[i], path);
        (void)unlink(path);
    }
    return keys_teardown(state);
}

static void
file_of(const struct fixture *f, char out[static 160])
{
    snprintf(out, 160, "%s/backup", f->root);
}

static enum err
back_up(struct fixture *f, bool replace, struct backup *b)
{
    char file[160];

    file_of(f, file);
    *b = (struct backup){.file = file, .replace = replace};
    return store_sqlite_backup_run(&f->settings, b, f->why, sizeof(f->why));
}

static enum err
restore(struct fixture *f, const char *name, bool replace, struct backup *b)
{
    char file[160];

    snprintf(file, sizeof(file), "%s/%s", f->root, name);
    *b = (struct backup){.file = file, .replace = replace};
    return store_sqlite_backup_restore(&f->settings, b, f->why, sizeof(f->why));
}

static bool
has(const struct fixture *f, const char *name)
{
    char path[160];

    fixture_path(f, name, path);
    return access(path, F_OK) == 0;
}

static void
say(struct fixture *f, unsigned session, unsigned id, const char *text)
{
    assert_int_equal(run_free(f, new_question(session, "ann", id, text)),
                     ERR_OK);
}

static void
a_backup_beside_a_writer_comes_back_with_every_message(void **state)
{
    struct fixture *f = *state;
    struct backup b;
    struct stat st;
    char file[160], out[200];

    say(f, 1, 11, "first");
    say(f, 2, 12, "second");
    assert_int_equal(back_up(f, false, &b), ERR_OK);
    assert_int_equal(b.sessions, 2);
    assert_int_equal(b.messages, 2);
    assert_int_equal(b.version, store_sqlite_schema_version);
    file_of(f, file);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, b.bytes);
    say(f, 3, 13, "behind the backup");
    close_with(f);
    f->settings.keys = ring_of("a");
    assert_int_equal(restore(f, "backup", true, &b), ERR_OK);
    assert_true(b.kept && has(f, OLD));
    assert_int_equal(b.messages, 2);
    fixture_open(f);
    assert_string_equal(seen(f, 1, 11, out), "first");
    assert_string_equal(seen(f, 2, 12, out), "second");
    assert_int_equal(number(f, "SELECT count(*) FROM messages"), 2);
}

static void
the_text_stays_sealed_in_a_backup(void **state)
{
    struct fixture *f = *state;
    struct backup b;
    char file[160], *bytes = test_malloc(1 << 20);
    FILE *in;
    size_t n;

    say(f, 1, 11, "canary of a text");
    assert_int_equal(back_up(f, false, &b), ERR_OK);
    file_of(f, file);
    in = fopen(file, "rb");
    assert_non_null(in);
    n = fread(bytes, 1, 1 << 20, in);
    fclose(in);
    assert_true(n == b.bytes);
    assert_null(memmem(bytes, n, "canary", 6));
    assert_non_null(memmem(bytes, n, "v1.a.", 5));
    assert_int_equal(bytes[18], 1); /* it needs no log file */
    test_free(bytes);
}

static void
what_is_there_is_replaced_only_when_asked(void **state)
{
    struct fixture *f = *state;
    struct backup b;

    assert_int_equal(back_up(f, false, &b), ERR_OK);
    assert_int_equal(back_up(f, false, &b), ERR_CONFLICT);
    assert_non_null(strstr(f->why, "is there already"));
    assert_int_equal(back_up(f, true, &b), ERR_OK);
    close_with(f);
    f->settings.keys = ring_of("a");
    assert_int_equal(restore(f, "backup", false, &b), ERR_CONFLICT);
    assert_non_null(strstr(f->why, "--force"));
    assert_false(has(f, OLD));
    fixture_open(f);
}

static void
the_storages_own_names_are_no_backups(void **state)
{
    static const char *const names[] = {"chatbox.db", "chatbox.db-wal",
                                        "chatbox.db.before-restore"};
    struct fixture *f = *state;

    say(f, 1, 11, "kept");
    for (size_t i = 0; i < 3; i++) {
        struct backup b = {.replace = true};
        char path[160];

        fixture_path(f, names[i], path);
        b.file = path;
        assert_int_equal(
            store_sqlite_backup_run(&f->settings, &b, f->why, sizeof(f->why)),
            ERR_CONFLICT);
        assert_non_null(strstr(f->why, "storage's own"));
    }
    assert_int_equal(number(f, "SELECT count(*) FROM messages"), 1);
}

static void
a_restore_needs_the_folder_for_itself(void **state)
{
    struct fixture *f = *state;
    struct backup b;

    assert_int_equal(back_up(f, false, &b), ERR_OK);
    assert_int_equal(restore(f, "backup", true, &b), ERR_CONFLICT);
    assert_non_null(strstr(f->why, "stop the server first"));
    assert_false(has(f, OLD));
}

static void
keys_that_do_not_open_it_are_told_before_anything_moves(void **state)
{
    struct fixture *f = *state;
    struct backup b;

    say(f, 1, 11, "sealed");
    assert_int_equal(back_up(f, false, &b), ERR_OK);
    close_with(f);
    assert_int_equal(restore(f, "backup", true, &b), ERR_CONFLICT);
    f->settings.keys = ring_of("b");
    assert_int_equal(restore(f, "backup", true, &b), ERR_CONFLICT);
    assert_non_null(strstr(f->why, "\"a\", which is not among"));
    free_keys(f);
    assert_false(has(f, OLD) || has(f, STORE_SQLITE_RESTORED) ||
                 has(f, STORE_SQLITE_RESTORED ".partial"));
    open_with(f, "a");
}

/* The byte at this place becomes another; n bytes are cut off the end. */
static void
harm(const struct fixture *f, long at, off_t cut)
{
    char file[160];
    unsigned char byte;
    struct stat st = {.st_size = 0};
    int fd;

    file_of(f, file);
    fd = open(file, O_RDWR);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0xff;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    assert_int_equal(ftruncate(fd, st.st_size - cut), 0);
    close(fd);
}

static void
a_file_that_is_not_sound_is_not_restored(void **state)
{
    static const struct {
        long at;
        off_t cut;
        const char *part;
    } cases[] = {
        {0, 0, "not a database"},     /* SQLite's magic */
        {63, 0, "newer chatbox"},     /* user_version */
        {71, 0, "not a chatbox"},     /* application_id */
        {4096 + 3, 0, "damaged"},     /* how many cells a page has */
        {92, 8192, "cannot be read"}, /* the last two pages are missing */
    };
    struct fixture *f = *state;
    struct backup b;

    say(f, 1, 11, "kept");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(back_up(f, true, &b), ERR_OK);
        harm(f, cases[i].at, cases[i].cut);
        close_with(f);
        f->settings.keys = ring_of("a");
        assert_int_not_equal(restore(f, "backup", true, &b), ERR_OK);
        if (strstr(f->why, cases[i].part) == NULL &&
            strstr(f->why, "damaged") == NULL) {
            fail_msg("%zu: %s", i, f->why);
        }
        assert_false(has(f, OLD) || has(f, STORE_SQLITE_RESTORED));
        fixture_open(f);
        assert_int_equal(number(f, "SELECT count(*) FROM messages"), 1);
    }
}

static void
a_file_of_somebody_else_is_not_restored(void **state)
{
    struct fixture *f = *state;
    struct backup b;
    char path[160];
    FILE *other;

    close_with(f);
    assert_int_not_equal(restore(f, "none", true, &b), ERR_OK);
    assert_non_null(strstr(f->why, "No such file"));
    snprintf(path, sizeof(path), "%s/other", f->root);
    other = fopen(path, "w");
    assert_non_null(other);
    fputs("a text that is no database, and long enough to be one\n", other);
    fclose(other);
    assert_int_not_equal(restore(f, "other", true, &b), ERR_OK);
    assert_true(has(f, DB) && !has(f, OLD));
    open_with(f, "a");
}

static void
there_is_nothing_to_back_up_in_an_empty_folder(void **state)
{
    struct fixture *f = *state;
    struct store_settings settings = f->settings;
    struct backup b = {.file = "/tmp/chatbox-none"};

    settings.data_dir = f->root;
    assert_int_equal(
        store_sqlite_backup_run(&settings, &b, f->why, sizeof(f->why)),
        ERR_NOT_FOUND);
    assert_int_not_equal(access("/tmp/chatbox-none.partial", F_OK), 0);
}

/* Decided, and killed before the names moved: the start does the rest. */
static void
a_start_ends_what_a_restore_has_begun(void **state)
{
    struct fixture *f = *state;
    struct backup b;
    char from[160], to[160], out[200];

    say(f, 1, 11, "first");
    assert_int_equal(back_up(f, false, &b), ERR_OK);
    say(f, 1, 12, "second");
    file_of(f, from);
    fixture_path(f, STORE_SQLITE_RESTORED, to);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(back_up(f, false, &b), ERR_CONFLICT);
    assert_non_null(strstr(f->why, "was interrupted"));
    reopen_with(f, "a");
    assert_int_equal(number(f, "SELECT count(*) FROM messages"), 1);
    assert_string_equal(seen(f, 1, 11, out), "first");
    assert_true(has(f, OLD) && !has(f, STORE_SQLITE_RESTORED));
}

#define BACKUP_TEST(fn)                                                        \
    cmocka_unit_test_setup_teardown(fn, keys_setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BACKUP_TEST(a_backup_beside_a_writer_comes_back_with_every_message),
        BACKUP_TEST(the_text_stays_sealed_in_a_backup),
        BACKUP_TEST(what_is_there_is_replaced_only_when_asked),
        BACKUP_TEST(the_storages_own_names_are_no_backups),
        BACKUP_TEST(a_restore_needs_the_folder_for_itself),
        BACKUP_TEST(keys_that_do_not_open_it_are_told_before_anything_moves),
        BACKUP_TEST(a_file_that_is_not_sound_is_not_restored),
        BACKUP_TEST(a_file_of_somebody_else_is_not_restored),
        BACKUP_TEST(there_is_nothing_to_back_up_in_an_empty_folder),
        BACKUP_TEST(a_start_ends_what_a_restore_has_begun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
