/* SPDX-License-Identifier: MIT */
#include "fixture.h"
#include "store/store_sqlite_schema.h"

/* -- the end -- */

static struct store_job *
whole_answer(unsigned session, unsigned id, unsigned question)
{
    struct store_job *job =
        new_answer(STORE_ANSWER_FINISH, session, id, question, "Hello, world.");
    struct message_record *m = &job->message;

    m->finish_reason = xstrdup("stop");
    m->model_id = xstrdup("demo");
    m->conversation = xstrdup("c-9");
    m->usage = (struct usage){3, 4, 7, true, false, 2, 1, 50};
    m->duration_ms = 120;
    m->ttft_ms = 20;
    return job;
}

static void
check_whole_answer(struct fixture *f, bool with_draft)
{
    struct store_job *job;

    ask(f, 1, "ann", 11);
    if (with_draft) {
        assert_int_equal(
            run_free(f, new_answer(STORE_DRAFT_PUT, 1, 12, 11, "He")), ERR_OK);
        assert_int_equal(run_free(f, new_piece(1, 12, 2, "llo")), ERR_OK);
    }
    job = whole_answer(1, 12, 11);
    assert_int_equal(run(f, job), ERR_OK);
    assert_int_equal(job->message.seq, 2);
    assert_false(job->duplicate);
    assert_int_equal(job->session.seq, 2);
    assert_int_equal(job->session.message_count, 2);
    assert_int_equal(job->session.total_tokens, 7);
    assert_int_equal(job->session.max_response_ms, 120);
    assert_int_equal(job->session.response_count, 1);
    assert_int_equal(job->session.last_ms, T0 + 12);
    store_job_free(job);

    job = find(f, 1, 12);
    assert_string_equal(job->message.content, "Hello, world.");
    assert_int_equal(job->message.status, STATUS_COMPLETE);
    assert_int_equal(job->message.seq, 2);
    assert_string_equal(job->message.finish_reason, "stop");
    assert_string_equal(job->message.model_id, "demo");
    assert_string_equal(job->message.conversation, "c-9");
    assert_int_equal(job->message.duration_ms, 120);
    assert_int_equal(job->message.ttft_ms, 20);
    assert_int_equal(job->message.usage.prompt_tokens, 3);
    assert_int_equal(job->message.usage.completion_tokens, 4);
    assert_false(job->message.usage.estimated);
    store_job_free(job);
    assert_int_equal(number(f, "SELECT count(*) FROM messages"), 2);
    assert_int_equal(number(f, "SELECT count(*) FROM pieces"), 0);
}

static void
a_draft_becomes_a_numbered_message(void **state)
{
    check_whole_answer(*state, true);
}

static void
an_answer_without_a_draft_becomes_one_too(void **state)
{
    check_whole_answer(*state, false);
}

/* The end of answer 12 could not be stored; 15 belongs to another question. */
static void
a_second_answer_takes_the_place_of_a_draft_that_was_left(void **state)
{
    struct fixture *f = *state;

    ask(f, 1, "ann", 11);
    ask(f, 1, "ann", 14);
    assert_int_equal(run_free(f, new_answer(STORE_DRAFT_PUT, 1, 12, 11, "He")),
                     ERR_OK);
    assert_int_equal(run_free(f, new_piece(1, 12, 2, "llo")), ERR_OK);
    assert_int_equal(run_free(f, new_answer(STORE_DRAFT_PUT, 1, 15, 14, "Bye")),
                     ERR_OK);
    assert_int_equal(run_free(f, whole_answer(1, 13, 11)), ERR_OK);
    assert_int_equal(number(f, "SELECT count(*) FROM messages"), 4);
    assert_int_equal(
        number(f, "SELECT count(*) FROM messages WHERE seq IS NULL"), 1);
    assert_int_equal(number(f, "SELECT count(*) FROM pieces WHERE at>0"), 0);
    assert_int_equal(run_free(f, whole_answer(1, 15, 14)), ERR_OK);
    assert_int_equal(
        number(f, "SELECT count(*) FROM messages WHERE seq IS NULL"), 0);
    assert_int_equal(number(f, "SELECT count(*) FROM pieces"), 0);
}

