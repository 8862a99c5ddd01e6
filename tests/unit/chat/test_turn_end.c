/* SPDX-License-Identifier: MIT */
#include "chat/turn_parts.h"

#include "fixture.h"

/* Every ending of turn_end.def, with text and without: what is told, and
 * what is stored. Entered by the one function through which all come. */
struct row {
    enum turn_ending ending;
    const char *finish; /* with text */
    const char *status;
    const char *error; /* without text; NULL: the last frame */
};

static const struct row rows[] = {
    {TURN_END_STOP, "stop", "complete", NULL},
    {TURN_END_LENGTH, "length", "complete", NULL},
    {TURN_END_CONTENT_FILTER, "content_filter", "complete", NULL},
    {TURN_END_CANCELLED, "cancelled", "cancelled", NULL},
    {TURN_END_TIMEOUT, "timeout", "interrupted", "LLM_TIMEOUT"},
    {TURN_END_INTERRUPTED, "interrupted", "interrupted", "LLM_UNAVAILABLE"},
    {TURN_END_PROVIDER_ERROR, "provider_error", "interrupted",
     "LLM_UNAVAILABLE"},
    {TURN_END_BUDGET, "budget_exceeded", "interrupted", "BUDGET_EXCEEDED"},
    {TURN_END_SHUTDOWN, "interrupted", "interrupted", "SERVICE_ERROR"},
};

struct found {
    bool told;
    enum err result;
    size_t count;
    enum message_status status;
    char finish[32];
    size_t bytes;
};

static void
on_found(struct store_job *job)
{
    struct found *f = job->cookie;

    f->told = true;
    f->result = job->result;
    f->count = job->count;
    if (job->result == ERR_OK && job->count > 0) {
        const struct message_record *m = &job->messages[0];

        f->status = m->status;
        f->bytes = m->content_n;
        snprintf(f->finish, sizeof(f->finish), "%s", m->finish_reason);
    }
    store_job_free(job);
}

/* The answers that the store has to the session's only question. */
static struct found
stored_answer(struct house *h, const struct recorder *r)
{
    struct found f = {.told = false};
    struct store_job *job =
        store_job_new(STORE_MESSAGE_FIND, &h->shard, on_found, &f);

    memcpy(job->session.sid, text_at(r->frames[0], "session_id"),
           RAND_ID_CHARS);
    job->message.client_id = xstrdup("c");
    store_submit(h->store, job);
    WAIT_FOR(h, f.told);
    assert_int_equal(f.result, ERR_OK);
    return f;
}

/* A turn with the given number of words, brought to its end. */
static void
end_with(struct house *h, struct recorder *r, size_t words,
         enum turn_ending ending)
{
    house_open(h);
    script.given = words;
    recorder_join(h, r, "anna");
    recorder_say(r, ASK_ID("one", "c"));
    WAIT_FOR(h, script.begun == 1);
    WAIT_FOR(h, r->outlet.session->running->text.n == 2 * words);
    turn_end(r->outlet.session->running, ending);
    WAIT_FOR(h, chat_turns(h->shard.chat) == 0);
}

static void
with_text_the_answer_is_stored_and_one_frame_ends_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct house h;
        struct recorder r;
        struct found f;

        end_with(&h, &r, 2, rows[i].ending);
        assert_int_equal(count_done(&r), 1);
        assert_int_equal(count_type(&r, "error"), 0);
        assert_string_equal(text_at(last_done(&r), "finish_reason"),
                            rows[i].finish);
        assert_int_equal(
            json_integer_value(json_object_get(last_done(&r), "seq")), 2);
        f = stored_answer(&h, &r);
        assert_int_equal(f.count, 1);
        assert_int_equal(f.bytes, 4);
        assert_string_equal(f.finish, rows[i].finish);
        assert_string_equal(status_word(f.status), rows[i].status);
        recorder_fini(&r);
        house_close(&h);
    }
}

/* Only an answer that the provider gave in good order is stored empty. */
static void
without_text_it_is_an_error_or_a_frame_by_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool kept = strcmp(rows[i].status, "complete") == 0;
        struct house h;
        struct recorder r;

        end_with(&h, &r, 0, rows[i].ending);
        assert_int_equal(count_done(&r), rows[i].error == NULL);
        assert_int_equal(count_type(&r, "error"), rows[i].error != NULL);
        if (rows[i].error != NULL) {
            assert_string_equal(error_code(&r), rows[i].error);
            assert_string_equal(text_at(last_type(&r, "error"), "client_id"),
                                "c");
        } else {
            assert_string_equal(text_at(last_done(&r), "finish_reason"),
                                rows[i].finish);
            assert_int_equal(json_object_get(last_done(&r), "seq") != NULL,
                             kept);
        }
        assert_int_equal(stored_answer(&h, &r).count, kept);
        recorder_fini(&r);
        house_close(&h);
    }
}

static void
an_end_that_was_reached_is_not_left_for_another(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    house_open(&h);
    script.given = 1;
    recorder_join(&h, &r, "anna");
    recorder_say(&r, ASK_ID("one", "c"));
    WAIT_FOR(&h, count_type(&r, "ai_response") == 1);
    turn_end(r.outlet.session->running, TURN_END_CANCELLED);
    turn_end(r.outlet.session->running, TURN_END_TIMEOUT);
    assert_false(turn_cancel(r.outlet.session, STR("")));
    WAIT_FOR(&h, chat_turns(h.shard.chat) == 0);
    assert_string_equal(text_at(last_done(&r), "finish_reason"), "cancelled");
    assert_int_equal(count_done(&r), 1);
    recorder_fini(&r);
    house_close(&h);
}

/* Text reached the client, but the storage has gone: one error, and the
 * session goes on. */
static void
an_answer_that_cannot_be_stored_ends_with_an_error(void **state)
{
    struct house h;
    struct recorder r;
    struct turn *t;

    (void)state;
    house_open(&h);
    script.given = 1;
    recorder_join(&h, &r, "anna");
    recorder_say(&r, ASK("one"));
    WAIT_FOR(&h, count_type(&r, "ai_response") == 1);
    t = r.outlet.session->running;
    turn_end(t, TURN_END_STORAGE);
    WAIT_FOR(&h, chat_turns(h.shard.chat) == 0);
    assert_string_equal(error_code(&r), "DATABASE_ERROR");
    assert_int_equal(count_type(&r, "error"), 1);
    assert_int_equal(count_done(&r), 0);
    recorder_fini(&r);
    house_close(&h);
}

static void
every_end_is_counted_by_its_word(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    end_with(&h, &r, 1, TURN_END_CANCELLED);
    assert_int_equal(
        metric_value(METRIC_TURNS, metrics_slot(METRIC_TURNS, "cancelled")), 1);
    recorder_fini(&r);
    house_close(&h);
    end_with(&h, &r, 0, TURN_END_TIMEOUT);
    assert_int_equal(
        metric_value(METRIC_TURNS, metrics_slot(METRIC_TURNS, "LLM_TIMEOUT")),
        1);
    recorder_fini(&r);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_text_the_answer_is_stored_and_one_frame_ends_it),
        cmocka_unit_test(without_text_it_is_an_error_or_a_frame_by_the_table),
        cmocka_unit_test(an_end_that_was_reached_is_not_left_for_another),
        cmocka_unit_test(an_answer_that_cannot_be_stored_ends_with_an_error),
        cmocka_unit_test(every_end_is_counted_by_its_word),
    };

    return cmocka_run_group_tests_name("chat/turn_end", tests, NULL, NULL);
}
