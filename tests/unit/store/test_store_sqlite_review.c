/* SPDX-License-Identifier: MIT */
#include "store/store_sqlite_review.h"

#include "fixture.h"

/* -- the list of sessions -- */

/* Six sessions of three users, each of its own in everything. */
static const struct {
    unsigned id;
    const char *user;
    int64_t start, end, last; /* behind T0; end 0: active */
    bool assisted, help;
    int messages, tokens;
} stored[] = {
    {1, "ann", 10, 0, 900, false, true, 5, 70},
    {2, "bob", 20, 60, 50, true, false, 3, 10},
    {3, "ann", 30, 0, 31, false, false, 0, 0},
    {4, "cy", 40, 0, 700, true, true, 9, 500},
    {5, "bob", 50, 450, 300, false, false, 1, 20},
    {6, "ann", 60, 99, 80, false, true, 2, 30},
};

static void
store_all(struct fixture *f)
{
    char sql[512];

    for (size_t i = 0; i < COUNT_OF(stored); i++) {
        struct store_job *job =
            new_job(STORE_SESSION_PUT, stored[i].id, stored[i].user);

        job->session.start_ms = T0 + stored[i].start;
        job->session.last_ms = T0 + stored[i].last;
        job->session.end_ms = stored[i].end > 0 ? T0 + stored[i].end : 0;
        job->session.admin_assisted = stored[i].assisted;
        job->session.help_requested = stored[i].help;
        assert_int_equal(run_free(f, job), ERR_OK);
        snprintf(sql, sizeof(sql),
                 "UPDATE sessions SET msgCount=%d,totalTokens=%d,"
                 "maxRespTime=%d,avgRespTime=%d,respCount=1"
                 " WHERE _id='%032x'",
                 stored[i].messages, stored[i].tokens, stored[i].tokens,
                 stored[i].tokens, stored[i].id);
        by_hand(f, sql);
    }
}

static struct store_job *
browse_job(const char *user)
{
    struct store_job *job =
        store_job_new(STORE_SESSION_BROWSE, NULL, NULL, NULL);

    job->user_id = user != NULL ? xstrdup(user) : NULL;
    job->review = review_new();
    job->limit = 100;
    return job;
}

/* The ids of the page, "4 1 6"; frees the job. */
static const char *
page(struct fixture *f, struct store_job *job, int64_t *total)
{
    static char text[256];
    size_t at = 0;

    text[0] = '\0';
    assert_int_equal(run(f, job), ERR_OK);
    for (size_t i = 0; i < job->count; i++) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%lu",
                               i > 0 ? " " : "",
                               strtoul(job->sessions[i].sid, NULL, 16));
    }
    *total = job->review->total;
    store_job_free(job);
    return text;
}

static void
a_list_is_filtered_and_counted(void **state)
{
    static const struct {
        const char *user;
        enum review_choice active, assisted, help;
        int64_t from, to; /* behind T0; 0: no bound */
        const char *expected;
    } cases[] = {
        {NULL, 0, 0, 0, 0, 0, "6 5 4 3 2 1"},
        {"", 0, 0, 0, 0, 0, "6 5 4 3 2 1"},
        {"ann", 0, 0, 0, 0, 0, "6 3 1"},
        {"nobody", 0, 0, 0, 0, 0, ""},
        {"' OR 1=1 --", 0, 0, 0, 0, 0, ""},
        {NULL, REVIEW_YES, 0, 0, 0, 0, "4 3 1"},
        {NULL, REVIEW_NO, 0, 0, 0, 0, "6 5 2"},
        {NULL, 0, REVIEW_YES, 0, 0, 0, "4 2"},
        {NULL, 0, REVIEW_NO, 0, 0, 0, "6 5 3 1"},
        {NULL, 0, 0, REVIEW_YES, 0, 0, "6 4 1"},
        {NULL, 0, 0, REVIEW_NO, 0, 0, "5 3 2"},
        {NULL, 0, 0, 0, 30, 0, "6 5 4 3"},
        {NULL, 0, 0, 0, 31, 0, "6 5 4"},
        {NULL, 0, 0, 0, 0, 30, "3 2 1"},
        {NULL, 0, 0, 0, 30, 30, "3"},
        {NULL, 0, 0, 0, 40, 30, ""},
        {"ann", REVIEW_YES, REVIEW_NO, REVIEW_YES, 10, 60, "1"},
        {"bob", REVIEW_NO, REVIEW_YES, REVIEW_NO, 1, 99, "2"},
        {"bob", REVIEW_YES, REVIEW_YES, REVIEW_YES, 1, 99, ""},
    };
    struct fixture *f = *state;

    store_all(f);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct store_job *job = browse_job(cases[i].user);
        int64_t total, expected = cases[i].expected[0] != '\0';

        job->review->active = cases[i].active;
        job->review->assisted = cases[i].assisted;
        job->review->help = cases[i].help;
        job->review->from_ms = cases[i].from > 0 ? T0 + cases[i].from : 0;
        job->review->to_ms = cases[i].to > 0 ? T0 + cases[i].to : INT64_MAX;
        for (const char *p = cases[i].expected; *p != '\0'; p++) {
            expected += *p == ' ';
        }
        assert_string_equal(page(f, job, &total), cases[i].expected);
        assert_int_equal(total, expected);
    }
}

