/* SPDX-License-Identifier: MIT */
#include "chat/carry.h"

#include "provider/estimate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* What an owner does with a piece of text. */
static void
say(struct carry *c, struct buf *shown, struct str text)
{
    buf_put_str(shown, carry_text(c, text));
}

static void
parts_become_one_text_and_one_usage(void **state)
{
    static const struct usage parts[] = {
        {.prompt_tokens = 1,
         .completion_tokens = 2,
         .total_tokens = 3,
         .cost_nanos = 4,
         .present = true},
        {.prompt_tokens = 10,
         .completion_tokens = 20,
         .total_tokens = 30,
         .cached_tokens = 5,
         .reasoning_tokens = 6,
         .cost_nanos = 40,
         .estimated = true,
         .present = true},
    };
    struct carry c;
    struct buf shown;

    (void)state;
    buf_init(&shown, 1000);
    buf_puts(&shown, "The quick brown ");
    carry_init(&c, shown.n);
    assert_true(carry_has_share(&c, buf_str(&shown)));
    carry_break(&c, buf_str(&shown), &parts[0]);
    assert_false(carry_has_share(&c, buf_str(&shown)));
    say(&c, &shown, STR("quick "));
    assert_false(carry_has_share(&c, buf_str(&shown)));
    say(&c, &shown, STR("brown fox"));
    assert_true(carry_has_share(&c, buf_str(&shown)));
    carry_break(&c, buf_str(&shown), &parts[1]);
    say(&c, &shown, STR("The "));
    buf_put_str(&shown, carry_rest(&c)); /* it was no repetition */
    assert_true(str_is(buf_str(&shown), "The quick brown foxThe "));
    assert_int_equal(c.used.prompt_tokens, 11);
    assert_int_equal(c.used.completion_tokens, 22);
    assert_int_equal(c.used.total_tokens, 33);
    assert_int_equal(c.used.cached_tokens, 5);
    assert_int_equal(c.used.reasoning_tokens, 6);
    assert_int_equal(c.used.cost_nanos, 44);
    assert_true(c.used.estimated && c.used.present);
    carry_fini(&c);
    buf_fini(&shown);
}

/* It was said, and is paid for. */
static void
what_is_said_again_counts(void **state)
{
    struct usage part = {.present = true};
    struct carry c;
    struct buf shown;

    (void)state;
    buf_init(&shown, 1000);
    buf_puts(&shown, "The quick brown fox");
    carry_init(&c, shown.n);
    assert_int_equal(carry_tokens(&c, buf_str(&shown)),
                     estimate_tokens(buf_str(&shown)));
    carry_break(&c, buf_str(&shown), &part);
    say(&c, &shown, STR("The quick brown fox jumps"));
    assert_true(str_is(buf_str(&shown), "The quick brown fox jumps"));
    assert_int_equal(carry_tokens(&c, buf_str(&shown)),
                     estimate_tokens(STR(" jumps")) +
                         estimate_tokens(STR("The quick brown fox")));
    carry_fini(&c);
    buf_fini(&shown);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_become_one_text_and_one_usage),
        cmocka_unit_test(what_is_said_again_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
