/* SPDX-License-Identifier: MIT */
#include "fixture.h"

static void
expect_text(struct fixture *f, unsigned id, const char *text)
{
    struct store_job *job = find(f, 1, id);

    assert_int_equal(job->result, ERR_OK);
    assert_string_equal(job->message.content, text);
    assert_int_equal(job->message.content_n, strlen(text));
    assert_int_equal(job->message.status, STATUS_STREAMING);
    assert_int_equal(job->message.seq, 0);
    store_job_free(job);
}

static void
a_draft_grows_beside_the_log(void **state)
{
    struct fixture *f = *state;
    struct store_job *job;

    ask(f, 1, "ann", 11);
    job = new_piece(1, 12, 0, "He");
    job->message.usage = (struct usage){3, 4, 7, true, true, 2, 1, 50};
    job->message.ttft_ms = 25;
    assert_int_equal(run_free(f, job), ERR_OK);
    assert_int_equal(run_free(f, new_piece(1, 12, 2, "llo, ")), ERR_OK);
    assert_int_equal(run_free(f, new_piece(1, 12, 7, "wor")), ERR_OK);

    expect_text(f, 12, "Hello, wor");
    job = find(f, 1, 12);
    assert_int_equal(job->message.ttft_ms, 25);
    assert_true(job->message.usage.present);
    assert_true(job->message.usage.estimated);
    assert_int_equal(job->message.usage.total_tokens, 7);
    store_job_free(job);
    job = find(f, 1, 11); /* the question */
    assert_int_equal(job->count, 1);
    assert_string_equal(job->messages[0].content, "Hello, wor");
    store_job_free(job);
    assert_int_equal(number(f, "SELECT seq FROM sessions"), 1);
    assert_int_equal(number(f, "SELECT msgCount FROM sessions"), 1);
}

/* A checkpoint costs what is new: nothing of what is there is written again. */
static void
a_piece_touches_no_other_row(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db = store_sqlite_of(f->writer)->db;
    int before;

    ask(f, 1, "ann", 11);
    assert_int_equal(run_free(f, new_piece(1, 12, 0, "one ")), ERR_OK);
    before = sqlite3_total_changes(db);
    assert_int_equal(run_free(f, new_piece(1, 12, 4, "two")), ERR_OK);
    assert_int_equal(sqlite3_total_changes(db), before + 1);
}

static void
answers_grow_beside_each_other(void **state)
{
    struct fixture *f = *state;

    ask(f, 1, "ann", 11);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(run_free(f, new_piece(1, 12, 2 * i, "a ")), ERR_OK);
        assert_int_equal(run_free(f, new_piece(1, 13, i, "b")), ERR_OK);
    }
    expect_text(f, 12, "a a a ");
    expect_text(f, 13, "bbb");
}

/* After "one " and "two ". */
static void
a_piece_follows_what_is_there_or_comes_again(void **state)
{
    static const struct {
        size_t offset;
        enum err expected;
        const char *text;
    } cases[] = {
        {8, ERR_OK, "one two NEW"},
        {4, ERR_OK, "one NEW"},
        {0, ERR_OK, "NEW"},
        {9, ERR_CONFLICT, "one two "},
        {7, ERR_CONFLICT, "one two "},
        {5, ERR_CONFLICT, "one two "},
        {1, ERR_CONFLICT, "one two "},
        {(size_t)1 << 40, ERR_CONFLICT, "one two "},
    };
    struct fixture *f = *state;

    ask(f, 1, "ann", 11);
    for (unsigned i = 0; i < COUNT_OF(cases); i++) {
        unsigned id = 100 + i;
        char twice[32];

        assert_int_equal(run_free(f, new_piece(1, id, 0, "one ")), ERR_OK);
        assert_int_equal(run_free(f, new_piece(1, id, 4, "two ")), ERR_OK);
        for (int again = 0; again < 2; again++) {
            assert_int_equal(
                run_free(f, new_piece(1, id, cases[i].offset, "NEW")),
                cases[i].expected);
            expect_text(f, id, cases[i].text);
        }
        snprintf(twice, sizeof(twice), "%s.", cases[i].text);
        assert_int_equal(
            run_free(f, new_piece(1, id, strlen(cases[i].text), ".")), ERR_OK);
        expect_text(f, id, twice);
    }
}

