/* SPDX-License-Identifier: MIT */
#include "codec/ws.h"

#include "base/buf.h"
#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* A struct str in a table. */
#define LITERAL(text)                                                          \
    {                                                                          \
        "" text, sizeof(text) - 1                                              \
    }

/* What the callbacks said: "T(text)", "B(bytes)", "P(ping)", "O(pong)",
 * "C1000(reason)", "E1002". */
static struct buf heard;
static struct ws *stop_at_message;
static const char *last_message;

static void
on_message(void *user, enum ws_opcode type, struct str message)
{
    assert_ptr_equal(user, &heard);
    assert_true(type == WS_TEXT || type == WS_BINARY);
    buf_printf(&heard, "%c(", type == WS_TEXT ? 'T' : 'B');
    buf_put_str(&heard, message);
    buf_putc(&heard, ')');
    last_message = message.p;
    if (stop_at_message != NULL) {
        ws_stop(stop_at_message);
    }
}

static void
hear(char what, struct str payload)
{
    buf_putc(&heard, what);
    buf_putc(&heard, '(');
    buf_put_str(&heard, payload);
    buf_putc(&heard, ')');
}

static void
on_ping(void *user, struct str payload)
{
    (void)user;
    hear('P', payload);
}

static void
on_pong(void *user, struct str payload)
{
    (void)user;
    hear('O', payload);
}

static void
on_close(void *user, int code, struct str reason)
{
    (void)user;
    buf_printf(&heard, "C%d(%.*s)", code, STR_ARG(reason));
}

static void
on_error(void *user, int code, const char *why)
{
    (void)user;
    assert_non_null(why);
    buf_printf(&heard, "E%d", code);
}

static const struct ws_events events = {
    .on_message = on_message,
    .on_ping = on_ping,
    .on_pong = on_pong,
    .on_close = on_close,
    .on_error = on_error,
};

static const struct ws_rules server = {
    .events = &events, .max_message_bytes = 70000, .max_fragments = 4};
static const struct ws_rules client = {.events = &events,
                                       .max_message_bytes = 70000,
                                       .max_fragments = 4,
                                       .client = true};
static const struct ws_rules text_only = {.events = &events,
                                          .max_message_bytes = 10,
                                          .max_fragments = 4,
                                          .refuse_binary = true};

static int
setup(void **state)
{
    (void)state;
    buf_init(&heard, 1 << 20);
    stop_at_message = NULL;
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    buf_fini(&heard);
    return 0;
}

static void
feed_copy(struct ws *w, const char *bytes, size_t n)
{
    char *block = xmalloc(n > 0 ? n : 1);

    memcpy(block, bytes, n);
    ws_feed(w, &heard, block, n);
    memset(block, 0xEE, n); /* nothing may point there any more */
    xfree(block);
}

/* Feeds `first` bytes, then steps of `step`. */
static void
feed_cut(const struct ws_rules *rules, struct str in, size_t first, size_t step)
{
    struct ws w;
    size_t n = first;

    buf_reset(&heard, 1 << 20);
    ws_init(&w, rules);
    for (size_t at = 0; at < in.n; at += n, n = step) {
        n = n < in.n - at ? n : in.n - at;
        feed_copy(&w, in.p + at, n);
    }
    ws_fini(&w);
}

static void
expect_every_way(const struct ws_rules *rules, struct str in,
                 struct str expected)
{
    feed_cut(rules, in, in.n, in.n);
    if (!str_eq(buf_str(&heard), expected)) {
        fail_msg("heard %.*s, expected %.*s", STR_ARG(buf_str(&heard)),
                 STR_ARG(expected));
    }
    feed_cut(rules, in, 1, 1);
    assert_true(str_eq(buf_str(&heard), expected));
    for (size_t cut = 0; cut <= in.n; cut++) {
        feed_cut(rules, in, cut, in.n);
        assert_true(str_eq(buf_str(&heard), expected));
    }
}

/* Frames with the mask of no effect, so that a table can be read. */
#define M0 "\0\0\0\0"

