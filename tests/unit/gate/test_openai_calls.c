/* SPDX-License-Identifier: MIT */
#include "gate/openai_calls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
pieces_that_come_side_by_side_become_whole_calls(void **state)
{
    static const struct {
        unsigned at;
        struct provider_call piece;
    } pieces[] = {
        {1, {STR("b"), STR("g"), STR("")}},
        {0, {STR("a\""), STR("f"), STR("{\"k")}},
        {1, {.arguments = STR("{}")}},
        {0, {.arguments = STR("\":1}")}},
    };
    struct openai_calls calls = {.max_bytes = 100};
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    for (int round = 0; round < 2; round++) { /* it may be used again */
        for (size_t i = 0; i < COUNT_OF(pieces); i++) {
            openai_calls_take(&calls, pieces[i].at, &pieces[i].piece);
        }
        buf_reset(&b, 0);
        openai_calls_put(&calls, &b);
        assert_true(str_is(
            buf_str(&b),
            "[{\"id\":\"a\\\"\",\"type\":\"function\",\"function\":{\"name\":"
            "\"f\",\"arguments\":\"{\\\"k\\\":1}\"}},{\"id\":\"b\",\"type\":"
            "\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}"
            "]"));
        openai_calls_fini(&calls);
    }
    buf_reset(&b, 0);
    openai_calls_put(&calls, &b);
    assert_int_equal(b.n, 0);
    buf_fini(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_that_come_side_by_side_become_whole_calls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
