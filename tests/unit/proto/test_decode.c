/* SPDX-License-Identifier: MIT */
#include "proto/message.h"

#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* 2026-11-21T12:00:00Z */
#define NOW_MS 1795262400000

static const struct proto_rules rules = {
    .max_content_chars = 10,
    .now_ms = NOW_MS,
    .file_prefix = {"/chatbox/files/", 15},
};

/* What one frame must become: the error and field, or OK. */
struct row {
    const char *frame;
    enum err err;
    const char *field;
};

static void
check_bytes(struct str frame, enum err err, const char *field)
{
    struct proto_message m;
    struct proto_fault fault;
    char *copy = xmemdup(frame.p, frame.n);
    enum err e = proto_decode((struct str){copy, frame.n}, &rules, &m, &fault);

    if (e != err || strcmp(fault.field, field) != 0) {
        print_error("%.*s: got %s %s\n", STR_ARG(frame), err_info(e)->code,
                    fault.field);
    }
    assert_int_equal(e, err);
    assert_string_equal(fault.field, field);
    if (e == ERR_OK) {
        proto_message_fini(&m);
    }
    xfree(copy);
}

static void
check(const struct row *row)
{
    check_bytes(str_from(row->frame), row->err, row->field);
}

#define BAD ERR_INVALID_FORMAT
#define MISSING ERR_MISSING_FIELD

static const struct row shapes[] = {
    {"", BAD, ""},
    {"nonsense", BAD, ""},
    {"[]", BAD, ""},
    {"\"ping\"", BAD, ""},
    {"{\"type\":\"ping\"", BAD, ""},
    {"{\"type\":\"ping\"}}", BAD, ""},
    {"{\"type\":\"ping\",}", BAD, ""},
    {"{'type':'ping'}", BAD, ""},
    {"{\"type\":\"ping\"} x", BAD, ""},
    {" {\"type\":\"ping\"}\n", ERR_OK, ""},
    {"{}", MISSING, "type"},
    {"{\"type\":null}", MISSING, "type"},
    {"{\"type\":\"\"}", MISSING, "type"},
    {"{\"type\":\" \\t\"}", MISSING, "type"},
    {"{\"type\":7}", BAD, "type"},
    {"{\"type\":\"dance\"}", BAD, "type"},
    {"{\"type\":\"PING\"}", BAD, "type"},
    {"{\"type\":\"ack\"}", BAD, "type"},
    {"{\"type\":\"ai_response\",\"content\":\"x\"}", BAD, "type"},
    {"{\"type\":\"error\"}", BAD, "type"},
    {"{\"type\":\"ping\",\"unknown\":{\"a\":[1,true,null]}}", ERR_OK, ""},
    {"{\"type\":\"ping\",\"type\":\"ping\"}", BAD, "type"},
    {"{\"type\":\"ping\",\"zzz\":1,\"zzz\":2}", BAD, "zzz"},
    {"{\"type\":\"ping\",\"metadata\":{\"a\":\"1\",\"a\":\"2\"}}", BAD,
     "metadata.a"},
    {"{\"type\":\"ping\",\"x\":\"\\ud800\"}", BAD, "x"},
    {"{\"type\":\"ping\",\"x\":\"\\udc00\\ud800\"}", BAD, "x"},
    {"{\"type\":\"ping\",\"x\":\"\xff\"}", BAD, ""},
    {"{\"type\":\"ping\",\"x\":\"\xed\xa0\x80\"}", BAD, ""},
};

static void
judges_the_shape_of_a_frame(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        check(&shapes[i]);
    }
}

#define MSG "{\"type\":\"user_message\",\"content\":\"hi\","

