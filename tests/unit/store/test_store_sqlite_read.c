/* SPDX-License-Identifier: MIT */
#include "fixture.h"

/* -- one session -- */

static void
a_session_is_found_by_its_owner_only(void **state)
{
    static const struct {
        unsigned session;
        const char *user;
        enum err expected;
    } cases[] = {
        {1, "ann", ERR_OK},        {1, NULL, ERR_OK},
        {1, "", ERR_OK},           {1, "bob", ERR_NOT_FOUND},
        {2, "ann", ERR_NOT_FOUND}, {2, NULL, ERR_NOT_FOUND},
    };
    struct fixture *f = *state;

    ask(f, 1, "ann", 11);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(run_free(f, new_job(STORE_SESSION_GET,
                                             cases[i].session, cases[i].user)),
                         cases[i].expected);
    }
}

/* Proposes a token; NULL takes it away. */
static void
share(struct fixture *f, unsigned session, const char *token)
{
    struct store_job *job = new_job(STORE_SESSION_PATCH, session, NULL);

    job->patch = STORE_PATCH_SHARE;
    job->session.share_token = token != NULL ? xstrdup(token) : NULL;
    assert_int_equal(run_free(f, job), ERR_OK);
}

static enum err
by_token(struct fixture *f, enum store_op op, unsigned session,
         const char *token, const char *user)
{
    struct store_job *job = new_job(op, session, user);
    enum err e;

    job->share_token = xstrdup(token);
    e = run(f, job);
    if (e == ERR_OK && op == STORE_MESSAGES) {
        assert_int_equal(job->count, 1);
    } else if (e == ERR_OK) {
        assert_string_equal(job->session.share_token, token);
        assert_string_equal(job->session.user_id, "ann");
    }
    store_job_free(job);
    return e;
}

static void
a_shared_session_is_found_by_its_token_while_it_has_it(void **state)
{
    struct fixture *f = *state;

    ask(f, 1, "ann", 11);
    ask(f, 2, "ann", 12);
    assert_int_equal(by_token(f, STORE_SESSION_SHARED, 0, "t1", NULL),
                     ERR_NOT_FOUND);
    share(f, 1, "t1");
    share(f, 2, "t2");
    assert_int_equal(by_token(f, STORE_SESSION_SHARED, 0, "t1", NULL), ERR_OK);
    assert_int_equal(by_token(f, STORE_SESSION_SHARED, 0, "T1", NULL),
                     ERR_NOT_FOUND);
    assert_int_equal(by_token(f, STORE_SESSION_SHARED, 0, "", NULL),
                     ERR_NOT_FOUND);
    share(f, 1, NULL);
    assert_int_equal(by_token(f, STORE_SESSION_SHARED, 0, "t1", NULL),
                     ERR_NOT_FOUND);
    assert_int_equal(run_free(f, new_job(STORE_SESSION_DELETE, 2, "ann")),
                     ERR_OK);
    assert_int_equal(by_token(f, STORE_SESSION_SHARED, 0, "t2", NULL),
                     ERR_NOT_FOUND);
}

static void
messages_by_a_token_are_those_of_its_session(void **state)
{
    static const struct {
        unsigned session;
        const char *token;
        const char *user;
        enum err expected;
    } cases[] = {
        {1, "t1", NULL, ERR_OK},         {1, "t1", "ann", ERR_OK},
        {1, "t1", "bob", ERR_NOT_FOUND}, {1, "t2", "ann", ERR_NOT_FOUND},
        {2, "t1", "ann", ERR_NOT_FOUND}, {2, "", "ann", ERR_NOT_FOUND},
        {3, "t1", NULL, ERR_NOT_FOUND},
    };
    struct fixture *f = *state;

    ask(f, 1, "ann", 11);
    ask(f, 2, "ann", 12);
    share(f, 1, "t1");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(by_token(f, STORE_MESSAGES, cases[i].session,
                                  cases[i].token, cases[i].user),
                         cases[i].expected);
    }
}

