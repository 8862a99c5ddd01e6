/* SPDX-License-Identifier: MIT */
#include "doc_kinds.h"

/* -- round trip -- */

static void
what_is_written_is_read(const struct kind *k)
{
    struct raw first, second;
    uint64_t odd;

    full_raw(k, &first);
    assert_true(read_again(k, &first, &second, &odd));
    assert_int_equal(odd, 0);
    assert_same(&first, &second);
}

static void
a_session_is_read_as_it_was_written(void **state)
{
    struct thing t = {0};
    struct raw r;
    bson_t doc;
    uint64_t odd = 0;
    struct session_record *s = &t.session.record;

    (void)state;
    what_is_written_is_read(&session);
    full_raw(&session, &r);
    view(&r, &doc);
    assert_true(session.get(&doc, &t, &odd));
    assert_string_equal(s->sid, "0123456789abcdef0123456789abcdef");
    assert_string_equal(s->epoch, "fedcba9876543210");
    assert_string_equal(s->user_id, "ann");
    assert_string_equal(s->assisting_admin_name, "Olga");
    assert_int_equal(s->start_ms, T0);
    assert_int_equal(s->end_ms, T0 + 7);
    assert_true(s->total_tokens == 5000000000);
    assert_true(s->avg_response_ms == 20.5);
    assert_int_equal(s->response_count, 2);
    assert_int_equal(t.session.times_ms[1], 31);
    assert_true(s->archived && s->help_requested && s->admin_assisted);
    session.fini(&t);
}

static void
a_message_is_read_as_it_was_written(void **state)
{
    struct thing t = {0}, full = {0};
    struct message_record *m = &t.message;
    struct raw r;
    bson_t doc;
    uint64_t odd = 0;

    (void)state;
    what_is_written_is_read(&message);
    full_raw(&message, &r);
    view(&r, &doc);
    message.full(&full);
    assert_true(message.get(&doc, &t, &odd));
    assert_int_equal(m->content_n, 12);
    assert_memory_equal(m->content, full.message.content, 13);
    assert_string_equal(m->metadata, full.message.metadata);
    assert_int_equal(m->sender, SENDER_AI);
    assert_int_equal(m->status, STATUS_CANCELLED);
    assert_int_equal(m->seq, 9);
    assert_int_equal(m->ttft_ms, 0);
    assert_true(m->usage.present && m->usage.estimated && m->superseded);
    assert_int_equal(m->usage.total_tokens, 3);
    assert_int_equal(m->usage.cached_tokens, 1);
    assert_int_equal(m->usage.reasoning_tokens, 2);
    assert_int_equal(m->usage.cost_nanos, 4);
    assert_string_equal(m->budget_roles, "\nr\n");
    assert_string_equal(m->conversation, "c-9");
    message.fini(&t);
    message.fini(&full);
}

static void
an_event_is_read_as_it_was_written(void **state)
{
    (void)state;
    what_is_written_is_read(&event);
}

static void
what_an_answer_used_is_read_as_it_was_written(void **state)
{
    (void)state;
    what_is_written_is_read(&entry);
}

static void
what_a_message_does_not_have_is_not_written(void **state)
{
    static const char *const absent[] = {
        "seq",     "cid",      "fileId",     "fileUrl", "meta",
        "modelId", "usage",    "durMs",      "ttftMs",  "finish",
        "replyTo", "replaces", "superseded", "convId",  "budgetRoles"};
    struct thing t = {0}, back = {0};
    struct raw r, without;
    bson_t doc;
    uint64_t odd = 0;

    (void)state;
    t.message = (struct message_record){
        .id = "m", .sid = "s", .duration_ms = -1, .ttft_ms = -1};
    written(&message, &t, &r);
    for (size_t i = 0; i < COUNT_OF(absent); i++) {
        assert_false(replaced(&r, absent[i], NULL, 0, &without));
    }
    view(&r, &doc);
    assert_true(message.get(&doc, &back, &odd));
    assert_int_equal(back.message.seq, 0);
    assert_int_equal(back.message.duration_ms, -1);
    assert_int_equal(back.message.ttft_ms, -1);
    assert_false(back.message.usage.present);
    assert_string_equal(back.message.content, "");
    assert_string_equal(back.message.type, "");
    assert_null(back.message.metadata);
    message.fini(&back);
}

/* -- bytes that are no document -- */

static void
read_wreck(const struct kind *k, const uint8_t *bytes, size_t n)
{
    uint8_t *copy = (uint8_t *)xmemdup(bytes, n); /* its end is guarded */
    struct thing t = {0};
    uint64_t odd = 0;
    bson_t doc;

    if (init_static(&doc, copy, n) && k->get(&doc, &t, &odd)) {
        k->fini(&t);
    }
    xfree(copy);
}

static void
damaged_bytes_are_read_without_harm(void **state)
{
    static const struct kind *const kinds[] = {&session, &message, &event,
                                               &entry};
    struct raw full, hurt;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        full_raw(kinds[i], &full);
        for (uint32_t at = 0; at < full.n; at++) {
            for (int bit = 0; bit < 8; bit++) {
                hurt = full;
                hurt.bytes[at] ^= (uint8_t)(1 << bit);
                read_wreck(kinds[i], hurt.bytes, hurt.n);
            }
            read_wreck(kinds[i], full.bytes, at);
        }
    }
}

static void
a_document_that_breaks_off_is_no_record(void **state)
{
    struct thing t = {0};
    struct raw full;
    uint64_t odd = 0;
    bson_t doc;

    (void)state;
    full_raw(&message, &full);
    full.bytes[full.n - 2] = 'x'; /* the last text has no end */
    view(&full, &doc);
    assert_false(message.get(&doc, &t, &odd));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_read_as_it_was_written),
        cmocka_unit_test(a_message_is_read_as_it_was_written),
        cmocka_unit_test(an_event_is_read_as_it_was_written),
        cmocka_unit_test(what_an_answer_used_is_read_as_it_was_written),
        cmocka_unit_test(what_a_message_does_not_have_is_not_written),
        cmocka_unit_test(damaged_bytes_are_read_without_harm),
        cmocka_unit_test(a_document_that_breaks_off_is_no_record),
    };

    return cmocka_run_group_tests_name("store/mongo_doc", tests, load, NULL);
}
