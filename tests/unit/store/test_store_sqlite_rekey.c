/* SPDX-License-Identifier: MIT */
#include "store/store_sqlite_rekey.h"

#include "unused.h"

#include <signal.h>
#include <sys/wait.h>

#define OLD "v1.a."
#define NEW "v1.b."

static void
say(struct fixture *f, unsigned session, unsigned id, const char *text)
{
    assert_int_equal(run_free(f, new_question(session, "ann", id, text)),
                     ERR_OK);
}

static int64_t
count(struct fixture *f, const char *like)
{
    char sql[200];

    snprintf(sql, sizeof(sql),
             "SELECT (SELECT count(*) FROM messages WHERE content LIKE '%s%%')+"
             "(SELECT count(*) FROM sessions WHERE nm LIKE '%s%%')",
             like, like);
    return number(f, sql);
}

static enum err
rekey_with(struct fixture *f, const char *letters, struct rekey *out)
{
    struct store_settings settings = f->settings;
    struct seal_ring *ring = ring_of(letters);
    enum err e;

    settings.keys = ring;
    e = store_sqlite_rekey_run(&settings, out, f->why, sizeof(f->why));
    seal_ring_free(ring);
    return e;
}

static void
expect_all(struct fixture *f, unsigned sessions)
{
    for (unsigned i = 1; i <= sessions; i++) {
        char text[64], out[200];

        snprintf(text, sizeof(text), "text %u", i);
        assert_string_equal(seen(f, i, i, out), text);
    }
}

static void
fill(struct fixture *f, unsigned sessions)
{
    for (unsigned i = 1; i <= sessions; i++) {
        char text[64];

        snprintf(text, sizeof(text), "text %u", i);
        say(f, i, i, text);
    }
}

static void
the_first_key_seals_everything_and_the_others_can_go(void **state)
{
    struct fixture *f = *state;
    struct rekey done;

    fill(f, 200);
    close_with(f);
    assert_int_equal(rekey_with(f, "ba", &done), ERR_OK);
    assert_int_equal(done.messages, 200);
    assert_int_equal(done.names, 200);
    assert_int_equal(done.unreadable, 0);
    assert_false(done.beside || done.remains);
    expect_refused(f, "a", "\"b\", which is not among");
    open_with(f, "b");
    assert_int_equal(count(f, OLD), 0);
    assert_int_equal(count(f, NEW), 400);
    expect_all(f, 200);
    assert_false(on_disk(f, OLD));
}

static void
plain_text_is_sealed_and_nothing_of_it_stays(void **state)
{
    struct fixture *f = *state;
    struct rekey done;
    char out[200];

    by_hand(f, "DELETE FROM seals"); /* as if there had been no keys yet */
    reopen_with(f, "");
    say(f, 1, 11, "canary-plain");
    assert_int_equal(run_free(f, new_question(1, "ann", 12, "")), ERR_OK);
    assert_true(on_disk(f, "canary-plain"));
    close_with(f);
    assert_int_equal(rekey_with(f, "b", &done), ERR_OK);
    assert_int_equal(done.messages, 1);
    assert_int_equal(done.names, 1);
    open_with(f, "b");
    assert_false(on_disk(f, "canary-plain"));
    assert_string_equal(seen(f, 1, 11, out), "canary-plain");
    assert_string_equal(seen(f, 1, 12, out), "");
}

static void
what_rearranged_pages_have_left_goes_too(void **state)
{
    struct fixture *f = *state;
    struct rekey done;
    size_t left;
    bool found;

    stir(f); /* plain names */
    by_hand(f, "PRAGMA wal_checkpoint(TRUNCATE)");
    assert_true(unused(f) > 0);
    close_with(f);
    assert_int_equal(rekey_with(f, "ba", &done), ERR_OK);
    left = unused(f);
    found = on_disk(f, "tttttttt");
    open_with(f, "b");
    assert_true(done.names > 0 && !done.remains);
    assert_int_equal(left, 0);
    assert_false(found);
}