static void
put(struct fixture *f, unsigned session, const char *user, int64_t last_ms)
{
    struct store_job *job = new_job(STORE_SESSION_PUT, session, user);
    char name[32];

    snprintf(name, sizeof(name), "Session %u", session);
    job->session.name = xstrdup(name);
    job->session.start_ms = T0;
    job->session.last_ms = T0 + last_ms;
    assert_int_equal(run_free(f, job), ERR_OK);
}

static void
patch(struct fixture *f, unsigned session, unsigned what)
{
    struct store_job *job = new_job(STORE_SESSION_PATCH, session, NULL);

    job->patch = what;
    job->session.archived = true;
    job->session.end_ms = T0 + 99999;
    assert_int_equal(run_free(f, job), ERR_OK);
}

static unsigned
latest(struct fixture *f, const char *user, int64_t since_ms)
{
    struct store_job *job =
        store_job_new(STORE_SESSION_LATEST, NULL, NULL, NULL);
    unsigned found = 0;

    job->user_id = xstrdup(user);
    job->since_ms = T0 + since_ms;
    if (run(f, job) == ERR_OK) {
        found = (unsigned)strtoul(job->session.sid, NULL, 16);
    } else {
        assert_int_equal(job->result, ERR_NOT_FOUND);
    }
    store_job_free(job);
    return found;
}

static void
the_latest_session_is_active_recent_and_mine(void **state)
{
    struct fixture *f = *state;

    put(f, 1, "ann", 100);
    put(f, 2, "ann", 300);
    put(f, 3, "ann", 200);
    put(f, 4, "bob", 400);
    assert_int_equal(latest(f, "ann", 0), 2);
    assert_int_equal(latest(f, "ann", 300), 2);
    assert_int_equal(latest(f, "ann", 301), 0);
    assert_int_equal(latest(f, "eve", 0), 0);
    patch(f, 2, STORE_PATCH_END);
    assert_int_equal(latest(f, "ann", 0), 3);
    patch(f, 3, STORE_PATCH_ARCHIVED);
    assert_int_equal(latest(f, "ann", 0), 1);
}

/* -- lists -- */

static struct store_job *
list(struct fixture *f, const char *user, size_t limit, const char *cursor,
     const char *query)
{
    struct store_job *job = store_job_new(STORE_SESSION_LIST, NULL, NULL, NULL);

    job->user_id = xstrdup(user);
    job->limit = limit;
    job->cursor = cursor != NULL ? xstrdup(cursor) : NULL;
    job->query = query != NULL ? xstrdup(query) : NULL;
    (void)run(f, job);
    return job;
}

/* The list as text, page by page: "3 1|2|". */
static void
pages(struct fixture *f, size_t limit, const char *query, char *out,
      size_t size)
{
    char *cursor = NULL;
    size_t at = 0;

    do {
        struct store_job *job = list(f, "ann", limit, cursor, query);

        assert_int_equal(job->result, ERR_OK);
        for (size_t i = 0; i < job->count; i++) {
            at +=
                (size_t)snprintf(out + at, size - at, "%s%lu", i > 0 ? " " : "",
                                 strtoul(job->sessions[i].sid, NULL, 16));
        }
        at += (size_t)snprintf(out + at, size - at, "|");
        xfree(cursor);
        cursor = job->next_cursor;
        job->next_cursor = NULL;
        store_job_free(job);
    } while (cursor != NULL);
}