static const struct {
    struct str in;
    struct str expected;
} good[] = {
    {LITERAL(""), LITERAL("")},
    {LITERAL("\x81\x80" M0), LITERAL("T()")},
    {LITERAL("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"),
     LITERAL("T(Hello)")},
    {LITERAL("\x81\x82" M0 "hi\x82\x82" M0 "\0\xFF\x81\x81" M0 "!"),
     LITERAL("T(hi)B(\0\xFF)T(!)")},
    /* fragments */
    {LITERAL("\x01\x83" M0 "Hel\x80\x82" M0 "lo"), LITERAL("T(Hello)")},
    {LITERAL("\x01\x80" M0 "\x00\x80" M0 "\x80\x80" M0), LITERAL("T()")},
    {LITERAL("\x01\x80" M0 "\x80\x81" M0 "x"), LITERAL("T(x)")},
    {LITERAL("\x02\x81" M0 "\x80\x80\x80" M0), LITERAL("B(\x80)")},
    {LITERAL("\x01\x81" M0 "a\x00\x81" M0 "b\x00\x81" M0 "c\x80\x81" M0 "d"),
     LITERAL("T(abcd)")},
    {LITERAL("\x01\x81" M0 "\xE2\x00\x81" M0 "\x82\x80\x81" M0 "\xAC"),
     LITERAL("T(\xE2\x82\xAC)")},
    {LITERAL("\x01\x80" M0 "\x00\x80" M0 "\x80\x81" M0 "a\x01\x80" M0
             "\x00\x80" M0 "\x80\x81" M0 "b"),
     LITERAL("T(a)T(b)")},
    /* control frames, also between fragments */
    {LITERAL("\x89\x80" M0), LITERAL("P()")},
    {LITERAL("\x89\x84\x01\x02\x03\x04\x01\x02\x03\x04"),
     LITERAL("P(\0\0\0\0)")},
    {LITERAL("\x8A\x83" M0 "abc"), LITERAL("O(abc)")},
    {LITERAL("\x01\x81" M0 "a\x89\x82" M0 "pp\x8A\x80" M0 "\x80\x81" M0 "b"
             "\x89\x80" M0),
     LITERAL("P(pp)O()T(ab)P()")},
    {LITERAL("\x01\x80" M0 "\x89\x81" M0 "p\x80\x81" M0 "b"),
     LITERAL("P(p)T(b)")},
    /* close; what follows is not looked at */
    {LITERAL("\x88\x80" M0), LITERAL("C1005()")},
    {LITERAL("\x88\x82" M0 "\x03\xE8\x81\x81" M0 "x"), LITERAL("C1000()")},
    {LITERAL("\x88\x85" M0 "\x11\x38"
             "bye\xFF\xFF"),
     LITERAL("C4408(bye)")},
    {LITERAL("\x88\x84" M0 "\x03\xE9\xC3\xA9"), LITERAL("C1001(\xC3\xA9)")},
    {LITERAL("\x01\x81" M0 "a\x88\x82" M0 "\x0B\xB8"), LITERAL("C3000()")},
};

static void
good_frames_give_their_messages_however_they_are_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        expect_every_way(&server, good[i].in, good[i].expected);
    }
}