static void
finishing_twice_counts_once(void **state)
{
    struct fixture *f = *state;
    struct store_job *job;

    ask(f, 1, "ann", 11);
    assert_int_equal(run_free(f, whole_answer(1, 12, 11)), ERR_OK);
    ask(f, 1, "ann", 13);
    job = whole_answer(1, 12, 11);
    set_content(&job->message, "something else");
    assert_int_equal(run(f, job), ERR_OK);
    assert_true(job->duplicate);
    assert_int_equal(job->message.seq, 2);
    assert_string_equal(job->message.content, "Hello, world.");
    assert_int_equal(job->session.seq, 3);
    store_job_free(job);
    assert_int_equal(number(f, "SELECT msgCount FROM sessions"), 3);
    assert_int_equal(number(f, "SELECT totalTokens FROM sessions"), 7);
}

static void
a_new_version_supersedes_the_old_one(void **state)
{
    struct fixture *f = *state;
    struct store_job *job;

    ask(f, 1, "ann", 11);
    assert_int_equal(run_free(f, whole_answer(1, 12, 11)), ERR_OK);
    job = whole_answer(1, 13, 11);
    job->message.replaces = xmalloc(RAND_ID_CHARS + 1);
    id_of(12, job->message.replaces);
    assert_int_equal(run_free(f, job), ERR_OK);

    job = find(f, 1, 11);
    assert_int_equal(job->count, 2);
    assert_true(job->messages[0].superseded);
    assert_false(job->messages[1].superseded);
    assert_string_equal(job->messages[1].replaces, job->messages[0].id);
    store_job_free(job);
}

static void
an_ended_session_stays_ended(void **state)
{
    struct fixture *f = *state;
    struct store_job *job;

    ask(f, 1, "ann", 11);
    job = new_job(STORE_SESSION_PATCH, 1, "ann");
    job->patch = STORE_PATCH_END;
    job->session.end_ms = T0 + 500;
    assert_int_equal(run_free(f, job), ERR_OK);
    job = whole_answer(1, 12, 11);
    assert_int_equal(run(f, job), ERR_OK);
    assert_int_equal(job->session.end_ms, T0 + 500);
    store_job_free(job);
}

/* Req 12.1, 12.2, 12.4, 12.5, Property 12, 13 */
static void
response_times_are_a_window_of_the_last_ones(void **state)
{
    struct fixture *f = *state;
    struct store_job *job = NULL;

    store_sqlite_of(f->writer)->times_max = 3;
    ask(f, 1, "ann", 11);
    for (unsigned i = 0; i < 5; i++) { /* 900, 10, 20, 30, 40 */
        store_job_free(job);
        job = whole_answer(1, 100 + i, 11);
        job->message.duration_ms = i == 0 ? 900 : i * 10;
        assert_int_equal(run(f, job), ERR_OK);
    }
    assert_int_equal(job->session.response_count, 3);
    assert_true(job->session.avg_response_ms == 30);
    assert_int_equal(job->session.max_response_ms, 900);
    store_job_free(job);
    assert_int_equal(number(f, "SELECT respTimes='[20,30,40]' FROM sessions"),
                     1);

    store_sqlite_of(f->writer)->times_max = 1;
    job = whole_answer(1, 200, 11);
    job->message.duration_ms = 0;
    assert_int_equal(run(f, job), ERR_OK);
    assert_int_equal(job->session.response_count, 1);
    assert_true(job->session.avg_response_ms == 0);
    store_job_free(job);
    assert_int_equal(number(f, "SELECT respTimes='[0]' FROM sessions"), 1);
}

