/* SPDX-License-Identifier: MIT */
/* What a database with keys shows and what its files show; and which keys it
 * opens with. */
#include "store/store_sqlite_seals.h"

#include "base/metrics.h"
#include "keys.h"

#define CANARY "canary-9f3b1c77"
#define TEXT "It says " CANARY " in the middle."

static void
say(struct fixture *f, unsigned session, unsigned id, const char *text)
{
    assert_int_equal(run_free(f, new_question(session, "ann", id, text)),
                     ERR_OK);
}

static void
expect_seen(struct fixture *f, unsigned session, unsigned id, const char *text)
{
    char out[200];

    assert_string_equal(seen(f, session, id, out), text);
}

/* -- what is on disk -- */

static void
no_text_is_in_any_file(void **state)
{
    struct fixture *f = *state;
    struct store_job *job;

    say(f, 1, 11, TEXT); /* also the session's name */
    assert_int_equal(run_free(f, new_piece(1, 12, 0, CANARY "-one ")), ERR_OK);
    assert_int_equal(run_free(f, new_piece(1, 12, 20, CANARY "-two")), ERR_OK);
    assert_false(on_disk(f, CANARY));
    job = new_answer(STORE_ANSWER_FINISH, 1, 12, 11, CANARY "-one and two");
    assert_int_equal(run_free(f, job), ERR_OK);
    job = new_job(STORE_SESSION_PATCH, 1, "ann");
    job->patch = STORE_PATCH_NAME;
    job->session.name = xstrdup("About " CANARY);
    assert_int_equal(run_free(f, job), ERR_OK);
    job = new_job(STORE_SESSION_PUT, 2, "ann");
    job->session.name = xstrdup("New " CANARY);
    assert_int_equal(run_free(f, job), ERR_OK);
    assert_false(on_disk(f, CANARY));
    reopen_with(f, "a");
    assert_false(on_disk(f, CANARY));
    expect_seen(f, 1, 11, TEXT);
    expect_seen(f, 1, 12, CANARY "-one and two");
}

/* The search for the canary would find it. */
static void
without_keys_it_is(void **state)
{
    struct fixture *f = *state;

    say(f, 1, 11, TEXT);
    assert_true(on_disk(f, CANARY));
}

static void
an_answer_that_a_crash_cut_opens_again(void **state)
{
    struct fixture *f = *state;
    struct store_job *job;

    say(f, 1, 11, "hello");
    assert_int_equal(run_free(f, new_piece(1, 12, 0, "one ")), ERR_OK);
    assert_int_equal(run_free(f, new_piece(1, 12, 4, "two")), ERR_OK);
    job = find(f, 1, 12);
    assert_string_equal(job->message.content, "one two");
    store_job_free(job);
    reopen_with(f, "ba"); /* a restart with a new key in front */
    job = find(f, 1, 12);
    assert_string_equal(job->message.content, "one two");
    assert_int_equal(job->message.status, STATUS_INTERRUPTED);
    assert_int_equal(job->message.seq, 2);
    store_job_free(job);
}

/* -- what was meddled with -- */

static void
nothing_opens_at_another_place(void **state)
{
    static const struct {
        const char *sql;
        unsigned session, id;
    } moves[] = {
        {"UPDATE messages SET content=(SELECT content FROM messages m WHERE "
         "m.n=2) WHERE n=1",
         1, 11}, /* another number */
        {"UPDATE messages SET content=(SELECT content FROM messages m WHERE "
         "m.n=3) WHERE n=1",
         1, 11}, /* the same number of another session */
        {"UPDATE messages SET seq=99 WHERE n=1", 1, 11},
        {"UPDATE messages SET session=2,seq=9 WHERE n=1", 2, 11},
        {"UPDATE messages SET session=2,seq=100 WHERE n=2", 2, 12},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(moves); i++) {
        by_hand(f, "DELETE FROM messages; DELETE FROM sessions");
        say(f, 1, 11, "one");
        say(f, 1, 12, "two");
        say(f, 2, 13, "three");
        expect_seen(f, 1, 11, "one");
        by_hand(f, moves[i].sql);
        expect_seen(f, moves[i].session, moves[i].id, "unreadable");
    }
}

/* The whole row, with its number, under another session. */
static void
a_message_that_was_moved_to_another_session_does_not_open(void **state)
{
    struct fixture *f = *state;

    say(f, 1, 11, "one");
    say(f, 2, 12, "two");
    by_hand(f, "DELETE FROM messages WHERE session=2");
    by_hand(f, "UPDATE messages SET session=2");
    expect_seen(f, 2, 11, "unreadable");
}

static void
what_does_not_open_is_counted_and_harms_nothing_else(void **state)
{
    struct fixture *f = *state;
    int64_t before;
    struct store_job *job;

    say(f, 1, 11, "one");
    say(f, 1, 12, "two");
    by_hand(f, "UPDATE messages SET content=substr(content,1,40) WHERE n=1");
    before = metric_value(METRIC_STORE_UNREADABLE, 0);
    job = new_job(STORE_MESSAGES, 1, "ann");
    assert_int_equal(run(f, job), ERR_OK);
    assert_int_equal(job->count, 2);
    assert_true(job->messages[0].unreadable);
    assert_string_equal(job->messages[0].content, "");
    assert_false(job->messages[1].unreadable);
    assert_string_equal(job->messages[1].content, "two");
    store_job_free(job);
    assert_int_equal(metric_value(METRIC_STORE_UNREADABLE, 0), before + 1);
}