static void
a_list_is_by_latest_activity_in_pages_without_holes(void **state)
{
    static const struct {
        size_t limit;
        const char *expected;
    } cases[] = {
        {1, "5|4|2|1|3|"}, {2, "5 4|2 1|3|"}, {3, "5 4 2|1 3|"},
        {4, "5 4 2 1|3|"}, {5, "5 4 2 1 3|"}, {100, "5 4 2 1 3|"},
    };
    struct fixture *f = *state;
    char text[100];

    put(f, 1, "ann", 200);
    put(f, 2, "ann", 300);
    put(f, 3, "ann", 100);
    put(f, 4, "ann", 300); /* the same moment as 2, later in the table */
    put(f, 5, "ann", 400);
    put(f, 6, "bob", 500);
    patch(f, 2, STORE_PATCH_ARCHIVED);
    patch(f, 1, STORE_PATCH_END);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        pages(f, cases[i].limit, NULL, text, sizeof(text));
        assert_string_equal(text, cases[i].expected);
    }
}

static void
a_list_of_nobody_is_empty(void **state)
{
    struct store_job *job = list(*state, "eve", 10, NULL, NULL);

    assert_int_equal(job->result, ERR_OK);
    assert_int_equal(job->count, 0);
    assert_null(job->next_cursor);
    store_job_free(job);
}

static void
a_cursor_that_is_not_ours_is_refused(void **state)
{
    static const char *const cursors[] = {
        "",
        "0",
        "0000018bcfe568000000000000000001x",
        "0000018bcfe56800000000000000001",
        "0000018BCFE568000000000000000001",
        "0000018bcfe56800000000000000000g",
        "ffffffffffffffff0000000000000001",
        "0000018bcfe568008000000000000000",
        "0000018bcfe5680000000000000000\xc3\xa4",
    };

    for (size_t i = 0; i < COUNT_OF(cursors); i++) {
        struct store_job *job = list(*state, "ann", 10, cursors[i], NULL);

        assert_int_equal(job->result, ERR_BAD_REQUEST);
        store_job_free(job);
    }
}

static void
a_search_looks_into_names_and_messages(void **state)
{
    static const struct {
        const char *query;
        const char *expected;
    } cases[] = {
        {"", "6 5 4 3 2 1|"}, {"session", "6 5 4 3 2 1|"},
        {"SESSION 3", "3|"},  {"apple", "2 1|"},
        {"App", "2 1|"},      {"100%", "4|"},
        {"%", "4|"},          {"a_b", "5|"},
        {"_", "5|"},          {"c:\\", "6|"},
        {"\\", "6|"},         {"zzz", "|"},
        {"draft", "|"},
    };
    static const char *const texts[] = {"one apple", "two Apples", "pear",
                                        "100% sure", "a_b",        "c:\\dir"};
    struct fixture *f = *state;
    char text[100];

    for (unsigned i = 0; i < COUNT_OF(texts); i++) {
        put(f, i + 1, "ann", i);
        assert_int_equal(
            run_free(f, new_question(i + 1, "ann", 100 + i, texts[i])), ERR_OK);
    }
    assert_int_equal(run_free(f, new_question(9, "bob", 999, "apple")), ERR_OK);
    assert_int_equal(
        run_free(f, new_answer(STORE_DRAFT_PUT, 1, 900, 100, "draft")), ERR_OK);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        pages(f, 10, cases[i].query, text, sizeof(text));
        assert_string_equal(text, cases[i].expected);
    }
    pages(f, 1, "apple", text, sizeof(text));
    assert_string_equal(text, "2|1|");
}

static void
a_query_at_its_limit_works_and_one_beyond_is_refused(void **state)
{
    char query[STORE_QUERY_BYTES + 2];
    struct store_job *job;

    memset(query, '%', sizeof(query));
    query[STORE_QUERY_BYTES] = '\0';
    job = list(*state, "ann", 10, NULL, query);
    assert_int_equal(job->result, ERR_OK);
    store_job_free(job);
    query[STORE_QUERY_BYTES] = '%';
    query[STORE_QUERY_BYTES + 1] = '\0';
    job = list(*state, "ann", 10, NULL, query);
    assert_int_equal(job->result, ERR_BAD_REQUEST);
    store_job_free(job);
}

/* -- messages -- */

