/* SPDX-License-Identifier: MIT */
#include "store/nonce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
a_step_counts_all_96_bits(void **state)
{
    static const struct {
        struct nonce before;
        unsigned char after[NONCE_BYTES];
    } rows[] = {
        {{{0}, 2}, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
        {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 255}, 2},
         {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0}},
        {{{1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}, 2},
         {2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
        {{{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}, 2},
         {0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct nonce n = rows[i].before;

        nonce_step(&n);
        assert_memory_equal(n.bytes, rows[i].after, NONCE_BYTES);
        assert_int_equal(n.left, 1);
    }
}

static void
the_first_one_begins_a_run(void **state)
{
    static const unsigned char one[NONCE_BYTES] = {[NONCE_BYTES - 1] = 1};
    struct nonce a = {.left = 0}, b = {.left = 0};

    (void)state;
    nonce_step(&a);
    nonce_step(&b);
    assert_int_equal(a.left, NONCE_RUN - 1);
    assert_memory_not_equal(a.bytes, one, NONCE_BYTES);
    assert_memory_not_equal(a.bytes, b.bytes, NONCE_BYTES);
}

/* The last one of a run is the next number; then another run begins. */
static void
a_run_ends_after_so_many(void **state)
{
    struct nonce last = {.left = 0}, n;

    (void)state;
    nonce_step(&last);
    last.left = 1; /* as after the others */
    n = last;
    nonce_step(&n);
    assert_int_equal(n.left, 0);
    assert_memory_equal(n.bytes, last.bytes, NONCE_BYTES - 8);
    last = n;
    nonce_step(&n);
    assert_int_equal(n.left, NONCE_RUN - 1);
    assert_memory_not_equal(n.bytes, last.bytes, NONCE_BYTES - 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_counts_all_96_bits),
        cmocka_unit_test(the_first_one_begins_a_run),
        cmocka_unit_test(a_run_ends_after_so_many),
    };

    return cmocka_run_group_tests_name("store/nonce", tests, NULL, NULL);
}
