/* SPDX-License-Identifier: MIT */
#include "store/store_sqlite_search.h"

#include "fixture.h"

/* Whether session 1 is found, and what the search may still look at. */
static bool
look(struct fixture *f, const char *query, size_t *left)
{
    struct sqlite_link *link = store_sqlite_of(f->reader);
    struct sqlite_search s;
    struct session_row row;
    char sid[RAND_ID_CHARS + 1];
    bool found = false;

    id_of(1, sid);
    assert_int_equal(store_sqlite_rows_find(link, sid, NULL, &row), ERR_OK);
    store_sqlite_search_init(&s, link, query, *left);
    assert_int_equal(store_sqlite_search_try(&s, &row, &found), ERR_OK);
    *left = s.left;
    store_sqlite_search_fini(&s);
    session_record_fini(&row.record);
    return found;
}

static void
a_session_is_found_by_its_name_or_any_message(void **state)
{
    struct fixture *f = *state;
    size_t left = 1 << 20;

    assert_int_equal(
        run_free(f, new_question(1, "ann", 11, "Die Größe\nzählt")), ERR_OK);
    ask(f, 1, "ann", 12);
    assert_true(look(f, "GRÖẞE", &left));
    assert_true(look(f, "zählt", &left));
    assert_true(look(f, "HELLO", &left));
    assert_false(look(f, "bye", &left));
    assert_true(look(f, "", &left));
}

static void
what_was_looked_at_is_counted_and_one_session_is_looked_at_whole(void **state)
{
    struct fixture *f = *state;
    size_t left = 1 << 20, before;

    for (unsigned i = 0; i < 10; i++) {
        ask(f, 1, "ann", 11 + i);
    }
    assert_true(look(f, "hello", &left)); /* the name is enough */
    before = left;
    assert_false(look(f, "bye", &left));
    assert_in_range(before - left, 11 * 5, 11 * 500);
    left = 1;
    assert_false(look(f, "bye", &left));
    assert_int_equal(left, 0);
    by_hand(f, "UPDATE messages SET content='bye' WHERE seq=10");
    left = 1;
    assert_true(look(f, "bye", &left));
}

/* As "count+" for a page that says that there is more. */
static void
walk(struct fixture *f, const char *query, char out[static 100])
{
    char *cursor = NULL;

    out[0] = '\0';
    do {
        struct store_job *job =
            store_job_new(STORE_SESSION_LIST, NULL, NULL, NULL);

        job->user_id = xstrdup("ann");
        job->query = xstrdup(query);
        job->limit = 10;
        job->cursor = cursor;
        assert_int_equal(run(f, job), ERR_OK);
        cursor = job->next_cursor;
        job->next_cursor = NULL;
        snprintf(out + strlen(out), 100 - strlen(out), "%zu%s", job->count,
                 cursor != NULL ? "+" : "");
        store_job_free(job);
    } while (cursor != NULL);
}

static void
a_search_that_has_looked_at_enough_goes_on_from_its_cursor(void **state)
{
    struct fixture *f = *state;
    char pages[100];

    for (unsigned i = 1; i <= 5; i++) {
        ask(f, i, "ann", i);
    }
    by_hand(f, "UPDATE messages SET content=hex(zeroblob(9000000))||sid");
    walk(f, "bye", pages); /* two of 18 MB fill the 32 MiB */
    assert_string_equal(pages, "0+0+0");
    walk(f, "00000", pages);
    assert_string_equal(pages, "2+2+1");
    by_hand(f, "UPDATE sessions SET nm='bye' WHERE n=1");
    walk(f, "bye", pages);
    assert_string_equal(pages, "0+0+1");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_session_is_found_by_its_name_or_any_message),
        TEST(what_was_looked_at_is_counted_and_one_session_is_looked_at_whole),
        TEST(a_search_that_has_looked_at_enough_goes_on_from_its_cursor),
    };

    return cmocka_run_group_tests_name("store/store_sqlite_search", tests, NULL,
                                       NULL);
}
