/* SPDX-License-Identifier: MIT */
#include "store/store_sqlite_scrub.h"

#include "unused.h"

#include <stdint.h>

#define PAGE 512

struct ranges {
    size_t at[8];
    size_t n[8];
    size_t count;
};

static void
note(void *cookie, size_t at, size_t n)
{
    struct ranges *r = cookie;

    assert_true(r->count < 8 && at + n <= PAGE);
    r->at[r->count] = at;
    r->n[r->count++] = n;
}

static void
put16(unsigned char *p, size_t value)
{
    p[0] = (unsigned char)(value >> 8);
    p[1] = (unsigned char)value;
}

/* A page full of 'x' with this head. */
static void
make_page(unsigned char *page, unsigned char kind, size_t cells, size_t start)
{
    memset(page, 'x', PAGE);
    memset(page, 0, 12);
    page[0] = kind;
    put16(page + 3, cells);
    put16(page + 5, start);
}

static struct ranges
look(const unsigned char *page)
{
    struct ranges r = {.count = 0};

    store_sqlite_scrub_page(page, PAGE, note, &r);
    return r;
}

static void
what_lies_between_pointers_and_cells_is_unused(void **state)
{
    static const struct {
        unsigned char kind;
        size_t head;
    } kinds[] = {{2, 12}, {5, 12}, {10, 8}, {13, 8}};
    unsigned char page[PAGE];
    struct ranges r;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        make_page(page, kinds[i].kind, 10, 300);
        r = look(page);
        assert_int_equal(r.count, 1);
        assert_int_equal(r.at[0], kinds[i].head + 20);
        assert_int_equal(r.n[0], 300 - kinds[i].head - 20);
        memset(page + r.at[0], 0, r.n[0]);
        assert_int_equal(look(page).count, 0);
    }
}

static void
a_free_block_is_unused_behind_its_head(void **state)
{
    unsigned char page[PAGE];
    struct ranges r;

    (void)state;
    make_page(page, 13, 1, 400);
    memset(page + 10, 0, 390);
    put16(page + 1, 420);
    put16(page + 420, 460);
    put16(page + 422, 20);
    put16(page + 460, 0);
    put16(page + 462, 4);
    r = look(page);
    assert_int_equal(r.count, 1);
    assert_int_equal(r.at[0], 424);
    assert_int_equal(r.n[0], 16);
}

/* Damage, and pages that are none of a tree's: nothing outside of the page is
 * looked at, and there is no end without end. */
static void
what_makes_no_sense_is_left_alone(void **state)
{
    unsigned char page[PAGE];

    (void)state;
    for (int kind = 0; kind < 256; kind++) {
        make_page(page, (unsigned char)kind, 10, 300);
        assert_int_equal(
            look(page).count,
            kind == 2 || kind == 5 || kind == 10 || kind == 13 ? 1 : 0);
    }
    make_page(page, 13, 60000, 300);
    assert_int_equal(look(page).count, 0);
    make_page(page, 13, 10, PAGE + 1);
    assert_int_equal(look(page).count, 0);
    make_page(page, 13, 10, 300);
    put16(page + 1, 400);
    put16(page + 400, 400); /* itself */
    put16(page + 402, 50);
    assert_int_equal(look(page).count, 2);
    put16(page + 402, 3);
    assert_int_equal(look(page).count, 1);
    put16(page + 402, 60000);
    assert_int_equal(look(page).count, 1);
    put16(page + 1, 510);
    assert_int_equal(look(page).count, 1);
}

/* -- whole databases -- */

static void
a_database_keeps_its_rows_and_loses_the_rest(void **state)
{
    struct fixture *f = *state;
    const char *all = "SELECT sum(n*length(nm)*lastActivity) FROM sessions";
    int64_t before;
    char path[160];

    stir(f);
    before = number(f, all);
    fixture_path(f, "chatbox.db", path);
    by_hand(f, "PRAGMA wal_checkpoint(TRUNCATE)");
    assert_true(unused(f) > 0);
    assert_true(store_sqlite_scrub_run(path, STORE_SQLITE_SCRUB_PATIENCE_MS));
    assert_int_equal(unused(f), 0);
    assert_int_equal(number(f, all), before);
    assert_int_equal(number(f, "SELECT count(*) FROM pragma_integrity_check"
                               " WHERE integrity_check='ok'"),
                     1);
}

/* The writer had the pages in memory as they were, and writes to them. */
static void
what_others_had_in_memory_does_not_come_back(void **state)
{
    struct fixture *f = *state;
    char path[160];

    stir(f);
    fixture_path(f, "chatbox.db", path);
    assert_true(store_sqlite_scrub_run(path, STORE_SQLITE_SCRUB_PATIENCE_MS));
    by_hand(f, "UPDATE sessions SET archived=1-archived");
    by_hand(f, "PRAGMA wal_checkpoint(TRUNCATE)");
    assert_int_equal(unused(f), 0);
}

static void
somebody_who_reads_on_is_told_of(void **state)
{
    struct fixture *f = *state;
    sqlite3 *reader = store_sqlite_of(f->reader)->db;
    char path[160];

    fixture_path(f, "chatbox.db", path);
    assert_int_equal(
        sqlite3_exec(reader, "BEGIN;SELECT * FROM sessions", NULL, NULL, NULL),
        SQLITE_OK);
    stir(f);
    assert_false(store_sqlite_scrub_run(path, 50));
    assert_int_equal(sqlite3_exec(reader, "COMMIT", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_true(store_sqlite_scrub_run(path, STORE_SQLITE_SCRUB_PATIENCE_MS));
    assert_int_equal(unused(f), 0);
}

static void
a_file_that_is_not_there_is_no_success(void **state)
{
    (void)state;
    assert_false(store_sqlite_scrub_run("/no/such/folder/chatbox.db", 50));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lies_between_pointers_and_cells_is_unused),
        cmocka_unit_test(a_free_block_is_unused_behind_its_head),
        cmocka_unit_test(what_makes_no_sense_is_left_alone),
        TEST(a_database_keeps_its_rows_and_loses_the_rest),
        TEST(what_others_had_in_memory_does_not_come_back),
        TEST(somebody_who_reads_on_is_told_of),
        cmocka_unit_test(a_file_that_is_not_there_is_no_success),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
