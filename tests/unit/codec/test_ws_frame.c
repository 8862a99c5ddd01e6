/* SPDX-License-Identifier: MIT */
#include "codec/ws_frame.h"

#include "base/check.h"
#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    size_t n;
    struct str header;
} headers[] = {
    {0, {"\x81\x00", 2}},
    {1, {"\x81\x01", 2}},
    {125, {"\x81\x7D", 2}},
    {126, {"\x81\x7E\x00\x7E", 4}},
    {65535, {"\x81\x7E\xFF\xFF", 4}},
    {65536, {"\x81\x7F\x00\x00\x00\x00\x00\x01\x00\x00", 10}},
    {UINT64_C(0x123456789A), {"\x81\x7F\x00\x00\x00\x12\x34\x56\x78\x9A", 10}},
};

static void
writes_the_shortest_header_for_every_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        char out[WS_FRAME_HEADER_MAX];
        char room[WS_FRAME_HEADER_MAX + 1] = "..........p";
        size_t size = ws_frame_header(out, WS_TEXT, headers[i].n);

        assert_true(str_eq((struct str){out, size}, headers[i].header));
        assert_int_equal(ws_frame_header_size(headers[i].n), size);
        assert_int_equal(
            ws_frame_header_before(room + 10, WS_TEXT, headers[i].n), size);
        assert_memory_equal(room + 10 - size, out, size);
        assert_int_equal(room[10], 'p');
        if (size < 10) {
            assert_int_equal(room[10 - size - 1], '.');
        }
    }
}

static void
puts_whole_frames_one_after_another(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 64);
    ws_frame_put(&b, WS_TEXT, STR("Hello"));
    ws_frame_put(&b, WS_PING, STR(""));
    ws_frame_put(&b, WS_PONG, STR("x"));
    ws_frame_put(&b, WS_BINARY, STR("\0"));
    assert_true(str_eq(buf_str(&b), STR("\x81\x05Hello\x89\0\x8A\1x\x82\1\0")));
    buf_fini(&b);
}

static void
a_full_buffer_keeps_no_half_frame(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 6);
    ws_frame_put(&b, WS_TEXT, STR("Hello"));
    assert_int_equal(b.n, 0);
    assert_int_equal(buf_err(&b), ERR_TOO_BIG);
    buf_reset(&b, 64);
    ws_frame_put_masked(&b, WS_TEXT, STR("x"), 7);
    assert_int_equal(buf_err(&b), ERR_TOO_BIG);
    buf_fini(&b);
}

static void
a_close_frame_holds_code_and_reason(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 64);
    ws_frame_put_close(&b, 4408, STR("slow"));
    ws_frame_put_close(&b, 1000, STR(""));
    ws_frame_put_close(&b, 0, STR("unsaid"));
    assert_true(str_eq(buf_str(&b), STR("\x88\x06\x11\x38slow"
                                        "\x88\x02\x03\xE8"
                                        "\x88\x00")));
    buf_fini(&b);
}

static void
a_long_close_reason_is_cut_between_characters(void **state)
{
    char reason[200];
    struct buf b;

    (void)state;
    memset(reason, 'a', sizeof(reason));
    memcpy(reason + 122, "\xC3\xA9", 2);
    buf_init(&b, 200);
    ws_frame_put_close(&b, 1000, (struct str){reason, sizeof(reason)});
    assert_int_equal(b.n, 2 + 2 + 122);
    assert_int_equal(b.p[1], 124);
    buf_fini(&b);
}

/* RFC 6455 section 5.7. */
static void
a_masked_frame_is_the_one_of_the_standard(void **state)
{
    uint32_t mask;
    struct buf b;

    (void)state;
    memcpy(&mask, "\x37\xfa\x21\x3d", 4);
    buf_init(&b, 64);
    ws_frame_put_masked(&b, WS_TEXT, STR("Hello"), mask);
    assert_true(str_eq(buf_str(&b),
                       STR("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")));
    buf_fini(&b);
}

static void
masking_in_pieces_equals_masking_at_once(void **state)
{
    char in[100];
    char whole[100];
    char pieces[100];
    uint32_t mask;

    (void)state;
    memcpy(&mask, "\x01\x82\x43\xC4", 4);
    for (size_t i = 0; i < sizeof(in); i++) {
        in[i] = (char)(i * 37);
        whole[i] = (char)(in[i] ^ "\x01\x82\x43\xC4"[i % 4]);
    }
    for (size_t cut = 0; cut <= sizeof(in); cut++) {
        uint32_t next = ws_frame_mask(pieces, in, cut, mask);

        ws_frame_mask(pieces + cut, in + cut, sizeof(in) - cut, next);
        assert_memory_equal(pieces, whole, sizeof(in));
    }
    ws_frame_mask(in, in, sizeof(in), mask);
    assert_memory_equal(in, whole, sizeof(in));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_the_shortest_header_for_every_length),
        cmocka_unit_test(puts_whole_frames_one_after_another),
        cmocka_unit_test(a_full_buffer_keeps_no_half_frame),
        cmocka_unit_test(a_close_frame_holds_code_and_reason),
        cmocka_unit_test(a_long_close_reason_is_cut_between_characters),
        cmocka_unit_test(a_masked_frame_is_the_one_of_the_standard),
        cmocka_unit_test(masking_in_pieces_equals_masking_at_once),
    };

    return cmocka_run_group_tests_name("codec/ws_frame", tests, NULL, NULL);
}