static void
a_second_run_finds_nothing_to_do(void **state)
{
    struct fixture *f = *state;
    struct rekey done;

    fill(f, 10);
    close_with(f);
    assert_int_equal(rekey_with(f, "ba", &done), ERR_OK);
    assert_int_equal(rekey_with(f, "b", &done), ERR_OK);
    assert_int_equal(done.messages + done.names + done.unreadable, 0);
    open_with(f, "b");
    expect_all(f, 10);
}

static void
what_does_not_open_is_left_as_it_is(void **state)
{
    struct fixture *f = *state;
    struct rekey done;
    char out[200];

    fill(f, 3);
    by_hand(f, "UPDATE messages SET content=substr(content,1,50) WHERE n=2");
    close_with(f);
    assert_int_equal(rekey_with(f, "ba", &done), ERR_OK);
    assert_int_equal(done.messages, 2);
    assert_int_equal(done.unreadable, 1);
    open_with(f, "b");
    assert_int_equal(
        number(f, "SELECT length(content) FROM messages WHERE n=2"), 50);
    assert_string_equal(seen(f, 2, 2, out), "unreadable");
    assert_string_equal(seen(f, 3, 3, out), "text 3");
}

static void
beside_a_server_it_needs_the_servers_first_key(void **state)
{
    struct fixture *f = *state;
    struct rekey done;

    fill(f, 10);
    assert_int_equal(rekey_with(f, "ba", &done), ERR_CONFLICT);
    assert_non_null(strstr(f->why, "restart it with the new key"));
    assert_int_equal(count(f, NEW), 0);
    reopen_with(f, "ba");
    say(f, 99, 99, "beside");
    by_hand(f, "UPDATE messages SET content=content"); /* into the log file */
    assert_true(on_disk(f, OLD));
    assert_int_equal(rekey_with(f, "ba", &done), ERR_OK);
    assert_true(done.beside && !done.remains);
    assert_int_equal(done.messages, 10);
    assert_int_equal(count(f, OLD), 0);
    assert_false(on_disk(f, OLD)); /* nor in the server's log file */
    expect_all(f, 10);
    say(f, 98, 98, "goes on");
    close_with(f);
    open_with(f, "b");
    expect_all(f, 10);
}

static void
wrong_keys_change_nothing(void **state)
{
    struct fixture *f = *state;
    struct rekey done;

    fill(f, 3);
    assert_int_equal(rekey_with(f, "b", &done), ERR_CONFLICT);
    assert_non_null(strstr(f->why, "\"a\", which is not among"));
    close_with(f);
    assert_int_equal(rekey_with(f, "bA", &done), ERR_CONFLICT);
    assert_non_null(strstr(f->why, "The key \"a\" of"));
    open_with(f, "a");
    expect_all(f, 3);
}

/* The child is killed at moments that differ from run to run, until one run
 * comes to its end. */
static void
what_was_killed_goes_on_where_it_was(void **state)
{
    struct fixture *f = *state;
    struct rekey done;
    useconds_t wait_us = 500;
    int status = 1;

    fill(f, 300);
    close_with(f);
    for (int i = 0; i < 60 && status != 0; i++, wait_us += wait_us / 2) {
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0) {
            _exit(rekey_with(f, "ba", &done) == ERR_OK ? 0 : 2);
        }
        usleep(wait_us);
        (void)kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (status != 0) { /* whatever the moment, everything opens */
            open_with(f, "ba");
            expect_all(f, 300);
            close_with(f);
        }
    }
    assert_int_equal(rekey_with(f, "ba", &done), ERR_OK);
    open_with(f, "b");
    assert_int_equal(count(f, OLD), 0);
    expect_all(f, 300);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        KEYS_TEST(the_first_key_seals_everything_and_the_others_can_go),
        KEYS_TEST(plain_text_is_sealed_and_nothing_of_it_stays),
        KEYS_TEST(what_rearranged_pages_have_left_goes_too),
        KEYS_TEST(a_second_run_finds_nothing_to_do),
        KEYS_TEST(what_does_not_open_is_left_as_it_is),
        KEYS_TEST(beside_a_server_it_needs_the_servers_first_key),
        KEYS_TEST(wrong_keys_change_nothing),
        KEYS_TEST(what_was_killed_goes_on_where_it_was),
    };

    return cmocka_run_group_tests_name("store/store_sqlite_rekey", tests, NULL,
                                       NULL);
}
