/* SPDX-License-Identifier: MIT */
#include "proto/encode.h"

#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void
expect(struct buf *b, const char *text)
{
    char *got;

    proto_end(b);
    assert_int_equal(buf_err(b), ERR_OK);
    got = buf_give(b);
    assert_string_equal(got, text);
    xfree(got);
}

static void
writes_members_in_the_order_given(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    proto_begin(&b, MESSAGE_ACK, STR("s1"), 1795262400123);
    proto_put_text(&b, PROTO_CLIENT_ID, STR("c\"1\n"));
    proto_put_int(&b, PROTO_SEQ, -7);
    proto_put_bool(&b, PROTO_RESUMED, true);
    proto_put_optional(&b, PROTO_EPOCH, STR(""));
    expect(&b, "{\"type\":\"ack\",\"timestamp\":\"2026-11-21T12:00:00.123Z\","
               "\"session_id\":\"s1\",\"client_id\":\"c\\\"1\\n\",\"seq\":-7,"
               "\"resumed\":true}");
}

static void
leaves_out_a_session_that_is_not_known(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    proto_begin(&b, MESSAGE_PONG, STR(""), 0);
    expect(&b,
           "{\"type\":\"pong\",\"timestamp\":\"1970-01-01T00:00:00.000Z\"}");
}

static void
writes_errors_from_the_table(void **state)
{
    struct proto_error e = {.err = ERR_TOO_MANY_REQUESTS,
                            .retry_after_ms = 1500,
                            .field = "content"};
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    buf_putc(&b, '{');
    proto_put_error(&b, &e);
    expect(&b, "{,\"error\":{\"code\":\"TOO_MANY_REQUESTS\",\"message\":"
               "\"Too many requests; wait a little.\",\"recoverable\":true,"
               "\"retry_after\":1500,\"field\":\"content\"}}");
    e = (struct proto_error){.err = ERR_SERVICE_ERROR,
                             .message = "no",
                             .retry_after_ms = -1,
                             .final = true};
    buf_putc(&b, '{');
    proto_put_error(&b, &e);
    expect(&b, "{,\"error\":{\"code\":\"SERVICE_ERROR\",\"message\":\"no\","
               "\"recoverable\":false}}");
    buf_fini(&b);
}

static void
writes_metadata_of_fixed_pairs(void **state)
{
    static const struct proto_pair pairs[] = {
        {"a", {"1", 1}}, {"b", {"\"", 1}}, {NULL, {NULL, 0}}};
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    buf_putc(&b, '{');
    proto_put_metadata(&b, pairs);
    proto_put_metadata(&b, pairs + 2);
    expect(&b, "{,\"metadata\":{\"a\":\"1\",\"b\":\"\\\"\"},\"metadata\":{}}");
}

/* What we write, the decoder reads back as it was. */
static void
decodes_what_was_encoded(void **state)
{
    static const struct proto_pair pairs[] = {{"k", {"v\xc3\xa9", 3}},
                                              {NULL, {NULL, 0}}};
    struct proto_rules rules = {.max_content_chars = 100,
                                .now_ms = 1795262400000};
    struct proto_message m;
    struct proto_fault fault;
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    proto_begin(&b, MESSAGE_USER_MESSAGE, STR("s1"), rules.now_ms);
    proto_put_text(&b, PROTO_CONTENT, STR("\xf0\x9f\x98\x80 \"x\" \\ \x01"));
    proto_put_text(&b, PROTO_CLIENT_ID, STR("c1"));
    proto_put_metadata(&b, pairs);
    proto_end(&b);
    assert_int_equal(proto_decode(buf_str(&b), &rules, &m, &fault), ERR_OK);
    assert_true(
        str_is(m.field[PROTO_CONTENT], "\xf0\x9f\x98\x80 \"x\" \\ \x01"));
    assert_true(str_is(m.field[PROTO_SESSION_ID], "s1"));
    assert_true(str_is(m.field[PROTO_CLIENT_ID], "c1"));
    assert_string_equal(m.metadata, "{\"k\":\"v\xc3\xa9\"}");
    proto_message_fini(&m);
    buf_fini(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_members_in_the_order_given),
        cmocka_unit_test(leaves_out_a_session_that_is_not_known),
        cmocka_unit_test(writes_errors_from_the_table),
        cmocka_unit_test(writes_metadata_of_fixed_pairs),
        cmocka_unit_test(decodes_what_was_encoded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
