/* SPDX-License-Identifier: MIT */
#include "chat/errand.h"

#include "chat/session.h"
#include "fixture.h"

static void
an_errand_holds_its_outlet_and_keeps_the_session(void **state)
{
    struct house h;
    struct recorder r;
    struct errand e;

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    errand_start(&e, &r.outlet);
    assert_true(r.held);
    assert_ptr_equal(e.session, r.outlet.session);
    assert_int_equal(e.session->jobs, 1);
    errand_end(&e);
    assert_false(r.held);
    assert_null(r.outlet.errand);
    assert_int_equal(r.outlet.session->jobs, 0);
    recorder_fini(&r);
    house_close(&h);
}

static void
an_outlet_that_leaves_is_forgotten_but_the_session_waits(void **state)
{
    struct house h;
    struct recorder r;
    struct errand e;
    struct session *s;

    (void)state;
    house_open(&h);
    h.settings.session_ttl_ms = 0;
    recorder_join(&h, &r, "anna");
    s = r.outlet.session;
    errand_start(&e, &r.outlet);
    recorder_leave(&r);
    assert_null(e.outlet);
    assert_int_equal(session_sweep(h.shard.chat, UINT64_MAX), 0);
    assert_int_equal(s->jobs, 1);
    errand_end(&e);
    assert_int_equal(session_sweep(h.shard.chat, UINT64_MAX), 1);
    recorder_fini(&r);
    house_close(&h);
}

/* What a client sends in one breath is answered in that order, although some
 * of it has to wait for the store. */
static void
frames_sent_together_are_answered_in_their_order(void **state)
{
    static const char *const types[] = {
        "connection_status", "connection_status", "pong", "error", "pong"};
    struct house h;
    struct recorder r;

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    recorder_say(&r, "{\"type\":\"help_request\"}");
    recorder_say(&r, "{\"type\":\"ping\"}");
    recorder_say(&r, "{\"type\":\"regenerate\",\"message_id\":\""
                     "0123456789abcdef0123456789abcdef\"}");
    recorder_say(&r, "{\"type\":\"ping\"}");
    WAIT_FOR(&h, r.count == COUNT_OF(types));
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        assert_string_equal(text_at(r.frames[i], "type"), types[i]);
    }
    recorder_fini(&r);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_errand_holds_its_outlet_and_keeps_the_session),
        cmocka_unit_test(
            an_outlet_that_leaves_is_forgotten_but_the_session_waits),
        cmocka_unit_test(frames_sent_together_are_answered_in_their_order),
    };

    return cmocka_run_group_tests_name("chat/errand", tests, NULL, NULL);
}