static void
an_unknown_response_time_is_not_counted(void **state)
{
    struct fixture *f = *state;
    struct store_job *job;

    ask(f, 1, "ann", 11);
    job = whole_answer(1, 12, 11);
    job->message.duration_ms = -1;
    assert_int_equal(run(f, job), ERR_OK);
    assert_int_equal(job->session.response_count, 0);
    store_job_free(job);
    assert_int_equal(number(f, "SELECT respTimes='[]' FROM sessions"), 1);
}

/* -- recovery -- */

static void
cut_answers_are_closed_at_open(void **state)
{
    struct fixture *f = *state;
    struct store_job *job;

    for (unsigned s = 1; s <= 3; s++) {
        ask(f, s, "ann", s * 10);
    }
    job = new_answer(STORE_DRAFT_PUT, 1, 11, 10, "cut");
    job->message.usage = (struct usage){1, 2, 3, true, true, 0, 0, 9};
    job->message.budget_roles = xstrdup("\nr\n");
    assert_int_equal(run_free(f, job), ERR_OK);
    assert_int_equal(run_free(f, new_piece(1, 11, 3, " ")), ERR_OK);
    job = new_piece(1, 11, 4, "he");
    job->message.usage = (struct usage){1, 4, 5, true, true, 0, 0, 20};
    assert_int_equal(run_free(f, job), ERR_OK);
    assert_int_equal(run_free(f, new_piece(2, 21, 0, "lost")), ERR_OK);
    assert_int_equal(run_free(f, new_piece(3, 31, 0, "orphan")), ERR_OK);
    by_hand(f, "DELETE FROM pieces WHERE content='lost'");
    by_hand(f, "DELETE FROM sessions WHERE n=3");
    fixture_close(f);
    fixture_open(f);

    job = find(f, 1, 11);
    assert_string_equal(job->message.content, "cut he");
    assert_int_equal(job->message.status, STATUS_INTERRUPTED);
    assert_string_equal(job->message.finish_reason, "interrupted");
    assert_int_equal(job->message.seq, 2);
    store_job_free(job);
    job = find(f, 2, 21);
    assert_int_equal(job->result, ERR_NOT_FOUND);
    store_job_free(job);
    assert_int_equal(number(f, "SELECT count(*) FROM messages"), 4);
    assert_int_equal(number(f, "SELECT count(*) FROM pieces"), 0);
    assert_int_equal(number(f, "SELECT sum(seq) FROM sessions"), 3);
    assert_int_equal(number(f, "SELECT sum(msgCount) FROM sessions"), 3);
    assert_int_equal(number(f, "SELECT sum(totalTokens) FROM sessions"), 5);
    assert_int_equal(number(f, "SELECT sum(totalCost) FROM sessions"), 20);
    assert_int_equal(number(f, "SELECT count(*) FROM usage WHERE totalTokens=5"
                               " AND completionTokens=4 AND cost=20"
                               " AND estimated=1 AND uid='ann'"
                               " AND budgetRoles=char(10)||'r'||char(10)"),
                     1);

    fixture_close(f); /* and only once */
    fixture_open(f);
    assert_int_equal(number(f, "SELECT sum(seq) FROM sessions"), 3);
}

static void
a_cut_answer_is_closed_up_to_the_first_hole(void **state)
{
    struct fixture *f = *state;
    struct store_job *job;

    ask(f, 1, "ann", 11);
    assert_int_equal(run_free(f, new_piece(1, 12, 0, "one ")), ERR_OK);
    assert_int_equal(run_free(f, new_piece(1, 12, 4, "two ")), ERR_OK);
    assert_int_equal(run_free(f, new_piece(1, 12, 8, "three ")), ERR_OK);
    assert_int_equal(run_free(f, new_piece(1, 12, 14, "four")), ERR_OK);
    by_hand(f, "DELETE FROM pieces WHERE at=8");
    fixture_close(f);
    fixture_open(f);

    job = find(f, 1, 12);
    assert_string_equal(job->message.content, "one two ");
    assert_int_equal(job->message.content_n, 8);
    assert_int_equal(job->message.status, STATUS_INTERRUPTED);
    store_job_free(job);
    assert_int_equal(number(f, "SELECT count(*) FROM pieces"), 0);
}

