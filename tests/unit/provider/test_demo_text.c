/* SPDX-License-Identifier: MIT */
/* The bounds of the text; test_demo.c reads what it says. */
#include "provider/demo_text.h"

#include "base/xalloc.h"
#include "codec/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static size_t
length_of(enum demo_manner manner, struct str question, struct str system)
{
    struct provider_message m = {.role = PROVIDER_USER, .content = question};
    struct provider_turn turn = {
        .system_prompt = system, .messages = &m, .count = 1};
    struct buf out;
    size_t n;

    buf_init(&out, DEMO_TEXT_MAX);
    demo_text_write(manner, &turn, &out);
    assert_false(out.failed);
    assert_true(utf8_valid(buf_str(&out)));
    n = out.n;
    buf_fini(&out);
    return n;
}

static void
every_text_fits_whatever_is_asked(void **state)
{
    size_t n = 2000000;
    char *large = xmalloc(n);

    (void)state;
    memset(large, '*', n);
    memcpy(large, "long ", 5);
    for (int m = 0; m < DEMO_MANNERS; m++) {
        size_t length = length_of((enum demo_manner)m, (struct str){large, n},
                                  (struct str){large, n});

        assert_in_range(length, 1000, DEMO_TEXT_MAX);
        assert_in_range(length_of((enum demo_manner)m, STR(""), STR("")), 50,
                        DEMO_TEXT_MAX);
    }
    xfree(large);
}

static void
a_character_is_never_cut_in_a_quotation(void **state)
{
    char question[400];

    (void)state;
    for (size_t before = 0; before < 8; before++) {
        size_t n = before;

        memset(question, 'x', before);
        for (int i = 0; i < 60; i++, n += 4) {
            memcpy(question + n, "\xF0\x9F\x98\x80", 4);
        }
        length_of(DEMO_GUIDE, (struct str){question, n}, STR(""));
    }
}

static void
says_that_it_saw_a_system_prompt(void **state)
{
    (void)state;
    assert_true(length_of(DEMO_GUIDE, STR("x"), STR("be nice")) >
                length_of(DEMO_GUIDE, STR("x"), STR("")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_text_fits_whatever_is_asked),
        cmocka_unit_test(a_character_is_never_cut_in_a_quotation),
        cmocka_unit_test(says_that_it_saw_a_system_prompt),
    };

    return cmocka_run_group_tests_name("provider/demo_text", tests, NULL, NULL);
}