static const struct row members[] = {
    {MSG "\"session_id\":5}", BAD, "session_id"},
    {MSG "\"session_id\":null}", ERR_OK, ""},
    {MSG "\"file_id\":[]}", BAD, "file_id"},
    {MSG "\"model_id\":true}", BAD, "model_id"},
    {MSG "\"client_id\":{}}", BAD, "client_id"},
    {MSG "\"message_id\":1.5}", BAD, "message_id"},
    {MSG "\"sender\":\"user\"}", ERR_OK, ""},
    {MSG "\"sender\":\"\"}", BAD, "sender"},
    {MSG "\"timestamp\":\"\"}", BAD, "timestamp"},
    {MSG "\"sender\":\"ai\"}", BAD, "sender"},
    {MSG "\"sender\":\"system\"}", BAD, "sender"},
    {MSG "\"sender\":\"admin\"}", BAD, "sender"},
    {MSG "\"sender\":1}", BAD, "sender"},
    {MSG "\"timestamp\":\"2026-11-21T12:00:59Z\"}", ERR_OK, ""},
    {MSG "\"timestamp\":\"2026-11-21T12:01:00Z\"}", ERR_OK, ""},
    {MSG "\"timestamp\":\"2026-11-21T12:01:01Z\"}", BAD, "timestamp"},
    {MSG "\"timestamp\":\"2026-11-21T14:00:00+02:00\"}", ERR_OK, ""},
    {MSG "\"timestamp\":\"1970-01-01T00:00:00Z\"}", ERR_OK, ""},
    {MSG "\"timestamp\":\"2026-02-30T00:00:00Z\"}", BAD, "timestamp"},
    {MSG "\"timestamp\":\"2026-11-21 12:00:00Z\"}", BAD, "timestamp"},
    {MSG "\"timestamp\":\"yesterday\"}", BAD, "timestamp"},
    {MSG "\"timestamp\":1795262400}", BAD, "timestamp"},
    {MSG "\"file_url\":\"/chatbox/files/a?sig=1\"}", ERR_OK, ""},
    {MSG "\"file_url\":\"/etc/passwd\"}", BAD, "file_url"},
    {MSG "\"file_url\":\"https://cdn.example.org/a.png\"}", ERR_OK, ""},
    {MSG "\"file_url\":\"http://cdn.example.org/a.png\"}", BAD, "file_url"},
    {MSG "\"file_url\":\"https://127.0.0.1/a\"}", BAD, "file_url"},
    {MSG "\"file_url\":\"https://10.1.2.3/a\"}", BAD, "file_url"},
    {MSG "\"file_url\":\"https://[::1]/a\"}", BAD, "file_url"},
    {MSG "\"file_url\":\"https://localhost/a\"}", BAD, "file_url"},
    {MSG "\"file_url\":\"https://intranet/a\"}", BAD, "file_url"},
    {MSG "\"file_url\":\"https://2130706433/a\"}", BAD, "file_url"},
    {MSG "\"file_url\":\"https://u@example.org/a\"}", BAD, "file_url"},
    {MSG "\"file_url\":\"javascript:alert(1)\"}", BAD, "file_url"},
    {MSG "\"file_url\":7}", BAD, "file_url"},
    {MSG "\"error\":\"x\"}", BAD, "error"},
    {MSG "\"models\":{}}", BAD, "models"},
    {MSG "\"seq\":\"1\"}", BAD, "seq"},
    {MSG "\"seq\":1.5}", BAD, "seq"},
    {MSG "\"seq\":3}", ERR_OK, ""},
    {MSG "\"epoch\":3}", BAD, "epoch"},
    {"{\"type\":\"user_message\"}", MISSING, "content"},
    {"{\"type\":\"user_message\",\"content\":null}", MISSING, "content"},
    {"{\"type\":\"user_message\",\"content\":\"\"}", MISSING, "content"},
    {"{\"type\":\"user_message\",\"content\":\" \\u0000\\n\"}", MISSING,
     "content"},
    {"{\"type\":\"user_message\",\"content\":\"\xc2\xa0\xe3\x80\x80\"}",
     MISSING, "content"},
    {"{\"type\":\"user_message\",\"content\":7}", BAD, "content"},
    {"{\"type\":\"user_message\",\"content\":\"0123456789\"}", ERR_OK, ""},
    {"{\"type\":\"user_message\",\"content\":\"0123456789a\"}", BAD, "content"},
    {"{\"type\":\"user_message\",\"content\":\"         1 \"}", BAD, "content"},
    {"{\"type\":\"user_message\",\"content\":"
     "\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80"
     "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80"
     "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\"}",
     ERR_OK, ""},
    {"{\"type\":\"user_message\",\"file_id\":\"f1\"}", ERR_OK, ""},
    {"{\"type\":\"model_select\"}", MISSING, "model_id"},
    {"{\"type\":\"model_select\",\"model_id\":\" \"}", MISSING, "model_id"},
    {"{\"type\":\"file_upload\",\"file_id\":\"f\"}", MISSING, "file_url"},
    {"{\"type\":\"voice_message\"}", MISSING, "file_id"},
    {"{\"type\":\"regenerate\"}", MISSING, "message_id"},
    {"{\"type\":\"auth\"}", MISSING, "token"},
    {"{\"type\":\"cancel\"}", ERR_OK, ""},
    {"{\"type\":\"help_request\"}", ERR_OK, ""},
};

