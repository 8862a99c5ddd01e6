/* SPDX-License-Identifier: MIT */
#include "fixture.h"

/* -- append -- */

static void
the_first_message_makes_its_session(void **state)
{
    struct fixture *f = *state;
    struct store_job *job = new_question(1, "ann", 11, "Hello there");

    job->session.start_ms = T0 - 5;
    memcpy(job->session.epoch, "0123456789abcdef", 17);
    assert_int_equal(run(f, job), ERR_OK);
    assert_false(job->duplicate);
    assert_int_equal(job->message.seq, 1);
    assert_int_equal(job->session.seq, 1);
    assert_int_equal(job->session.message_count, 1);
    assert_int_equal(job->session.start_ms, T0 - 5);
    assert_int_equal(job->session.last_ms, T0 + 11);
    assert_string_equal(job->session.name, "Hello there");
    assert_string_equal(job->session.epoch, "0123456789abcdef");
    store_job_free(job);

    job = new_job(STORE_SESSION_GET, 1, "ann");
    assert_int_equal(run(f, job), ERR_OK);
    assert_int_equal(job->session.seq, 1);
    assert_string_equal(job->session.model_id, "demo");
    assert_string_equal(job->session.name, "Hello there");
    assert_int_equal(job->session.end_ms, 0);
    store_job_free(job);
}

static void
numbers_rise_by_one_in_each_session(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 20; i++) {
        struct store_job *job = new_question(i % 2, "ann", 100 + i, "hello");

        assert_int_equal(run(f, job), ERR_OK);
        assert_int_equal(job->message.seq, i / 2 + 1);
        assert_int_equal(job->session.message_count, i / 2 + 1);
        store_job_free(job);
    }
}

static void
a_session_without_an_epoch_gets_one(void **state)
{
    struct fixture *f = *state;
    struct store_job *job = new_question(1, "ann", 11, "Hi");

    assert_int_equal(run(f, job), ERR_OK);
    assert_int_equal(strlen(job->session.epoch), RECORD_EPOCH_CHARS);
    assert_int_equal(job->session.start_ms, T0 + 11);
    store_job_free(job);
}

static void
somebody_elses_session_is_not_found(void **state)
{
    struct fixture *f = *state;
    struct store_job *job;

    ask(f, 1, "ann", 11);
    assert_int_equal(run_free(f, new_question(1, "bob", 12, "mine?")),
                     ERR_NOT_FOUND);
    job = new_job(STORE_SESSION_PATCH, 1, "bob");
    job->patch = STORE_PATCH_NAME;
    assert_int_equal(run_free(f, job), ERR_NOT_FOUND);
    assert_int_equal(run_free(f, new_job(STORE_SESSION_DELETE, 1, "bob")),
                     ERR_NOT_FOUND);
    assert_int_equal(run_free(f, new_job(STORE_SESSION_DELETE, 2, "bob")),
                     ERR_NOT_FOUND);
    assert_int_equal(number(f, "SELECT count(*) FROM messages"), 1);
    assert_int_equal(number(f, "SELECT seq FROM sessions"), 1);
}

static void
every_member_of_a_message_is_kept(void **state)
{
    struct fixture *f = *state;
    struct store_job *job = new_question(1, "ann", 11, "");
    struct message_record *m = &job->message;

    xfree(m->content);
    m->content = xmemdup("nul \0 and \xf0\x9f\x8c\x8d", 14);
    m->content_n = 14;
    m->sender = SENDER_ADMIN;
    m->client_id = xstrdup("c-1");
    m->file_id = xstrdup("file");
    m->file_url = xstrdup("https://example.org/f");
    m->metadata = xstrdup("{\"a\":\"b\"}");
    m->model_id = xstrdup("demo-2");
    assert_int_equal(run_free(f, job), ERR_OK);

    job = new_job(STORE_MESSAGES, 1, "ann");
    assert_int_equal(run(f, job), ERR_OK);
    assert_int_equal(job->count, 1);
    m = &job->messages[0];
    assert_int_equal(m->content_n, 14);
    assert_memory_equal(m->content, "nul \0 and \xf0\x9f\x8c\x8d", 15);
    assert_string_equal(m->type, "user_message");
    assert_int_equal(m->sender, SENDER_ADMIN);
    assert_int_equal(m->status, STATUS_COMPLETE);
    assert_int_equal(m->at_ms, T0 + 11);
    assert_string_equal(m->client_id, "c-1");
    assert_string_equal(m->file_id, "file");
    assert_string_equal(m->file_url, "https://example.org/f");
    assert_string_equal(m->metadata, "{\"a\":\"b\"}");
    assert_string_equal(m->model_id, "demo-2");
    assert_null(m->finish_reason);
    assert_false(m->usage.present);
    assert_int_equal(m->duration_ms, -1);
    assert_int_equal(m->ttft_ms, -1);
    store_job_free(job);
}