static void
messages_come_by_range_oldest_first(void **state)
{
    static const struct {
        int64_t after, before;
        size_t limit;
        int64_t first, last; /* 0: none */
        bool more;
    } cases[] = {
        {0, 0, 100, 1, 10, false},       {0, 0, 10, 1, 10, false},
        {0, 0, 9, 1, 9, true},           {9, 0, 9, 10, 10, false},
        {10, 0, 9, 0, 0, false},         {4, 0, 1, 5, 5, true},
        {0, INT64_MAX, 3, 8, 10, true},  {0, 8, 3, 5, 7, true},
        {0, 5, 4, 1, 4, false},          {0, 5, 3, 2, 4, true},
        {0, 1, 3, 0, 0, false},          {0, INT64_MAX, 10, 1, 10, false},
        {INT64_MAX, 0, 10, 0, 0, false},
    };
    struct fixture *f = *state;

    for (unsigned i = 1; i <= 10; i++) {
        ask(f, 1, "ann", i);
        ask(f, 2, "ann", 100 + i);
    }
    assert_int_equal(run_free(f, new_answer(STORE_DRAFT_PUT, 1, 99, 1, "x")),
                     ERR_OK);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct store_job *job = new_job(STORE_MESSAGES, 1, "ann");
        int64_t count =
            cases[i].first == 0 ? 0 : cases[i].last - cases[i].first + 1;

        job->after_seq = cases[i].after;
        job->before_seq = cases[i].before;
        job->limit = cases[i].limit;
        assert_int_equal(run(f, job), ERR_OK);
        assert_int_equal(job->count, count);
        assert_int_equal(job->more, cases[i].more);
        for (size_t k = 0; k < job->count; k++) {
            assert_int_equal(job->messages[k].seq, cases[i].first + (int64_t)k);
        }
        store_job_free(job);
    }
}

static void
messages_of_somebody_else_are_not_found(void **state)
{
    struct fixture *f = *state;
    struct store_job *job;

    ask(f, 1, "ann", 11);
    assert_int_equal(run_free(f, new_job(STORE_MESSAGES, 1, "bob")),
                     ERR_NOT_FOUND);
    assert_int_equal(run_free(f, new_job(STORE_MESSAGES, 2, "bob")),
                     ERR_NOT_FOUND);
    job = new_job(STORE_MESSAGES, 1, NULL);
    assert_int_equal(run(f, job), ERR_OK);
    assert_int_equal(job->count, 1);
    store_job_free(job);
}

static void
a_page_of_long_messages_ends_early(void **state)
{
    struct fixture *f = *state;
    size_t n = STORE_PAGE_BYTES / 4;
    char *text = xmalloc(n + 1);
    struct store_job *job;

    memset(text, 'x', n);
    text[n] = '\0';
    for (unsigned i = 1; i <= 7; i++) {
        assert_int_equal(run_free(f, new_question(1, "ann", i, text)), ERR_OK);
    }
    job = new_job(STORE_MESSAGES, 1, NULL);
    assert_int_equal(run(f, job), ERR_OK);
    assert_int_equal(job->count, 5);
    assert_true(job->more);
    store_job_free(job);
    job = new_job(STORE_MESSAGES, 1, NULL);
    job->before_seq = 3;
    assert_int_equal(run(f, job), ERR_OK);
    assert_int_equal(job->count, 2);
    assert_false(job->more);
    store_job_free(job);
    job = new_job(STORE_MESSAGES, 1, NULL);
    job->limit_bytes = n;
    assert_int_equal(run(f, job), ERR_OK);
    assert_int_equal(job->count, 2);
    assert_true(job->more);
    store_job_free(job);
    xfree(text);
}