static void
a_name_that_does_not_open_is_kept(void **state)
{
    struct fixture *f = *state;
    struct store_job *job;

    say(f, 1, 11, "the name");
    by_hand(f, "UPDATE sessions SET nm=substr(nm,1,50)");
    job = new_job(STORE_SESSION_GET, 1, "ann");
    assert_int_equal(run(f, job), ERR_OK);
    assert_true(job->session.name_unreadable);
    assert_null(job->session.name);
    store_job_free(job);
    say(f, 1, 12, "not the name");
    job = new_job(STORE_SESSION_PATCH, 1, "ann");
    job->patch = STORE_PATCH_ARCHIVED;
    assert_int_equal(run_free(f, job), ERR_OK);
    assert_int_equal(number(f, "SELECT length(nm) FROM sessions"), 50);
    job = new_job(STORE_SESSION_PATCH, 1, "ann");
    job->patch = STORE_PATCH_NAME;
    job->session.name = xstrdup("another");
    assert_int_equal(run(f, job), ERR_OK);
    assert_string_equal(job->session.name, "another");
    store_job_free(job);
    job = new_job(STORE_SESSION_GET, 1, "ann");
    assert_int_equal(run(f, job), ERR_OK);
    assert_string_equal(job->session.name, "another");
    store_job_free(job);
}

static void
a_running_answer_ends_before_a_piece_that_does_not_open(void **state)
{
    struct fixture *f = *state;
    struct store_job *job;

    say(f, 1, 11, "hello");
    assert_int_equal(run_free(f, new_piece(1, 12, 0, "one ")), ERR_OK);
    assert_int_equal(run_free(f, new_piece(1, 12, 4, "two ")), ERR_OK);
    assert_int_equal(run_free(f, new_piece(1, 12, 8, "three")), ERR_OK);
    by_hand(f, "UPDATE pieces SET content=(SELECT content FROM pieces p WHERE "
               "p.at=8) WHERE at=4");
    job = find(f, 1, 12);
    assert_string_equal(job->message.content, "one ");
    store_job_free(job);
}

/* -- search -- */

static size_t
found(struct fixture *f, const char *query)
{
    struct store_job *job = new_job(STORE_SESSION_LIST, 0, "ann");
    size_t count;

    job->query = xstrdup(query);
    assert_int_equal(run(f, job), ERR_OK);
    count = job->count;
    store_job_free(job);
    return count;
}

static void
the_search_looks_into_opened_texts(void **state)
{
    struct fixture *f = *state;

    say(f, 1, 11, "A name");
    say(f, 1, 12, "Es zählt die Größe");
    assert_int_equal(found(f, "a NAME"), 1);
    assert_int_equal(found(f, "größe"), 1);
    assert_int_equal(found(f, "v1.a."), 0);
    by_hand(f, "UPDATE messages SET content=substr(content,1,50)");
    assert_int_equal(found(f, "größe"), 0);
    assert_int_equal(found(f, "v1"), 0);
    assert_int_equal(found(f, "a name"), 1);
}

/* -- which keys -- */

static void
only_keys_that_open_what_is_there_are_admitted(void **state)
{
    struct fixture *f = *state;

    say(f, 1, 11, "one");
    close_with(f);
    expect_refused(f, "", "\"a\", which is not among");
    expect_refused(f, "b", "\"a\", which is not among");
    expect_refused(f, "A", "The key \"a\" of");
    expect_refused(f, "bA", "The key \"a\" of");
    open_with(f, "ba");
    expect_seen(f, 1, 11, "one");
    say(f, 1, 12, "two");
    close_with(f);
    expect_refused(f, "a", "\"b\", which is not among");
    expect_refused(f, "b", "\"a\", which is not among");
    open_with(f, "ab");
    expect_seen(f, 1, 12, "two");
}

static void
texts_from_before_the_keys_stay_readable(void **state)
{
    struct fixture *f = *state;

    say(f, 1, 11, "one");
    by_hand(f, "UPDATE messages SET content='v1.2 is out'");
    by_hand(f, "UPDATE sessions SET nm='plain'");
    expect_seen(f, 1, 11, "v1.2 is out");
    assert_int_equal(found(f, "PLAIN"), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        KEYS_TEST(no_text_is_in_any_file),
        TEST(without_keys_it_is),
        KEYS_TEST(an_answer_that_a_crash_cut_opens_again),
        KEYS_TEST(nothing_opens_at_another_place),
        KEYS_TEST(a_message_that_was_moved_to_another_session_does_not_open),
        KEYS_TEST(what_does_not_open_is_counted_and_harms_nothing_else),
        KEYS_TEST(a_name_that_does_not_open_is_kept),
        KEYS_TEST(a_running_answer_ends_before_a_piece_that_does_not_open),
        KEYS_TEST(the_search_looks_into_opened_texts),
        KEYS_TEST(only_keys_that_open_what_is_there_are_admitted),
        KEYS_TEST(texts_from_before_the_keys_stay_readable),
    };

    metrics_thread_init();
    return cmocka_run_group_tests_name("store/store_sqlite_seals", tests, NULL,
                                       NULL);
}