static void
a_repeated_client_id_gives_the_first_message_and_its_answers(void **state)
{
    struct fixture *f = *state;
    struct store_job *job = new_question(1, "ann", 11, "first");
    char id[RAND_ID_CHARS + 1];

    job->message.client_id = xstrdup("c-1");
    assert_int_equal(run_free(f, job), ERR_OK);
    assert_int_equal(
        run_free(f, new_answer(STORE_ANSWER_FINISH, 1, 12, 11, "one")), ERR_OK);
    assert_int_equal(run_free(f, new_answer(STORE_DRAFT_PUT, 1, 13, 11, "tw")),
                     ERR_OK);

    job = new_question(1, "ann", 14, "again");
    job->message.client_id = xstrdup("c-1");
    assert_int_equal(run(f, job), ERR_OK);
    assert_true(job->duplicate);
    id_of(11, id);
    assert_string_equal(job->message.id, id);
    assert_string_equal(job->message.content, "first");
    assert_int_equal(job->message.seq, 1);
    assert_int_equal(job->session.seq, 2);
    assert_int_equal(job->count, 2);
    assert_string_equal(job->messages[0].content, "one");
    assert_int_equal(job->messages[0].seq, 2);
    assert_string_equal(job->messages[1].content, "tw");
    assert_int_equal(job->messages[1].status, STATUS_STREAMING);
    assert_int_equal(job->messages[1].seq, 0);
    store_job_free(job);
    assert_int_equal(number(f, "SELECT seq FROM sessions"), 2);
    assert_int_equal(number(f, "SELECT count(*) FROM messages"), 3);
}

static void
the_same_client_id_in_another_session_is_another_message(void **state)
{
    struct fixture *f = *state;

    for (unsigned s = 1; s <= 2; s++) {
        struct store_job *job = new_question(s, "ann", 10 + s, "hi");

        job->message.client_id = xstrdup("c-1");
        assert_int_equal(run(f, job), ERR_OK);
        assert_false(job->duplicate);
        assert_int_equal(job->message.seq, 1);
        store_job_free(job);
    }
}

static void
a_taken_message_id_is_a_conflict_and_writes_nothing(void **state)
{
    struct fixture *f = *state;
    struct store_job *job;

    ask(f, 1, "ann", 11);
    assert_int_equal(run_free(f, new_question(1, "ann", 11, "again")),
                     ERR_CONFLICT);
    job = new_question(1, "ann", 11, "with an id");
    job->message.client_id = xstrdup("c");
    assert_int_equal(run_free(f, job), ERR_CONFLICT);
    assert_int_equal(number(f, "SELECT count(*) FROM messages"), 1);
    assert_int_equal(number(f, "SELECT count(*) FROM sessions"), 1);
    assert_int_equal(number(f, "SELECT seq FROM sessions"), 1);
}

static void
a_message_reopens_an_ended_session_but_an_event_does_not(void **state)
{
    struct fixture *f = *state;
    struct store_job *job;

    ask(f, 1, "ann", 11);
    job = new_job(STORE_SESSION_PATCH, 1, "ann");
    job->patch = STORE_PATCH_END;
    job->session.end_ms = T0 + 1000;
    assert_int_equal(run(f, job), ERR_OK);
    assert_int_equal(job->session.end_ms, T0 + 1000);
    store_job_free(job);

    job = new_question(1, "ann", 12, "left");
    job->message.sender = SENDER_SYSTEM;
    assert_int_equal(run(f, job), ERR_OK);
    assert_int_equal(job->session.end_ms, T0 + 1000);
    store_job_free(job);
    job = new_question(1, "ann", 13, "back");
    assert_int_equal(run(f, job), ERR_OK);
    assert_int_equal(job->session.end_ms, 0);
    store_job_free(job);
    assert_int_equal(number(f, "SELECT endTs IS NULL FROM sessions"), 1);
}

static void
activity_never_goes_back(void **state)
{
    struct fixture *f = *state;
    struct store_job *job;

    ask(f, 1, "ann", 50);
    job = new_question(1, "ann", 12, "an earlier clock");
    assert_int_equal(run(f, job), ERR_OK);
    assert_int_equal(job->session.last_ms, T0 + 50);
    store_job_free(job);
}

