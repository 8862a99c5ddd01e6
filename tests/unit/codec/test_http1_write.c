/* SPDX-License-Identifier: MIT */
#include "codec/http1_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct buf out;

static int
setup(void **state)
{
    (void)state;
    buf_init(&out, 4096);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    buf_fini(&out);
    return 0;
}

static void
assert_written(const char *expected)
{
    buf_putc(&out, '\0');
    assert_string_equal(out.p, expected);
    buf_reset(&out, 4096);
}

static void
a_response_is_status_headers_end_and_body(void **state)
{
    (void)state;
    http1_write_status(&out, 404);
    http1_write_header(&out, "Content-Type", STR("text/plain"));
    http1_write_header_u64(&out, "Content-Length", 2);
    http1_write_end(&out);
    buf_puts(&out, "no");
    assert_written("HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n"
                   "Content-Length: 2\r\n\r\nno");
}

static void
a_status_without_a_known_reason_keeps_its_space(void **state)
{
    (void)state;
    http1_write_status(&out, 299);
    assert_written("HTTP/1.1 299 \r\n");
}

static void
no_value_can_begin_another_header(void **state)
{
    (void)state;
    http1_write_header(&out, "X", STR("a\r\nSet-Cookie: b\0c\x7F\td\xC3\xA9"));
    assert_written("X: a  Set-Cookie: b c \td\xC3\xA9\r\n");
    http1_write_header(&out, "X", STR(""));
    assert_written("X: \r\n");
}

static void
dates_are_written_as_http_wants_them(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } dates[] = {
        {784111777000, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"},
        {0, "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"},
        {951827696999, "Date: Tue, 29 Feb 2000 12:34:56 GMT\r\n"},
        {-1, "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"},
        {INT64_MAX, "Date: Fri, 31 Dec 9999 23:59:59 GMT\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(dates); i++) {
        http1_write_date(&out, dates[i].ms);
        assert_written(dates[i].text);
    }
}

static void
the_connection_header_says_only_what_is_not_the_rule(void **state)
{
    (void)state;
    http1_write_connection(&out, true, 1);
    assert_written("");
    http1_write_connection(&out, true, 0);
    assert_written("Connection: keep-alive\r\n");
    http1_write_connection(&out, false, 1);
    assert_written("Connection: close\r\n");
    http1_write_connection(&out, false, 0);
    assert_written("Connection: close\r\n");
}

static void
chunks_carry_their_size_in_hexadecimal(void **state)
{
    (void)state;
    http1_write_chunk(&out, STR("0123456789abcdefXYZ"));
    http1_write_last_chunk(&out);
    assert_written("13\r\n0123456789abcdefXYZ\r\n0\r\n\r\n");
}

static void
continue_is_a_whole_interim_response(void **state)
{
    (void)state;
    http1_write_continue(&out);
    assert_written("HTTP/1.1 100 Continue\r\n\r\n");
}

static void
a_buffer_that_is_too_small_says_so_at_the_end(void **state)
{
    struct buf small;

    (void)state;
    buf_init(&small, 20);
    http1_write_status(&small, 200);
    http1_write_header(&small, "X", STR("y"));
    http1_write_end(&small);
    assert_int_equal(buf_err(&small), ERR_TOO_BIG);
    buf_fini(&small);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_is_status_headers_end_and_body),
        cmocka_unit_test(a_status_without_a_known_reason_keeps_its_space),
        cmocka_unit_test(no_value_can_begin_another_header),
        cmocka_unit_test(dates_are_written_as_http_wants_them),
        cmocka_unit_test(the_connection_header_says_only_what_is_not_the_rule),
        cmocka_unit_test(chunks_carry_their_size_in_hexadecimal),
        cmocka_unit_test(continue_is_a_whole_interim_response),
        cmocka_unit_test(a_buffer_that_is_too_small_says_so_at_the_end),
    };

    return cmocka_run_group_tests_name("codec/http1_write", tests, setup,
                                       teardown);
}
