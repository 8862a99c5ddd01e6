/* SPDX-License-Identifier: MIT */
#include "store/store_sqlite_usage.h"

#include "fixture.h"
#include "store/store_sqlite_schema.h"
#include "store/tool.h"

/* The end of an answer of session 1 that used so many tokens; none: negative.
 */
static struct store_job *
new_end(unsigned id, const char *model, int64_t tokens)
{
    struct store_job *job = new_answer(STORE_ANSWER_FINISH, 1, id, 11, "Yes.");

    job->message.model_id = xstrdup(model);
    job->message.finish_reason = xstrdup("stop");
    if (tokens >= 0) {
        job->message.usage =
            (struct usage){1, tokens - 1, tokens, true, false, 1, 2, 3};
    }
    return job;
}

static void
end(struct fixture *f, unsigned id, const char *model, int64_t tokens)
{
    assert_int_equal(run_free(f, new_end(id, model, tokens)), ERR_OK);
}

/* The sums of a user between two moments. Gives. */
static struct store_job *
list(struct fixture *f, const char *user, int64_t from_ms, int64_t to_ms)
{
    struct store_job *job = new_job(STORE_USAGE_LIST, 0, user);

    job->review = review_new();
    job->review->from_ms = from_ms;
    job->review->to_ms = to_ms;
    assert_int_equal(run(f, job), ERR_OK);
    return job;
}

static void
expect_tokens(struct fixture *f, const char *user, int64_t from_ms,
              int64_t to_ms, int64_t tokens)
{
    struct store_job *job = list(f, user, from_ms, to_ms);
    int64_t sum = 0;

    for (size_t i = 0; i < job->review->usage.count; i++) {
        sum += job->review->usage.sums[i].total_tokens;
    }
    assert_int_equal(sum, tokens);
    store_job_free(job);
}

/* Of everybody. */
static void
expect_tokens_of_role(struct fixture *f, const char *role, int64_t tokens)
{
    struct store_job *job = new_job(STORE_USAGE_LIST, 0, NULL);
    int64_t sum = 0;

    job->review = review_new();
    job->review->to_ms = INT64_MAX;
    job->review->role = role != NULL ? xstrdup(role) : NULL;
    assert_int_equal(run(f, job), ERR_OK);
    for (size_t i = 0; i < job->review->usage.count; i++) {
        sum += job->review->usage.sums[i].total_tokens;
    }
    assert_int_equal(sum, tokens);
    store_job_free(job);
}

static void
an_answer_is_put_down_once_however_often_its_end_comes(void **state)
{
    struct fixture *f = *state;

    ask(f, 1, "ann", 11);
    end(f, 12, "a", 7);
    end(f, 12, "a", 7);
    end(f, 13, "b", 30);
    end(f, 14, "b", -1);
    assert_int_equal(number(f, "SELECT count(*) FROM usage"), 2);
    assert_int_equal(number(f, "SELECT count(*) FROM usage u JOIN messages m"
                               " ON m._id=u._id AND m.ts=u.ts"
                               " AND m.modelId=u.modelId"
                               " AND m.totalTokens=u.totalTokens"
                               " AND m.promptTokens=u.promptTokens"
                               " AND m.completionTokens=u.completionTokens"
                               " AND m.estimated=u.estimated"
                               " AND m.cachedTokens=u.cachedTokens"
                               " AND m.reasoningTokens=u.reasoningTokens"
                               " AND m.cost=u.cost AND u.cost=3"
                               " WHERE u.uid='ann'"),
                     2);
    expect_tokens(f, "ann", 0, INT64_MAX, 37);
    expect_tokens(f, "bob", 0, INT64_MAX, 0);
    expect_tokens(f, "ann", T0 + 12, T0 + 12, 7);
    expect_tokens(f, "ann", T0 + 13, T0 + 13, 30);
    expect_tokens(f, "ann", T0 + 14, INT64_MAX, 0);
}

/* Of everybody, of whom a role is; and of an answer in no conversation. */
static void
a_role_has_what_counted_towards_it(void **state)
{
    struct fixture *f = *state;
    struct store_job *job;

    ask(f, 1, "ann", 11);
    job = new_end(12, "a", 7);
    job->message.budget_roles = xstrdup("\nred\ngreen\n");
    assert_int_equal(run_free(f, job), ERR_OK);
    end(f, 13, "a", 30);
    job = new_job(STORE_USAGE_PUT, 0, "bob");
    job->review = review_new();
    memcpy(job->review->entry.id, "00bb", sizeof("00bb"));
    job->review->entry.user_id = xstrdup("bob");
    job->review->entry.model_id = xstrdup("a");
    job->review->entry.at_ms = T0 + 14;
    job->review->entry.usage = (struct usage){1, 99, 100, true, false, 1, 2, 3};
    job->review->entry.budget_roles = xstrdup("\ngreen\n");
    assert_int_equal(run_free(f, job), ERR_OK);
    expect_tokens(f, "bob", 0, INT64_MAX, 100);
    expect_tokens_of_role(f, NULL, 137);
    expect_tokens_of_role(f, "red", 7);
    expect_tokens_of_role(f, "green", 107);
    expect_tokens_of_role(f, "gre", 0);
    expect_tokens_of_role(f, "een", 0);
    expect_tokens_of_role(f, "", 0);
}