static void
an_answer_begins_with_its_first_piece(void **state)
{
    struct fixture *f = *state;

    ask(f, 1, "ann", 11);
    assert_int_equal(run_free(f, new_piece(1, 12, 3, "lo")), ERR_CONFLICT);
    assert_int_equal(run_free(f, new_piece(2, 12, 3, "lo")), ERR_NOT_FOUND);
    assert_int_equal(run_free(f, new_piece(2, 12, 0, "hel")), ERR_NOT_FOUND);
    assert_int_equal(number(f, "SELECT count(*) FROM messages"), 1);
    assert_int_equal(number(f, "SELECT count(*) FROM pieces"), 0);
}

static void
a_draft_does_not_bring_back_a_deleted_session(void **state)
{
    struct fixture *f = *state;

    ask(f, 1, "ann", 11);
    ask(f, 2, "ann", 21);
    assert_int_equal(run_free(f, new_piece(1, 12, 0, "He")), ERR_OK);
    assert_int_equal(run_free(f, new_piece(2, 22, 0, "stays")), ERR_OK);
    assert_int_equal(run_free(f, new_job(STORE_SESSION_DELETE, 1, "ann")),
                     ERR_OK);
    assert_int_equal(run_free(f, new_piece(1, 12, 0, "Hell")), ERR_NOT_FOUND);
    assert_int_equal(run_free(f, new_piece(1, 12, 2, "ll")), ERR_NOT_FOUND);
    assert_int_equal(
        run_free(f, new_answer(STORE_ANSWER_FINISH, 1, 12, 11, "Hello")),
        ERR_NOT_FOUND);
    assert_int_equal(number(f, "SELECT count(*) FROM messages"), 2);
    assert_int_equal(number(f, "SELECT content='stays' FROM pieces"), 1);
}

static void
a_finished_answer_is_no_draft_any_more(void **state)
{
    struct fixture *f = *state;

    ask(f, 1, "ann", 11);
    assert_int_equal(
        run_free(f, new_answer(STORE_ANSWER_FINISH, 1, 12, 11, "all")), ERR_OK);
    assert_int_equal(run_free(f, new_piece(1, 12, 0, "late")), ERR_CONFLICT);
    assert_int_equal(run_free(f, new_piece(1, 12, 3, "late")), ERR_CONFLICT);
    assert_int_equal(run_free(f, new_answer(STORE_DRAFT_DROP, 1, 12, 11, "")),
                     ERR_OK);
    assert_int_equal(number(f, "SELECT content='all' FROM messages"
                               " WHERE sender='ai'"),
                     1);
    assert_int_equal(number(f, "SELECT count(*) FROM pieces"), 0);
}

static void
a_dropped_draft_leaves_nothing(void **state)
{
    struct fixture *f = *state;

    ask(f, 1, "ann", 11);
    assert_int_equal(run_free(f, new_piece(1, 12, 0, "He")), ERR_OK);
    assert_int_equal(run_free(f, new_piece(1, 12, 2, "llo")), ERR_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            run_free(f, new_answer(STORE_DRAFT_DROP, 1, 12, 11, "")), ERR_OK);
        assert_int_equal(number(f, "SELECT count(*) FROM messages"), 1);
        assert_int_equal(number(f, "SELECT count(*) FROM pieces"), 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_draft_grows_beside_the_log),
        TEST(a_piece_touches_no_other_row),
        TEST(answers_grow_beside_each_other),
        TEST(a_piece_follows_what_is_there_or_comes_again),
        TEST(an_answer_begins_with_its_first_piece),
        TEST(a_draft_does_not_bring_back_a_deleted_session),
        TEST(a_finished_answer_is_no_draft_any_more),
        TEST(a_dropped_draft_leaves_nothing),
    };

    return cmocka_run_group_tests_name("store/store_sqlite_draft", tests, NULL,
                                       NULL);
}