/* Every rule of RFC 6455 sections 5 to 7, broken once. */
static const struct {
    struct str in;
    struct str expected;
} bad[] = {
    /* 5.1 masking */
    {LITERAL("\x81\x01x"), LITERAL("E1002")},
    {LITERAL("\x89\x00"), LITERAL("E1002")},
    /* 5.2 reserved bits and opcodes */
    {LITERAL("\xC1\x81" M0 "x"), LITERAL("E1002")},
    {LITERAL("\xA1\x81" M0 "x"), LITERAL("E1002")},
    {LITERAL("\x91\x81" M0 "x"), LITERAL("E1002")},
    {LITERAL("\xF1\x81" M0 "x"), LITERAL("E1002")},
    {LITERAL("\xC9\x80" M0), LITERAL("E1002")},
    {LITERAL("\x01\x81" M0 "x\xC0\x81" M0 "y"), LITERAL("E1002")},
    {LITERAL("\x83\x80" M0), LITERAL("E1002")},
    {LITERAL("\x84\x80" M0), LITERAL("E1002")},
    {LITERAL("\x85\x80" M0), LITERAL("E1002")},
    {LITERAL("\x86\x80" M0), LITERAL("E1002")},
    {LITERAL("\x87\x80" M0), LITERAL("E1002")},
    {LITERAL("\x8B\x80" M0), LITERAL("E1002")},
    {LITERAL("\x8C\x80" M0), LITERAL("E1002")},
    {LITERAL("\x8D\x80" M0), LITERAL("E1002")},
    {LITERAL("\x8E\x80" M0), LITERAL("E1002")},
    {LITERAL("\x8F\x80" M0), LITERAL("E1002")},
    /* 5.2 length */
    {LITERAL("\x81\xFE\x00\x7D" M0), LITERAL("E1002")},
    {LITERAL("\x81\xFE\x00\x00" M0), LITERAL("E1002")},
    {LITERAL("\x81\xFF\0\0\0\0\0\0\xFF\xFF" M0), LITERAL("E1002")},
    {LITERAL("\x81\xFF\0\0\0\0\0\0\0\x01" M0), LITERAL("E1002")},
    {LITERAL("\x81\xFF\x80\0\0\0\0\0\0\0" M0), LITERAL("E1002")},
    {LITERAL("\x81\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF" M0), LITERAL("E1002")},
    {LITERAL("\x81\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF" M0), LITERAL("E1009")},
    /* 5.4 fragmentation */
    {LITERAL("\x80\x81" M0 "x"), LITERAL("E1002")},
    {LITERAL("\x00\x81" M0 "x"), LITERAL("E1002")},
    {LITERAL("\x81\x81" M0 "a\x80\x81" M0 "b"), LITERAL("T(a)E1002")},
    {LITERAL("\x01\x81" M0 "a\x81\x81" M0 "b"), LITERAL("E1002")},
    {LITERAL("\x01\x81" M0 "a\x01\x81" M0 "b"), LITERAL("E1002")},
    {LITERAL("\x01\x81" M0 "a\x82\x81" M0 "b"), LITERAL("E1002")},
    {LITERAL("\x01\x80" M0 "\x81\x81" M0 "b"), LITERAL("E1002")},
    {LITERAL("\x01\x80" M0 "\x00\x80" M0 "\x00\x80" M0 "\x00\x80" M0
             "\x00\x80" M0),
     LITERAL("E1008")},
    /* 5.5 control frames */
    {LITERAL("\x09\x80" M0), LITERAL("E1002")},
    {LITERAL("\x0A\x80" M0), LITERAL("E1002")},
    {LITERAL("\x08\x80" M0), LITERAL("E1002")},
    {LITERAL("\x89\xFE\x00\x7E" M0), LITERAL("E1002")},
    {LITERAL("\x8A\xFE\x01\x00" M0), LITERAL("E1002")},
    {LITERAL("\x88\xFF\0\0\0\0\0\0\0\x02" M0), LITERAL("E1002")},
    /* 5.5.1, 7.4 close */
    {LITERAL("\x88\x81" M0 "\x03"), LITERAL("E1002")},
    {LITERAL("\x88\x82" M0 "\x00\x00"), LITERAL("E1002")},
    {LITERAL("\x88\x82" M0 "\x03\xE7"), LITERAL("E1002")}, /* 999 */
    {LITERAL("\x88\x82" M0 "\x03\xEC"), LITERAL("E1002")}, /* 1004 */
    {LITERAL("\x88\x82" M0 "\x03\xED"), LITERAL("E1002")}, /* 1005 */
    {LITERAL("\x88\x82" M0 "\x03\xEE"), LITERAL("E1002")}, /* 1006 */
    {LITERAL("\x88\x82" M0 "\x03\xF7"), LITERAL("E1002")}, /* 1015 */
    {LITERAL("\x88\x82" M0 "\x03\xF8"), LITERAL("E1002")}, /* 1016 */
    {LITERAL("\x88\x82" M0 "\x0B\xB7"), LITERAL("E1002")}, /* 2999 */
    {LITERAL("\x88\x82" M0 "\x13\x88"), LITERAL("E1002")}, /* 5000 */
    {LITERAL("\x88\x82" M0 "\xFF\xFF"), LITERAL("E1002")},
    {LITERAL("\x88\x83" M0 "\x03\xE8\xFF"), LITERAL("E1007")},
    {LITERAL("\x88\x84" M0 "\x03\xE8\xE2\x82"), LITERAL("E1007")},
    /* 5.6, 8.1 text */
    {LITERAL("\x81\x81" M0 "\xFF"), LITERAL("E1007")},
    {LITERAL("\x81\x82" M0 "\xC0\x80"), LITERAL("E1007")},
    {LITERAL("\x81\x83" M0 "\xED\xA0\x80"), LITERAL("E1007")},
    {LITERAL("\x81\x82" M0 "\xE2\x82"), LITERAL("E1007")},
    {LITERAL("\x01\x82" M0 "\xE2\x82\x80\x81" M0 "x"), LITERAL("E1007")},
    {LITERAL("\x01\x82" M0 "\xE2\x82\x80\x80" M0), LITERAL("E1007")},
    {LITERAL("\x01\x81" M0 "\xE2\x89\x80" M0 "\x80\x81" M0 "\xFF"),
     LITERAL("P()E1007")},
};

static void
every_broken_rule_ends_with_its_code_however_it_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        expect_every_way(&server, bad[i].in, bad[i].expected);
    }
}