/* -- names -- */

#define TEN "aaaaaaaaaa"
#define UMLAUTS                                                                \
    "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"         \
    "\xc3\xa4\xc3\xa4"

static void
a_session_is_named_by_its_first_line(void **state)
{
    static const struct {
        const char *content;
        const char *name; /* NULL: none */
    } cases[] = {
        {"one line", "one line"},
        {"  first \r\n second", "first"},
        {"\n\n first\nsecond", "first"},
        {"", NULL},
        {" \n ", NULL},
        {TEN TEN TEN TEN TEN TEN TEN TEN, TEN TEN TEN TEN TEN TEN TEN TEN},
        {TEN TEN TEN TEN TEN TEN TEN TEN "b", TEN TEN TEN TEN TEN TEN TEN TEN},
        {UMLAUTS UMLAUTS UMLAUTS UMLAUTS UMLAUTS UMLAUTS UMLAUTS UMLAUTS "b",
         UMLAUTS UMLAUTS UMLAUTS UMLAUTS UMLAUTS UMLAUTS UMLAUTS UMLAUTS},
    };
    struct fixture *f = *state;

    for (unsigned i = 0; i < COUNT_OF(cases); i++) {
        struct store_job *job =
            new_question(i + 1, "ann", 100 + i, cases[i].content);

        assert_int_equal(run(f, job), ERR_OK);
        if (cases[i].name == NULL) {
            assert_null(job->session.name);
        } else {
            assert_string_equal(job->session.name, cases[i].name);
        }
        store_job_free(job);
    }
}

static void
a_name_that_is_there_or_proposed_wins(void **state)
{
    struct fixture *f = *state;
    struct store_job *job = new_question(1, "ann", 11, "");

    assert_int_equal(run_free(f, job), ERR_OK); /* a file, say: no name */
    job = new_question(1, "ann", 12, "text");
    job->session.name = xstrdup("proposed");
    assert_int_equal(run(f, job), ERR_OK);
    assert_string_equal(job->session.name, "proposed");
    store_job_free(job);
    job = new_question(1, "ann", 13, "text");
    job->session.name = xstrdup("too late");
    assert_int_equal(run(f, job), ERR_OK);
    assert_string_equal(job->session.name, "proposed");
    store_job_free(job);
    job = new_question(2, "ann", 14, "text");
    job->session.name = xstrdup("from the start");
    assert_int_equal(run(f, job), ERR_OK);
    assert_string_equal(job->session.name, "from the start");
    store_job_free(job);
}

static void
only_a_user_names_a_session(void **state)
{
    struct fixture *f = *state;
    struct store_job *job = new_question(1, "ann", 11, "joined");

    job->message.sender = SENDER_SYSTEM;
    assert_int_equal(run(f, job), ERR_OK);
    assert_null(job->session.name);
    store_job_free(job);
}

/* -- put, patch, delete -- */

static struct store_job *
new_session(unsigned session, const char *user, const char *name)
{
    struct store_job *job = new_job(STORE_SESSION_PUT, session, user);

    job->session.name = name != NULL ? xstrdup(name) : NULL;
    job->session.model_id = xstrdup("demo");
    job->session.start_ms = T0;
    return job;
}

static void
a_session_can_be_made_without_messages_once(void **state)
{
    struct fixture *f = *state;
    struct store_job *job = new_session(1, "ann", "Plans");

    job->session.seq = 99; /* counters are the store's */
    assert_int_equal(run(f, job), ERR_OK);
    assert_int_equal(job->session.seq, 0);
    assert_int_equal(job->session.last_ms, T0);
    store_job_free(job);
    assert_int_equal(run_free(f, new_session(1, "ann", NULL)), ERR_CONFLICT);
    job = new_job(STORE_SESSION_GET, 1, NULL);
    assert_int_equal(run(f, job), ERR_OK);
    assert_string_equal(job->session.name, "Plans");
    assert_string_equal(job->session.user_id, "ann");
    assert_int_equal(job->session.seq, 0);
    store_job_free(job);
}

/* The token that is there afterwards, as one letter; '-' for none. */
static char
share(struct fixture *f, const char *token, unsigned patch)
{
    struct store_job *job = new_job(STORE_SESSION_PATCH, 1, "ann");
    char now;

    job->patch = patch;
    job->session.share_token = token != NULL ? xstrdup(token) : NULL;
    assert_int_equal(run(f, job), ERR_OK);
    now = job->session.share_token != NULL ? job->session.share_token[0] : '-';
    store_job_free(job);
    return now;
}