/* A database as version 1 left it, with a running answer: that had its text in
 * its row. */
static void
make_version_1(const struct fixture *f)
{
    char path[160], why[256], sql[512];
    sqlite3 *db = NULL;

    fixture_path(f, "chatbox.db", path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(store_sqlite_schema_migrate_by(
                         db, store_sqlite_schema_steps, 1, why, sizeof(why)),
                     ERR_OK);
    snprintf(sql, sizeof(sql),
             "INSERT INTO sessions(n,_id,uid,ts,lastActivity,epoch)"
             " VALUES(1,'%032x','ann',5,5,'e');"
             "INSERT INTO messages(session,_id,sid,ts,sender,type,status,"
             "replyTo,content) VALUES(1,'%032x','%032x',6,'ai','ai_response',"
             "'streaming','%032x','as it was')",
             1, 12, 1, 11);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void
a_cut_answer_of_schema_version_1_is_closed(void **state)
{
    struct fixture *f = *state;
    struct store_job *job;

    fixture_close(f);
    make_version_1(f);
    fixture_open(f);
    job = find(f, 1, 12);
    assert_string_equal(job->message.content, "as it was");
    assert_int_equal(job->message.status, STATUS_INTERRUPTED);
    store_job_free(job);
}

/* Past the store, which is closed. */
static void
change_file(const struct fixture *f, const char *sql)
{
    char path[160];
    sqlite3 *db = NULL;

    fixture_path(f, "chatbox.db", path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void
what_cannot_be_closed_is_left_and_the_reason_told(void **state)
{
    static const struct {
        const char *harm, *undo, *why;
    } rows[] = {
        {"ALTER TABLE pieces RENAME TO hidden",
         "ALTER TABLE hidden RENAME TO pieces", "SQL logic error"},
        {"UPDATE sessions SET seq=0", "UPDATE sessions SET seq=1",
         "they contradict other rows"},
    };
    struct fixture *f = *state;
    char expected[200];

    ask(f, 1, "ann", 11);
    assert_int_equal(run_free(f, new_piece(1, 12, 0, "cut")), ERR_OK);
    fixture_close(f);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        change_file(f, rows[i].harm);
        assert_int_equal(
            store_sqlite.open(&f->settings, &f->writer, f->why, sizeof(f->why)),
            ERR_DATABASE_ERROR);
        snprintf(expected, sizeof(expected),
                 "Unfinished answers cannot be closed: %s.", rows[i].why);
        assert_string_equal(f->why, expected);
        change_file(f, rows[i].undo);
    }
    fixture_open(f);
    assert_int_equal(
        number(f, "SELECT count(*) FROM messages WHERE content='cut'"), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_draft_becomes_a_numbered_message),
        TEST(an_answer_without_a_draft_becomes_one_too),
        TEST(a_second_answer_takes_the_place_of_a_draft_that_was_left),
        TEST(finishing_twice_counts_once),
        TEST(a_new_version_supersedes_the_old_one),
        TEST(an_ended_session_stays_ended),
        TEST(response_times_are_a_window_of_the_last_ones),
        TEST(an_unknown_response_time_is_not_counted),
        TEST(cut_answers_are_closed_at_open),
        TEST(a_cut_answer_is_closed_up_to_the_first_hole),
        TEST(a_cut_answer_of_schema_version_1_is_closed),
        TEST(what_cannot_be_closed_is_left_and_the_reason_told),
    };

    return cmocka_run_group_tests_name("store/store_sqlite_answer", tests, NULL,
                                       NULL);
}