static void
judges_each_member(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        check(&members[i]);
    }
}

static const struct row metadata[] = {
    {MSG "\"metadata\":{}}", ERR_OK, ""},
    {MSG "\"metadata\":null}", ERR_OK, ""},
    {MSG "\"metadata\":[]}", BAD, "metadata"},
    {MSG "\"metadata\":\"x\"}", BAD, "metadata"},
    {MSG "\"metadata\":{\"k\":null}}", BAD, "metadata.k"},
    {MSG "\"metadata\":{\"k\":{}}}", BAD, "metadata.k"},
    {MSG "\"metadata\":{\"k\":[1]}}", BAD, "metadata.k"},
    {MSG "\"metadata\":{\"k\":\"1\",\"k\":\"1\"}}", BAD, "metadata.k"},
    {MSG "\"metadata\":{\"k\\u0000\":\"v\"}}", ERR_OK, ""},
    {MSG "\"metadata\":{\"k\\u0000\":\"1\",\"k\":\"1\"}}", BAD, "metadata.k"},
    {MSG "\"met\\u0000adata\":[]}", BAD, "metadata"},
    {MSG "\"\\u0000\":[]}", ERR_OK, ""},
    {MSG "\"metadata\":{\"a\":1,\"k\":1e999,\"z\":2}}", BAD, "metadata.k"},
    {MSG "\"metadata\":{\"k\":-1e999}}", BAD, "metadata.k"},
};

static void
judges_metadata(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(metadata); i++) {
        check(&metadata[i]);
    }
}

/* A frame whose member has n bytes of 'a'. */
static struct str
with_length(struct buf *b, const char *before, size_t n, const char *after)
{
    buf_reset(b, 1 << 20);
    buf_puts(b, before);
    for (size_t i = 0; i < n; i++) {
        buf_putc(b, 'a');
    }
    buf_puts(b, after);
    return buf_str(b);
}

static void
counts_bytes_of_each_limited_member(void **state)
{
    static const struct {
        const char *before;
        size_t limit;
        const char *after;
        const char *field;
    } rows[] = {
        {MSG "\"session_id\":\"", 128, "\"}", "session_id"},
        {MSG "\"file_id\":\"", 255, "\"}", "file_id"},
        {MSG "\"model_id\":\"", 100, "\"}", "model_id"},
        {MSG "\"client_id\":\"", 64, "\"}", "client_id"},
        {MSG "\"metadata\":{\"k\":\"", 1000, "\"}}", "metadata.k"},
        {MSG "\"file_url\":\"https://example.org/", 2048 - 20, "\"}",
         "file_url"},
    };
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_bytes(
            with_length(&b, rows[i].before, rows[i].limit, rows[i].after),
            ERR_OK, "");
        check_bytes(
            with_length(&b, rows[i].before, rows[i].limit + 1, rows[i].after),
            BAD, rows[i].field);
    }
    check_bytes(with_length(&b, MSG "\"metadata\":{\"", 64, "\":\"v\"}}"),
                ERR_OK, "");
    buf_fini(&b);
}