static void
a_list_is_ordered_by_what_is_asked_for(void **state)
{
    static const struct {
        enum review_order order;
        bool ascending;
        const char *expected;
    } cases[] = {
        {REVIEW_START, true, "1 2 3 4 5 6"},
        {REVIEW_START, false, "6 5 4 3 2 1"},
        {REVIEW_END, true, "1 3 4 2 6 5"}, /* without an end: the least */
        {REVIEW_END, false, "5 6 2 4 3 1"},
        {REVIEW_MESSAGES, true, "3 5 6 2 1 4"},
        {REVIEW_MESSAGES, false, "4 1 2 6 5 3"},
        {REVIEW_TOKENS, true, "3 2 5 6 1 4"},
        {REVIEW_TOKENS, false, "4 1 6 5 2 3"},
        {REVIEW_USER, true, "1 3 6 2 5 4"}, /* equal ones by their age */
        {REVIEW_USER, false, "4 5 2 6 3 1"},
        {REVIEW_DURATION, true, "3 6 2 5 4 1"},
        {REVIEW_DURATION, false, "1 4 5 2 6 3"},
        {REVIEW_ACTIVITY, true, "3 2 6 5 4 1"},
        {REVIEW_ACTIVITY, false, "1 4 5 6 2 3"},
    };
    struct fixture *f = *state;

    store_all(f);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct store_job *job = browse_job(NULL);
        int64_t total;

        job->review->order = cases[i].order;
        job->review->ascending = cases[i].ascending;
        assert_string_equal(page(f, job, &total), cases[i].expected);
    }
}

static void
a_page_is_cut_out_of_the_list_and_the_total_is_not(void **state)
{
    static const struct {
        size_t limit, offset;
        const char *expected;
    } cases[] = {
        {1, 0, "6"},
        {2, 0, "6 5"},
        {2, 2, "4 3"},
        {2, 5, "1"},
        {2, 6, ""},
        {2, 7, ""},
        {1000, 3, "3 2 1"},
        {6, 0, "6 5 4 3 2 1"},
        {5, SIZE_MAX / 2, ""},
    };
    struct fixture *f = *state;

    store_all(f);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct store_job *job = browse_job(NULL);
        int64_t total;

        job->limit = cases[i].limit;
        job->review->offset = cases[i].offset;
        assert_string_equal(page(f, job, &total), cases[i].expected);
        assert_int_equal(total, 6);
    }
}