static void
a_share_keeps_its_token_until_it_is_taken_away(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run_free(f, new_session(1, "ann", "Old")), ERR_OK);
    assert_int_equal(share(f, "x", 0), '-');
    assert_int_equal(share(f, NULL, STORE_PATCH_SHARE), '-');
    assert_int_equal(share(f, "a", STORE_PATCH_SHARE), 'a');
    assert_int_equal(share(f, "b", STORE_PATCH_SHARE), 'a');
    assert_int_equal(share(f, NULL, 0), 'a');
    assert_int_equal(share(f, NULL, STORE_PATCH_SHARE), '-');
    assert_int_equal(share(f, "c", STORE_PATCH_SHARE), 'c');
}

static void
a_patch_sets_what_it_names_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    struct store_job *job;

    assert_int_equal(run_free(f, new_session(1, "ann", "Old")), ERR_OK);
    job = new_job(STORE_SESSION_PATCH, 1, "ann");
    job->patch = STORE_PATCH_NAME | STORE_PATCH_ARCHIVED;
    job->session.name = xstrdup("New");
    job->session.model_id = xstrdup("ignored");
    job->session.archived = true;
    job->session.end_ms = 5;
    assert_int_equal(run(f, job), ERR_OK);
    assert_string_equal(job->session.name, "New");
    assert_string_equal(job->session.model_id, "demo");
    assert_true(job->session.archived);
    assert_int_equal(job->session.end_ms, 0);
    store_job_free(job);

    job = new_job(STORE_SESSION_PATCH, 1, NULL);
    job->patch = STORE_PATCH_MODEL | STORE_PATCH_HELP | STORE_PATCH_ASSIST;
    job->session.model_id = xstrdup("demo-2");
    job->session.help_requested = true;
    job->session.admin_assisted = true;
    job->session.takeover_epoch = 3;
    job->session.assisting_admin_id = xstrdup("op");
    job->session.assisting_admin_name = xstrdup("Olga");
    assert_int_equal(run_free(f, job), ERR_OK);

    job = new_job(STORE_SESSION_GET, 1, "ann");
    assert_int_equal(run(f, job), ERR_OK);
    assert_string_equal(job->session.name, "New");
    assert_string_equal(job->session.model_id, "demo-2");
    assert_true(job->session.archived);
    assert_true(job->session.help_requested);
    assert_true(job->session.admin_assisted);
    assert_int_equal(job->session.takeover_epoch, 3);
    assert_string_equal(job->session.assisting_admin_id, "op");
    assert_string_equal(job->session.assisting_admin_name, "Olga");
    store_job_free(job);
}

static int64_t
patch_end(struct fixture *f, int64_t end_ms)
{
    struct store_job *job = new_job(STORE_SESSION_PATCH, 1, "ann");

    job->patch = STORE_PATCH_END;
    job->session.end_ms = end_ms;
    assert_int_equal(run(f, job), ERR_OK);
    end_ms = job->session.end_ms;
    store_job_free(job);
    return end_ms;
}

static void
ending_an_ended_session_keeps_the_first_end(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run_free(f, new_session(1, "ann", NULL)), ERR_OK);
    assert_int_equal(patch_end(f, T0 + 10), T0 + 10);
    assert_int_equal(number(f, "SELECT dur FROM sessions"), 10);
    assert_int_equal(patch_end(f, T0 + 20), T0 + 10);
    assert_int_equal(patch_end(f, 0), 0);
    assert_int_equal(patch_end(f, T0 + 30), T0 + 30);
}

static bool
file_contains(const struct fixture *f, const char *name, const char *needle)
{
    char path[160], block[65536];
    bool found = false;
    size_t n, keep = strlen(needle);
    FILE *file;

    fixture_path(f, name, path);
    file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    memset(block, 0, sizeof(block));
    /* The last bytes of a block stand before the next one. */
    while ((n = fread(block + keep, 1, sizeof(block) - keep, file)) > 0) {
        found = found || memmem(block, keep + n, needle, keep) != NULL;
        memmove(block, block + n, keep);
    }
    fclose(file);
    return found;
}