static void
a_message_is_found_in_its_session_only(void **state)
{
    static const struct {
        unsigned session;
        const char *user;
        unsigned id;
        const char *client_id;
        enum err expected;
        size_t answers;
    } cases[] = {
        {1, NULL, 11, NULL, ERR_OK, 2},
        {1, "ann", 11, "ignored", ERR_OK, 2},
        {1, "ann", 0, "c-1", ERR_OK, 2},
        {1, "ann", 12, NULL, ERR_OK, 0},
        {1, "bob", 11, NULL, ERR_NOT_FOUND, 0},
        {2, NULL, 11, NULL, ERR_NOT_FOUND, 0},
        {2, NULL, 0, "c-1", ERR_NOT_FOUND, 0},
        {1, NULL, 0, "c-2", ERR_NOT_FOUND, 0},
        {1, NULL, 0, NULL, ERR_NOT_FOUND, 0},
        {1, NULL, 77, NULL, ERR_NOT_FOUND, 0},
    };
    struct fixture *f = *state;
    struct store_job *job = new_question(1, "ann", 11, "q");

    job->message.client_id = xstrdup("c-1");
    assert_int_equal(run_free(f, job), ERR_OK);
    ask(f, 2, "ann", 21);
    assert_int_equal(
        run_free(f, new_answer(STORE_ANSWER_FINISH, 1, 12, 11, "a")), ERR_OK);
    assert_int_equal(run_free(f, new_answer(STORE_DRAFT_PUT, 1, 13, 11, "dr")),
                     ERR_OK);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        job = new_job(STORE_MESSAGE_FIND, cases[i].session, cases[i].user);
        if (cases[i].id != 0) {
            id_of(cases[i].id, job->message.id);
        }
        if (cases[i].client_id != NULL) {
            job->message.client_id = xstrdup(cases[i].client_id);
        }
        assert_int_equal(run(f, job), cases[i].expected);
        assert_int_equal(job->count, cases[i].answers);
        if (job->count == 2) { /* the running one last */
            assert_string_equal(job->messages[0].content, "a");
            assert_string_equal(job->messages[1].content, "dr");
        }
        store_job_free(job);
    }
}

static void
a_ping_reads(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run_free(f, store_job_new(STORE_PING, NULL, NULL, NULL)),
                     ERR_OK);
}

/* A read that were not served by an index would cost more, the larger the
 * database is. */
static void
no_statement_walks_a_table(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < SQL_COUNT; i++) {
        sqlite3_stmt *stmt = NULL;
        char sql[4096];

        snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s",
                 store_sqlite_text((enum sql)i));
        assert_int_equal(sqlite3_prepare_v2(store_sqlite_of(f->writer)->db, sql,
                                            -1, &stmt, NULL),
                         SQLITE_OK);
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            const char *plan = (const char *)sqlite3_column_text(stmt, 3);

            if (i != SQL_PING && strstr(plan, "SCAN ") != NULL &&
                strstr(plan, "messages_draft") == NULL &&
                strstr(plan, "SCAN seals") == NULL && /* a row per key */
                strstr(plan, "CONSTANT ROW") == NULL) {
                fail_msg("%s: %s", sql, plan);
            }
        }
        sqlite3_finalize(stmt);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_session_is_found_by_its_owner_only),
        TEST(a_shared_session_is_found_by_its_token_while_it_has_it),
        TEST(messages_by_a_token_are_those_of_its_session),
        TEST(the_latest_session_is_active_recent_and_mine),
        TEST(a_list_is_by_latest_activity_in_pages_without_holes),
        TEST(a_list_of_nobody_is_empty),
        TEST(a_cursor_that_is_not_ours_is_refused),
        TEST(a_search_looks_into_names_and_messages),
        TEST(a_query_at_its_limit_works_and_one_beyond_is_refused),
        TEST(messages_come_by_range_oldest_first),
        TEST(messages_of_somebody_else_are_not_found),
        TEST(a_page_of_long_messages_ends_early),
        TEST(a_message_is_found_in_its_session_only),
        TEST(a_ping_reads),
        TEST(no_statement_walks_a_table),
    };

    return cmocka_run_group_tests_name("store/store_sqlite_read", tests, NULL,
                                       NULL);
}