/* After how many bytes the verdict falls. */
static const struct {
    struct str in;
    size_t at;
} early[] = {
    {LITERAL("\xC1"), 1},
    {LITERAL("\x80"), 1},
    {LITERAL("\x82"), 1},
    {LITERAL("\x81\x05"), 2},
    {LITERAL("\x89\xFE"), 2},
    {LITERAL("\x81\x8B" M0), 6}, /* 11 bytes of 10 */
    {LITERAL("\x01\x86" M0 "abcdef\x80\x85" M0), 18},
    {LITERAL("\x81\x8A" M0 "ab\xFF"), 9},
    {LITERAL("\x81\x8A" M0 "ab\xED\xA0"), 10},
    {LITERAL("\x81\x8A" M0 "\xF4\x90"), 8},
};

static void
a_fault_is_found_at_the_first_byte_that_shows_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(early); i++) {
        struct ws w;

        buf_reset(&heard, 1 << 20);
        ws_init(&w, &text_only);
        for (size_t at = 0; at < early[i].in.n; at++) {
            assert_true(ws_open(&w));
            assert_int_equal(heard.n, 0);
            feed_copy(&w, early[i].in.p + at, 1);
        }
        assert_int_equal(early[i].at, early[i].in.n);
        assert_false(ws_open(&w));
        assert_int_equal(heard.p[0], 'E');
        assert_int_equal(ws_memory(&w), 0);
        ws_fini(&w);
    }
}

static void
limits_and_refusals_have_their_codes(void **state)
{
    (void)state;
    expect_every_way(&text_only, STR("\x81\x8A" M0 "0123456789"),
                     STR("T(0123456789)"));
    expect_every_way(&text_only, STR("\x81\x8B" M0 "0123456789a"),
                     STR("E1009"));
    expect_every_way(&text_only, STR("\x01\x85" M0 "01234\x80\x85" M0 "56789"),
                     STR("T(0123456789)"));
    expect_every_way(&text_only, STR("\x01\x85" M0 "01234\x80\x86" M0 "56789a"),
                     STR("E1009"));
    expect_every_way(&text_only, STR("\x82\x80" M0), STR("E1003"));
    expect_every_way(&text_only, STR("\x02\x80" M0), STR("E1003"));
    expect_every_way(&text_only, STR("\x89\x8B" M0 "0123456789a"),
                     STR("P(0123456789a)"));
}

static const struct str codes[] = {
    LITERAL("\x03\xE8"), /* 1000 */
    LITERAL("\x03\xEB"), /* 1003 */
    LITERAL("\x03\xEF"), /* 1007 */
    LITERAL("\x03\xF3"), /* 1011 */
    LITERAL("\x03\xF6"), /* 1014 */
    LITERAL("\x0F\x9F"), /* 3999 */
    LITERAL("\x0F\xA0"), /* 4000 */
    LITERAL("\x13\x87"), /* 4999 */
};

static void
registered_and_private_close_codes_are_valid(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        struct buf b;

        buf_init(&b, 16);
        buf_put_str(&b, STR("\x88\x82" M0));
        buf_put_str(&b, codes[i]);
        feed_cut(&server, buf_str(&b), b.n, b.n);
        assert_int_equal(heard.p[0], 'C');
        buf_fini(&b);
    }
}

/* n bytes of text as one masked frame, appended to b. */
static void
put_text(struct buf *b, size_t n)
{
    char *text = xmalloc(n + 1);

    for (size_t i = 0; i < n; i++) {
        text[i] = (char)('a' + i % 26);
    }
    ws_frame_put_masked(b, WS_TEXT, (struct str){text, n}, 0x12345678);
    xfree(text);
}

static void
every_form_of_length_is_read(void **state)
{
    static const size_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, 70000};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        static const size_t steps[] = {1 << 20, 1000, 7, 1};
        struct buf b;

        buf_init(&b, 1 << 17);
        put_text(&b, sizes[i]);
        for (size_t k = 0; k < COUNT_OF(steps); k++) {
            feed_cut(&server, buf_str(&b), 3, steps[k]);
            assert_int_equal(heard.n, sizes[i] + 3);
            for (size_t at = 0; at < sizes[i]; at += 97) {
                assert_int_equal(heard.p[2 + at], 'a' + at % 26);
            }
        }
        buf_fini(&b);
    }
}

static void
a_message_in_one_read_is_given_in_place_and_costs_no_memory(void **state)
{
    char bytes[] = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    struct ws w;

    (void)state;
    ws_init(&w, &server);
    ws_feed(&w, &heard, bytes, sizeof(bytes) - 1);
    assert_ptr_equal(last_message, bytes + 6);
    assert_int_equal(ws_memory(&w), 0);
    ws_fini(&w);
}

