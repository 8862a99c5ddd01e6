/* SPDX-License-Identifier: MIT */
/* A random value is made once, and is the same at every later start. */
#include "store/store_sqlite_secret.h"

#include "fixture.h"

/* What is kept after `fresh` was offered; the caller frees. */
static char *
keep(struct fixture *f, const char *name, const char *fresh)
{
    char *value = NULL;

    assert_int_equal(store_sqlite_secret_keep(f->writer, name, fresh, &value),
                     ERR_OK);
    assert_non_null(value);
    return value;
}

static void
expect(struct fixture *f, const char *name, const char *fresh, const char *kept)
{
    char *value = keep(f, name, fresh);

    assert_string_equal(value, kept);
    xfree(value);
}

static void
the_first_value_stays(void **state)
{
    struct fixture *f = *state;

    expect(f, "users", "one", "one");
    expect(f, "users", "two", "one");
    fixture_close(f);
    fixture_open(f);
    expect(f, "users", "three", "one");
}

static void
names_are_apart(void **state)
{
    struct fixture *f = *state;

    expect(f, "users", "one", "one");
    expect(f, "others", "two", "two");
    expect(f, "users", "three", "one");
}

/* Whoever wants another one removes it (docs/operations.md). */
static void
one_that_was_removed_is_made_anew(void **state)
{
    struct fixture *f = *state;

    expect(f, "users", "one", "one");
    by_hand(f, "DELETE FROM secrets WHERE name='users'");
    expect(f, "users", "two", "two");
}

static void
a_table_that_cannot_be_read_is_a_failure(void **state)
{
    struct fixture *f = *state;
    char *value = NULL;

    by_hand(f, "ALTER TABLE secrets RENAME TO hidden");
    assert_int_equal(store_sqlite_secret_keep(f->writer, "users", "x", &value),
                     ERR_DATABASE_ERROR);
    assert_null(value);
    by_hand(f, "ALTER TABLE hidden RENAME TO secrets");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_value_stays),
        TEST(names_are_apart),
        TEST(one_that_was_removed_is_made_anew),
        TEST(a_table_that_cannot_be_read_is_a_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