static void
a_deleted_session_is_really_gone(void **state)
{
    struct fixture *f = *state;
    char *big = xmalloc(20001);

    memset(big, 'x', 20000);
    memcpy(big + 19900, "zebra-stripes", 13);
    big[20000] = '\0';
    assert_int_equal(run_free(f, new_question(1, "ann", 11, "zebra-first")),
                     ERR_OK);
    assert_int_equal(run_free(f, new_question(1, "ann", 12, big)), ERR_OK);
    assert_int_equal(
        run_free(f, new_answer(STORE_DRAFT_PUT, 1, 13, 11, "zebra-draft")),
        ERR_OK);
    assert_int_equal(run_free(f, new_piece(1, 13, 11, big)), ERR_OK);
    for (unsigned i = 0; i < 100; i++) { /* an answer that has ended */
        assert_int_equal(run_free(f, new_piece(1, 15, 13 * i, "zebra-piece, ")),
                         ERR_OK);
    }
    assert_int_equal(
        run_free(f, new_answer(STORE_ANSWER_FINISH, 1, 15, 11, "zebra-end")),
        ERR_OK);
    ask(f, 2, "ann", 14);
    assert_true(file_contains(f, "chatbox.db-wal", "zebra-first"));

    assert_int_equal(run_free(f, new_job(STORE_SESSION_DELETE, 1, "ann")),
                     ERR_OK);
    assert_int_equal(number(f, "SELECT count(*) FROM sessions"), 1);
    assert_int_equal(number(f, "SELECT count(*) FROM messages"), 1);
    assert_int_equal(run_free(f, new_job(STORE_SESSION_DELETE, 1, "ann")),
                     ERR_NOT_FOUND);
    assert_false(file_contains(f, "chatbox.db-wal", "zebra-"));
    assert_false(file_contains(f, "chatbox.db", "zebra-"));
    assert_true(file_contains(f, "chatbox.db", "hello"));
    xfree(big);
}

static void
a_message_does_not_bring_back_a_session_that_was_deleted(void **state)
{
    struct fixture *f = *state;
    struct store_job *job;

    ask(f, 1, "ann", 11);
    assert_int_equal(run_free(f, new_job(STORE_SESSION_DELETE, 1, "ann")),
                     ERR_OK);
    job = new_question(1, "ann", 12, "still there?");
    job->session.seq = 1; /* the caller's memory of it */
    assert_int_equal(run_free(f, job), ERR_NOT_FOUND);
    assert_int_equal(number(f, "SELECT count(*) FROM sessions"), 0);
}

static void
a_reader_in_the_way_delays_the_erasure_only(void **state)
{
    struct fixture *f = *state;
    sqlite3 *reader = store_sqlite_of(f->reader)->db;

    assert_int_equal(run_free(f, new_question(1, "ann", 11, "zebra-first")),
                     ERR_OK);
    assert_int_equal(
        sqlite3_exec(reader, "BEGIN; SELECT * FROM sessions", NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(run_free(f, new_job(STORE_SESSION_DELETE, 1, "ann")),
                     ERR_OK);
    assert_true(file_contains(f, "chatbox.db-wal", "zebra-"));
    assert_true(store_sqlite.tend(f->writer) > 0);
    assert_int_equal(sqlite3_exec(reader, "COMMIT", NULL, NULL, NULL),
                     SQLITE_OK);
    do { /* a second later; a slow machine takes more than one slice */
        store_sqlite_of(f->writer)->scrubbed_ms = 0;
        store_sqlite_of(f->writer)->sweep_at_ms = 0;
    } while (store_sqlite.tend(f->writer) >= 0);
    assert_false(file_contains(f, "chatbox.db-wal", "zebra-"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_message_makes_its_session),
        TEST(numbers_rise_by_one_in_each_session),
        TEST(a_session_without_an_epoch_gets_one),
        TEST(somebody_elses_session_is_not_found),
        TEST(every_member_of_a_message_is_kept),
        TEST(a_repeated_client_id_gives_the_first_message_and_its_answers),
        TEST(the_same_client_id_in_another_session_is_another_message),
        TEST(a_taken_message_id_is_a_conflict_and_writes_nothing),
        TEST(a_message_reopens_an_ended_session_but_an_event_does_not),
        TEST(activity_never_goes_back),
        TEST(a_session_is_named_by_its_first_line),
        TEST(a_name_that_is_there_or_proposed_wins),
        TEST(only_a_user_names_a_session),
        TEST(a_session_can_be_made_without_messages_once),
        TEST(a_patch_sets_what_it_names_and_nothing_else),
        TEST(a_share_keeps_its_token_until_it_is_taken_away),
        TEST(ending_an_ended_session_keeps_the_first_end),
        TEST(a_deleted_session_is_really_gone),
        TEST(a_message_does_not_bring_back_a_session_that_was_deleted),
        TEST(a_reader_in_the_way_delays_the_erasure_only),
    };

    return cmocka_run_group_tests_name("store/store_sqlite_write", tests, NULL,
                                       NULL);
}