/* What SQLite means to do, one line a step. */
static void
plan(struct fixture *f, const char *sql, char *out, size_t size)
{
    sqlite3_stmt *stmt = NULL;
    char explain[1024];
    size_t at = 0;

    snprintf(explain, sizeof(explain), "EXPLAIN QUERY PLAN %s", sql);
    assert_int_equal(sqlite3_prepare_v2(store_sqlite_of(f->reader)->db, explain,
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        at += (size_t)snprintf(out + at, size - at, "%s\n",
                               (const char *)sqlite3_column_text(stmt, 3));
    }
    sqlite3_finalize(stmt);
}

static void
the_usual_lists_are_walked_along_an_index(void **state)
{
    static const struct {
        const char *sql, *index;
    } cases[] = {
        {"SELECT count(*) FROM sessions WHERE true", "COVERING INDEX"},
        {"SELECT n FROM sessions WHERE true ORDER BY ts DESC,n DESC LIMIT 9",
         "sessions_ts"},
        {"SELECT n FROM sessions WHERE true AND helpRequested=1"
         " ORDER BY ts DESC,n DESC LIMIT 9",
         "sessions_help"},
        {"SELECT n FROM sessions WHERE true AND adminAssisted=1"
         " ORDER BY ts DESC,n DESC LIMIT 9",
         "sessions_assisted"},
        {"SELECT n FROM sessions WHERE true AND uid='u'"
         " ORDER BY ts DESC,n DESC LIMIT 9",
         "sessions_start"},
        {"SELECT * FROM audit WHERE n<9 AND sid='s' ORDER BY n DESC LIMIT 9",
         "audit_session"},
        {"SELECT * FROM audit WHERE n<9 AND actor='a' ORDER BY n DESC LIMIT 9",
         "audit_actor"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[1024];

        plan(f, cases[i].sql, text, sizeof(text));
        if (strstr(text, cases[i].index) == NULL ||
            strstr(text, "TEMP B-TREE") != NULL) {
            fail_msg("%s:\n%s", cases[i].sql, text);
        }
    }
}

/* -- figures -- */

static void
figures_are_of_the_sessions_that_lived_meanwhile(void **state)
{
    static const struct {
        int64_t from, to; /* behind T0 */
        int64_t total, active, assisted, tokens, most;
    } cases[] = {
        {0, 1000, 6, 3, 2, 630, 5}, /* at 60: all but 3 */
        {0, 9, 0, 0, 0, 0, 0},      {0, 10, 1, 1, 0, 70, 1},
        {25, 35, 3, 2, 1, 80, 3}, /* 1 and 2 began earlier */
        {901, 2000, 0, 0, 0, 0, 0}, {900, 2000, 1, 1, 0, 70, 1},
    };
    struct fixture *f = *state;

    store_all(f);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct store_job *job =
            store_job_new(STORE_SESSION_FIGURES, NULL, NULL, NULL);
        const struct figures *got;

        job->review = review_new();
        got = &job->review->figures;
        job->review->from_ms = T0 + cases[i].from;
        job->review->to_ms = T0 + cases[i].to;
        assert_int_equal(run(f, job), ERR_OK);
        assert_int_equal(got->total, cases[i].total);
        assert_int_equal(got->active, cases[i].active);
        assert_int_equal(got->assisted, cases[i].assisted);
        assert_int_equal(got->tokens, cases[i].tokens);
        assert_int_equal(got->max_at_once, cases[i].most);
        store_job_free(job);
    }
}

/* The sessions without an end are 1, 3 and 4. */
static void
a_session_without_an_end_lives_on_while_it_is_idle(void **state)
{
    static const struct {
        int64_t idle, now, from; /* now, from: behind T0 */
        int64_t total;
    } cases[] = {
        {0, 5000, 1000, 0},      {499, 5000, 1500, 0},    {1500, 5000, 1500, 3},
        {100000, 5000, 5000, 3}, {100000, 5000, 5001, 0}, {100000, 100, 950, 0},
    };
    struct fixture *f = *state;

    store_all(f);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct store_job *job =
            store_job_new(STORE_SESSION_FIGURES, NULL, NULL, NULL);

        job->review = review_new();
        job->review->from_ms = T0 + cases[i].from;
        job->review->to_ms = T0 + 10000;
        job->review->idle_ms = cases[i].idle;
        job->review->now_ms = T0 + cases[i].now;
        assert_int_equal(run(f, job), ERR_OK);
        assert_int_equal(job->review->figures.total, cases[i].total);
        assert_int_equal(job->review->figures.active, cases[i].total);
        assert_int_equal(job->review->figures.max_at_once, cases[i].total);
        store_job_free(job);
    }
}

/* -- the audit -- */

static void
set_event(struct review *r, int64_t at, const char *actor, const char *action,
          const char *sid)
{
    r->event = (struct review_event){
        .at_ms = T0 + at,
        .actor = xstrdup(actor),
        .action = xstrdup(action),
        .sid = sid != NULL ? xstrdup(sid) : NULL,
        .detail = xstrdup("why"),
    };
}

static void
put_event(struct fixture *f, int64_t at, const char *actor, const char *sid)
{
    struct store_job *job = store_job_new(STORE_AUDIT_PUT, NULL, NULL, NULL);

    job->review = review_new();
    set_event(job->review, at, actor, REVIEW_TRANSCRIPT_READ, sid);
    assert_int_equal(run_free(f, job), ERR_OK);
}

static struct store_job *
audit_job(size_t limit, const char *actor, const char *sid, const char *cursor)
{
    struct store_job *job = store_job_new(STORE_AUDIT_LIST, NULL, NULL, NULL);

    job->review = review_new();
    job->limit = limit;
    job->user_id = actor != NULL ? xstrdup(actor) : NULL;
    job->cursor = cursor != NULL ? xstrdup(cursor) : NULL;
    snprintf(job->session.sid, sizeof(job->session.sid), "%s",
             sid != NULL ? sid : "");
    return job;
}

/* Moments of the events, page by page: "5 4|3|". */
static void
audit_pages(struct fixture *f, size_t limit, const char *actor, const char *sid,
            char *out, size_t size)
{
    char *cursor = NULL;
    size_t at = 0;

    do {
        struct store_job *job = audit_job(limit, actor, sid, cursor);

        assert_int_equal(run(f, job), ERR_OK);
        for (size_t i = 0; i < job->review->event_count; i++) {
            at +=
                (size_t)snprintf(out + at, size - at, "%s%d", i > 0 ? " " : "",
                                 (int)(job->review->events[i].at_ms - T0));
        }
        at += (size_t)snprintf(out + at, size - at, "|");
        xfree(cursor);
        cursor = job->next_cursor;
        job->next_cursor = NULL;
        store_job_free(job);
    } while (cursor != NULL);
}

