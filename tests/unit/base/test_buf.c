/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
keeps_what_it_had_when_a_put_would_pass_the_maximum(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 5);
    buf_puts(&b, "abc");
    buf_puts(&b, "def");
    assert_int_equal(buf_err(&b), ERR_TOO_BIG);
    assert_true(str_is(buf_str(&b), "abc"));
    buf_puts(&b, "x");
    assert_true(str_is(buf_str(&b), "abc"));
    buf_reset(&b, 5);
    buf_puts(&b, "12345");
    assert_int_equal(buf_err(&b), ERR_OK);
    assert_true(str_is(buf_str(&b), "12345"));
    buf_fini(&b);
}

static void
owns_no_memory_until_its_first_put(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    assert_null(b.p);
    buf_put(&b, "", 0);
    assert_null(b.p);
    buf_fini(&b);
}

static void
never_grows_beyond_its_maximum(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    for (int i = 0; i < 1000; i++) {
        buf_putc(&b, 'x');
        assert_true(b.cap <= 1000 && b.n == (size_t)i + 1);
    }
    assert_int_equal(buf_err(&b), ERR_OK);
    buf_putc(&b, 'x');
    assert_int_equal(buf_err(&b), ERR_TOO_BIG);
    buf_fini(&b);
}

static void
writes_numbers_of_every_size(void **state)
{
    struct buf b;
    char *text;

    (void)state;
    buf_init(&b, 200);
    buf_put_u64(&b, 0);
    buf_putc(&b, ' ');
    buf_put_u64(&b, UINT64_MAX);
    buf_putc(&b, ' ');
    buf_put_i64(&b, INT64_MIN);
    buf_putc(&b, ' ');
    buf_put_i64(&b, -1);
    text = buf_give(&b);
    assert_string_equal(text, "0 18446744073709551615 -9223372036854775808 -1");
    xfree(text);
    assert_null(b.p);
}

static void
consumes_at_the_front(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 20);
    buf_puts(&b, "abcdef");
    buf_consume(&b, 0);
    buf_consume(&b, 2);
    assert_true(str_is(buf_str(&b), "cdef"));
    buf_consume(&b, 4);
    assert_int_equal(b.n, 0);
    buf_fini(&b);
}

static void
reserves_exactly_up_to_the_maximum(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 8);
    assert_non_null(buf_reserve(&b, 8));
    assert_int_equal(b.n, 0);
    assert_null(buf_reserve(&b, 9));
    assert_int_equal(buf_err(&b), ERR_TOO_BIG);
    buf_reset(&b, 0);
    assert_null(b.p);
    assert_null(buf_reserve(&b, SIZE_MAX));
    buf_fini(&b);
}

static void
formats_like_printf(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 50);
    buf_printf(&b, "%d-%s", 7, "x");
    buf_put_str(&b, STR("!"));
    assert_true(str_is(buf_str(&b), "7-x!"));
    buf_fini(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_it_had_when_a_put_would_pass_the_maximum),
        cmocka_unit_test(owns_no_memory_until_its_first_put),
        cmocka_unit_test(never_grows_beyond_its_maximum),
        cmocka_unit_test(writes_numbers_of_every_size),
        cmocka_unit_test(consumes_at_the_front),
        cmocka_unit_test(reserves_exactly_up_to_the_maximum),
        cmocka_unit_test(formats_like_printf),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
