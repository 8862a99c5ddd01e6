/* SPDX-License-Identifier: MIT */
#include "store/store_sqlite_erase.h"

#include "fixture.h"
#include "store/tool.h"

#define CANARY "canary-of-ann"

static bool
on_disk(const struct fixture *f, const char *word)
{
    static const char *const names[] = {"chatbox.db", "chatbox.db-wal"};
    bool found = false;

    for (size_t i = 0; i < 2; i++) {
        char path[160], *bytes = xmalloc((size_t)16 << 20);
        FILE *file;

        fixture_path(f, names[i], path);
        file = fopen(path, "rb");
        if (file != NULL) {
            size_t n = fread(bytes, 1, (size_t)16 << 20, file);

            found = found || memmem(bytes, n, word, strlen(word)) != NULL;
            fclose(file);
        }
        xfree(bytes);
    }
    return found;
}

static void
say(struct fixture *f, const char *user, unsigned session, unsigned id)
{
    char text[64];

    snprintf(text, sizeof(text), "%s %u",
             strcmp(user, "ann") == 0 ? CANARY : "other", id);
    assert_int_equal(run_free(f, new_question(session, user, id, text)),
                     ERR_OK);
}

static void
audit(struct fixture *f, const char *actor, const char *action)
{
    struct store_job *job = new_job(STORE_AUDIT_PUT, 1, NULL);

    job->review = review_new();
    job->review->event =
        (struct review_event){.at_ms = T0,
                              .actor = xstrdup(actor),
                              .action = xstrdup(action),
                              .sid = xstrdup("a session"),
                              .detail = xstrdup("by its user")};
    assert_int_equal(run_free(f, job), ERR_OK);
}

/* Ann: two sessions, three messages and a running answer; Bob: one. */
static void
fill(struct fixture *f)
{
    say(f, "ann", 1, 11);
    say(f, "ann", 1, 12);
    say(f, "bob", 2, 13);
    say(f, "ann", 3, 14);
    assert_int_equal(run_free(f, new_piece(1, 21, 0, CANARY " piece")), ERR_OK);
    audit(f, "ann", "export");
    audit(f, "ann", "takeover");
    audit(f, "bob", "export");
}

static struct store_link *
open_tool(struct fixture *f)
{
    struct store_link *link = NULL;

    if (store_tool_open(&f->settings, &link, f->why, sizeof(f->why)) !=
        ERR_OK) {
        fail_msg("%s", f->why);
    }
    return link;
}

static void
beside_a_writer_all_of_one_user_goes_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    struct erase e = {.user_id = "ann"};
    struct store_link *link;

    fill(f);
    link = open_tool(f);
    assert_int_equal(store_tool_count(link, &e), ERR_OK);
    assert_int_equal(e.sessions, 2);
    assert_int_equal(e.messages, 4);
    assert_int_equal(e.events, 1);
    assert_false(e.before);
    assert_int_equal(number(f, "SELECT count(*) FROM messages"), 5);
    assert_int_equal(store_tool_erase(link, &e), ERR_OK);
    assert_false(e.remains);
    assert_int_equal(e.messages, 4);
    store_tool_close(link);
    assert_int_equal(number(f, "SELECT count(*) FROM sessions"), 1);
    assert_int_equal(number(f, "SELECT count(*) FROM messages WHERE sid="
                               "printf('%032x',2)"),
                     1);
    assert_int_equal(number(f, "SELECT count(*) FROM messages"), 1);
    assert_int_equal(number(f, "SELECT count(*) FROM pieces"), 0);
    assert_false(on_disk(f, CANARY));
    assert_true(on_disk(f, "other 13"));
    assert_int_equal(run_free(f, new_question(1, "bob", 15, "x")), ERR_OK);
}