static void
the_audit_is_read_newest_first_page_by_page(void **state)
{
    static const struct {
        size_t limit;
        const char *actor, *sid, *expected;
    } cases[] = {
        {100, NULL, NULL, "5 4 3 2 1|"},
        {5, NULL, NULL, "5 4 3 2 1|"},
        {2, NULL, NULL, "5 4|3 2|1|"},
        {1, "olga", NULL, "5|3|1|"},
        {9, "max", NULL, "4 2|"},
        {9, NULL, "s1", "2 1|"},
        {1, "max", "s1", "2|"},
        {9, "nobody", NULL, "|"},
        {9, NULL, "s9", "|"},
    };
    struct fixture *f = *state;

    put_event(f, 1, "olga", "s1");
    put_event(f, 2, "max", "s1");
    put_event(f, 3, "olga", "s2");
    put_event(f, 4, "max", NULL);
    put_event(f, 5, "olga", "s3");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[256] = "";

        audit_pages(f, cases[i].limit, cases[i].actor, cases[i].sid, text,
                    sizeof(text));
        assert_string_equal(text, cases[i].expected);
    }
}

static void
an_event_comes_back_as_it_was_put(void **state)
{
    struct fixture *f = *state;
    struct store_job *job = audit_job(1, NULL, NULL, NULL);
    const struct review_event *e;

    put_event(f, 7, "olga", "s1");
    assert_int_equal(run(f, job), ERR_OK);
    assert_int_equal(job->review->event_count, 1);
    e = &job->review->events[0];
    assert_int_equal(e->at_ms, T0 + 7);
    assert_string_equal(e->actor, "olga");
    assert_string_equal(e->action, "transcript_read");
    assert_string_equal(e->sid, "s1");
    assert_string_equal(e->detail, "why");
    assert_null(job->next_cursor);
    store_job_free(job);
}

static void
a_cursor_that_is_not_ours_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "0",
                                      "nonsense",
                                      "00000000000000g0",
                                      "000000000000000A",
                                      "ffffffffffffffff",
                                      "00000000000000001"};
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(run_free(f, audit_job(5, NULL, NULL, bad[i])),
                         ERR_BAD_REQUEST);
    }
}

static void
the_audit_is_append_only(void **state)
{
    static const char *const tries[] = {
        "UPDATE audit SET actor='nobody'",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE actor='olga'",
    };
    struct fixture *f = *state;

    put_event(f, 1, "olga", "s1");
    for (size_t i = 0; i < COUNT_OF(tries); i++) {
        assert_int_not_equal(sqlite3_exec(store_sqlite_of(f->writer)->db,
                                          tries[i], NULL, NULL, NULL),
                             SQLITE_OK);
    }
    assert_int_equal(number(f, "SELECT count(*) FROM audit"
                               " WHERE actor='olga'"),
                     1);
}

static void
a_delete_and_its_event_are_one(void **state)
{
    struct fixture *f = *state;
    char sid[RAND_ID_CHARS + 1];

    ask(f, 1, "ann", 11);
    for (int round = 0; round < 2; round++) { /* there, and gone already */
        struct store_job *job = new_job(STORE_SESSION_DELETE, 1, "ann");

        id_of(1, sid);
        job->review = review_new();
        set_event(job->review, 3, "ann", REVIEW_DELETE, sid);
        assert_int_equal(run_free(f, job), round == 0 ? ERR_OK : ERR_NOT_FOUND);
        assert_int_equal(number(f, "SELECT count(*) FROM audit"
                                   " WHERE action='delete'"),
                         1);
        assert_int_equal(number(f, "SELECT count(*) FROM messages"), 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_list_is_filtered_and_counted),
        TEST(a_list_is_ordered_by_what_is_asked_for),
        TEST(a_page_is_cut_out_of_the_list_and_the_total_is_not),
        TEST(the_usual_lists_are_walked_along_an_index),
        TEST(figures_are_of_the_sessions_that_lived_meanwhile),
        TEST(a_session_without_an_end_lives_on_while_it_is_idle),
        TEST(the_audit_is_read_newest_first_page_by_page),
        TEST(an_event_comes_back_as_it_was_put),
        TEST(a_cursor_that_is_not_ours_is_refused),
        TEST(the_audit_is_append_only),
        TEST(a_delete_and_its_event_are_one),
    };

    return cmocka_run_group_tests_name("store/store_sqlite_review", tests, NULL,
                                       NULL);
}