static void
memory_is_there_only_while_a_message_is_unfinished(void **state)
{
    struct ws w;

    (void)state;
    ws_init(&w, &server);
    feed_copy(&w, "\x81\x84" M0, 6);
    assert_int_equal(ws_memory(&w), 0);
    feed_copy(&w, "ab", 2);
    assert_true(ws_memory(&w) > 0);
    feed_copy(&w, "cd", 2);
    assert_int_equal(ws_memory(&w), 0);
    feed_copy(&w, "\x89\x82" M0 "x", 7);
    assert_true(ws_memory(&w) > 0);
    feed_copy(&w, "y", 1);
    assert_int_equal(ws_memory(&w), 0);
    assert_true(str_is(buf_str(&heard), "T(abcd)P(xy)"));
    ws_fini(&w);
}

static void
a_declared_length_alone_allocates_nothing(void **state)
{
    struct ws w;

    (void)state;
    ws_init(&w, &server);
    feed_copy(&w, "\x82\xFF\0\0\0\0\0\1\0\0" M0 "x", 15);
    assert_true(ws_memory(&w) < 1024);
    ws_fini(&w);
    assert_int_equal(ws_memory(&w), 0);
}

static void
nothing_is_heard_after_stop(void **state)
{
    struct ws w;
    char bytes[] = "\x81\x81" M0 "a\x81\x81" M0 "b\x88\x80" M0;

    (void)state;
    ws_init(&w, &server);
    stop_at_message = &w;
    ws_feed(&w, &heard, bytes, sizeof(bytes) - 1);
    feed_copy(&w, "\xFF\xFF", 2);
    assert_true(str_is(buf_str(&heard), "T(a)"));
    assert_false(ws_open(&w));
    ws_fini(&w);
}

static void
stop_inside_a_message_that_was_kept_frees_it(void **state)
{
    struct ws w;

    (void)state;
    ws_init(&w, &server);
    stop_at_message = &w;
    feed_copy(&w, "\x01\x81" M0 "a", 7);
    feed_copy(&w, "\x80\x81" M0 "b\x81\x80" M0, 13);
    assert_true(str_is(buf_str(&heard), "T(ab)"));
    assert_int_equal(ws_memory(&w), 0);
    ws_fini(&w);
}

static void
a_client_reads_unmasked_frames_and_refuses_masked_ones(void **state)
{
    (void)state;
    expect_every_way(&client, STR("\x81\x05Hello\x89\0\x01\1a\x80\1b"),
                     STR("T(Hello)P()T(ab)"));
    expect_every_way(&client, STR("\x88\2\x03\xE8"), STR("C1000()"));
    expect_every_way(&client, STR("\x81\x81" M0 "x"), STR("E1002"));
    expect_every_way(&client, STR("\x81\x7E\x00\x7D"), STR("E1002"));
}

static void
what_the_writer_writes_the_reader_reads(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 256);
    ws_frame_put_masked(&b, WS_TEXT, STR("one"), 0xDEADBEEF);
    ws_frame_put_masked(&b, WS_PING, STR(""), 1);
    ws_frame_put_masked(&b, WS_BINARY, STR("t\0o"), 2);
    expect_every_way(&server, buf_str(&b), STR("T(one)P()B(t\0o)"));
    buf_reset(&b, 256);
    ws_frame_put(&b, WS_TEXT, STR("one"));
    ws_frame_put_close(&b, 1012, STR("restart"));
    expect_every_way(&client, buf_str(&b), STR("T(one)C1012(restart)"));
    buf_fini(&b);
}

static void
an_idle_decoder_is_at_most_64_bytes(void **state)
{
    (void)state;
    assert_true(sizeof(struct ws) <= 64);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            good_frames_give_their_messages_however_they_are_cut, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            every_broken_rule_ends_with_its_code_however_it_is_cut, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            a_fault_is_found_at_the_first_byte_that_shows_it, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_and_refusals_have_their_codes,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            registered_and_private_close_codes_are_valid, setup, teardown),
        cmocka_unit_test_setup_teardown(every_form_of_length_is_read, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            a_message_in_one_read_is_given_in_place_and_costs_no_memory, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            memory_is_there_only_while_a_message_is_unfinished, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            a_declared_length_alone_allocates_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_heard_after_stop, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            stop_inside_a_message_that_was_kept_frees_it, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_client_reads_unmasked_frames_and_refuses_masked_ones, setup,
            teardown),
        cmocka_unit_test_setup_teardown(what_the_writer_writes_the_reader_reads,
                                        setup, teardown),
        cmocka_unit_test(an_idle_decoder_is_at_most_64_bytes),
    };

    return cmocka_run_group_tests_name("codec/ws", tests, NULL, NULL);
}