static void
the_audit_keeps_what_happened_and_forgets_who_it_was(void **state)
{
    struct fixture *f = *state;
    struct erase e = {.user_id = "ann"};
    struct store_link *link;

    fill(f);
    link = open_tool(f);
    assert_int_equal(store_tool_erase(link, &e), ERR_OK);
    store_tool_close(link);
    assert_int_equal(number(f, "SELECT count(*) FROM audit"), 4);
    assert_int_equal(number(f, "SELECT count(*) FROM audit WHERE actor GLOB"
                               " 'erased-*' AND action='export'"
                               " AND length(actor)=23"),
                     1);
    assert_int_equal(number(f, "SELECT count(*) FROM audit WHERE actor='ann'"
                               " AND action='takeover'"),
                     1);
    assert_int_equal(number(f, "SELECT count(*) FROM audit WHERE actor='bob'"),
                     1);
    assert_int_equal(number(f, "SELECT count(*) FROM audit WHERE action='erase'"
                               " AND detail='sessions: 2, messages: 4, of '||"
                               "(SELECT actor FROM audit WHERE action='export'"
                               " AND actor<>'bob')"),
                     1);
    assert_int_not_equal(sqlite3_exec(store_sqlite_of(f->writer)->db,
                                      "UPDATE audit SET actor='x'", NULL, NULL,
                                      NULL),
                         SQLITE_OK);
}

static void
nobody_is_nothing_and_leaves_no_trace(void **state)
{
    struct fixture *f = *state;
    struct erase e = {.user_id = "nobody"};
    struct store_link *link;

    fill(f);
    link = open_tool(f);
    assert_int_equal(store_tool_erase(link, &e), ERR_OK);
    store_tool_close(link);
    assert_int_equal(e.sessions + e.messages + e.events, 0);
    assert_int_equal(number(f, "SELECT count(*) FROM audit"), 3);
    assert_int_equal(number(f, "SELECT count(*) FROM messages"), 5);
}

static void
a_long_session_goes_in_many_small_steps(void **state)
{
    struct fixture *f = *state;
    struct erase e = {.user_id = "ann"};
    struct store_link *link;

    say(f, "ann", 1, 11);
    by_hand(f, "WITH RECURSIVE c(i) AS (SELECT 2 UNION ALL SELECT i+1 FROM c"
               " WHERE i<20000) INSERT INTO messages(session,_id,sid,seq,ts,"
               "sender,type,status,content) SELECT 1,'m'||i,printf('%032x',1),"
               "i,i,'user','user_message','complete','" CANARY "' FROM c");
    link = open_tool(f);
    assert_int_equal(store_tool_erase(link, &e), ERR_OK);
    store_tool_close(link);
    assert_int_equal(e.messages, 20000);
    assert_int_equal(number(f, "SELECT count(*) FROM messages"), 0);
    assert_false(on_disk(f, CANARY));
}

static void
without_a_database_there_is_nothing_to_open(void **state)
{
    struct fixture *f = *state;
    struct store_settings settings = f->settings;
    struct store_link *link;

    settings.data_dir = f->root;
    assert_int_equal(store_tool_open(&settings, &link, f->why, sizeof(f->why)),
                     ERR_NOT_FOUND);
    assert_null(link);
    assert_non_null(strstr(f->why, "There is no database"));
}

static void
a_database_set_aside_is_told_of(void **state)
{
    struct fixture *f = *state;
    struct erase e = {.user_id = "ann"};
    struct store_link *link = open_tool(f);
    char path[160];
    FILE *file;

    fixture_path(f, "chatbox.db.before-restore", path);
    file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(store_tool_count(link, &e), ERR_OK);
    assert_true(e.before);
    assert_int_equal(unlink(path), 0);
    store_tool_close(link);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(beside_a_writer_all_of_one_user_goes_and_nothing_else),
        TEST(the_audit_keeps_what_happened_and_forgets_who_it_was),
        TEST(nobody_is_nothing_and_leaves_no_trace),
        TEST(a_long_session_goes_in_many_small_steps),
        TEST(without_a_database_there_is_nothing_to_open),
        TEST(a_database_set_aside_is_told_of),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
