/* SPDX-License-Identifier: MIT */
#include "store/store_mongo_known.h"

#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* More sessions than are kept. */
#define MANY (4 * MONGO_KNOWN)

static struct mongo_session
session(unsigned number)
{
    struct mongo_session s = {.record = {.seq = (int64_t)number + 2}};

    snprintf(s.record.sid, sizeof(s.record.sid), "%032x", number);
    s.record.user_id = xstrdup("anna");
    s.times_ms = xcalloc(2, sizeof(*s.times_ms));
    s.times_ms[1] = number;
    s.time_count = 2;
    return s;
}

static void
keep(struct mongo_known *k, unsigned number)
{
    struct mongo_session s = session(number);

    store_mongo_known_keep(k, &s);
    mongo_doc_session_fini(&s);
}

/* Whether it is known, and then as it was kept. */
static bool
take(struct mongo_known *k, unsigned number)
{
    struct mongo_session s, wanted = session(number);
    bool known = store_mongo_known_take(k, wanted.record.sid, &s);

    if (known) {
        assert_string_equal(s.record.sid, wanted.record.sid);
        assert_string_equal(s.record.user_id, "anna");
        assert_int_equal(s.record.seq, wanted.record.seq);
        assert_int_equal(s.time_count, 2);
        assert_memory_equal(s.times_ms, wanted.times_ms, 2 * sizeof(int64_t));
        mongo_doc_session_fini(&s);
    }
    mongo_doc_session_fini(&wanted);
    return known;
}

static void
what_is_kept_is_taken_once(void **state)
{
    struct mongo_known *k = store_mongo_known_new();

    (void)state;
    assert_false(take(k, 1));
    keep(k, 1);
    keep(k, 1);
    assert_true(take(k, 1));
    assert_false(take(k, 1));
    store_mongo_known_free(k);
}

static void
what_is_forgotten_is_not_known(void **state)
{
    struct mongo_known *k = store_mongo_known_new();
    struct mongo_session s = session(1);

    (void)state;
    store_mongo_known_forget(k, s.record.sid);
    store_mongo_known_keep(k, &s);
    store_mongo_known_forget(k, s.record.sid);
    assert_false(take(k, 1));
    mongo_doc_session_fini(&s);
    store_mongo_known_free(k);
}

static void
after_all_is_cleared_nothing_is_known(void **state)
{
    struct mongo_known *k = store_mongo_known_new();

    (void)state;
    for (unsigned i = 0; i < MONGO_KNOWN; i++) {
        keep(k, i);
    }
    store_mongo_known_clear(k);
    for (unsigned i = 0; i < MONGO_KNOWN; i++) {
        assert_false(take(k, i));
    }
    keep(k, 1);
    assert_true(take(k, 1));
    store_mongo_known_free(k);
}

static void
an_id_that_is_empty_is_nobodys(void **state)
{
    struct mongo_known *k = store_mongo_known_new();
    struct mongo_session s;

    (void)state;
    assert_false(store_mongo_known_take(k, "", &s));
    store_mongo_known_forget(k, "");
    store_mongo_known_free(k);
    store_mongo_known_free(NULL);
}

static void
the_last_ones_are_known(void **state)
{
    struct mongo_known *k = store_mongo_known_new();

    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        keep(k, i);
        if (i % 3 == 0) { /* as one that is written to again */
            assert_true(take(k, i));
            keep(k, i);
        }
    }
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(take(k, i), i >= MANY - MONGO_KNOWN);
    }
    store_mongo_known_free(k);
}

static void
sessions_of_the_older_form_are_not_kept(void **state)
{
    struct mongo_known *k = store_mongo_known_new();

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct mongo_session s = session(1);

        s.old = i == 0;
        s.laden = i == 1;
        store_mongo_known_keep(k, &s);
        mongo_doc_session_fini(&s);
        assert_false(take(k, 1));
    }
    store_mongo_known_free(k);
}

static void
a_session_has_drafts_until_each_has_ended(void **state)
{
    struct mongo_known *k = store_mongo_known_new();
    struct mongo_session s = session(1);
    const char *sid = s.record.sid;

    (void)state;
    assert_false(store_mongo_known_has_drafts(k, sid));
    store_mongo_known_ended(k, sid);
    store_mongo_known_draft(k, sid);
    store_mongo_known_draft(k, sid);
    store_mongo_known_ended(k, sid);
    assert_true(store_mongo_known_has_drafts(k, sid));
    store_mongo_known_ended(k, sid);
    assert_false(store_mongo_known_has_drafts(k, sid));
    mongo_doc_session_fini(&s);
    store_mongo_known_free(k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_is_taken_once),
        cmocka_unit_test(what_is_forgotten_is_not_known),
        cmocka_unit_test(after_all_is_cleared_nothing_is_known),
        cmocka_unit_test(an_id_that_is_empty_is_nobodys),
        cmocka_unit_test(the_last_ones_are_known),
        cmocka_unit_test(sessions_of_the_older_form_are_not_kept),
        cmocka_unit_test(a_session_has_drafts_until_each_has_ended),
    };

    return cmocka_run_group_tests_name("store/store_mongo_known", tests, NULL,
                                       NULL);
}