static void
put(struct fixture *f, const char *id, int64_t at_ms, int64_t was_ms,
    int64_t tokens)
{
    struct store_job *job = new_job(STORE_USAGE_PUT, 0, "bob");
    struct usage_entry *e;

    job->review = review_new();
    e = &job->review->entry;
    snprintf(e->id, sizeof(e->id), "%s", id);
    e->user_id = xstrdup("bob");
    e->at_ms = at_ms;
    e->was_ms = was_ms;
    e->usage = (struct usage){.total_tokens = tokens, .present = true};
    assert_int_equal(run_free(f, job), ERR_OK);
}

/* Of an answer that is still running: it is one entry, at its last time. */
static void
a_later_state_takes_the_place_of_an_earlier_one(void **state)
{
    struct fixture *f = *state;

    put(f, "00aa", T0 + 1, 0, 5);
    put(f, "00bb", T0 + 1, 0, 7);
    put(f, "00aa", T0 + 2, T0 + 1, 20);
    expect_tokens(f, "bob", T0 + 1, T0 + 1, 7);
    expect_tokens(f, "bob", T0 + 2, T0 + 2, 20);
    put(f, "00aa", T0 + 2, T0 + 2, 40);
    put(f, "00cc", T0 + 3, T0 + 2, 100); /* its first one was not stored */
    expect_tokens(f, "bob", 0, INT64_MAX, 147);
}

static void
what_was_used_stays_used_when_the_session_goes(void **state)
{
    struct fixture *f = *state;

    ask(f, 1, "ann", 11);
    end(f, 12, "a", 7);
    assert_int_equal(run_free(f, new_job(STORE_SESSION_DELETE, 1, "ann")),
                     ERR_OK);
    expect_tokens(f, "ann", 0, INT64_MAX, 7);
    assert_int_equal(run_free(f, new_end(13, "a", 5)), ERR_NOT_FOUND);
    expect_tokens(f, "ann", 0, INT64_MAX, 7);
}

static void
who_is_erased_takes_it_along(void **state)
{
    struct fixture *f = *state;
    struct erase e = {.user_id = "ann"};
    struct store_link *link = NULL;

    by_hand(f, "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c"
               " WHERE i<1201) INSERT INTO usage SELECT i,'x',"
               "iif(i>1200,'bob','ann'),'a',i,1,1,2,0,0,0,0,NULL FROM c");
    assert_int_equal(
        store_tool_open(&f->settings, &link, f->why, sizeof(f->why)), ERR_OK);
    assert_int_equal(store_tool_count(link, &e), ERR_OK);
    assert_int_equal(e.entries, 1200);
    assert_int_equal(store_tool_erase(link, &e), ERR_OK);
    store_tool_close(link);
    assert_int_equal(number(f, "SELECT count(*) FROM usage WHERE uid='ann'"),
                     0);
    assert_int_equal(number(f, "SELECT count(*) FROM usage WHERE uid='bob'"),
                     1);
}

/* As version 6 left it: there were no entries yet. */
static void
make_version_6(const struct fixture *f)
{
    char path[160], why[256];
    sqlite3 *db = NULL;

    fixture_path(f, "chatbox.db", path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(store_sqlite_schema_migrate_by(
                         db, store_sqlite_schema_steps, 6, why, sizeof(why)),
                     ERR_OK);
    assert_int_equal(
        sqlite3_exec(
            db,
            "INSERT INTO sessions(n,_id,uid,ts,lastActivity,epoch,seq)"
            " VALUES(1,printf('%032x',1),'ann',5,5,'e',3);"
            "INSERT INTO messages(session,_id,sid,seq,ts,sender,type,status,"
            "modelId,promptTokens,completionTokens,totalTokens,estimated,"
            "content) VALUES"
            "(1,'q',printf('%032x',1),1,6,'user','user_message','complete',"
            "NULL,NULL,NULL,NULL,NULL,'?'),"
            "(1,'a',printf('%032x',1),2,7,'ai','ai_response','complete',"
            "'m',3,4,7,1,'!'),"
            "(1,'b',printf('%032x',1),3,8,'ai','ai_response','complete',"
            "'m',NULL,NULL,NULL,NULL,'!')",
            NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
}

static void
an_older_database_begins_with_what_is_stored(void **state)
{
    struct fixture *f = *state;

    fixture_close(f);
    make_version_6(f);
    fixture_open(f);
    assert_int_equal(number(f, "SELECT count(*) FROM usage"), 1);
    assert_int_equal(number(f, "SELECT count(*) FROM usage WHERE _id='a'"
                               " AND modelId='m' AND estimated=1"
                               " AND promptTokens=3"),
                     1);
    expect_tokens(f, "ann", 7, 7, 7);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_is_put_down_once_however_often_its_end_comes),
        TEST(a_role_has_what_counted_towards_it),
        TEST(a_later_state_takes_the_place_of_an_earlier_one),
        TEST(what_was_used_stays_used_when_the_session_goes),
        TEST(who_is_erased_takes_it_along),
        TEST(an_older_database_begins_with_what_is_stored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