static struct str
with_keys(struct buf *b, int n)
{
    buf_reset(b, 1 << 20);
    buf_puts(b, MSG "\"metadata\":{");
    for (int i = 0; i < n; i++) {
        buf_printf(b, "%s\"k%d\":\"v\"", i > 0 ? "," : "", i);
    }
    buf_puts(b, "}}");
    return buf_str(b);
}

static void
allows_32_keys_of_metadata(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 20);
    check_bytes(with_keys(&b, 32), ERR_OK, "");
    check_bytes(with_keys(&b, 33), BAD, "metadata");
    buf_fini(&b);
}

static struct str
nested(struct buf *b, int levels, char open, char close)
{
    buf_reset(b, 1 << 20);
    buf_puts(b, "{\"type\":\"ping\",\"x\":");
    for (int i = 1; i < levels; i++) {
        buf_puts(b, open == '{' ? "{\"a\":" : "[");
    }
    buf_puts(b, "\"[[[{{{\\\"\"");
    for (int i = 1; i < levels; i++) {
        buf_putc(b, close);
    }
    buf_putc(b, '}');
    return buf_str(b);
}

static void
allows_eight_levels_of_nesting(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 20);
    check_bytes(nested(&b, 8, '{', '}'), ERR_OK, "");
    check_bytes(nested(&b, 8, '[', ']'), ERR_OK, "");
    check_bytes(nested(&b, 9, '{', '}'), BAD, "x");
    check_bytes(nested(&b, 9, '[', ']'), BAD, "x");
    check_bytes(nested(&b, 20000, '[', ']'), BAD, "");
    buf_fini(&b);
}

static void
decode_ok(const char *frame, struct proto_message *m)
{
    struct proto_fault fault;

    assert_int_equal(proto_decode(str_from(frame), &rules, m, &fault), ERR_OK);
}

/* Req 7.3, 7.5 */
static void
sanitises_after_validation_and_hands_on_the_result(void **state)
{
    struct proto_message m;

    (void)state;
    decode_ok("{\"type\":\" user_message\",\"content\":\" a\\u0000b<i> \","
              "\"client_id\":\"\\u0000c1 \",\"model_id\":\"\\tm\","
              "\"file_url\":\" https://example.org/x \"}",
              &m);
    assert_int_equal(m.type, MESSAGE_USER_MESSAGE);
    assert_true(str_is(m.field[PROTO_CONTENT], "ab<i>"));
    assert_true(str_is(m.field[PROTO_CLIENT_ID], "c1"));
    assert_true(str_is(m.field[PROTO_MODEL_ID], "m"));
    assert_true(str_is(m.field[PROTO_FILE_URL], "https://example.org/x"));
    assert_int_equal(m.field[PROTO_SESSION_ID].n, 0);
    assert_null(m.metadata);
    proto_message_fini(&m);
}

static void
turns_numbers_and_booleans_of_metadata_into_strings(void **state)
{
    struct proto_message m;

    (void)state;
    decode_ok(MSG "\"metadata\":{\"a\":1,\"b\":true,\"c\":false,\"d\":0.1,"
                  "\"e\":-3e2,\" f \":\" g\\u0000 \"}}",
              &m);
    assert_string_equal(m.metadata,
                        "{\"a\":\"1\",\"b\":\"true\",\"c\":\"false\","
                        "\"d\":\"0.1\",\"e\":\"-300\",\"f\":\"g\"}");
    proto_message_fini(&m);
}

static void
keeps_the_digits_of_long_integers_in_metadata(void **state)
{
    struct proto_message m;

    (void)state;
    decode_ok(MSG "\"metadata\":{\"a\":123456789012345678901234567890,"
                  "\"b\":-99999999999999999999,\"c\":9007199254740993,"
                  "\"d\":1e20,\"e\":0.1,\"f\":7,\"g\":\"x\"}}",
              &m);
    assert_string_equal(m.metadata,
                        "{\"a\":\"123456789012345678901234567890\","
                        "\"b\":\"-99999999999999999999\","
                        "\"c\":\"9007199254740993\",\"d\":\"1e+20\","
                        "\"e\":\"0.1\",\"f\":\"7\",\"g\":\"x\"}");
    proto_message_fini(&m);
    /* whatever stands beside it */
    decode_ok(MSG "\"z\":[99999999999999999999],"
                  "\"met\\u0061data\":{\"c\":9007199254740993}}",
              &m);
    assert_string_equal(m.metadata, "{\"c\":\"9007199254740993\"}");
    proto_message_fini(&m);
}

static void
counts_the_digits_of_a_long_integer(void **state)
{
    char frame[2048], digits[1100];

    (void)state;
    memset(digits, '7', sizeof(digits));
    for (int n = 1000; n <= 1001; n++) {
        snprintf(frame, sizeof(frame), MSG "\"metadata\":{\"k\":%.*s}}", n,
                 digits);
        check(&(struct row){frame, n == 1000 ? ERR_OK : BAD,
                            n == 1000 ? "" : "metadata.k"});
    }
    check(&(struct row){MSG "\"metadata\":{\"a\":99999999999999999999,"
                            "\"k\":1e999}}",
                        BAD, "metadata.k"});
    check(&(struct row){MSG "\"metadata\":99999999999999999999}", BAD,
                        "metadata"});
    check(&(struct row){"[99999999999999999999]", BAD, ""});
}

static void
lets_an_operator_claim_admin(void **state)
{
    struct proto_rules operator_rules = rules;
    struct proto_message m;
    struct proto_fault fault;

    (void)state;
    operator_rules.may_be_admin = true;
    assert_int_equal(proto_decode(str_from(MSG "\"sender\":\"admin\"}"),
                                  &operator_rules, &m, &fault),
                     ERR_OK);
    proto_message_fini(&m);
    assert_int_equal(proto_decode(str_from(MSG "\"sender\":\"ai\"}"),
                                  &operator_rules, &m, &fault),
                     ERR_INVALID_FORMAT);
}

static void
refuses_a_nul_byte_between_tokens(void **state)
{
    (void)state;
    check_bytes(STR("{\"type\":\"ping\",\"x\":1\0}"), BAD, "");
    check_bytes(STR("{\"type\":\"ping\"}\0"), BAD, "");
    check_bytes(STR("\0{\"type\":\"ping\"}"), BAD, "");
}

/* A cut frame is never taken for a whole one. */
static void
refuses_a_frame_cut_at_every_position(void **state)
{
    static const char frame[] =
        MSG "\"metadata\":{\"k\":\"v\"},\"client_id\":\"\\u00e9\"}";
    struct proto_message m;
    struct proto_fault fault;

    (void)state;
    for (size_t n = 0; n < sizeof(frame) - 1; n++) {
        char *cut = xmemdup(frame, n);

        assert_int_equal(proto_decode((struct str){cut, n}, &rules, &m, &fault),
                         ERR_INVALID_FORMAT);
        xfree(cut);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_the_shape_of_a_frame),
        cmocka_unit_test(judges_each_member),
        cmocka_unit_test(judges_metadata),
        cmocka_unit_test(counts_bytes_of_each_limited_member),
        cmocka_unit_test(allows_32_keys_of_metadata),
        cmocka_unit_test(allows_eight_levels_of_nesting),
        cmocka_unit_test(sanitises_after_validation_and_hands_on_the_result),
        cmocka_unit_test(turns_numbers_and_booleans_of_metadata_into_strings),
        cmocka_unit_test(keeps_the_digits_of_long_integers_in_metadata),
        cmocka_unit_test(counts_the_digits_of_a_long_integer),
        cmocka_unit_test(lets_an_operator_claim_admin),
        cmocka_unit_test(refuses_a_nul_byte_between_tokens),
        cmocka_unit_test(refuses_a_frame_cut_at_every_position),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
